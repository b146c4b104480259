/* SPDX-License-Identifier: Apache-2.0 */

/* libm and the integer functions of libc: many small prototypes, each over a set of values. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libraries/subject.h"

static const double samples[] = {0.0,  -0.0, 0.25,    0.5,  -0.75,     1.0,   1.5,      -2.0,
                                 3.14, 7.0,  -1e-300, 1e10, 123456.75, -99.9, INFINITY, -INFINITY};

static const struct {
    const char *name;
    double (*direct)(double);
} unary[] = {
    {"sin", sin},     {"cos", cos},     {"tan", tan},       {"asin", asin},   {"acos", acos},
    {"atan", atan},   {"sinh", sinh},   {"cosh", cosh},     {"tanh", tanh},   {"asinh", asinh},
    {"acosh", acosh}, {"atanh", atanh}, {"exp", exp},       {"exp2", exp2},   {"expm1", expm1},
    {"log", log},     {"log2", log2},   {"log10", log10},   {"log1p", log1p}, {"sqrt", sqrt},
    {"cbrt", cbrt},   {"floor", floor}, {"ceil", ceil},     {"round", round}, {"trunc", trunc},
    {"rint", rint},   {"fabs", fabs},   {"lgamma", lgamma}, {"erf", erf},     {"j0", j0},
};

static const struct {
    const char *name;
    double (*direct)(double, double);
} binary[] = {
    {"pow", pow},
    {"atan2", atan2},
    {"fmod", fmod},
    {"hypot", hypot},
    {"copysign", copysign},
    {"fdim", fdim},
    {"fmax", fmax},
    {"fmin", fmin},
    {"nextafter", nextafter},
    {"remainder", remainder},
};

static const struct {
    const char *name;
    int (*direct)(int);
} integers[] = {
    {"abs", abs},         {"isalpha", isalpha}, {"isdigit", isdigit},   {"isspace", isspace},
    {"isupper", isupper}, {"islower", islower}, {"isxdigit", isxdigit}, {"ispunct", ispunct},
    {"isalnum", isalnum}, {"isprint", isprint}, {"toupper", toupper},   {"tolower", tolower},
    {"isgraph", isgraph}, {"iscntrl", iscntrl}, {"isblank", isblank},   {"toascii", toascii},
};

static void assert_same(const char *name, double x, double ours, double direct)
{
    /* Bit for bit. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    if (isnan(direct) ? !isnan(ours) : memcmp(&ours, &direct, sizeof ours) != 0) {
        fail_msg("%s(%a): %a, called directly %a", name, x, ours, direct);
    }
}

static struct cordon_function *bind(struct cordon_cell *cell, const char *format, const char *name)
{
    char prototype[128];
    (void)snprintf(prototype, sizeof prototype, "%s %s%s", format, name,
                   strcmp(format, "int") == 0 ? "(int c)" : "(double x)");
    return harness_bind(cell, prototype);
}

static void test_unary_functions_equal_direct_calls(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "libm.so.6", NULL);
    for (size_t i = 0; i < HARNESS_COUNT(unary); i++) {
        struct cordon_function *function = bind(cell, "double", unary[i].name);
        for (size_t s = 0; s < HARNESS_COUNT(samples); s++) {
            struct cordon_value x = cordon_float(samples[s]);
            assert_same(unary[i].name, samples[s], harness_value(NULL, function, &x, 1).f,
                        unary[i].direct(samples[s]));
        }
    }
    cordon_cell_close(cell);
}

static void test_binary_functions_equal_direct_calls(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "libm.so.6", NULL);
    for (size_t i = 0; i < HARNESS_COUNT(binary); i++) {
        char prototype[128];
        (void)snprintf(prototype, sizeof prototype, "double %s(double x, double y)",
                       binary[i].name);
        struct cordon_function *function = harness_bind(cell, prototype);
        for (size_t s = 0; s + 1 < HARNESS_COUNT(samples); s++) {
            const struct cordon_value args[] = {cordon_float(samples[s]),
                                                cordon_float(samples[s + 1])};
            assert_same(binary[i].name, samples[s], harness_value(NULL, function, args, 2).f,
                        binary[i].direct(samples[s], samples[s + 1]));
        }
    }
    cordon_cell_close(cell);
}

static void test_integer_functions_equal_direct_calls(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "libc.so.6", NULL);
    for (size_t i = 0; i < HARNESS_COUNT(integers); i++) {
        struct cordon_function *function = bind(cell, "int", integers[i].name);
        for (int c = -1; c < 256; c += 5) {
            struct cordon_value value = cordon_int(c);
            assert_int_equal(harness_value(NULL, function, &value, 1).i, integers[i].direct(c));
        }
    }
    cordon_cell_close(cell);
}

static void test_floats_and_outputs_equal_direct_calls(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "libm.so.6", NULL);
    struct cordon_function *sqrtf_ = harness_bind(cell, "float sqrtf(float x)");
    struct cordon_function *frexp_ =
        harness_bind(cell, "double frexp(double x, out int *exponent)");
    struct cordon_function *modf_ = harness_bind(cell, "double modf(double x, out double *whole)");
    struct cordon_function *ldexp_ = harness_bind(cell, "double ldexp(double x, int exponent)");
    struct cordon_function *sincos_ =
        harness_bind(cell, "void sincos(double x, out double *sine, out double *cosine)");
    struct cordon_function *lrint_ = harness_bind(cell, "long lrint(double x)");
    struct cordon_function *fma_ = harness_bind(cell, "double fma(double x, double y, double z)");
    for (int i = -20; i < 20; i++) {
        double x = i * 1.37;
        int exponent = 99, exponent_direct;
        double whole = 99, whole_direct, sine = 99, cosine = 99, sine_direct, cosine_direct;
        struct cordon_value args[3] = {cordon_float(fabs(x))};
        assert_same("sqrtf", x, harness_value(NULL, sqrtf_, args, 1).f, sqrtf((float)fabs(x)));
        args[0] = cordon_float(x);
        args[1] = cordon_out(&exponent, 1);
        assert_same("frexp", x, harness_value(NULL, frexp_, args, 2).f, frexp(x, &exponent_direct));
        assert_int_equal(exponent, exponent_direct);
        args[1] = cordon_out(&whole, 1);
        assert_same("modf", x, harness_value(NULL, modf_, args, 2).f, modf(x, &whole_direct));
        assert_same("modf", x, whole, whole_direct);
        args[1] = cordon_int(i);
        assert_same("ldexp", x, harness_value(NULL, ldexp_, args, 2).f, ldexp(x, i));
        args[1] = cordon_out(&sine, 1);
        args[2] = cordon_out(&cosine, 1);
        (void)harness_value(NULL, sincos_, args, 3);
        sincos(x, &sine_direct, &cosine_direct);
        assert_same("sincos", x, sine, sine_direct);
        assert_same("sincos", x, cosine, cosine_direct);
        assert_int_equal(harness_value(NULL, lrint_, args, 1).i, lrint(x));
        args[1] = cordon_float(2.5);
        args[2] = cordon_float(-7.125);
        assert_same("fma", x, harness_value(NULL, fma_, args, 3).f, fma(x, 2.5, -7.125));
    }
    cordon_cell_close(cell);
}

static void test_errno_is_part_of_the_result(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "libm.so.6", NULL);
    struct cordon_function *exp_ = harness_bind(cell, "double exp(double x)");
    struct cordon_value x = cordon_float(1e6);
    struct cordon_result result = harness_call(NULL, exp_, &x, 1);
    assert_int_equal(result.error_number, ERANGE);
    x = cordon_float(1.0);
    result = harness_call(NULL, exp_, &x, 1);
    assert_int_equal(result.error_number, 0);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"unary_functions_equal_direct_calls", test_unary_functions_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"binary_functions_equal_direct_calls", test_binary_functions_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"integer_functions_equal_direct_calls", test_integer_functions_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"floats_and_outputs_equal_direct_calls", test_floats_and_outputs_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"errno_is_part_of_the_result", test_errno_is_part_of_the_result, HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
