/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused, where the caret stands and what the sentence says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "cordon/plan.h"
#include "prototype/prototype.h"

struct mistake {
    const char *text;
    int error;
    const char *begins; /* of the message: place and sentence */
};

static void check_mistakes(const struct mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct interface *interface = NULL;
        struct message why = {{0}};
        int r = interface_parse("p", mistakes[i].text, strlen(mistakes[i].text), &interface, &why);
        if (r >= 0) {
            fail_msg("accepted: %s", mistakes[i].text);
        }
        if (strncmp(why.text, mistakes[i].begins, strlen(mistakes[i].begins)) != 0 ||
            r != mistakes[i].error) {
            fail_msg("%s: error %d: %s", mistakes[i].text, r, why.text);
        }
        assert_non_null(strchr(why.text, '^'));
    }
}

#define CHECK(mistakes) check_mistakes(mistakes, sizeof(mistakes) / sizeof((mistakes)[0]))

static void test_mistakes_are_shown_with_their_place(void **state)
{
    (void)state;
    const char *text = "int g(void);\n\tint f(const uint8_t b[lenn], int len);\n";
    struct interface *interface = NULL;
    struct message why;
    assert_int_equal(interface_parse("zlib.cordon", text, strlen(text), &interface, &why), -EINVAL);
    assert_string_equal(
        why.text, "zlib.cordon:2:24: unknown parameter 'lenn' in a length; did you mean "
                  "'len'?\n\tint f(const uint8_t b[lenn], int len);\n\t                      ^");
}

static void test_misspelt_names_get_a_near_one(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"unit32_t f(void)", -EINVAL, "p:1:1: unknown type 'unit32_t'; did you mean 'uint32_t'?"},
        {"int f(const unit8_t *b)", -EINVAL,
         "p:1:13: unknown type 'unit8_t'; did you mean 'uint8_t'"},
        {"typedef int color_t; int f(colr_t c)", -EINVAL,
         "p:1:28: unknown type 'colr_t'; did you mean 'color_t'?"},
        {"within(ss) char *f(const char *s1)", -EINVAL,
         "p:1:8: unknown parameter 'ss' in `within`; did you mean 's1'?"},
        {"struct v { int *d[cout]; int count; }; int f(struct v *v)", -EINVAL,
         "p:1:19: unknown member 'cout' in a length; did you mean 'count'?"},
        {"int f(const int v[n], int *n)", -EINVAL,
         "p:1:19: parameter 'n' is a pointer; did you mean '*n'?"},
    };
    CHECK(mistakes);
}

static void test_what_is_not_supported_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"int f(nullable const size_t *n, int (*cb)(const void a[*n]))", -ENOTSUP,
         "p:1:56: '*n' of the call that takes the callback is not known to it"},
        {"struct s { int a : 3; };", -ENOTSUP, "p:1:16: bit-fields are not supported, since"},
        {"struct s { int : 3; };", -ENOTSUP, "p:1:16: bit-fields are not supported, since"},
        {"struct s { int t; union { int a; float b; } u; };", -ENOTSUP,
         "p:1:45: nothing says which member of the union 'u' is in use: write `case VALUE:`"},
        {"struct s { int t; union { int a; float b; } u switch(t); };", -EINVAL,
         "p:1:45: the union of 'u' has no `case VALUE:`"},
        {"struct s { int t; union { case 1: int a; } u switch(tt); };", -EINVAL,
         "p:1:53: no member 'tt' stands beside the union"},
        {"struct s { float t; union { case 1: int a; } u switch(t); };", -EINVAL,
         "p:1:55: member 't' is not an integer"},
        {"struct s { int t; union { case 1: int a; float b; } u switch(t); };", -EINVAL,
         "p:1:42: either all members of a union have labels, or none"},
        {"struct s { int t; union { case 1: int a; case 1: float b; } u switch(t); };", -EINVAL,
         "p:1:42: this case is there already"},
        {"struct s { int t; union { default: int a; case 1: float b; } u switch(t); };", -EINVAL,
         "p:1:43: `default` is a union's last label"},
        {"union v { case 1: int a; }; int f(union v v)", -ENOTSUP,
         "p:1:43: a union needs a struct around it"},
        {"struct s { int t; union { case 1: int a; } u switch(t); }; int f(struct s s)", -ENOTSUP,
         "p:1:75: a struct with a union inside cannot be passed by value"},
        {"struct s { int t; int u switch(t); };", -EINVAL, "p:1:23: `switch` is for unions"},
        {"long double f(void)", -ENOTSUP, "p:1:1: long double is not supported"},
        {"double _Complex f(void)", -ENOTSUP, "p:1:8: complex numbers are not supported"},
        {"#define X 1\nint f(void);", -ENOTSUP, "p:1:1: preprocessor lines are not read"},
        {"static inline int f(int a) { return a; }", -ENOTSUP, "p:1:19: f has a body: inline"},
        {"void f(__attribute__((noreturn)) void (*cb)(int))", -ENOTSUP,
         "p:1:41: a callback that does not return"},
        {"void *malloc(size_t n)", -ENOTSUP, "p:1:7: what is the `void *` that 'malloc' gives?"},
        {"struct s { int n; char rest[]; };", -ENOTSUP, "p:1:24: a flexible array member has no"},
        {"void f(int v[])", -EINVAL, "p:1:14: how long is this array?"},
        {"void f(char **x)", -ENOTSUP, "p:1:15: what does 'x' point to?"},
        {"void f(out char *x)", -ENOTSUP, "p:1:18: how long may the text be?"},
        {"void f(const void *x)", -ENOTSUP, "p:1:20: how many bytes are at 'x'?"},
        {"void f(const unsigned char *x)", -ENOTSUP, "p:1:29: how many bytes are at 'x'?"},
        {"int *f(void)", -ENOTSUP, "p:1:6: how many values does 'f' give?"},
        {"extern int errno;", -ENOTSUP, "p:1:12: 'errno' is a variable"},
        {"static int f(int x)", -ENOTSUP, "p:1:12: a `static` function has no symbol"},
        {"void f(out uint8_t v[*n], out size_t *n)", -EINVAL,
         "p:1:22: '*n' is known only after the call"},
        {"int f(out uint8_t v[*n], in char *n)", -EINVAL,
         "p:1:21: parameter 'n' does not point to an integer"},
        {"ssize_t f(out uint8_t v[result])", -EINVAL, "p:1:25: `result` is known only after"},
        {"int f(resident z_stream *s)", -ENOTSUP, "p:1:26: `resident` needs to know the members"},
        {"int f(release int *s)", -ENOTSUP, "p:1:20: `release`, `resident` and `borrowed` are for"},
        {"int f(out int x)", -EINVAL, "p:1:15: `out` says something of a pointer"},
        {"int f(owned(free) char *x)", -ENOTSUP, "p:1:25: `owned` is for memory that the library"},
        {"int f(int x) fails(1); int g(int x fails(1))", -EINVAL, "p:1:34: `fails` says something"},
        {"__int128 f(void)", -ENOTSUP, "p:1:1: __int128 is not supported"},
        {"void f(const char *(*cb)(int))", -ENOTSUP, "p:1:22: a callback cannot give memory"},
    };
    CHECK(mistakes);
}

