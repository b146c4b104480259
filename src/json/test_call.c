/* SPDX-License-Identifier: Apache-2.0 */
#include "json/call.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json/test_rig.h"

static const char crc32_text[] =
    "uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len)";
static const char digest_text[] =
    "void digest(const uint8_t data[n], size_t n, out uint8_t md[32])";

static void test_parameters_go_by_name_and_by_position(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "{\"crc\":7,\"buf\":\"abc\"}",
        "{\"buf\":\"abc\",\"crc\":\"7\"}",
        "[7,\"abc\"]",
        "[7,{\"base64\":\"YWJj\"}]",
        "[7,{\"hex\":\"616263\"}]",
        "[7,[97,98,99]]",
        "[7.0,\"abc\"]",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct rig rig;
        rig_call(&rig, crc32_text, forms[i]);
        assert_int_equal(rig.call.arg_count, 2);
        assert_int_equal(rig.call.args[0].kind, CORDON_VALUE_UINT);
        assert_int_equal(rig.call.args[0].u, 7);
        assert_int_equal(rig.call.args[1].count, 3);
        assert_memory_equal(rig_memory(&rig, 1), "abc", 4); /* and a NUL behind it */
        rig_end(&rig);
    }
}

static void test_refusals_name_the_parameter(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *sentence;
    } wrong[] = {
        {"{\"crc\":4294967296,\"buf\":\"\"}",
         "parameter 'crc': 4294967296 does not fit uint32_t (0 to 4294967295)"},
        {"{\"crc\":-1,\"buf\":\"\"}", "parameter 'crc': -1 does not fit uint32_t"},
        {"{\"crc\":1.5,\"buf\":\"\"}", "parameter 'crc': 1.5 is no integer"},
        {"{\"crc\":18446744073709551615,\"buf\":\"\"}",
         "parameter 'crc': 18446744073709551615 does not fit uint32_t"},
        {"{\"crc\":true,\"buf\":\"\"}", "parameter 'crc': true given where uint32_t is wanted"},
        {"{\"crc\":null,\"buf\":\"\"}", "parameter 'crc': null given where uint32_t is wanted"},
        {"{\"crc\":\"x\",\"buf\":\"\"}", "parameter 'crc': 'x' is no integer"},
        {"{\"crc\":\"1\\u0000\",\"buf\":\"\"}", "parameter 'crc': a string with a NUL inside"},
        {"{\"crc\":1}", "parameter 'buf' is missing: crc32 takes crc (uint32_t), buf (bytes)"},
        {"[1]", "parameter 'buf' is missing: crc32 takes crc (uint32_t), buf (bytes)"},
        {"[1,\"\",2]", "3 parameters given: crc32 takes crc (uint32_t), buf (bytes)"},
        {"{\"crc\":1,\"buf\":\"\",\"x\":1}", "there is no parameter 'x': crc32 takes"},
        {"{\"crc\":1,\"buf\":\"\",\"len\":1}",
         "parameter 'len' is not sent: it follows from another one's length"},
        {"{\"crc\":1,\"crc\":1,\"buf\":\"\"}", "parameter 'crc' is given twice"},
        {"{\"crc\":1,\"buf\":7}", "parameter 'buf': a number given where bytes are wanted"},
        {"{\"crc\":1,\"buf\":{\"hex\":\"0g\"}}",
         "parameter 'buf': character 2 is no hexadecimal digit"},
        {"{\"crc\":1,\"buf\":{\"hex\":7}}", "parameter 'buf': an object given where bytes"},
        {"{\"crc\":1,\"buf\":{\"base64\":\"A\"}}",
         "parameter 'buf': base64 ends in the middle of a byte"},
        {"{\"crc\":1,\"buf\":[1,256]}", "parameter 'buf'[1]: 256 does not fit uint8_t (0 to 255)"},
    };
    struct rig rig;
    assert_int_equal(rig_method(&rig, crc32_text, (struct json_method_options){0}), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rig_refused(&rig, rig_send(&rig, wrong[i].json), -EINVAL, wrong[i].sentence);
    }
    assert_int_equal(rig_send(&rig, "[1,\"\"]"), 0); /* and what comes after a refusal is fine */
    rig_end(&rig);
}

