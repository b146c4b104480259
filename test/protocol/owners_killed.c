/* SPDX-License-Identifier: Apache-2.0 */

/* Host or keeper killed with SIGKILL: no worker, keeper or caller is left behind. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "harness/harness.h"

#define SESSIONS 3

/* A host in a process of its own: busy in the library with some workers, idle with others. */
static void be_host(const struct harness *harness, int told)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.arena_bytes = 1u << 20;
    struct cordon_cell *cell = NULL;
    struct cordon_function *wait = NULL;
    struct cordon_error error;
    int pids[SESSIONS] = {0};
    struct cordon_session *sessions[SESSIONS];
    if (cordon_cell_open(&options, &cell, &error) != 0 ||
        cordon_bind(cell, "int usleep(unsigned usec)", 0, &wait, &error) != 0) {
        (void)fprintf(stderr, "host: %s\n", error.text);
        return;
    }
    struct cordon_value arg = cordon_uint(1);
    struct cordon_result result;
    for (int i = 0; i < SESSIONS; i++) {
        if (cordon_session_open(cell, &sessions[i], &error) != 0) {
            (void)fprintf(stderr, "host: %s\n", error.text);
            return;
        }
        if (cordon_session_call(sessions[i], wait, &arg, 1, CORDON_DEFAULT, &result) != 0) {
            (void)fprintf(stderr, "host: %s\n", result.error.text);
            return;
        }
        pids[i] = cordon_session_worker_pid(sessions[i]);
    }
    struct cordon_pending *pending;
    arg = cordon_uint(60000000);
    if (cordon_submit(sessions[0], wait, &arg, 1, CORDON_NEVER, &pending, &error) != 0) {
        return;
    }
    cordon_flush(sessions[0]);
    (void)!write(told, pids, sizeof pids);
    arg = cordon_uint(100);
    while (cordon_session_call(sessions[1], wait, &arg, 1, CORDON_DEFAULT, &result) == 0) {
    }
}

static bool all_gone(void *context)
{
    const int *pids = context;
    for (int i = 0; i < SESSIONS; i++) {
        if (!harness_process_gone(pids[i])) {
            return false;
        }
    }
    /* What descends from the test program is ours. */
    return harness_descendants(getppid(), "cordon-keeper", NULL, 0) == 0 &&
           harness_descendants(getppid(), "cordon-worker", NULL, 0) == 0;
}

static void test_killed_host_leaves_no_process(const struct harness *harness)
{
    for (int round = 0; round < 5; round++) {
        int ends[2];
        int pids[SESSIONS];
        assert_int_equal(pipe(ends), 0);
        pid_t host = fork();
        if (host == 0) {
            (void)close(ends[0]);
            be_host(harness, ends[1]);
            _exit(1);
        }
        OWN_FD told = ends[0];
        (void)close(ends[1]);
        assert_int_equal(read(told, pids, sizeof pids), sizeof pids);
        fd_release(&told);
        assert_int_equal(kill(host, SIGKILL), 0);
        assert_int_equal(waitpid(host, NULL, 0), host);
        assert_true(harness_wait(all_gone, pids, 5000));
    }
}

/* A host that simply returns from main, cells open. */
static void test_host_that_exits_leaves_no_process(const struct harness *harness)
{
    int ends[2];
    int pids[SESSIONS];
    assert_int_equal(pipe(ends), 0);
    pid_t host = fork();
    if (host == 0) {
        struct cordon_cell *cell = NULL;
        struct cordon_cell_options options = harness_options(harness);
        struct cordon_error error;
        options.library = "";
        for (int i = 0; i < SESSIONS; i++) {
            struct cordon_session *session = NULL;
            if ((!cell && cordon_cell_open(&options, &cell, &error) != 0) ||
                cordon_session_open(cell, &session, &error) != 0) {
                _exit(1);
            }
            pids[i] = cordon_session_worker_pid(session);
        }
        (void)!write(ends[1], pids, sizeof pids);
        _exit(0);
    }
    OWN_FD told = ends[0];
    (void)close(ends[1]);
    assert_int_equal(read(told, pids, sizeof pids), sizeof pids);
    fd_release(&told);
    assert_int_equal(waitpid(host, NULL, 0), host);
    assert_true(harness_wait(all_gone, pids, 5000));
}

struct keeper_killer {
    int keeper;
    int worker;
};

static void *kill_keeper_soon(void *context)
{
    struct keeper_killer *killer = context;
    (void)poll(NULL, 0, 100);
    (void)kill(killer->keeper, SIGKILL);
    return NULL;
}

static bool worker_gone(void *context)
{
    return harness_process_gone(((struct keeper_killer *)context)->worker);
}

static void test_killed_keeper_ends_its_calls_and_workers(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *wait = harness_bind(cell, "int usleep(unsigned usec)");
    struct cordon_value arg = cordon_uint(1);
    (void)harness_value(session, wait, &arg, 1);
    struct keeper_killer killer = {.worker = cordon_session_worker_pid(session)};
    assert_int_equal(harness_descendants(getppid(), "cordon-keeper", &killer.keeper, 1), 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_keeper_soon, &killer), 0);
    arg = cordon_uint(60000000);
    struct cordon_result result;
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_session_call(session, wait, &arg, 1, cordon_after_ms(20000), &result);
    harness_expect(r, CORDON_ABORTED, &result);
    assert_in_range(clock_now_ns() - begin_ns, 0, 5 * CLOCK_SECOND_NS);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(harness_wait(worker_gone, &killer, 5000));
    cordon_session_close(session);
    cordon_cell_close(cell);

    cell = harness_open(harness, "", NULL);
    wait = harness_bind(cell, "int usleep(unsigned usec)");
    arg = cordon_uint(1);
    (void)harness_value(NULL, wait, &arg, 1);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"killed_host_leaves_no_process", test_killed_host_leaves_no_process, HARNESS_PROCESS,
         HARNESS_COLD, 60},
        {"host_that_exits_leaves_no_process", test_host_that_exits_leaves_no_process,
         HARNESS_PROCESS, HARNESS_COLD, 0},
        {"killed_keeper_ends_its_calls_and_workers", test_killed_keeper_ends_its_calls_and_workers,
         HARNESS_PROCESS, HARNESS_COLD, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
