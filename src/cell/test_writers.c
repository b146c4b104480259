/* SPDX-License-Identifier: Apache-2.0 */

/* So many programs that write reports at a time, and a place is free as soon as its program has ended. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cell/writers.h"

static pid_t start_program(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(60);
        (void)pause();
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static uint32_t start(struct writers *writers, pid_t pid)
{
    uint32_t place = UINT32_MAX;
    assert_true(writers_allow(writers, &place));
    assert_in_range(place, 0, WRITERS_MAX - 1);
    writers_started(writers, place, pid);
    return place;
}

static void kill_it(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static void reap(pid_t pid)
{
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void await_zombie(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void test_one_more_than_the_limit_is_refused_until_one_ends(void **state)
{
    (void)state;
    struct writers writers = {0};
    pid_t pids[WRITERS_MAX];
    uint32_t places[WRITERS_MAX];
    uint32_t place = UINT32_MAX;
    for (uint32_t i = 0; i < WRITERS_MAX; i++) {
        pids[i] = start_program();
        places[i] = start(&writers, pids[i]);
    }
    assert_false(writers_allow(&writers, &place));
    assert_int_equal(place, UINT32_MAX);
    /* Whoever has to reap it may never do it. */
    kill_it(pids[1]);
    await_zombie(pids[1]);
    assert_true(writers_allow(&writers, &place));
    assert_int_equal(place, places[1]);
    assert_false(writers_allow(&writers, &place));
    /* It could not be started; the next is gone altogether. */
    writers_started(&writers, places[1], 0);
    assert_int_equal(start(&writers, pids[0]), places[1]);
    kill_it(pids[2]);
    reap(pids[2]);
    assert_true(writers_allow(&writers, &place));
    assert_int_equal(place, places[2]);
    assert_false(writers_allow(&writers, &place));
    for (uint32_t i = 0; i < WRITERS_MAX; i++) {
        if (i != 2) {
            (void)kill(pids[i], SIGKILL);
            reap(pids[i]);
        }
    }
}

static void test_one_that_never_ends_counts_no_more_after_its_time(void **state)
{
    (void)state;
    struct writers writers = {0};
    uint32_t place = UINT32_MAX;
    for (uint32_t i = 0; i < WRITERS_MAX; i++) {
        (void)start(&writers, getpid());
    }
    assert_false(writers_allow(&writers, &place));
    uint64_t word = atomic_load(&writers.words[3]);
    assert_int_equal((uint32_t)word, getpid());
    atomic_store(&writers.words[3], word - ((uint64_t)WRITERS_SECONDS << 32));
    assert_true(writers_allow(&writers, &place));
    assert_int_equal(place, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_more_than_the_limit_is_refused_until_one_ends),
        cmocka_unit_test(test_one_that_never_ends_counts_no_more_after_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
