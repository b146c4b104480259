/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/declaration.h"

/* A prototype and its arguments, converted. */
struct fixture {
    struct declaration declaration;
    struct arguments arguments;
    struct message why;
    int result;
};

static void convert(struct fixture *fixture, const char *prototype, const char *const *texts)
{
    size_t count = 0;
    while (texts[count]) {
        count++;
    }
    fixture->why.text[0] = '\0';
    if (declaration_load(prototype, NULL, &fixture->declaration, &fixture->why) != 0) {
        fail_msg("%s", fixture->why.text);
    }
    arguments_init(&fixture->arguments, fixture->declaration.plan, 1 << 20, &fixture->why);
    fixture->result = arguments_parse(&fixture->arguments, (char *const *)(uintptr_t)texts, count);
}

#define CONVERT(fixture, prototype, ...)                                                           \
    convert(fixture, prototype, (const char *const[]){__VA_ARGS__, NULL})

static void release(struct fixture *fixture)
{
    arguments_deinit(&fixture->arguments);
    declaration_deinit(&fixture->declaration);
}

static void accept(const struct fixture *fixture)
{
    if (fixture->result != 0) {
        fail_msg("%s", fixture->why.text);
    }
}

/* Refused with -EINVAL by a sentence that holds @part. */
static void refuse(struct fixture *fixture, const char *part)
{
    assert_int_equal(fixture->result, -EINVAL);
    if (!strstr(fixture->why.text, part)) {
        fail_msg("'%s' is not in: %s", part, fixture->why.text);
    }
    release(fixture);
}

static const char crc32_text[] =
    "uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len)";

static void test_bytes_are_given_in_every_form(void **state)
{
    (void)state;
    static const char *const forms[] = {"abc",      "hex:616263",      "base64:YWJj",
                                        "text:abc", "json:[97,98,99]", "json:{\"hex\":\"616263\"}"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct fixture fixture;
        CONVERT(&fixture, crc32_text, "7", forms[i]);
        accept(&fixture);
        assert_int_equal(fixture.arguments.values[0].u, 7);
        assert_int_equal(fixture.arguments.values[1].count, 3);
        assert_memory_equal(fixture.arguments.values[1].memory, "abc", 3);
        release(&fixture);
    }
}

static void test_wrong_count_names_every_parameter(void **state)
{
    (void)state;
    struct fixture fixture;
    CONVERT(&fixture, crc32_text, "0");
    refuse(&fixture, "crc32 takes 2 arguments: crc (uint32_t), buf (bytes); 1 given");
    CONVERT(&fixture, crc32_text, "0", "x", "1");
    refuse(&fixture, "3 given");
}

static void test_wrong_argument_is_named_with_the_reason(void **state)
{
    (void)state;
    struct fixture fixture;
    CONVERT(&fixture, crc32_text, "4294967296", "x");
    refuse(&fixture, "argument 1 'crc': 4294967296 does not fit uint32_t (0 to 4294967295)");
    CONVERT(&fixture, crc32_text, "1", "hex:0g");
    refuse(&fixture, "argument 2 'buf': character 2 is no hexadecimal digit");
    CONVERT(&fixture, "void f(int (*cb)(int))", "run");
    refuse(&fixture, "a callback cannot be given from the shell");
    CONVERT(&fixture, "struct s; void f(struct s *h)", "1");
    refuse(&fixture, "only null can be given");
}

static void test_outputs_get_the_room_that_their_length_says(void **state)
{
    (void)state;
    struct fixture fixture;
    CONVERT(&fixture,
            "int uncompress(out uint8_t dest[*destLen], inout unsigned long *destLen, "
            "const uint8_t src[n], unsigned long n)",
            "100", "hex:0102");
    accept(&fixture);
    assert_int_equal(fixture.arguments.values[0].count, 100);
    assert_int_equal(*(unsigned long *)fixture.arguments.values[1].memory, 100);
    assert_int_equal(
        image_room(&fixture.arguments.by_position.image, fixture.arguments.values[0].memory), 100);
    release(&fixture);
    CONVERT(&fixture, "void f(int w, int h, out uint8_t pixels[w * h * 4])", "-3", "5");
    refuse(&fixture, "output 'pixels': its length comes out negative");
}

static void test_output_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    CONVERT(&fixture, "void f(out uint8_t buf[n], size_t n)", "3000000000");
    assert_int_equal(fixture.result, -E2BIG);
    assert_non_null(strstr(fixture.why.text, "3000000000"));
    release(&fixture);
}

static void test_structs_are_laid_out_from_json(void **state)
{
    (void)state;
    struct point {
        int x;
        double y;
    };
    struct fixture fixture;
    CONVERT(&fixture,
            "struct point { int x; double y; }; void f(const struct point p[n], size_t n)",
            "[{\"x\":1,\"y\":2.5},{\"y\":-1,\"x\":\"7\"}]");
    accept(&fixture);
    const struct point *points = fixture.arguments.values[0].memory;
    assert_int_equal(fixture.arguments.values[0].count, 2);
    assert_int_equal(points[0].x, 1);
    assert_true(points[0].y == 2.5);
    assert_int_equal(points[1].x, 7);
    assert_true(points[1].y == -1);
    release(&fixture);
    CONVERT(&fixture, "struct point { int x; double y; }; void f(const struct point *p)",
            "{\"x\":1,\"z\":2}");
    refuse(&fixture, "argument 1 'p': struct point has no member 'z'; its members are x, y");
    CONVERT(&fixture, "struct point { int x; double y; }; void f(const struct point p[n], int n)",
            "[{},{\"x\":99999999999}]");
    refuse(&fixture, "argument 1 'p'[1].x: 99999999999 does not fit");
}