static void test_wrong_containers_are_refused(void **state)
{
    (void)state;
    struct rig rig;
    assert_int_equal(rig_method(&rig, crc32_text, (struct json_method_options){0}), 0);
    rig_refused(&rig, rig_send(&rig, "7"), -EINVAL,
                "parameters by name are an object, not a number");
    rig_refused(&rig, json_call_positional(&rig.call, &rig.method, rig.params, NULL, &rig.why),
                -EINVAL, "parameters by position are an array, not a number");
    rig_end(&rig);
}

static void test_keys_to_skip_are_no_parameters(void **state)
{
    (void)state;
    static const char *const skip[] = {"method", "deadline_ms", NULL};
    struct rig rig;
    assert_int_equal(rig_method(&rig, "int f(int method, int x)", (struct json_method_options){0}),
                     0);
    rig_refused(&rig, rig_send_with(&rig, "{\"method\":1,\"deadline_ms\":2,\"x\":3}", skip, NULL),
                -EINVAL, "parameter 'method' is missing");
    assert_int_equal(rig_send(&rig, "{\"method\":1,\"x\":3}"), 0);
    rig_end(&rig);
}

static void test_result_is_the_value_or_an_object_of_all(void **state)
{
    (void)state;
    struct rig rig;
    rig_call(&rig, crc32_text, "[0,\"\"]");
    rig.result.value = cordon_uint(UINT32_MAX);
    rig_expect(&rig, "4294967295");
    rig_end(&rig);
    rig_call(&rig, "int f(out int *x, inout int *y, const int *z)", "[5,7]");
    *(int *)rig_memory(&rig, 0) = -1;
    rig.result.value = cordon_int(3);
    rig_expect(&rig, "{\"return\":3,\"x\":-1,\"y\":5}");
    rig_end(&rig);
    rig_call(&rig, digest_text, "[\"a\"]");
    memset(rig_memory(&rig, 1), 0x41, 32);
    rig_expect(&rig, "{\"md\":{\"base64\":\"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\"}}");
    rig_end(&rig);
    rig_call(&rig, "void f(void)", "{}");
    rig_expect(&rig, "null");
    rig_end(&rig);
}

static void test_bytes_come_back_as_the_encoding_says(void **state)
{
    (void)state;
    static const char *const expected[] = {
        [JSON_BASE64] = "{\"base64\":\"aGkA/w==\"}",
        [JSON_HEX] = "\"686900ff\"",
        [JSON_TEXT] = "{\"base64\":\"aGkA/w==\"}", /* no UTF-8 */
    };
    for (enum json_encoding encoding = JSON_BASE64; encoding <= JSON_TEXT; encoding++) {
        struct rig rig;
        assert_int_equal(
            rig_method(&rig, "void f(out uint8_t md[4])",
                       (struct json_method_options){.result = "md", .encoding = encoding}),
            0);
        assert_int_equal(rig_send(&rig, "{}"), 0);
        memcpy(rig_memory(&rig, 0), "hi\0\xff", 4);
        rig_expect(&rig, expected[encoding]);
        memcpy(rig_memory(&rig, 0), "hi\0\0", 4);
        if (encoding == JSON_TEXT) {
            rig_expect(&rig, "\"hi\"");
        }
        rig_end(&rig);
    }
}

