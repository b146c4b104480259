/* SPDX-License-Identifier: Apache-2.0 */

/* Bad input: each mistake is refused by a sentence that names what and where, and nothing is lost. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "harness/harness.h"

struct wrong_prototype {
    const char *text;
    int error;
    const char *place; /* line:column */
    const char *word;  /* in the sentence */
};

static const struct wrong_prototype wrong_prototypes[] = {
    {"int abs(int j", -EINVAL, "1:14", "')'"},
    {"int abs(itn j)", -EINVAL, "1:", "itn"},
    {"int abs(int j) x", -EINVAL, "1:16", "';'"},
    {"struct p { int x : 3; }; int f(struct p *p)", -ENOTSUP, "1:16", "bit-field"},
    {"long double sinl(long double x)", -ENOTSUP, "1:", "long double"},
    {"union u { int a; float b; }; int f(union u x)", -ENOTSUP, "1:", "union"},
    {"int f(const uint8_t b[nope])", -EINVAL, "1:", "nope"},
    {"int f(unsigned char *p)", -ENOTSUP, "1:", "how many bytes"},
    {"int abs(int a, int a)", -EINVAL, "1:", "'a'"},
    {"int x", -ENOTSUP, "1:5", "variable"},
    {"static inline int f(int a) { return a; }", -ENOTSUP, "1:", "inline"},
    {"int abs(int j) $", -EINVAL, "1:16", "$"},
};

static void test_wrong_prototypes_are_explained(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    for (size_t i = 0; i < HARNESS_COUNT(wrong_prototypes); i++) {
        const struct wrong_prototype *wrong = &wrong_prototypes[i];
        struct cordon_function *function = NULL;
        struct cordon_error error = {{0}};
        int r = cordon_bind(cell, wrong->text, 0, &function, &error);
        if (r != wrong->error || !strstr(error.text, wrong->place) ||
            !strstr(error.text, wrong->word)) {
            fail_msg("'%s': %d, expected %d, %s, %s: %s", wrong->text, r, wrong->error,
                     wrong->place, wrong->word, error.text);
        }
        assert_null(function);
    }
    struct cordon_value arg = cordon_int(-3);
    assert_int_equal(harness_value(NULL, harness_bind(cell, "int abs(int j)"), &arg, 1).i, 3);
    cordon_cell_close(cell);
}

static void test_missing_symbol_gives_near_names(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "libz.so.1", NULL);
    struct cordon_function *function = NULL;
    struct cordon_error error = {{0}};
    assert_int_equal(cordon_bind(cell, "uint32_t crc23(uint32_t crc)", 0, &function, &error),
                     -ENOENT);
    assert_non_null(strstr(error.text, "crc23"));
    assert_non_null(strstr(error.text, "crc32"));
    assert_null(function);
    cordon_cell_close(cell);
}

static void expect_no_cell(const struct harness *harness, const char *library, int error)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = library;
    struct cordon_cell *cell = NULL;
    struct cordon_error why = {{0}};
    int r = cordon_cell_open(&options, &cell, &why);
    if (r != error || !strstr(why.text, library)) {
        fail_msg("%s: %d, expected %d: %s", library, r, error, why.text);
    }
    assert_null(cell);
}

/* Write @bytes of an ELF library, changed at @at, as a library that cannot be used. */
static void write_library(const char *path, size_t bytes, size_t at, unsigned char value)
{
    OWN_FD from = open(harness_faults(), O_RDONLY | O_CLOEXEC);
    OWN_FD to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(from >= 0 && to >= 0);
    unsigned char *content = malloc(bytes);
    assert_non_null(content);
    ssize_t length = read(from, content, bytes);
    assert_true(length > (ssize_t)at);
    if (at) {
        content[at] = value;
    }
    assert_int_equal(write(to, content, (size_t)length), length);
    free(content);
    fd_release(&from);
    fd_release(&to);
}

