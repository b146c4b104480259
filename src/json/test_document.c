/* SPDX-License-Identifier: Apache-2.0 */
#include "json/document.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json/fault.h"

#define NESTING 8u

static struct json_value parse(struct document *document, const char *text)
{
    struct json_value root = {0};
    struct message why;
    if (document_parse(document, text, strlen(text), strlen(text), NESTING, &root, &why) != 0) {
        fail_msg("%s: %s", text, why.text);
    }
    return root;
}

static void test_values_are_what_the_text_says(void **state)
{
    (void)state;
    struct document document = {0};
    struct json_value root =
        parse(&document, " {\"a\":[1,-2,18446744073709551615,1.5,true,false,null],\"b\":{}} ");
    struct json_value array = json_value_get(root, "a");
    struct json_walk walk = json_walk(array);
    struct json_value element;
    static const enum json_kind kinds[] = {JSON_KIND_INT,    JSON_KIND_INT,  JSON_KIND_UINT,
                                           JSON_KIND_DOUBLE, JSON_KIND_BOOL, JSON_KIND_BOOL,
                                           JSON_KIND_NULL};
    assert_int_equal(json_value_count(root), 2);
    assert_int_equal(json_value_count(array), 7);
    for (size_t i = 0; i < 7; i++) {
        assert_true(json_walk_next(&walk, &element));
        assert_int_equal(json_value_kind(element), kinds[i]);
    }
    assert_false(json_walk_next(&walk, &element));
    assert_int_equal(json_value_kind(json_value_get(root, "b")), JSON_KIND_OBJECT);
    assert_false(json_value_given(json_value_get(root, "c")));
    assert_int_equal(json_value_kind(json_value_get(root, "c")), JSON_KIND_NONE);
    document_deinit(&document);
}

static void test_numbers_keep_all_digits(void **state)
{
    (void)state;
    struct document document = {0};
    assert_true(json_value_int(parse(&document, "-9223372036854775808")) == INT64_MIN);
    assert_true(json_value_int(parse(&document, "9223372036854775807")) == INT64_MAX);
    assert_true(json_value_uint(parse(&document, "9223372036854775808")) == 1ull << 63);
    assert_true(json_value_double(parse(&document, "1e-3")) == 1e-3);
    document_deinit(&document);
}

static void test_minus_zero_keeps_its_sign(void **state)
{
    (void)state;
    struct document document = {0};
    struct json_value element;
    struct json_value root = parse(&document, "{\"-0\":[0,\"-0\",-0,-1,-0.0,0,[-0]]}");
    struct json_walk walk = json_walk(json_value_get(root, "-0"));
    assert_true(json_walk_next(&walk, &element));
    assert_int_equal(json_value_kind(element), JSON_KIND_INT);
    assert_true(json_walk_next(&walk, &element));
    assert_true(json_value_equals(element, "-0"));
    assert_true(json_walk_next(&walk, &element));
    assert_int_equal(json_value_kind(element), JSON_KIND_DOUBLE);
    assert_true(signbit(json_value_double(element)));
    assert_true(json_walk_next(&walk, &element));
    assert_int_equal(json_value_int(element), -1);
    assert_true(json_walk_next(&walk, &element));
    assert_true(signbit(json_value_double(element)));
    assert_true(json_walk_next(&walk, &element));
    assert_int_equal(json_value_kind(element), JSON_KIND_INT);
    assert_true(json_walk_next(&walk, &element));
    walk = json_walk(element);
    assert_true(json_walk_next(&walk, &element));
    assert_int_equal(json_value_kind(element), JSON_KIND_DOUBLE);
    document_deinit(&document);
}

static void test_minus_zero_at_the_end_reads_no_further(void **state)
{
    (void)state;
    struct document document = {0};
    struct json_value root;
    char *text = malloc(2 + DOCUMENT_PADDING);
    memset(text, '5', 2 + DOCUMENT_PADDING); /* as if another number came behind */
    memcpy(text, "-0", 2);
    assert_int_equal(document_parse(&document, text, 2, 2 + DOCUMENT_PADDING, NESTING, &root, NULL),
                     0);
    assert_int_equal(json_value_kind(root), JSON_KIND_DOUBLE);
    document_deinit(&document);
    free(text);
}

static void test_strings_are_unescaped_and_may_hold_nul(void **state)
{
    (void)state;
    struct document document = {0};
    size_t length;
    struct json_value root = parse(&document, "\"a\\u0000\\n\\u00fc\\ud83d\\ude00\"");
    const char *text = json_value_string(root, &length);
    assert_int_equal(length, 9);
    assert_memory_equal(text, "a\0\n\xc3\xbc\xf0\x9f\x98\x80", 10); /* its NUL, too */
    assert_false(json_value_equals(root, "a"));
    document_deinit(&document);
}

