/* SPDX-License-Identifier: Apache-2.0 */
/* Real sockets; descriptors are counted by the lowest free number. */
#include "base/passing.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

static int sockets[2];
static int spare;
static int fds[PASSING_FDS_MAX];
static uint32_t count;
static char text[8];

static void open_pair(int type)
{
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sockets), 0);
    spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(spare >= 0);
}

static void close_pair(void)
{
    fd_release(&spare);
    fd_release(&sockets[0]);
    fd_release(&sockets[1]);
}

static int free_number(void)
{
    OWN_FD fd = fcntl(spare, F_DUPFD_CLOEXEC, 0);
    return fd;
}

static int send_some(const char *bytes, uint32_t some)
{
    int sent[PASSING_FDS_MAX];
    for (uint32_t i = 0; i < some; i++) {
        sent[i] = spare;
    }
    return passing_send(sockets[0], bytes, strlen(bytes), sent, some);
}

static ssize_t receive(uint32_t most)
{
    memset(text, 0, sizeof text);
    return passing_receive(sockets[1], text, sizeof text, fds, most, &count);
}

static void test_descriptors_come_with_their_message(void **state)
{
    (void)state;
    open_pair(SOCK_SEQPACKET);
    assert_int_equal(send_some("none", 0), 0);
    assert_int_equal(send_some("two", 2), 0);
    assert_int_equal(send_some("all", PASSING_FDS_MAX), 0);
    assert_int_equal(receive(3), 4);
    assert_string_equal(text, "none");
    assert_int_equal(count, 0);
    assert_int_equal(fds[0], -1);
    assert_int_equal(receive(3), 3);
    assert_string_equal(text, "two");
    assert_int_equal(count, 2);
    assert_int_equal(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
    assert_int_equal(fds[2], -1);
    fd_release(&fds[0]);
    fd_release(&fds[1]);
    assert_int_equal(receive(PASSING_FDS_MAX), 3);
    assert_int_equal(count, PASSING_FDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        fd_release(&fds[i]);
    }
    close_pair();
}

/* Room for an odd number has, by its alignment, room for one more. */
static void test_too_many_are_closed_and_refused(void **state)
{
    (void)state;
    for (uint32_t most = 0; most < 4; most++) {
        for (uint32_t some = most + 1; some < 6; some++) {
            open_pair(SOCK_SEQPACKET);
            int number = free_number();
            assert_int_equal(send_some("some", some), 0);
            assert_int_equal(receive(most), -EMSGSIZE);
            assert_int_equal(count, 0);
            assert_int_equal(free_number(), number);
            close_pair();
        }
    }
}

static void test_longer_message_is_refused_and_its_descriptors_closed(void **state)
{
    (void)state;
    open_pair(SOCK_SEQPACKET);
    int number = free_number();
    assert_int_equal(send_some("longer than that", 2), 0);
    assert_int_equal(receive(2), -EMSGSIZE);
    assert_int_equal(free_number(), number);
    close_pair();
}

/* It looks like the end; who takes it for that looks at no descriptors. */
static void test_descriptors_of_an_empty_message_are_closed(void **state)
{
    (void)state;
    open_pair(SOCK_SEQPACKET);
    int number = free_number();
    assert_int_equal(send_some("", 3), 0);
    assert_int_equal(receive(3), 0);
    assert_int_equal(count, 0);
    assert_int_equal(fds[0], -1);
    assert_int_equal(free_number(), number);
    close_pair();
}

static void test_nothing_an_end_and_no_reader_are_told_apart(void **state)
{
    (void)state;
    open_pair(SOCK_SEQPACKET);
    assert_int_equal(receive(1), -EAGAIN);
    fd_release(&sockets[0]);
    assert_int_equal(receive(1), 0);
    sockets[0] = take_fd(&sockets[1]);
    assert_int_equal(send_some("text", 1), -EPIPE); /* and no signal */
    close_pair();
}

static void test_full_socket_takes_nothing_or_a_part(void **state)
{
    (void)state;
    static char large[4u << 20];
    memset(large, 'x', sizeof large - 1);
    open_pair(SOCK_SEQPACKET);
    int r = 0;
    while (r == 0) {
        r = send_some("text", 0);
    }
    assert_int_equal(r, -EAGAIN);
    close_pair();
    open_pair(SOCK_STREAM);
    assert_int_equal(send_some(large, 1), -EMSGSIZE);
    assert_int_equal(send_some(large, 1), -EAGAIN);
    close_pair();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_come_with_their_message),
        cmocka_unit_test(test_too_many_are_closed_and_refused),
        cmocka_unit_test(test_longer_message_is_refused_and_its_descriptors_closed),
        cmocka_unit_test(test_descriptors_of_an_empty_message_are_closed),
        cmocka_unit_test(test_nothing_an_end_and_no_reader_are_told_apart),
        cmocka_unit_test(test_full_socket_takes_nothing_or_a_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
