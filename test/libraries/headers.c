/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Declarations as the system's headers have them, taken by a script: every one is parsed and laid out,
 * or refused by a sentence; functions of numbers alone are called and compared with the direct call.
 */
#include <dlfcn.h>
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

#include "harness/harness.h"

#define PARSED_MIN 100u
#define CALLED_MIN 100u

static const double samples[] = {0.0, 0.5, -0.75, 1.0, 2.0, 3.25, 10.0, -7.5};

/* Read declarations one after the other; false at the end. */
static FILE *open_declarations(void)
{
    const char *path = getenv("CORDON_TEST_DECLARATIONS");
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file) {
        fail_msg("no declarations: CORDON_TEST_DECLARATIONS is '%s'", path ? path : "");
    }
    return file;
}

static struct cordon_interface *parse(const char *declaration)
{
    struct cordon_interface *interface = NULL;
    struct cordon_error error = {{0}};
    int r = cordon_interface_parse("header", declaration, strlen(declaration), &interface, &error);
    if (r == 0) {
        assert_int_equal(cordon_interface_function_count(interface), 1);
    } else if (r != -ENOTSUP && r != -EINVAL) {
        fail_msg("%s: %d: %s", declaration, r, error.text);
    } else {
        assert_string_not_equal(error.text, "");
    }
    return interface;
}

/* The kinds of result and parameters as letters: "ddi" is double f(double, int); NULL for others. */
static bool signature(const struct cordon_interface *interface, char letters[8],
                      const char **ret_name)
{
    size_t bytes = 0;
    const uint8_t *plan = cordon_interface_plan(interface, 0, &bytes);
    struct cordon_plan_header header;
    struct cordon_plan_function function;
    struct cordon_plan_param param;
    struct cordon_plan_type type;
    memcpy(&header, plan, sizeof header);
    memcpy(&function, plan + header.functions_at, sizeof function);
    *ret_name = (const char *)plan + header.names_at + function.symbol;
    memset(letters, 0, 8);
    for (uint32_t i = 0; i <= function.param_count; i++) {
        if (i > 5) {
            return false;
        }
        param = function.result;
        if (i > 0) {
            memcpy(&param, plan + header.params_at + (function.first_param + i - 1) * sizeof param,
                   sizeof param);
        }
        memcpy(&type, plan + header.types_at + param.type * sizeof type, sizeof type);
        letters[i] = type.kind == CORDON_PLAN_F64   ? 'd'
                     : type.kind == CORDON_PLAN_F32 ? 'f'
                     : type.kind == CORDON_PLAN_I32 ? 'i'
                     : type.kind == CORDON_PLAN_I64 ? 'l'
                                                    : '?';
    }
    return !strchr(letters, '?');
}

static void test_declarations_of_headers_are_parsed_or_refused_by_a_sentence(
    const struct harness *harness)
{
    (void)harness;
    FILE *declarations = open_declarations();
    char line[8192];
    uint32_t parsed = 0;
    uint32_t refused = 0;
    while (fgets(line, sizeof line, declarations)) {
        struct cordon_interface *interface = parse(line);
        if (interface) {
            size_t bytes = 0;
            assert_non_null(cordon_interface_plan(interface, 0, &bytes));
            assert_true(bytes > sizeof(struct cordon_plan_header));
            parsed++;
        } else {
            refused++;
        }
        cordon_interface_free(interface);
    }
    (void)fclose(declarations);
    printf("%u parsed, %u refused\n", parsed, refused);
    assert_true(parsed >= PARSED_MIN);
}

/* Addresses as dlsym() gives them, until they are cast to what they are. */
typedef void any_function(void);

static bool compare_floating(const char *letters, any_function *address, const double *x,
                             const struct cordon_value *value)
{
    double direct;
    if (strcmp(letters, "dd") == 0) {
        direct = ((double (*)(double))address)(x[0]);
    } else if (strcmp(letters, "ddd") == 0) {
        direct = ((double (*)(double, double))address)(x[0], x[1]);
    } else if (strcmp(letters, "ff") == 0) {
        direct = (double)((float (*)(float))address)((float)x[0]);
    } else if (strcmp(letters, "fff") == 0) {
        direct = (double)((float (*)(float, float))address)((float)x[0], (float)x[1]);
    } else if (strcmp(letters, "id") == 0) {
        return ((int (*)(double))address)(x[0]) == value->i;
    } else if (strcmp(letters, "ld") == 0) {
        return ((long (*)(double))address)(x[0]) == value->i;
    } else if (strcmp(letters, "if") == 0) {
        return ((int (*)(float))address)((float)x[0]) == value->i;
    } else if (strcmp(letters, "lf") == 0) {
        return ((long (*)(float))address)((float)x[0]) == value->i;
    } else {
        return true;
    }
    return isnan(direct) ? isnan(value->f) : direct == value->f;
}

/* Functions of floating numbers alone do no harm: they are called. */
static bool is_harmless(const char *letters)
{
    static const char *const shapes[] = {"dd", "ddd", "ff", "fff", "id", "ld", "if", "lf"};
    for (size_t i = 0; i < HARNESS_COUNT(shapes); i++) {
        if (strcmp(letters, shapes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool call_and_compare(struct cordon_cell *cell, const char *declaration, const char *name,
                             const char *letters)
{
    void *library = dlopen("libm.so.6", RTLD_NOW);
    void *symbol = library ? dlsym(library, name) : NULL;
    struct cordon_function *function = NULL;
    struct cordon_error error;
    any_function *address;
    if (!symbol || cordon_bind(cell, declaration, 0, &function, &error) != 0) {
        return false; /* a declaration without a symbol in this libm */
    }
    memcpy(&address, &symbol, sizeof address);
    for (size_t i = 0; i + 1 < HARNESS_COUNT(samples); i++) {
        struct cordon_value args[2] = {cordon_float(samples[i]), cordon_float(samples[i + 1])};
        struct cordon_value value = harness_value(NULL, function, args, strlen(letters) - 1);
        if (!compare_floating(letters, address, &samples[i], &value)) {
            fail_msg("%s(%g, %g) differs from the direct call", name, samples[i], samples[i + 1]);
        }
    }
    return true;
}

static void test_functions_of_numbers_equal_direct_calls(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "libm.so.6", NULL);
    FILE *declarations = open_declarations();
    char line[8192];
    uint32_t called = 0;
    while (fgets(line, sizeof line, declarations)) {
        struct cordon_interface *interface = parse(line);
        char letters[8];
        const char *name = NULL;
        if (interface && signature(interface, letters, &name) && is_harmless(letters)) {
            called += call_and_compare(cell, line, name, letters);
        }
        cordon_interface_free(interface);
    }
    (void)fclose(declarations);
    printf("%u called\n", called);
    cordon_cell_close(cell);
    assert_true(called >= CALLED_MIN);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"declarations_of_headers_are_parsed_or_refused_by_a_sentence",
         test_declarations_of_headers_are_parsed_or_refused_by_a_sentence, HARNESS_ONCE,
         HARNESS_COLD, 0},
        {"functions_of_numbers_equal_direct_calls", test_functions_of_numbers_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 60},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