static void test_outputs_get_the_room_that_their_length_says(void **state)
{
    (void)state;
    static const char uncompress_text[] =
        "int uncompress(out uint8_t dest[*destLen], inout unsigned long *destLen, "
        "const uint8_t src[n], unsigned long n)";
    struct rig rig;
    rig_call(&rig, uncompress_text, "{\"src\":{\"hex\":\"0102\"},\"destLen\":100}");
    assert_int_equal(rig.call.args[0].count, 100);
    assert_int_equal(image_room(&rig.call.values.image, rig_memory(&rig, 0)), 100);
    assert_int_equal(*(unsigned long *)rig_memory(&rig, 1), 100);
    rig_refused(&rig, rig_send(&rig, "[99999999999,\"\"]"), -E2BIG,
                "parameter 'dest': needs 99999999999 x 1 bytes; one call carries at most");
    rig_end(&rig);
    rig_call(&rig, "void f(int w, out uint8_t p[w * 4])", "[1]");
    rig_refused(&rig, rig_send(&rig, "[-1]"), -EINVAL,
                "parameter 'p': its length comes out negative");
    rig_refused(&rig, rig_send(&rig, "{\"w\":1,\"p\":\"\"}"), -EINVAL,
                "parameter 'p' is not sent: it only comes back");
    rig_end(&rig);
}

static void test_memory_of_an_earlier_call_does_not_show(void **state)
{
    (void)state;
    struct rig rig;
    rig_call(&rig, digest_text, "[\"secretsecretsecretsecretsecretsecretsecretsecretsecret\"]");
    memset(rig_memory(&rig, 1), 0x55, 32);
    json_call_reset(&rig.call);
    assert_int_equal(rig_send(&rig, "[\"\"]"), 0);
    static const uint8_t zeros[32];
    assert_memory_equal(rig_memory(&rig, 1), zeros, sizeof zeros);
    rig_end(&rig);
}

static void test_enums_and_bools_have_names(void **state)
{
    (void)state;
    struct rig rig;
    rig_call(&rig, "enum colour { RED, GREEN = 5 }; enum colour f(enum colour c, bool b)",
             "[\"GREEN\",true]");
    assert_int_equal(rig.call.args[0].u, 5);
    assert_int_equal(rig.call.args[1].u, 1);
    rig.result.value = cordon_uint(5);
    rig_expect(&rig, "\"GREEN\"");
    rig_refused(&rig, rig_send(&rig, "[\"BLUE\",true]"), -EINVAL,
                "parameter 'c': 'BLUE' is neither a number nor one of RED, GREEN");
    rig_refused(&rig, rig_send(&rig, "[0,2]"), -EINVAL, "parameter 'b': 2 does not fit bool");
    rig_end(&rig);
}

static void test_floating_point_has_specials_as_strings(void **state)
{
    (void)state;
    struct rig rig;
    rig_call(&rig, "double f(double a, float b, double c, double d)",
             "[\"-inf\",1,-0,9007199254740993]");
    assert_true(rig.call.args[0].f < -1e308);
    assert_true(rig.call.args[1].f == 1.0);
    assert_true(__builtin_signbit(rig.call.args[2].f));
    rig.result.value = cordon_float(-__builtin_inf());
    rig_expect(&rig, "\"-inf\"");
    rig_refused(&rig, rig_send(&rig, "[1,1e39,1,1]"), -EINVAL, "does not fit float");
    rig_end(&rig);
}

static void test_optional_parameters_may_be_missing(void **state)
{
    (void)state;
    static const char text[] =
        "int f(const char *a, nullable const char *b, int (*done)(int), void *context)";
    struct rig rig;
    rig_call(&rig, text, "[\"x\"]");
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(rig.call.args[i].kind, CORDON_VALUE_NULL);
    }
    assert_int_equal(rig_send(&rig, "{\"a\":\"x\",\"b\":null,\"context\":7}"), 0);
    assert_int_equal(rig.call.args[3].u, 7);
    rig_refused(&rig, rig_send(&rig, "{\"a\":\"x\",\"done\":{}}"), -EINVAL,
                "parameter 'done': an object given where");
    assert_non_null(strstr(rig.why.text, "callbacks cannot be sent"));
    rig_refused(&rig, rig_send(&rig, "{\"a\":\"x\\u0000y\"}"), -EINVAL,
                "parameter 'a': a string with a NUL inside");
    rig_end(&rig);
}