static void test_files_that_are_no_library_are_refused(const struct harness *harness)
{
    char folder[] = "/tmp/cordon-test-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    (void)snprintf(path, sizeof path, "%s/library.so", folder);
    expect_no_cell(harness, path, -ENOENT);
    expect_no_cell(harness, "libthere-is-none.so.9", -ENOENT);

    write_library(path, 1u << 20, 18, 8); /* e_machine: MIPS */
    expect_no_cell(harness, path, -ENOEXEC);
    write_library(path, 100, 0, 0); /* cut in its headers */
    expect_no_cell(harness, path, -ENOEXEC);
    write_library(path, 1u << 20, 4, 1); /* 32 bits */
    expect_no_cell(harness, path, -ENOEXEC);
    write_library(path, 1u << 20, 1, 'x'); /* no ELF at all */
    expect_no_cell(harness, path, -ENOEXEC);
    expect_no_cell(harness, folder, -ENOEXEC);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

struct wrong_call {
    const char *prototype;
    int error;
    const char *word; /* in the sentence */
    struct cordon_value args[4];
    size_t count;
};

static void test_wrong_arguments_are_refused_before_anything_is_sent(const struct harness *harness)
{
    uint8_t bytes[16] = {0};
    const struct wrong_call wrong[] = {
        {"int abs(int j)", -EINVAL, "takes 1 argument", {cordon_null()}, 0},
        {"int abs(int j)", -EINVAL, "takes 1 argument", {cordon_int(1), cordon_int(2)}, 2},
        {"int abs(int j)", -EINVAL, "'j'", {cordon_int(1ll << 31)}, 1},
        {"int abs(int j)", -EINVAL, "'j'", {cordon_uint(UINT64_MAX)}, 1},
        {"int abs(int j)", -EINVAL, "'j'", {cordon_string("7")}, 1},
        {"int abs(int j)", -EINVAL, "'j'", {cordon_float(7.5)}, 1},
        {"int toupper(uint8_t c)", -EINVAL, "'c'", {cordon_int(-1)}, 1},
        {"size_t strlen(const char *s)", -EINVAL, "'s'", {cordon_null()}, 1},
        {"size_t strlen(const char *s)", -EINVAL, "'s'", {cordon_int(4)}, 1},
        {"int memcmp(const uint8_t a[n], const uint8_t b[n], size_t n)",
         -EINVAL,
         "'b'",
         {cordon_in(bytes, 16), cordon_in(bytes, 15)},
         2},
        {"void memset(out uint8_t s[n], int c, size_t n)",
         -EINVAL,
         "'s'",
         {cordon_out(bytes, 16), cordon_int(1), cordon_uint(17)},
         3},
        {"int memcmp(const uint8_t a[n], const uint8_t b[n], size_t n)",
         -E2BIG,
         "'a'",
         {cordon_in(bytes, 3ull << 30), cordon_in(bytes, 3ull << 30)},
         2},
        {"int fileno(FILE *stream)", -EINVAL, "'stream'", {cordon_uint(0x1000)}, 1},
        {"void qsort(int base[n], size_t n, size_t size, int (*cmp)(const int *a, const int *b))",
         -EINVAL,
         "'cmp'",
         {cordon_out(bytes, 4), cordon_uint(4), cordon_string("compare")},
         3},
    };
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    for (size_t i = 0; i < HARNESS_COUNT(wrong); i++) {
        struct cordon_result result;
        int r = cordon_call(harness_bind(cell, wrong[i].prototype), wrong[i].args, wrong[i].count,
                            CORDON_DEFAULT, &result);
        if (r != wrong[i].error || !strstr(result.error.text, wrong[i].word)) {
            fail_msg("%s (%zu): %d, expected %d, %s: %s", wrong[i].prototype, i, r, wrong[i].error,
                     wrong[i].word, r ? result.error.text : "done");
        }
    }
    struct cordon_cell_stats stats;
    cordon_cell_stats(cell, &stats);
    assert_int_equal(stats.calls, HARNESS_COUNT(wrong));
    assert_int_equal(stats.refused, HARNESS_COUNT(wrong));
    cordon_cell_close(cell);
}

static void test_outputs_stay_as_they_were_unless_done(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *print = harness_bind(
        cell, "int snprintf(out char buffer[size], size_t size, const char *format, ...)");
    char buffer[8] = "as was";
    const struct cordon_value args[] = {cordon_out(buffer, 8), cordon_uint(8), cordon_null()};
    struct cordon_result result;
    assert_int_equal(cordon_call(print, args, 3, CORDON_DEFAULT, &result), -EINVAL);
    assert_string_equal(buffer, "as was");
    cordon_cell_close(cell);
}

static void test_wrong_options_are_refused(const struct harness *harness)
{
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    struct cordon_cell_options options = harness_options(harness);
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -EINVAL); /* no library */
    assert_string_not_equal(error.text, "");
    options.library = "";
    options.size = 7;
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -EINVAL);
    options = harness_options(harness);
    options.library = "";
    options.level = (enum cordon_level)9;
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -EINVAL);
    options = harness_options(harness);
    options.library = "";
    options.interface_text = "int abs(int j;\n";
    options.interface_name = "mine.cordon";
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -EINVAL);
    assert_non_null(strstr(error.text, "mine.cordon:1:"));
    assert_null(cell);
}

static void test_isolation_that_is_not_to_be_had_is_refused_by_name(const struct harness *harness)
{
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.require = CORDON_SEPARATE_MEMORY | CORDON_SURVIVES_CRASH;
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -ENOTSUP);
    assert_non_null(strstr(error.text, "separate-memory"));
    assert_null(strstr(error.text, "survives-crash"));
    assert_null(cell);
    options.require |= CORDON_BEST_EFFORT;
    cordon_cell_close(harness_open_with(&options));
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"wrong_prototypes_are_explained", test_wrong_prototypes_are_explained, HARNESS_ALL_LEVELS,
         0, 0},
        {"missing_symbol_gives_near_names", test_missing_symbol_gives_near_names,
         HARNESS_ALL_LEVELS, 0, 0},
        {"files_that_are_no_library_are_refused", test_files_that_are_no_library_are_refused,
         HARNESS_ALL_LEVELS, 0, 0},
        {"wrong_arguments_are_refused_before_anything_is_sent",
         test_wrong_arguments_are_refused_before_anything_is_sent, HARNESS_ALL_LEVELS, 0, 0},
        {"outputs_stay_as_they_were_unless_done", test_outputs_stay_as_they_were_unless_done,
         HARNESS_ALL_LEVELS, 0, 0},
        {"wrong_options_are_refused", test_wrong_options_are_refused, HARNESS_PROCESS, 0, 0},
        {"isolation_that_is_not_to_be_had_is_refused_by_name",
         test_isolation_that_is_not_to_be_had_is_refused_by_name, HARNESS_THREAD | HARNESS_INLINE,
         0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
