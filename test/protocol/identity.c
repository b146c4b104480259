/* SPDX-License-Identifier: Apache-2.0 */

/* A worker program that was built with another layout is refused before any call, and both are named. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/harness.h"
#include "lane/identity.h"

static void test_worker_of_another_build_is_refused(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    char own[16];
    options.library = "";
    options.worker_path = getenv("CORDON_TEST_OTHER_WORKER");
    if (!options.worker_path) {
        harness_skip("CORDON_TEST_OTHER_WORKER names no program");
    }
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -EPROTO);
    assert_null(cell);
    (void)snprintf(own, sizeof own, "%#x", lane_identity());
    const char *first = strstr(error.text, "layout is 0x");
    if (!first || !strstr(error.text, own) || strstr(error.text, own) == first + 10) {
        fail_msg("%s", error.text);
    }
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"worker_of_another_build_is_refused", test_worker_of_another_build_is_refused,
         HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