static void test_large_integers_in_json_stay_exact(void **state)
{
    (void)state;
    struct fixture fixture;
    CONVERT(&fixture, "void f(const uint64_t a[n], size_t n)", "[18446744073709551615, 1]");
    accept(&fixture);
    assert_true(*(const uint64_t *)fixture.arguments.values[0].memory == UINT64_MAX);
    release(&fixture);
}

static void test_arrays_of_strings_end_with_null(void **state)
{
    (void)state;
    struct fixture fixture;
    CONVERT(&fixture, "void f(const char *const names[null])", "[\"one\",\"two\"]");
    accept(&fixture);
    char *const *names = fixture.arguments.values[0].memory;
    assert_string_equal(names[0], "one");
    assert_string_equal(names[1], "two");
    assert_null(names[2]);
    release(&fixture);
}

static void test_variadic_arguments_take_their_type_from_the_text(void **state)
{
    (void)state;
    struct fixture fixture;
    size_t count;
    CONVERT(&fixture, "int snprintf(out char s[n], size_t n, const char *format, ...)", "64", "%d",
            "-5", "5000000000", "1.5", "word", "18446744073709551615", "null");
    accept(&fixture);
    const struct cordon_value *values = arguments_values(&fixture.arguments, &count);
    assert_int_equal(count, 9);
    assert_int_equal(values[3].type, CORDON_TYPE_INT);
    assert_int_equal(values[3].i, -5);
    assert_int_equal(values[4].type, CORDON_TYPE_LONG);
    assert_int_equal(values[5].type, CORDON_TYPE_DOUBLE);
    assert_true(values[5].f == 1.5);
    assert_int_equal(values[6].type, CORDON_TYPE_STRING);
    assert_memory_equal(values[6].memory, "word", 5);
    assert_int_equal(values[7].type, CORDON_TYPE_ULONG);
    assert_int_equal(values[8].kind, CORDON_VALUE_NULL);
    release(&fixture);
}

static void test_null_is_a_pointer_and_text_prefix_the_word(void **state)
{
    (void)state;
    struct fixture fixture;
    CONVERT(&fixture, "void f(const char *a, const char *b)", "null", "text:null");
    accept(&fixture);
    assert_int_equal(fixture.arguments.values[0].kind, CORDON_VALUE_NULL);
    assert_string_equal(fixture.arguments.values[1].memory, "null");
    assert_int_equal(fixture.arguments.values[1].count, 4);
    release(&fixture);
}

static void test_enumerators_are_given_by_name(void **state)
{
    (void)state;
    static const char text[] = "enum colour { RED, GREEN = 5 }; void f(enum colour c)";
    struct fixture fixture;
    CONVERT(&fixture, text, "GREEN");
    accept(&fixture);
    assert_int_equal(fixture.arguments.values[0].i, 5);
    release(&fixture);
    CONVERT(&fixture, text, "BLUE");
    refuse(&fixture, "'BLUE' is neither a number nor one of RED, GREEN");
}

static void test_renewed_arguments_are_those_of_the_first_call(void **state)
{
    (void)state;
    struct fixture fixture;
    CONVERT(&fixture, "void f(int a[n], int n)", "[3,1,2]");
    accept(&fixture);
    int *numbers = fixture.arguments.values[0].memory;
    assert_int_equal(arguments_keep(&fixture.arguments), 0);
    numbers[0] = 99;
    arguments_renew(&fixture.arguments);
    assert_int_equal(numbers[0], 3);
    release(&fixture);
}

static void test_several_functions_and_none_are_refused(void **state)
{
    (void)state;
    struct declaration declaration;
    struct message why;
    assert_int_equal(declaration_load("int f(void); int g(void)", NULL, &declaration, &why),
                     -EINVAL);
    declaration_deinit(&declaration);
    assert_int_equal(declaration_load("struct s { int x; };", NULL, &declaration, &why), -EINVAL);
    declaration_deinit(&declaration);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_given_in_every_form),
        cmocka_unit_test(test_wrong_count_names_every_parameter),
        cmocka_unit_test(test_wrong_argument_is_named_with_the_reason),
        cmocka_unit_test(test_outputs_get_the_room_that_their_length_says),
        cmocka_unit_test(test_output_beyond_the_limit_is_refused),
        cmocka_unit_test(test_structs_are_laid_out_from_json),
        cmocka_unit_test(test_large_integers_in_json_stay_exact),
        cmocka_unit_test(test_arrays_of_strings_end_with_null),
        cmocka_unit_test(test_variadic_arguments_take_their_type_from_the_text),
        cmocka_unit_test(test_null_is_a_pointer_and_text_prefix_the_word),
        cmocka_unit_test(test_enumerators_are_given_by_name),
        cmocka_unit_test(test_renewed_arguments_are_those_of_the_first_call),
        cmocka_unit_test(test_several_functions_and_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
