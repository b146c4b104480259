/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json_out.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_commas_stand_between_elements_only(void **state)
{
    (void)state;
    struct json_out out = {0};
    json_out_object(&out);
    json_out_key(&out, "a");
    json_out_array(&out);
    json_out_int(&out, -1);
    json_out_null(&out);
    json_out_object(&out);
    json_out_object_end(&out);
    json_out_array_end(&out);
    json_out_key(&out, "b");
    json_out_bool(&out, true);
    json_out_object_end(&out);
    assert_string_equal(json_out_text(&out), "{\"a\":[-1,null,{}],\"b\":true}");
    json_out_deinit(&out);
}

static void test_numbers_are_exact(void **state)
{
    (void)state;
    struct json_out out = {0};
    json_out_array(&out);
    json_out_uint(&out, UINT64_MAX);
    json_out_int(&out, INT64_MIN);
    json_out_double(&out, 0.1);
    json_out_double(&out, 1.0 / 3.0);
    json_out_double(&out, 3);
    json_out_double(&out, 1e300);
    json_out_float(&out, 0.1f);
    json_out_double(&out, INFINITY);
    json_out_double(&out, -INFINITY);
    json_out_double(&out, NAN);
    json_out_array_end(&out);
    assert_string_equal(json_out_text(&out),
                        "[18446744073709551615,-9223372036854775808,0.1,0.3333333333333333,3.0,"
                        "1e+300,0.1,\"inf\",\"-inf\",\"nan\"]");
    json_out_deinit(&out);
}

static void test_text_is_escaped_and_other_bytes_are_base64(void **state)
{
    (void)state;
    struct json_out out = {0};
    json_out_array(&out);
    json_out_text_bytes(&out, "a\"\\\n\x01\0z\xc3\xbc", 9);
    json_out_text_bytes(&out, "\xff\xfe", 2);
    json_out_bytes(&out, "foob", 4);
    json_out_array_end(&out);
    assert_string_equal(json_out_text(&out),
                        "[\"a\\\"\\\\\\n\\u0001\\u0000z\xc3\xbc\",{\"base64\":\"//4=\"},"
                        "{\"base64\":\"Zm9vYg==\"}]");
    json_out_deinit(&out);
}

static void test_readable_bytes_are_cut(void **state)
{
    (void)state;
    static const uint8_t bytes[100] = {0xde, 0xad};
    struct json_out out = {.readable = true};
    json_out_bytes(&out, bytes, sizeof bytes);
    assert_memory_equal(json_out_text(&out), "100 bytes dead0000 ", 19);
    assert_memory_equal(json_out_text(&out) + out.length - 4, " ...", 4);
    json_out_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas_stand_between_elements_only),
        cmocka_unit_test(test_numbers_are_exact),
        cmocka_unit_test(test_text_is_escaped_and_other_bytes_are_base64),
        cmocka_unit_test(test_readable_bytes_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