static void test_malformed_text_says_what_was_expected(void **state)
{
    (void)state;
    static const struct mistake mistakes[] = {
        {"int f(int a", -EINVAL, "p:1:12: expected ',' or ')', but the text ends"},
        {"int f(int a,)", -EINVAL, "p:1:13: expected a type, not ')'"},
        {"int (*f", -EINVAL, "p:1:8: expected ')', but the text ends"},
        {"int f(int) int g(int)", -EINVAL,
         "p:1:12: expected ';' behind the declaration, not 'int'"},
        {"int f(int a, int a)", -EINVAL, "p:1:18: parameter 'a' is there already"},
        {"int f(void); int f(void);", -EINVAL, "p:1:18: function 'f' is declared twice"},
        {"int f(const int v[1 +], int n)", -EINVAL, "p:1:22: expected a length"},
        {"struct s { int v[1 / 0]; };", -EINVAL, "p:1:20: division by zero"},
        {"short long f(void)", -EINVAL, "p:1:1: these words do not make a type together"},
        {"int f(void); /* open", -EINVAL, "p:1:14: this comment has no end"},
        {"int f(void) $", -EINVAL, "p:1:13: this character has no place"},
        {"struct a f(void)", -EINVAL, "p:1:10: struct a is not defined"},
        {"enum a f(void)", -EINVAL, "p:1:1: enum a is not defined"},
        {"struct a { struct a inner; };", -EINVAL, "p:1:21: struct a is not defined yet"},
    };
    CHECK(mistakes);
}

/* @start, @before @count times, then @middle, then @after @count times. */
static void check_limit(const char *start, const char *before, const char *middle,
                        const char *after, size_t count, const char *limit)
{
    size_t room = count * (strlen(before) + strlen(after)) + strlen(start) + strlen(middle) + 1;
    char *text = calloc(1, room);
    struct interface *interface = NULL;
    struct message why = {{0}};
    assert_non_null(text);
    char *end = stpcpy(text, start);
    for (size_t i = 0; i < count; i++) {
        end = stpcpy(end, before);
    }
    end = stpcpy(end, middle);
    for (size_t i = 0; i < count; i++) {
        end = stpcpy(end, after);
    }
    assert_int_equal(interface_parse("p", text, strlen(text), &interface, &why), -E2BIG);
    assert_non_null(strstr(why.text, limit));
    free(text);
}

static void test_limits_are_reached_and_named(void **state)
{
    (void)state;
    check_limit("", "", " ", " ", LIMIT_PROTOTYPE_BYTES, "LIMIT_PROTOTYPE_BYTES");
    check_limit("int ", "(*", "f", ")(int)", LIMIT_PROTOTYPE_DEPTH + 1, "LIMIT_PROTOTYPE_DEPTH");
    check_limit("", "struct { int a; ", "", "};", LIMIT_PROTOTYPE_DEPTH + 1,
                "LIMIT_PROTOTYPE_DEPTH");
    check_limit("", "n", " f(void)", "", LIMIT_NAME_BYTES + 1, "LIMIT_NAME_BYTES");
    check_limit("", "", "int f(int", ",int", CORDON_PLAN_PARAMS_MAX, "CORDON_PLAN_PARAMS_MAX");
}

