/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/passing.h"
#include "keeper/errands.h"

#define FIXED_BYTES offsetof(struct errand, library)

static int sockets[2];
static int spare; /* a descriptor to send */

static int open_sockets(void **state)
{
    (void)state;
    spare = eventfd(0, EFD_CLOEXEC);
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets);
}

static int close_sockets(void **state)
{
    (void)state;
    fd_release(&sockets[0]);
    fd_release(&sockets[1]);
    fd_release(&spare);
    return 0;
}

static struct errand start_errand(void)
{
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = ERRAND_START,
                            .worker = 1,
                            .library = "libz.so.1"};
    policy_init(&errand.policy, POLICY_STRICT);
    return errand;
}

static void send_letter(const void *bytes, size_t length, unsigned fd_count)
{
    int fds[PASSING_FDS_MAX];
    for (unsigned i = 0; i < fd_count; i++) {
        fds[i] = spare;
    }
    assert_int_equal(passing_send(sockets[0], bytes, length, fds, fd_count), 0);
}

/* Lowest free number: descriptors that stay open move it. */
static int free_number(void)
{
    OWN_FD fd = fcntl(spare, F_DUPFD_CLOEXEC, 0);
    return fd;
}

static void expect(const struct errand *errand, unsigned fd_count, int result)
{
    struct errand_letter letter;
    int before = free_number();
    send_letter(errand, sizeof *errand, fd_count);
    assert_int_equal(errand_letter_receive(&letter, sockets[1]), result);
    if (result == 0) {
        errand_letter_deinit(&letter);
    }
    assert_int_equal(free_number(), before);
}

static void test_start_is_accepted_and_its_descriptors_are_told_apart(void **state)
{
    (void)state;
    struct errand errand = start_errand();
    struct errand_letter letter;
    errand.flags = ERRAND_HAS_ARENA;
    errand.arena_base = 0x100000000;
    errand.arena_bytes = 1u << 20;
    send_letter(&errand, FIXED_BYTES + sizeof "libz.so.1", 3);
    assert_int_equal(errand_letter_receive(&letter, sockets[1]), 0);
    struct ward_fds fds = errand_letter_fds(&letter);
    assert_true(fds.h >= 0 && fds.w >= 0 && fds.arena >= 0);
    assert_int_equal(fds.event, -1);
    assert_string_equal(letter.errand.library, "libz.so.1");
    errand_letter_deinit(&letter);
}

static void test_nothing_there_and_closed_are_told_apart(void **state)
{
    (void)state;
    struct errand_letter letter;
    assert_int_equal(errand_letter_receive(&letter, sockets[1]), -EAGAIN);
    assert_int_equal(shutdown(sockets[0], SHUT_RDWR), 0);
    assert_int_equal(errand_letter_receive(&letter, sockets[1]), -EPIPE);
}

static void test_strange_headers_are_refused(void **state)
{
    (void)state;
    struct errand errand = start_errand();
    errand.magic++;
    expect(&errand, 2, -EBADMSG);
    errand = start_errand();
    errand.version++;
    expect(&errand, 2, -EBADMSG);
    errand = start_errand();
    errand.kind = 99;
    expect(&errand, 2, -EBADMSG);
    errand = start_errand();
    errand.policy.preset = POLICY_TRUSTED + 1;
    expect(&errand, 2, -EBADMSG);
    errand = start_errand();
    errand.flags = 1u << 31;
    expect(&errand, 2, -EBADMSG);
    errand = start_errand();
    expect(&errand, 2, 0);
}

static void test_descriptors_must_fit_the_flags(void **state)
{
    (void)state;
    struct errand errand = start_errand();
    for (unsigned count = 0; count <= 8; count++) {
        expect(&errand, count, count == 2 ? 0 : -EBADMSG);
    }
    errand.flags = ERRAND_HAS_EVENT | ERRAND_HAS_BELL;
    expect(&errand, 3, -EBADMSG);
    expect(&errand, 4, 0);
    errand.flags = ERRAND_HAS_EVENT; /* the keeper does not ring what a worker has */
    expect(&errand, 3, -EBADMSG);
    errand.flags = ERRAND_HAS_BELL;
    expect(&errand, 3, -EBADMSG);
    errand.kind = ERRAND_END;
    expect(&errand, 1, -EBADMSG);
    expect(&errand, 0, 0);
}