static void test_variadic_values_take_their_type_from_json(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "[64,\"%d\",-5,5000000000,1.5,\"word\",18446744073709551615,null]",
        "{\"n\":64,\"format\":\"%d\",\"...\":[-5,5000000000,1.5,\"word\",18446744073709551615,"
        "null]}"};
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        rig_call(&rig, "int snprintf(out char s[n], size_t n, const char *format, ...)", forms[i]);
        const struct cordon_value *args = rig.call.args;
        assert_int_equal(rig.call.arg_count, 9);
        assert_int_equal(args[3].type, CORDON_TYPE_INT);
        assert_int_equal(args[3].i, -5);
        assert_int_equal(args[4].type, CORDON_TYPE_LONG);
        assert_true(args[5].f == 1.5);
        assert_int_equal(args[6].type, CORDON_TYPE_STRING);
        assert_memory_equal(args[6].memory, "word", 5);
        assert_int_equal(args[7].type, CORDON_TYPE_ULONG);
        assert_int_equal(args[8].kind, CORDON_VALUE_NULL);
        rig_end(&rig);
    }
    struct rig rig;
    rig_call(&rig, "int printf(const char *format, ...)", "[\"\"]");
    assert_int_equal(rig.call.arg_count, 1);
    rig_refused(&rig, rig_send(&rig, "[\"\",{\"a\":1}]"), -EINVAL, "parameter '...'[0]: ");
    rig_refused(&rig, rig_send(&rig, "{\"format\":\"\",\"...\":7}"), -EINVAL,
                "parameter '...': a number given where an array is wanted");
    rig_end(&rig);
}

struct book {
    uint32_t released;
    uint32_t given;
};

static int take(void *context, const char *text, size_t length, uint32_t tag,
                struct cordon_handle *ret_handle, struct message *why)
{
    (void)context;
    assert_true(tag != 0);
    if (length != 3 || memcmp(text, "h:1", 4) != 0) {
        return message_set(why, -ESTALE, "no handle '%s'", text);
    }
    *ret_handle = (struct cordon_handle){.worker = 1, .generation = 2, .index = 3};
    return 0;
}

static void give(void *context, struct cordon_handle handle, const char *type_name,
                 struct json_out *out)
{
    struct book *book = context;
    assert_string_equal(type_name, "db");
    book->given = handle.index;
    json_out_string(out, "h:new");
}

static void released(void *context, struct cordon_handle handle)
{
    ((struct book *)context)->released = handle.index;
}

static void test_handles_are_the_callers_strings(void **state)
{
    (void)state;
    struct book book = {0};
    const struct json_hooks hooks = {
        .context = &book, .take = take, .give = give, .released = released};
    struct rig rig;
    assert_int_equal(
        rig_method(&rig, "struct db; int db_close(release struct db *db, out struct db **next)",
                   (struct json_method_options){0}),
        0);
    assert_int_equal(rig.method.traits,
                     JSON_METHOD_TAKES_HANDLES | JSON_METHOD_GIVES_HANDLES | JSON_METHOD_RELEASES);
    assert_int_equal(rig_send_with(&rig, "[\"h:1\"]", NULL, &hooks), 0);
    assert_int_equal(rig.call.args[0].kind, CORDON_VALUE_HANDLE);
    assert_int_equal(rig.call.args[0].handle.index, 3);
    struct cordon_handle next = {.worker = 1, .generation = 1, .index = 9};
    memcpy(rig_memory(&rig, 1), &next, sizeof next);
    rig.result.value = cordon_int(0);
    rig_expect_with(&rig, &hooks, "{\"return\":0,\"next\":\"h:new\"}");
    assert_int_equal(book.given, 9);
    assert_int_equal(book.released, 3);
    rig_refused(&rig, rig_send_with(&rig, "[\"h:2\"]", NULL, &hooks), -ESTALE,
                "parameter 'db': no handle 'h:2'");
    rig_refused(&rig, rig_send_with(&rig, "[7]", NULL, &hooks), -EINVAL,
                "parameter 'db': a number given where handle of db wants a handle's string");
    rig_refused(&rig, rig_send(&rig, "[\"h:1\"]"), -EINVAL, "parameter 'db': ");
    rig_end(&rig);
}

