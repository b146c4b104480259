/* SPDX-License-Identifier: Apache-2.0 */

/* A program that was built with another layout is refused before any call, and both layouts are named. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/harness.h"
#include "lane/identity.h"

static bool nothing_runs(void *context)
{
    int pid;
    (void)context;
    return harness_descendants(getppid(), "cordon-worker", &pid, 1) == 0;
}

/* @program  as the sentence calls it. */
static void expect_refusal(const struct cordon_cell_options *options, const char *program)
{
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    char expected[64];
    char own[16];
    assert_int_equal(cordon_cell_open(options, &cell, &error), -EPROTO);
    assert_null(cell);
    (void)snprintf(expected, sizeof expected, "the %s program is of another build of Cordon",
                   program);
    (void)snprintf(own, sizeof own, "%#x", lane_identity());
    const char *first = strstr(error.text, "layout is 0x");
    if (!strstr(error.text, expected) || !first || !strstr(error.text, own) ||
        strstr(error.text, own) == first + 10) {
        fail_msg("%s", error.text);
    }
    assert_true(harness_wait(nothing_runs, NULL, 5000));
}

/* The options' path is the program that the variable names. */
static const char *other_program(const char *variable)
{
    const char *path = getenv(variable);
    if (!path) {
        harness_skip("%s names no program", variable);
    }
    return path;
}

static void test_worker_of_another_build_is_refused(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.worker_path = other_program("CORDON_TEST_OTHER_WORKER");
    expect_refusal(&options, "worker");
}

static void test_keeper_of_another_build_is_refused(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.keeper_path = other_program("CORDON_TEST_OTHER_KEEPER");
    expect_refusal(&options, "keeper");
    /* The refused one leaves nothing that a sound one would stumble over. */
    options.keeper_path = NULL;
    cordon_cell_close(harness_open_with(&options));
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"worker_of_another_build_is_refused", test_worker_of_another_build_is_refused,
         HARNESS_PROCESS, 0, 0},
        {"keeper_of_another_build_is_refused", test_keeper_of_another_build_is_refused,
         HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