static void test_a_limit_stops_too_many_functions(void **state)
{
    (void)state;
    struct interface *interface = NULL;
    struct message why = {{0}};
    char *text = calloc(LIMIT_INTERFACE_FUNCTIONS + 1, 32);
    assert_non_null(text);
    char *end = text;
    for (unsigned i = 0; i <= LIMIT_INTERFACE_FUNCTIONS; i++) {
        end += sprintf(end, "int f%u(void);\n", i);
    }
    assert_int_equal(interface_parse("p", text, strlen(text), &interface, &why), -E2BIG);
    assert_non_null(strstr(why.text, "LIMIT_INTERFACE_FUNCTIONS"));
    free(text);
}

static void check_too_big(const char *text, const char *limit)
{
    struct interface *interface = NULL;
    struct message why = {{0}};
    assert_int_equal(interface_parse("p", text, strlen(text), &interface, &why), -E2BIG);
    if (!strstr(why.text, limit)) {
        fail_msg("%s is not named: %s", limit, why.text);
    }
}

static void test_limits_of_plans_are_reached_and_named(void **state)
{
    (void)state;
    char cases[16384] = "struct s { int t; union { ";
    for (unsigned i = 0; i <= CORDON_PLAN_CASES_MAX; i++) {
        (void)sprintf(cases + strlen(cases), "case %u: int m%u; ", i, i);
    }
    strcat(cases, "} u switch(t); };");
    check_too_big(cases, "CORDON_PLAN_CASES_MAX");
    check_too_big("struct s { char a[0x7fffffff]; };", "CORDON_PLAN_TYPE_SIZE_MAX");
    char length[1024] = "void f(int n, const int v[";
    for (unsigned i = 0; i < CORDON_PLAN_CODE_STACK_MAX; i++) {
        strcat(length, "n+(");
    }
    strcat(length, "n))))))))))))))))])");
    check_too_big(length, "CORDON_PLAN_CODE_STACK_MAX");
    strcpy(length, "void f(const int v[1");
    for (unsigned i = 0; i < 60; i++) {
        strcat(length, "+1");
    }
    strcat(length, "])");
    check_too_big(length, "CORDON_PLAN_CODE_BYTES_MAX");
    char nested[2048] = "struct s0 { int a; };";
    for (unsigned i = 1; i <= CORDON_PLAN_DEPTH_MAX; i++) {
        char one[64];
        (void)snprintf(one, sizeof one, "struct s%u { struct s%u a; };", i, i - 1);
        strcat(nested, one);
    }
    check_too_big(nested, "CORDON_PLAN_DEPTH_MAX");
}

/* A struct of @fields members, and @functions that take it. */
static void check_large(unsigned fields, unsigned functions, const char *limit)
{
    char *text = malloc(LIMIT_PROTOTYPE_BYTES);
    assert_non_null(text);
    char *end = stpcpy(text, "struct s { char first");
    for (unsigned i = 0; i < fields; i++) {
        end += sprintf(end, ",m%u", i);
    }
    end = stpcpy(end, ";};");
    for (unsigned i = 0; i < functions; i++) {
        end += sprintf(end, "void f%u(struct s*);", i);
    }
    check_too_big(text, limit);
    free(text);
}

static void test_limits_of_bytes_are_reached_and_named(void **state)
{
    (void)state;
    check_large(36000, 1, "CORDON_PLAN_BYTES_MAX");
    check_large(6000, 1000, "LIMIT_INTERFACE_BYTES");
}

static void test_a_limit_stops_callbacks_that_multiply(void **state)
{
    (void)state;
    struct interface *interface = NULL;
    struct message why = {{0}};
    char text[4096] = "typedef void (*c0)(int);";
    for (int i = 1; i < 12; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, "typedef void (*c%d)(c%d, c%d);", i, i - 1,
                       i - 1);
    }
    strcat(text, "void f(c11 c);");
    assert_int_equal(interface_parse("p", text, strlen(text), &interface, &why), -E2BIG);
    assert_non_null(strstr(why.text, "LIMIT_CALLBACK_SHAPES"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_shown_with_their_place),
        cmocka_unit_test(test_misspelt_names_get_a_near_one),
        cmocka_unit_test(test_what_is_not_supported_is_refused_with_the_reason),
        cmocka_unit_test(test_malformed_text_says_what_was_expected),
        cmocka_unit_test(test_limits_are_reached_and_named),
        cmocka_unit_test(test_a_limit_stops_too_many_functions),
        cmocka_unit_test(test_limits_of_plans_are_reached_and_named),
        cmocka_unit_test(test_limits_of_bytes_are_reached_and_named),
        cmocka_unit_test(test_a_limit_stops_callbacks_that_multiply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
