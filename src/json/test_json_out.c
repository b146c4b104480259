/* SPDX-License-Identifier: Apache-2.0 */
#include "json/json_out.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

static void test_every_special_byte_is_escaped_at_any_place(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x80; c++) {
        for (size_t at = 0; at < 20; at++) {
            struct json_out out = {0};
            struct document document = {0};
            struct json_value root;
            char text[20];
            size_t length;
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            json_out_text_bytes(&out, text, sizeof text);
            assert_int_equal(
                document_parse(&document, out.text, out.length, out.length, 1, &root, NULL), 0);
            assert_memory_equal(json_value_string(root, &length), text, sizeof text);
            assert_int_equal(length, sizeof text);
            document_deinit(&document);
            json_out_deinit(&out);
        }
    }
}

static void test_a_buffer_that_is_put_in_grows_in_place(void **state)
{
    (void)state;
    struct json_out out = {.text = malloc(64), .room = 64};
    char *header = json_out_raw(&out, 4);
    memcpy(header, "\0\0\0\2", 4);
    json_out_object(&out);
    struct json_mark mark = json_out_mark(&out);
    json_out_key(&out, "result");
    json_out_int(&out, 1);
    json_out_rewind(&out, mark);
    json_out_key(&out, "error");
    json_out_int(&out, 2);
    json_out_object_end(&out);
    assert_memory_equal(out.text, "\0\0\0\2{\"error\":2}", 16);
    assert_int_equal(out.length, 15);
    json_out_deinit(&out);
}

static void test_what_passes_the_limit_is_told_and_can_be_taken_back(void **state)
{
    (void)state;
    struct json_out out = {.length_max = 10};
    struct json_mark mark = json_out_mark(&out);
    json_out_string(&out, "0123456789");
    assert_null(json_out_text(&out));
    json_out_rewind(&out, mark);
    json_out_string(&out, "01234567");
    assert_string_equal(json_out_text(&out), "\"01234567\"");
    json_out_deinit(&out);
}

static void test_values_are_written_as_they_were_read(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,-2,18446744073709551615,0.5,\"\\u0000x\",null,true],"
                               "\"b\":{}}";
    struct json_out out = {0};
    struct document document = {0};
    struct json_value root;
    assert_int_equal(document_parse(&document, text, strlen(text), 0, 4, &root, NULL), 0);
    json_out_value(&out, root);
    assert_string_equal(json_out_text(&out), text);
    document_deinit(&document);
    json_out_deinit(&out);
}

static void test_sentences_are_strings_whatever_they_hold(void **state)
{
    (void)state;
    struct json_out out = {0};
    json_out_sentence(&out, "no handle '\xff\x01'");
    assert_string_equal(json_out_text(&out), "\"no handle '?\?'\"");
    json_out_deinit(&out);
}

static void test_hex_is_a_string(void **state)
{
    (void)state;
    struct json_out out = {0};
    json_out_array(&out);
    json_out_hex(&out, "\x00\xff\x1a", 3);
    json_out_hex(&out, "", 0);
    json_out_array_end(&out);
    assert_string_equal(json_out_text(&out), "[\"00ff1a\",\"\"]");
    json_out_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas_stand_between_elements_only),
        cmocka_unit_test(test_numbers_are_exact),
        cmocka_unit_test(test_text_is_escaped_and_other_bytes_are_base64),
        cmocka_unit_test(test_readable_bytes_are_cut),
        cmocka_unit_test(test_every_special_byte_is_escaped_at_any_place),
        cmocka_unit_test(test_a_buffer_that_is_put_in_grows_in_place),
        cmocka_unit_test(test_what_passes_the_limit_is_told_and_can_be_taken_back),
        cmocka_unit_test(test_values_are_written_as_they_were_read),
        cmocka_unit_test(test_sentences_are_strings_whatever_they_hold),
        cmocka_unit_test(test_hex_is_a_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
