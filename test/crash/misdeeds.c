/* SPDX-License-Identifier: Apache-2.0 */

/* What a library may do to its worker: each misdeed is an outcome, and the cell goes on. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "harness/harness.h"

#define DEADLINE_MS 2000u
#define GRACE_MS    1500u

struct misdeed {
    const char *symbol;
    int outcome;     /* enum cordon_outcome */
    int signal;      /* CRASHED; 0: it exits */
    int exit_status; /* CRASHED without a signal */
    uint32_t needs;  /* enum cordon_isolation: what a level must promise to survive this */
};

static const struct misdeed misdeeds[] = {
    {"fault_null_read", CORDON_CRASHED, SIGSEGV, 0, CORDON_SURVIVES_CRASH},
    {"fault_null_write", CORDON_CRASHED, SIGSEGV, 0, CORDON_SURVIVES_CRASH},
    {"fault_wild_write", CORDON_CRASHED, SIGSEGV, 0, CORDON_SURVIVES_CRASH},
    {"fault_code_write", CORDON_CRASHED, SIGSEGV, 0, CORDON_SURVIVES_CRASH},
    {"fault_fpe", CORDON_CRASHED, SIGFPE, 0, CORDON_SURVIVES_CRASH},
    {"fault_ill", CORDON_CRASHED, SIGILL, 0, CORDON_SURVIVES_CRASH},
    {"fault_abort", CORDON_CRASHED, SIGABRT, 0, CORDON_SURVIVES_CRASH},
    {"fault_raise_segv", CORDON_CRASHED, SIGSEGV, 0, CORDON_SURVIVES_CRASH},
    {"fault_overflow", CORDON_CRASHED, SIGSEGV, 0, CORDON_SURVIVES_OVERFLOW},
    {"fault_double_free", CORDON_CRASHED, SIGABRT, 0, CORDON_HEALS},
    {"fault_kill_self", CORDON_CRASHED, SIGKILL, 0, CORDON_HEALS},
    {"fault_exit7", CORDON_CRASHED, 0, 7, CORDON_SURVIVES_EXIT},
    {"fault_quick_exit7", CORDON_CRASHED, 0, 7, CORDON_SURVIVES_EXIT},
    {"fault_spin", CORDON_TIMEOUT, 0, 0, CORDON_RETURNS_AT_DEADLINE},
    {"fault_pause", CORDON_TIMEOUT, 0, 0, CORDON_RETURNS_AT_DEADLINE},
};

static struct cordon_function *bind_fault(struct cordon_cell *cell, const char *symbol)
{
    char prototype[128];
    (void)snprintf(prototype, sizeof prototype, "int %s(int value)", symbol);
    return harness_bind(cell, prototype);
}

static struct cordon_cell *open_faults(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = harness_faults();
    options.breaker_percent = options.function_breaker_percent = CORDON_NONE;
    return harness_open_with(&options);
}

/* A misdeed behind a call that must not be lost: judged to the last detail. */
static void commit(const struct misdeed *misdeed, struct cordon_function *function)
{
    struct cordon_value arg = cordon_int(1);
    struct cordon_result result;
    memset(&result, 0xee, sizeof result);
    uint32_t patience_ms = misdeed->outcome == CORDON_TIMEOUT ? 150 : DEADLINE_MS;
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_call(function, &arg, 1, cordon_after_ms(patience_ms), &result);
    uint64_t took_ms = (clock_now_ns() - begin_ns) / CLOCK_MS_NS;
    if (r != misdeed->outcome) {
        fail_msg("%s: %d (%s): %s", misdeed->symbol, r, cordon_outcome_name(r),
                 r ? result.error.text : "");
    }
    assert_in_range(took_ms, 0, patience_ms + GRACE_MS);
    assert_string_not_equal(result.error.text, "");
    if (r == CORDON_CRASHED) {
        if (result.signal != misdeed->signal) {
            fail_msg("%s: signal %d, exit status %d: %s", misdeed->symbol, result.signal,
                     result.exit_status, result.error.text);
        }
        if (!misdeed->signal) {
            assert_int_equal(result.exit_status, misdeed->exit_status);
        }
    }
}

static void test_misdeed_is_an_outcome_and_the_next_call_is_served(const struct harness *harness)
{
    struct cordon_cell *cell = open_faults(harness);
    struct cordon_function *behave = bind_fault(cell, "fault_none");
    assert_true(cordon_cell_isolation(cell) & CORDON_HEALS);
    for (size_t i = 0; i < HARNESS_COUNT(misdeeds); i++) {
        commit(&misdeeds[i], bind_fault(cell, misdeeds[i].symbol));
        struct cordon_value arg = cordon_int((int)i);
        assert_int_equal(harness_value(NULL, behave, &arg, 1).i, i);
    }
    struct cordon_cell_stats stats;
    cordon_cell_stats(cell, &stats);
    assert_int_equal(stats.ended[CORDON_CRASHED], HARNESS_COUNT(misdeeds) - 2);
    assert_int_equal(stats.ended[CORDON_TIMEOUT], 2);
    assert_int_equal(stats.ended[CORDON_DONE], HARNESS_COUNT(misdeeds));
    cordon_cell_close(cell);
}