static void test_structs_and_pointers_nest(void **state)
{
    (void)state;
    struct point {
        int x;
        double y;
    };
    struct rig rig;
    rig_call(&rig, "struct point { int x; double y; }; void f(const struct point p[n], size_t n)",
             "[[{\"x\":1,\"y\":2.5},{\"y\":-1,\"x\":\"7\"}]]");
    const struct point *points = rig_memory(&rig, 0);
    assert_int_equal(points[1].x, 7);
    assert_true(points[0].y == 2.5);
    rig_refused(&rig, rig_send(&rig, "[[{},{\"x\":99999999999}]]"), -EINVAL,
                "parameter 'p'[1].x: 99999999999 does not fit int32_t");
    rig_refused(&rig, rig_send(&rig, "[[{\"z\":1}]]"), -EINVAL,
                "parameter 'p'[0]: struct point has no member 'z'; its members are x, y");
    rig_refused(&rig, rig_send(&rig, "[[7]]"), -EINVAL,
                "parameter 'p'[0]: a number given where struct point wants a JSON object");
    rig_refused(&rig, rig_send(&rig, "[{}]"), -EINVAL,
                "parameter 'p': an object given where array of struct point wants a JSON array");
    rig_end(&rig);
    rig_call(&rig, "void f(const char *const names[null])", "[[\"one\",null,\"two\"]]");
    char *const *names = rig_memory(&rig, 0);
    assert_string_equal(names[2], "two");
    assert_null(names[3]);
    rig_end(&rig);
}

static void test_owned_outputs_are_shown_and_freed(void **state)
{
    (void)state;
    struct rig rig;
    rig_call(&rig, "int f(out owned(free) char **s)", "[]");
    char *given = strdup("given");
    memcpy(rig_memory(&rig, 0), &given, sizeof given); /* freed by the reset: ASan looks */
    rig.result.value = cordon_int(0);
    rig_expect(&rig, "{\"return\":0,\"s\":\"given\"}");
    rig_end(&rig);
}

static void test_unnamed_parameters_are_numbered(void **state)
{
    (void)state;
    struct rig rig;
    rig_call(&rig, "int f(int, uint8_t)", "{\"arg0\":1,\"arg1\":2}");
    assert_int_equal(rig.call.args[1].u, 2);
    rig_refused(&rig, rig_send(&rig, "[1,300]"), -EINVAL,
                "parameter 'arg1': 300 does not fit uint8_t (0 to 255)");
    rig_refused(&rig, rig_send(&rig, "{\"\":1}"), -EINVAL, "there is no parameter ''");
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_go_by_name_and_by_position),
        cmocka_unit_test(test_refusals_name_the_parameter),
        cmocka_unit_test(test_wrong_containers_are_refused),
        cmocka_unit_test(test_keys_to_skip_are_no_parameters),
        cmocka_unit_test(test_result_is_the_value_or_an_object_of_all),
        cmocka_unit_test(test_bytes_come_back_as_the_encoding_says),
        cmocka_unit_test(test_outputs_get_the_room_that_their_length_says),
        cmocka_unit_test(test_memory_of_an_earlier_call_does_not_show),
        cmocka_unit_test(test_enums_and_bools_have_names),
        cmocka_unit_test(test_floating_point_has_specials_as_strings),
        cmocka_unit_test(test_optional_parameters_may_be_missing),
        cmocka_unit_test(test_variadic_values_take_their_type_from_json),
        cmocka_unit_test(test_handles_are_the_callers_strings),
        cmocka_unit_test(test_structs_and_pointers_nest),
        cmocka_unit_test(test_owned_outputs_are_shown_and_freed),
        cmocka_unit_test(test_unnamed_parameters_are_numbered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
