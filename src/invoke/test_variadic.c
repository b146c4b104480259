/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/variadic.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/test_rig.h"

static int set_up(void **state)
{
    *state = rig_new(NULL, 1, 16, 4096);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

#define FORMAT "%d|%u|%ld|%llu|%.3f|%s|%g|%zu|%d|%d|%d|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f|%.1f"
#define WANTED                                                                                     \
    "-1|4000000000|-5000000000|18446744073709551615|2.500|text|1e+100|7|8|9|10|1.0|"               \
    "2.0|3.0|4.0|5.0|6.0|7.0|8.0"
#define FLOATS                                                                                     \
    cordon_float(1), cordon_float(2), cordon_float(3), cordon_float(4), cordon_float(5),           \
        cordon_float(6), cordon_float(7), cordon_float(8)
#define MANY                                                                                       \
    cordon_int(-1), cordon_uint(4000000000u),                                                      \
        cordon_typed(cordon_int(-5000000000), CORDON_TYPE_LONG),                                   \
        cordon_typed(cordon_uint(UINT64_MAX), CORDON_TYPE_ULLONG), cordon_float(2.5),              \
        cordon_string("text"), cordon_float(1e100),                                                \
        cordon_typed(cordon_uint(7), CORDON_TYPE_SIZE), cordon_int(8), cordon_int(9),              \
        cordon_int(10), FLOATS

static void test_snprintf_takes_arguments_of_every_type(void **state)
{
    struct rig *rig = *state;
    char text[256] = "";
    uint32_t f = rig_bind(rig, "int snprintf(out char text[size], size_t size, "
                               "const char *format, ...)");
    assert_int_equal(rig_number(rig, f,
                                RIG_ARGS(cordon_out(text, sizeof text), cordon_uint(sizeof text),
                                         cordon_string(FORMAT), MANY)),
                     sizeof WANTED - 1);
    assert_string_equal(text, WANTED);
}

static void test_va_list_is_built_from_arguments(void **state)
{
    struct rig *rig = *state;
    char text[256] = "";
    uint32_t f = rig_bind(rig, "int vsnprintf(out char text[size], size_t size, "
                               "const char *format, va_list args)");
    assert_int_equal(rig_number(rig, f,
                                RIG_ARGS(cordon_out(text, sizeof text), cordon_uint(sizeof text),
                                         cordon_string(FORMAT), MANY)),
                     sizeof WANTED - 1);
    assert_string_equal(text, WANTED);
}

static void test_no_variadic_arguments_are_fine(void **state)
{
    struct rig *rig = *state;
    char text[16] = "";
    uint32_t f = rig_bind(rig, "int snprintf(out char text[size], size_t size, "
                               "const char *format, ...)");
    assert_int_equal(rig_number(rig, f,
                                RIG_ARGS(cordon_out(text, sizeof text), cordon_uint(sizeof text),
                                         cordon_string("plain"))),
                     5);
    assert_string_equal(text, "plain");
}

static void test_result_longer_than_its_room_is_cut(void **state)
{
    struct rig *rig = *state;
    char text[4] = "";
    uint32_t f = rig_bind(rig, "int snprintf(out char text[size], size_t size, "
                               "const char *format, ...)");
    assert_int_equal(rig_number(rig, f,
                                RIG_ARGS(cordon_out(text, sizeof text), cordon_uint(sizeof text),
                                         cordon_string("%d"), cordon_int(123456))),
                     6);
    assert_string_equal(text, "123");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_snprintf_takes_arguments_of_every_type, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_va_list_is_built_from_arguments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_variadic_arguments_are_fine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_result_longer_than_its_room_is_cut, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("variadic", tests, NULL, NULL);
}