static void test_misdeed_of_one_session_spares_the_others(const struct harness *harness)
{
    struct cordon_cell *cell = open_faults(harness);
    struct cordon_session *bad = harness_session(cell);
    struct cordon_session *good = harness_session(cell);
    struct cordon_function *behave = bind_fault(cell, "fault_none");
    struct cordon_function *misbehave = bind_fault(cell, "fault_null_read");
    struct cordon_value arg = cordon_int(5);
    assert_int_equal(harness_value(good, behave, &arg, 1).i, 5);
    int pid = cordon_session_worker_pid(good);
    for (int i = 0; i < 10; i++) {
        struct cordon_result result;
        int r = cordon_session_call(bad, misbehave, &arg, 1, CORDON_DEFAULT, &result);
        harness_expect(r, CORDON_CRASHED, &result);
        assert_int_equal(harness_value(good, behave, &arg, 1).i, 5);
        assert_int_equal(cordon_session_worker_pid(good), pid);
    }
    cordon_session_close(bad);
    cordon_session_close(good);
    cordon_cell_close(cell);
}

/* Levels in this process: the fault is an outcome, then the cell is poisoned until opened anew. */
static void test_fault_in_this_process_poisons_the_cell(const struct harness *harness)
{
    for (size_t i = 0; i < HARNESS_COUNT(misdeeds); i++) {
        struct cordon_cell *cell = open_faults(harness);
        uint32_t promised = cordon_cell_isolation(cell);
        assert_false(promised & CORDON_HEALS);
        if (misdeeds[i].outcome == CORDON_CRASHED &&
            (misdeeds[i].needs & promised) == misdeeds[i].needs) {
            struct cordon_function *behave = bind_fault(cell, "fault_none");
            struct cordon_value arg = cordon_int(3);
            struct cordon_result result;
            assert_int_equal(harness_value(NULL, behave, &arg, 1).i, 3);
            commit(&misdeeds[i], bind_fault(cell, misdeeds[i].symbol));
            harness_expect(cordon_call(behave, &arg, 1, CORDON_DEFAULT, &result), CORDON_OPEN,
                           &result);
            assert_string_not_equal(result.error.text, "");
        }
        cordon_cell_close(cell);
    }
    struct cordon_cell *cell = open_faults(harness);
    struct cordon_value arg = cordon_int(4);
    assert_int_equal(harness_value(NULL, bind_fault(cell, "fault_none"), &arg, 1).i, 4);
    cordon_cell_close(cell);
}

static void test_runaway_thread_is_quarantined(const struct harness *harness)
{
    struct cordon_cell *cell = open_faults(harness);
    static const struct misdeed runaway = {"fault_pause", CORDON_TIMEOUT, 0, 0, 0};
    commit(&runaway, bind_fault(cell, runaway.symbol));
    struct cordon_value arg = cordon_int(6);
    assert_int_equal(harness_value(NULL, bind_fault(cell, "fault_none"), &arg, 1).i, 6);
    struct cordon_cell_stats stats;
    cordon_cell_stats(cell, &stats);
    assert_int_equal(stats.ended[CORDON_TIMEOUT], 1);
    assert_int_equal(stats.quarantined, 1);
    cordon_cell_close(cell);
}

static void test_binding_that_needs_more_than_the_level_gives_is_refused(
    const struct harness *harness)
{
    struct cordon_cell *cell = open_faults(harness);
    uint32_t promised = cordon_cell_isolation(cell);
    for (uint32_t bit = 1; bit <= CORDON_NO_SIGNALS; bit <<= 1) {
        struct cordon_function *function = NULL;
        struct cordon_error error = {{0}};
        int r = cordon_bind(cell, "int fault_none(int value)", bit, &function, &error);
        assert_int_equal(r, promised & bit ? 0 : -ENOTSUP);
        if (r != 0) {
            assert_non_null(cordon_isolation_name(bit));
            assert_non_null(strstr(error.text, cordon_isolation_name(bit)));
        }
        assert_int_equal(cordon_bind(cell, "int fault_none(int value)", bit | CORDON_BEST_EFFORT,
                                     &function, &error),
                         0);
    }
    cordon_cell_close(cell);
}

static void test_host_keeps_the_handlers_that_it_had(const struct harness *harness)
{
    struct sigaction before;
    assert_int_equal(sigaction(SIGSEGV, NULL, &before), 0);
    struct cordon_cell *cell = open_faults(harness);
    struct cordon_value arg = cordon_int(1);
    struct cordon_result result;
    harness_expect(
        cordon_call(bind_fault(cell, "fault_null_read"), &arg, 1, CORDON_DEFAULT, &result),
        CORDON_CRASHED, &result);
    struct sigaction after;
    assert_int_equal(sigaction(SIGSEGV, NULL, &after), 0);
    assert_true(before.sa_handler == after.sa_handler);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"misdeed_is_an_outcome_and_the_next_call_is_served",
         test_misdeed_is_an_outcome_and_the_next_call_is_served, HARNESS_PROCESS, 0, 60},
        {"misdeed_of_one_session_spares_the_others", test_misdeed_of_one_session_spares_the_others,
         HARNESS_PROCESS, 0, 0},
        {"fault_in_this_process_poisons_the_cell", test_fault_in_this_process_poisons_the_cell,
         HARNESS_THREAD | HARNESS_INLINE, HARNESS_ABANDONS, 0},
        {"runaway_thread_is_quarantined", test_runaway_thread_is_quarantined, HARNESS_THREAD,
         HARNESS_ABANDONS, 0},
        {"binding_that_needs_more_than_the_level_gives_is_refused",
         test_binding_that_needs_more_than_the_level_gives_is_refused, HARNESS_ALL_LEVELS, 0, 0},
        {"host_keeps_the_handlers_that_it_had", test_host_keeps_the_handlers_that_it_had,
         HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
