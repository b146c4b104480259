/* SPDX-License-Identifier: Apache-2.0 */
#include "json/length.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/test_rig.h"

/* Room of `out uint8_t b[LENGTH]` for two arguments; @ret is what evaluation returned. */
static uint64_t room_of(const char *prototype, int64_t x, int64_t y, int *ret)
{
    struct cordon_interface *interface_;
    const struct plan_view *plan = rig_plan(&interface_, prototype);
    uint64_t value = 0;
    struct cordon_value args[] = {cordon_int(x), cordon_int(y), cordon_null()};
    struct length_scope scope = {.plan = plan, .args = args, .arg_count = 3};
    *ret = length_evaluate(&scope, view_type(plan, view_param(plan, 2)->type)->code, &value);
    cordon_interface_free(interface_);
    return value;
}

#define F(length) "void f(int64_t x, int64_t y, out uint8_t b[" length "])"

static void test_lengths_follow_c(void **state)
{
    (void)state;
    int r;
    assert_int_equal(room_of(F("x * y + 3"), 4, 5, &r), 23);
    assert_int_equal(room_of(F("(x + y) * 2 - 1"), 4, 5, &r), 17);
    assert_int_equal(room_of(F("x / y"), 17, 5, &r), 3);
    assert_int_equal(room_of(F("x % y"), 17, 5, &r), 2);
    assert_int_equal(room_of(F("x << y"), 3, 4, &r), 48);
    assert_int_equal(room_of(F("x >> y"), 48, 4, &r), 3);
    assert_int_equal(room_of(F("-x + y"), 4, 5, &r), 1);
    assert_int_equal(r, 0);
}

static void test_arithmetic_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    int r;
    (void)room_of(F("x * y"), INT64_MAX, 2, &r);
    assert_int_equal(r, -EOVERFLOW);
    (void)room_of(F("x + y"), INT64_MAX, 1, &r);
    assert_int_equal(r, -EOVERFLOW);
    (void)room_of(F("x << y"), 1, 63, &r);
    assert_int_equal(r, -EOVERFLOW);
    (void)room_of(F("x << y"), 1, -1, &r);
    assert_int_equal(r, -EOVERFLOW);
    (void)room_of(F("x / y"), INT64_MIN, -1, &r);
    assert_int_equal(r, -EOVERFLOW);
    (void)room_of(F("-x + y"), INT64_MIN, 0, &r);
    assert_int_equal(r, -EOVERFLOW);
    (void)room_of(F("x - y"), 1, 2, &r);
    assert_int_equal(r, -ERANGE);
    (void)room_of(F("x / y"), 1, 0, &r);
    assert_int_equal(r, -EDOM);
    (void)room_of(F("x % y"), 1, 0, &r);
    assert_int_equal(r, -EDOM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths_follow_c),
        cmocka_unit_test(test_arithmetic_that_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
