/* SPDX-License-Identifier: Apache-2.0 */

/* Limits of prototypes and plans: each is reached, and the refusal names it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "harness/harness.h"

/* A text that grows; the test's memory ends with its process. */
struct text {
    char *bytes;
    size_t length;
    size_t room;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...)
{
    if (text->room - text->length < 1024) {
        text->room = text->room * 2 + 4096;
        text->bytes = realloc(text->bytes, text->room);
        assert_non_null(text->bytes);
    }
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text->bytes + text->length, text->room - text->length, format, args);
    va_end(args);
    assert_in_range(length, 0, 1000);
    text->length += (size_t)length;
}

/* Fail unless @text is refused with @error and a sentence that has @name in it. Frees the text. */
static void expect_refused(struct text *text, int error, const char *name)
{
    struct cordon_interface *parsed = NULL;
    struct cordon_error why = {{0}};
    int r = cordon_interface_parse("limit", text->bytes, text->length, &parsed, &why);
    if (r != error || !strstr(why.text, name)) {
        fail_msg("expected %d and '%s', not %d: %s", error, name, r, why.text);
    }
    assert_null(parsed);
    free(text->bytes);
    *text = (struct text){0};
}

static void expect_accepted(struct text *text)
{
    struct cordon_interface *parsed = NULL;
    struct cordon_error why = {{0}};
    int r = cordon_interface_parse("limit", text->bytes, text->length, &parsed, &why);
    if (r != 0) {
        fail_msg("refused: %d: %s", r, why.text);
    }
    cordon_interface_free(parsed);
    free(text->bytes);
    *text = (struct text){0};
}

static void test_prototype_bytes(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    add(&text, "int f(void);");
    while (text.length < LIMIT_PROTOTYPE_BYTES) {
        add(&text, " ");
    }
    expect_accepted(&text);
    add(&text, "int f(void);");
    while (text.length <= LIMIT_PROTOTYPE_BYTES) {
        add(&text, " ");
    }
    expect_refused(&text, -E2BIG, "LIMIT_PROTOTYPE_BYTES");
}

static void test_prototype_depth(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    add(&text, "int f(const int a[");
    for (uint32_t i = 0; i < LIMIT_PROTOTYPE_DEPTH + 1; i++) {
        add(&text, "(");
    }
    add(&text, "1");
    for (uint32_t i = 0; i < LIMIT_PROTOTYPE_DEPTH + 1; i++) {
        add(&text, ")");
    }
    add(&text, "]);");
    expect_refused(&text, -E2BIG, "LIMIT_PROTOTYPE_DEPTH");
}

static void test_interface_functions(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    for (uint32_t i = 0; i < LIMIT_INTERFACE_FUNCTIONS; i++) {
        add(&text, "int f%u(void);\n", i);
    }
    expect_accepted(&text);
    for (uint32_t i = 0; i < LIMIT_INTERFACE_FUNCTIONS + 1; i++) {
        add(&text, "int f%u(void);\n", i);
    }
    expect_refused(&text, -E2BIG, "LIMIT_INTERFACE_FUNCTIONS");
}

static void test_interface_bytes(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    add(&text, "struct large {\n");
    for (int i = 0; i < 2000; i++) {
        add(&text, "int m%d;\n", i);
    }
    add(&text, "};\n");
    for (uint32_t i = 0; i < LIMIT_INTERFACE_FUNCTIONS - 1; i++) {
        add(&text, "int f%u(struct large *a);\n", i);
    }
    expect_refused(&text, -E2BIG, "LIMIT_INTERFACE_BYTES");
}

static void test_callback_shapes(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    add(&text, "int f(");
    for (uint32_t i = 0; i < LIMIT_CALLBACK_SHAPES / 2 + 1; i++) {
        add(&text, "%sint (*c%u)(int (*inner)(int x) fails(0)) fails(0)", i ? ", " : "", i);
    }
    add(&text, ");");
    expect_refused(&text, -E2BIG, "LIMIT_CALLBACK_SHAPES");
}

