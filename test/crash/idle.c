/* SPDX-License-Identifier: Apache-2.0 */

/* A worker that dies while nobody calls it is nobody's crash: the next call is served by a fresh one. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/harness.h"

static const char interface_text[] = "struct pair { int first; int second; };\n"
                                     "struct thing *strdup(const char *s);\n"
                                     "size_t strnlen(struct thing *thing, size_t most);\n"
                                     "int raise(int sig);\n"
                                     "size_t strlen(const char *s);\n"
                                     "int abs(int j);\n";

static bool sleeps(void *context)
{
    char path[64];
    char state = '?';
    (void)snprintf(path, sizeof path, "/proc/%d/stat", *(const int *)context);
    FILE *file = fopen(path, "re");
    bool read = file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    if (file) {
        (void)fclose(file);
    }
    return read && state == 'S';
}

/* SIGKILL while it waits for calls; nobody has noticed when this returns. */
static void kill_idle(struct cordon_session *session)
{
    int pid = cordon_session_worker_pid(session);
    assert_true(pid > 0);
    assert_true(harness_wait(sleeps, &pid, 5000));
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static void test_next_call_gets_its_answer(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", interface_text);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *absolute = harness_bind(cell, "abs");
    struct cordon_function *length = harness_bind(cell, "strlen");
    for (int i = 0; i < 40; i++) {
        struct cordon_value number = cordon_int(-i);
        struct cordon_value text = cordon_string("four");
        if (i % 3 != 2) { /* else: bound anew by the call itself */
            assert_int_equal(harness_value(session, length, &text, 1).u, 4);
            assert_int_equal(harness_value(session, absolute, &number, 1).i, i);
        }
        kill_idle(session);
        if (i % 2) {
            assert_int_equal(harness_value(session, length, &text, 1).u, 4);
        } else {
            assert_int_equal(harness_value(session, absolute, &number, 1).i, i);
        }
    }
    struct cordon_cell_stats stats;
    cordon_cell_stats(cell, &stats);
    assert_int_equal(stats.ended[CORDON_CRASHED], 0);
    assert_int_equal(stats.ended[CORDON_ABORTED], 0);
    assert_int_equal(stats.ended[CORDON_DONE], stats.calls);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_handles_of_it_are_stale(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", interface_text);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *length_of = harness_bind(cell, "strnlen");
    struct cordon_function *make = harness_bind(cell, "strdup");
    for (int i = 0; i < 10; i++) {
        struct cordon_value text = cordon_string("a text of the worker");
        struct cordon_value args[] = {cordon_object(harness_value(session, make, &text, 1).handle),
                                      cordon_uint(5)};
        assert_int_equal(harness_value(session, length_of, args, 2).u, 5);
        kill_idle(session);
        struct cordon_result result;
        int r = cordon_session_call(session, length_of, args, 2, CORDON_DEFAULT, &result);
        harness_expect(r, CORDON_STALE, &result);
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_objects_of_it_are_stale(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", interface_text);
    struct cordon_session *session = harness_session(cell);
    for (int i = 0; i < 10; i++) {
        struct cordon_handle object;
        struct cordon_error error = {{0}};
        int first = 7;
        assert_int_equal(cordon_object_new(session, "struct pair", &object, &error), 0);
        kill_idle(session);
        if (i % 2) {
            assert_int_equal(
                cordon_object_write(session, object, "first", &first, sizeof first, &error),
                CORDON_STALE);
        } else {
            assert_int_equal(cordon_object_new(session, "struct pair", &object, &error), 0);
        }
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_a_crash_in_a_call_stays_the_calls(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", interface_text);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *raise_ = harness_bind(cell, "raise");
    for (int i = 0; i < 5; i++) {
        struct cordon_value arg = cordon_int(SIGKILL);
        struct cordon_result result;
        int r = cordon_session_call(session, raise_, &arg, 1, CORDON_DEFAULT, &result);
        harness_expect(r, CORDON_CRASHED, &result);
        assert_int_equal(result.signal, SIGKILL);
        arg = cordon_int(-1);
        (void)harness_value(session, harness_bind(cell, "abs"), &arg, 1);
        kill_idle(session);
        arg = cordon_int(SIGKILL);
        r = cordon_session_call(session, raise_, &arg, 1, CORDON_DEFAULT, &result);
        harness_expect(r, CORDON_CRASHED, &result);
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"next_call_gets_its_answer", test_next_call_gets_its_answer, HARNESS_PROCESS, 0, 60},
        {"handles_of_it_are_stale", test_handles_of_it_are_stale, HARNESS_PROCESS, 0, 0},
        {"objects_of_it_are_stale", test_objects_of_it_are_stale, HARNESS_PROCESS, 0, 0},
        {"a_crash_in_a_call_stays_the_calls", test_a_crash_in_a_call_stays_the_calls,
         HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
