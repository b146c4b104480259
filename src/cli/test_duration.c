/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/duration.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_durations_need_a_unit(void **state)
{
    (void)state;
    uint64_t ns;
    assert_int_equal(duration_parse("250ms", &ns), 0);
    assert_int_equal(ns, 250000000);
    assert_int_equal(duration_parse("1.5s", &ns), 0);
    assert_int_equal(ns, 1500000000);
    assert_int_equal(duration_parse("2m", &ns), 0);
    assert_true(ns == 120000000000);
    static const char *const wrong[] = {"", "3", "s", "0s", "-1s", "1h", "1 s", "inf", "1e30s"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(duration_parse(wrong[i], &ns), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_need_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