static void test_name_bytes(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    char name[LIMIT_NAME_BYTES + 2];
    memset(name, 'n', sizeof name);
    name[LIMIT_NAME_BYTES] = '\0';
    add(&text, "int %s(void);", name);
    expect_accepted(&text);
    name[LIMIT_NAME_BYTES] = 'n';
    name[LIMIT_NAME_BYTES + 1] = '\0';
    add(&text, "int %s(void);", name);
    expect_refused(&text, -E2BIG, "LIMIT_NAME_BYTES");
}

static void test_params_max(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    add(&text, "int f(int p0");
    for (uint32_t i = 1; i <= CORDON_PLAN_PARAMS_MAX; i++) {
        add(&text, ", int p%u", i);
    }
    add(&text, ");");
    expect_refused(&text, -E2BIG, "CORDON_PLAN_PARAMS_MAX");
}

static void test_type_size_max(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    add(&text, "struct s { char a[%u]; char b[%u]; }; int f(struct s *x);",
        CORDON_PLAN_TYPE_SIZE_MAX - 1, 16u);
    expect_refused(&text, -E2BIG, "CORDON_PLAN_TYPE_SIZE_MAX");
}

static void test_type_depth_max(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    add(&text, "struct s0 { int x; };\n");
    for (uint32_t i = 1; i <= CORDON_PLAN_DEPTH_MAX; i++) {
        add(&text, "struct s%u { struct s%u inner; };\n", i, i - 1);
    }
    add(&text, "int f(const struct s%u *x);", CORDON_PLAN_DEPTH_MAX);
    expect_refused(&text, -E2BIG, "CORDON_PLAN_DEPTH_MAX");
}

static void test_code_bytes_max(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    add(&text, "int f(int n, const int a[n");
    for (uint32_t i = 0; i < 50; i++) {
        add(&text, " + n * 1000003"); /* 14 bytes of code each */
    }
    add(&text, "]);");
    expect_refused(&text, -E2BIG, "CORDON_PLAN_CODE_BYTES_MAX");
}

static void test_code_stack_max(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    add(&text, "int f(int n, const int a[n");
    for (uint32_t i = 0; i < CORDON_PLAN_CODE_STACK_MAX; i++) {
        add(&text, " + (n");
    }
    for (uint32_t i = 0; i < CORDON_PLAN_CODE_STACK_MAX; i++) {
        add(&text, ")");
    }
    add(&text, "]);");
    expect_refused(&text, -E2BIG, "CORDON_PLAN_CODE_STACK_MAX");
}

static void test_plan_bytes_max(const struct harness *harness)
{
    (void)harness;
    struct text text = {0};
    /* 24 bytes of record and a name for each member, many times what the text takes. */
    add(&text, "struct large { int m");
    for (uint32_t i = 0; text.length < LIMIT_PROTOTYPE_BYTES - 100; i++) {
        add(&text, ",%c%x", 'g' + (int)(i % 20), i);
    }
    add(&text, "; }; int f(struct large *x);");
    expect_refused(&text, -E2BIG, "CORDON_PLAN_BYTES_MAX");
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"prototype_bytes", test_prototype_bytes, HARNESS_ONCE, HARNESS_COLD, 0},
        {"prototype_depth", test_prototype_depth, HARNESS_ONCE, HARNESS_COLD, 0},
        {"interface_functions", test_interface_functions, HARNESS_ONCE, HARNESS_COLD, 0},
        {"interface_bytes", test_interface_bytes, HARNESS_ONCE, HARNESS_COLD, 0},
        {"callback_shapes", test_callback_shapes, HARNESS_ONCE, HARNESS_COLD, 0},
        {"name_bytes", test_name_bytes, HARNESS_ONCE, HARNESS_COLD, 0},
        {"params_max", test_params_max, HARNESS_ONCE, HARNESS_COLD, 0},
        {"type_size_max", test_type_size_max, HARNESS_ONCE, HARNESS_COLD, 0},
        {"type_depth_max", test_type_depth_max, HARNESS_ONCE, HARNESS_COLD, 0},
        {"code_bytes_max", test_code_bytes_max, HARNESS_ONCE, HARNESS_COLD, 0},
        {"code_stack_max", test_code_stack_max, HARNESS_ONCE, HARNESS_COLD, 0},
        {"plan_bytes_max", test_plan_bytes_max, HARNESS_ONCE, HARNESS_COLD, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
