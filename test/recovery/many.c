/* SPDX-License-Identifier: Apache-2.0 */

/* Hundreds of workers are asked for at once, or their descriptors cannot be sent yet: each starts. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "recovery/subject.h"

#define MANY           300u
#define MANY_SANITIZED 40u /* each of them takes ten times the memory */

#define SOFT_LIMIT 1024u /* what a shell gives */

/* Start what is done there as programs are started: with few descriptors, of many that they may have. */
static void lower_limit(uint32_t most)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < (rlim_t)4 * SOFT_LIMIT) {
        harness_skip("this user may have no more than %u descriptors", (unsigned)limit.rlim_max);
    }
    limit.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* ---- At once ----------------------------------------------------------------------------------- */

struct opener {
    const struct subject *subject;
    struct cordon_function *function;
    pthread_barrier_t *begin;
    pthread_t thread;
    struct cordon_session *session;
    struct cordon_error error;
    int outcome;
};

static void *open_session(void *context)
{
    struct opener *opener = context;
    (void)pthread_barrier_wait(opener->begin);
    opener->outcome = cordon_session_open(opener->subject->cell, &opener->session, &opener->error);
    return NULL;
}

static void open_at_once(struct opener *openers, uint32_t count)
{
    pthread_attr_t small;
    assert_int_equal(pthread_attr_init(&small), 0);
    assert_int_equal(pthread_attr_setstacksize(&small, 256u << 10), 0);
    for (uint32_t i = 0; i < count; i++) {
        int r = pthread_create(&openers[i].thread, harness_under_tsan() ? NULL : &small,
                               open_session, &openers[i]);
        assert_int_equal(r, 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(openers[i].thread, NULL), 0);
    }
    (void)pthread_attr_destroy(&small);
}

/* The host's own two for each fit into the limit, the keeper's do not. */
static void test_hundreds_of_workers_start_at_once(const struct harness *harness)
{
    struct subject subject;
    pthread_barrier_t begin;
    uint32_t count = harness_under_asan() || harness_under_tsan() ? MANY_SANITIZED : MANY;
    struct opener *openers = calloc(count, sizeof *openers);
    struct cordon_value seven = cordon_int(7);
    assert_non_null(openers);
    lower_limit(SOFT_LIMIT);
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.sessions = count;
    options.start_ms = 120000;
    subject_open(&subject, &options);
    struct cordon_function *remember = harness_bind(subject.cell, "remember");
    assert_int_equal(pthread_barrier_init(&begin, NULL, count), 0);
    for (uint32_t i = 0; i < count; i++) {
        openers[i] = (struct opener){.subject = &subject, .begin = &begin};
    }
    open_at_once(openers, count);
    for (uint32_t i = 0; i < count; i++) {
        if (openers[i].outcome != 0) {
            fail_msg("session %u: %d: %s", i, openers[i].outcome, openers[i].error.text);
        }
        assert_int_equal(harness_value(openers[i].session, remember, &seven, 1).i, 0);
    }
    assert_int_equal(subject_stats(&subject).starts_failed, 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(cordon_session_close(openers[i].session), 0);
    }
    (void)pthread_barrier_destroy(&begin);
    free(openers);
    subject_close(&subject);
}

/* ---- Descriptors in flight ----------------------------------------------------------------------- */

#define FLIGHT_LIMIT   128u
#define FLIGHT_AT_ONCE 64u

/* Returns 0, or an errno. */
static int put_in_flight(int socket)
{
    int fds[FLIGHT_AT_ONCE];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {0};
    char byte = 0;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fds);
    for (uint32_t i = 0; i < FLIGHT_AT_ONCE; i++) {
        fds[i] = STDERR_FILENO;
    }
    memcpy(CMSG_DATA(rights), fds, sizeof fds);
    return sendmsg(socket, &message, MSG_DONTWAIT) < 0 ? errno : 0;
}

static void *land_soon(void *context)
{
    const int *pair = context;
    struct timespec soon = {.tv_nsec = 100 * 1000 * 1000}; /* any time will do */
    (void)nanosleep(&soon, NULL);
    (void)close(pair[0]);
    (void)close(pair[1]);
    return NULL;
}

/* The kernel counts them by user: what other programs of this one do is waited for. */
static void test_a_start_waits_for_descriptors_in_flight(const struct harness *harness)
{
    struct subject subject;
    pthread_t thread;
    int pair[2];
    int error = 0;
    struct cordon_cell_options options = subject_options(harness, &subject);
    options.spares = CORDON_NONE;
    subject_open(&subject, &options);
    lower_limit(FLIGHT_LIMIT);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    for (uint32_t i = 0; i < 16 && error == 0; i++) {
        error = put_in_flight(pair[0]);
    }
    assert_int_equal(pthread_create(&thread, NULL, land_soon, pair), 0);
    struct cordon_session *session = NULL;
    struct cordon_error why = {{0}};
    int r = cordon_session_open(subject.cell, &session, &why);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (r != 0) {
        fail_msg("%d: %s", r, why.text);
    }
    assert_int_equal(cordon_session_close(session), 0);
    subject_close(&subject);
    if (error != ETOOMANYREFS) {
        harness_skip("this user may have any number in flight");
    }
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"hundreds_of_workers_start_at_once", test_hundreds_of_workers_start_at_once,
         HARNESS_PROCESS, HARNESS_COLD, 180},
        {"a_start_waits_for_descriptors_in_flight", test_a_start_waits_for_descriptors_in_flight,
         HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