/* A worker that is lent: its lender's bell and longest deadline come with the ledger, and only so. */
static void test_ledger_comes_with_a_bell_and_a_deadline(void **state)
{
    (void)state;
    struct errand errand = start_errand();
    errand.flags = ERRAND_HAS_LEDGER | ERRAND_HAS_BELL | ERRAND_HAS_PROVISION;
    errand.deadline_max_ns = 1;
    expect(&errand, 5, 0);
    errand.flags |= ERRAND_HAS_EVENT;
    expect(&errand, 6, 0);
    expect(&errand, 5, -EBADMSG);
    errand.deadline_max_ns = 0;
    expect(&errand, 6, -EBADMSG);
    errand.deadline_max_ns = UINT64_MAX;
    expect(&errand, 6, -EBADMSG);
    errand.deadline_max_ns = 1;
    errand.flags = ERRAND_HAS_LEDGER;
    expect(&errand, 3, -EBADMSG);
    errand.flags = ERRAND_HAS_PROVISION;
    expect(&errand, 3, -EBADMSG);
    errand.deadline_max_ns = 0;
    expect(&errand, 3, 0);
}

static void test_arena_is_judged(void **state)
{
    (void)state;
    static const struct {
        uint64_t base, bytes;
    } wrong[] = {{0, 4096},
                 {4096, 0},
                 {4097, 4096},
                 {4096, 4097},
                 {4096, LIMIT_ARENA_BYTES + 4096},
                 {UINT64_MAX - 4095, 8192}};
    struct errand errand = start_errand();
    errand.flags = ERRAND_HAS_ARENA;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        errand.arena_base = wrong[i].base;
        errand.arena_bytes = wrong[i].bytes;
        expect(&errand, 3, -EBADMSG);
    }
    errand.flags = 0;
    expect(&errand, 2, -EBADMSG);
}

static void test_name_without_end_is_refused(void **state)
{
    (void)state;
    struct errand errand = start_errand();
    memset(errand.library, 'x', sizeof errand.library);
    expect(&errand, 2, -EBADMSG);
}

static void test_every_length_is_judged(void **state)
{
    (void)state;
    struct errand_letter letter;
    char longer[sizeof(struct errand) + 1] = {0};
    struct errand errand = start_errand();
    for (size_t length = 1; length < FIXED_BYTES + sizeof "libz.so.1"; length++) {
        send_letter(&errand, length, 2);
        assert_int_equal(errand_letter_receive(&letter, sockets[1]), -EBADMSG);
    }
    memcpy(longer, &errand, sizeof errand);
    send_letter(longer, sizeof longer, 2);
    assert_int_equal(errand_letter_receive(&letter, sockets[1]), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_start_is_accepted_and_its_descriptors_are_told_apart,
                                        open_sockets, close_sockets),
        cmocka_unit_test_setup_teardown(test_nothing_there_and_closed_are_told_apart, open_sockets,
                                        close_sockets),
        cmocka_unit_test_setup_teardown(test_strange_headers_are_refused, open_sockets,
                                        close_sockets),
        cmocka_unit_test_setup_teardown(test_descriptors_must_fit_the_flags, open_sockets,
                                        close_sockets),
        cmocka_unit_test_setup_teardown(test_ledger_comes_with_a_bell_and_a_deadline, open_sockets,
                                        close_sockets),
        cmocka_unit_test_setup_teardown(test_arena_is_judged, open_sockets, close_sockets),
        cmocka_unit_test_setup_teardown(test_name_without_end_is_refused, open_sockets,
                                        close_sockets),
        cmocka_unit_test_setup_teardown(test_every_length_is_judged, open_sockets, close_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