static void test_what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *sentence;
    } wrong[] = {
        {"", "an end where a value is wanted at byte 0"},
        {"  ", "an end where a value is wanted at byte 2"},
        {"[1,2", "an end in the middle at byte 4"},
        {"[1 2]", "something other than ',' or ']' in an array at byte 3"},
        {"{\"a\":1 \"b\"}", "something other than ',' or '}' in an object at byte 7"},
        {"{\"a\" 1}", "a key without a colon at byte 5"},
        {"{1:2}", "a member of an object without a key at byte 1"},
        {"[1,]", "something that begins no value at byte 3"},
        {"\xef\xbb\xbf{}", "something that begins no value at byte 0"},
        {"tru", "a word that is none of true, false, null at byte 0"},
        {"[-]", "a number without digits at byte 2"},
        {"[01]", "something other than ',' or ']' in an array at byte 2"},
        {"[1.]", "a number that ends with its point at byte 3"},
        {"[1e]", "a number without digits in its exponent at byte 3"},
        {"[18446744073709551616]", "an integer that does not fit 64 bits at byte 1"},
        {"[-9223372036854775809]", "an integer that does not fit 64 bits at byte 1"},
        {"[1e400]", "a number that does not fit a double at byte 1"},
        {"[\"abc", "a string without end at byte 1"},
        {"[\"a\nb\"]", "a control character in a string at byte 3"},
        {"[\"\xff\"]", "a string that is no UTF-8 at byte 2"},
        {"[\"\xed\xa0\x80\"]", "a string that is no UTF-8 at byte 2"},
        {"[\"\\x\"]", "an escape that JSON does not know at byte 3"},
        {"[\"\\u12g4\"]", "an escape \\u without four hexadecimal digits at byte 3"},
        {"[\"\\ud800\"]", "half of a surrogate pair at byte 3"},
        {"[\"\\udc00\"]", "half of a surrogate pair at byte 3"},
        {"1 2", "more behind the value at byte 2"},
        {"{}}", "more behind the value at byte 2"},
    };
    struct document document = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct json_value root = {0};
        struct message why = {""};
        size_t length = strlen(wrong[i].text);
        int r = document_parse(&document, wrong[i].text, length, length, NESTING, &root, &why);
        if (r != -EBADMSG || strcmp(why.text, wrong[i].sentence) != 0) {
            fail_msg("%s: %d, %s", wrong[i].text, r, why.text);
        }
        assert_false(json_value_given(root));
    }
    document_deinit(&document);
}

static void test_nesting_ends_where_it_is_said(void **state)
{
    (void)state;
    struct document document = {0};
    struct json_value root;
    struct message why;
    (void)parse(&document, "[[[[[[[[1]]]]]]]]");
    assert_int_equal(document_parse(&document, "[[[[[[[[[1]]]]]]]]]", 19, 19, NESTING, &root, &why),
                     -E2BIG);
    assert_string_equal(why.text, "nested deeper than 8");
    assert_int_equal(
        document_parse(&document, "[[[[[[[[[1]]]]]]]]]", 19, 19, NESTING + 1, &root, &why), 0);
    document_deinit(&document);
}

static void test_duplicate_keys_are_found_at_any_depth(void **state)
{
    (void)state;
    struct document document = {0};
    const char *key = NULL;
    assert_int_equal(json_value_duplicate(parse(&document, "{\"a\":1,\"b\":{\"a\":1}}"), &key), 0);
    assert_int_equal(json_value_duplicate(
                         parse(&document, "[{\"a\":1},[{\"b\":{\"c\":1,\"\\u0063\":2}}]]"), &key),
                     1);
    assert_string_equal(key, "c");
    assert_int_equal(json_value_duplicate(parse(&document, "[\"a\",\"a\"]"), NULL), 0);
    document_deinit(&document);
}

#define MANY 100000u

static void test_duplicates_among_many_keys_cost_no_square(void **state)
{
    (void)state;
    struct document document = {0};
    struct json_value root;
    char *text = malloc(MANY * 16u);
    size_t length = 1;
    assert_non_null(text);
    text[0] = '{';
    for (unsigned i = 0; i < MANY; i++) {
        length += (size_t)sprintf(text + length, "\"k%06u\":1,", i);
    }
    text[length - 1] = '}';
    assert_int_equal(document_parse(&document, text, length, length, NESTING, &root, NULL), 0);
    assert_int_equal(json_value_count(root), MANY);
    assert_int_equal(json_value_duplicate(root, NULL), 0); /* the test's time limit is the claim */
    memcpy(text + 1, "\"k099998\"", 9);
    assert_int_equal(document_parse(&document, text, length, length, NESTING, &root, NULL), 0);
    const char *key;
    assert_int_equal(json_value_duplicate(root, &key), 1);
    assert_string_equal(key, "k099998");
    document_shrink(&document, 4096);
    assert_true(json_value_given(parse(&document, "1")));
    document_deinit(&document);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_what_the_text_says),
        cmocka_unit_test(test_numbers_keep_all_digits),
        cmocka_unit_test(test_minus_zero_keeps_its_sign),
        cmocka_unit_test(test_minus_zero_at_the_end_reads_no_further),
        cmocka_unit_test(test_strings_are_unescaped_and_may_hold_nul),
        cmocka_unit_test(test_what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(test_nesting_ends_where_it_is_said),
        cmocka_unit_test(test_duplicate_keys_are_found_at_any_depth),
        cmocka_unit_test(test_duplicates_among_many_keys_cost_no_square),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
