/* SPDX-License-Identifier: Apache-2.0 */

/* A library that ends its process shows as that, whatever the status: none is kept for what a worker says itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/harness.h"

#define STATUSES 256

static void expect_exit(struct cordon_function *function, int status, int shown)
{
    struct cordon_value arg = cordon_int(status);
    struct cordon_result result;
    char expected[64];
    (void)snprintf(expected, sizeof expected, "by exit with status %d", shown);
    int r = cordon_call(function, &arg, 1, CORDON_DEFAULT, &result);
    if (r != CORDON_CRASHED || result.signal != 0 || result.exit_status != shown ||
        !strstr(result.error.text, expected)) {
        fail_msg("exit(%d): %d (%s), signal %d, status %d: %s", status, r,
                 r < 0 ? "an error" : cordon_outcome_name(r), result.signal, result.exit_status,
                 r != 0 ? result.error.text : "");
    }
}

static void test_every_exit_status_is_shown(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.breaker_percent = options.function_breaker_percent = CORDON_NONE;
    options.deadline_ms = 20000;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *at_exit = harness_bind(cell, "void exit(int status)");
    for (int status = 0; status < STATUSES; status++) {
        expect_exit(at_exit, status, status);
    }
    /* The kernel keeps eight bits. */
    struct cordon_function *at_once = harness_bind(cell, "void _exit(int status)");
    expect_exit(at_once, 122, 122);
    expect_exit(at_once, 256 + 122, 122);
    expect_exit(at_once, -1, 255);
    struct cordon_cell_stats stats;
    cordon_cell_stats(cell, &stats);
    assert_int_equal(stats.ended[CORDON_CRASHED], STATUSES + 3);
    assert_int_equal(stats.ended[CORDON_CRASHED], stats.calls);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"every_exit_status_is_shown", test_every_exit_status_is_shown, HARNESS_PROCESS, 0, 120},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
