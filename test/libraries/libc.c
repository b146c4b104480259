/* SPDX-License-Identifier: Apache-2.0 */

/* The C library's plain functions, and its hidden state, which a session keeps together. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <cmocka.h>

#include "libraries/subject.h"

static const char *const texts[] = {"",           "a",     "cordon",  "  12 apples",
                                    "-42",        "0x1fz", "3.25e2x", "9223372036854775808",
                                    "caf\xc3\xa9"};

static void expect_place(const struct subject *libc, const char *text, const char *direct,
                         const char *name, const struct cordon_value *args, size_t count)
{
    struct cordon_result result = subject_result(libc, name, args, count);
    if (!direct) {
        assert_int_equal(result.value.kind, CORDON_VALUE_NULL);
    } else {
        assert_int_equal(result.value.kind, CORDON_VALUE_UINT);
        assert_int_equal(result.value.u, direct - text);
    }
}

static void test_string_functions_equal_direct_calls(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    for (size_t i = 0; i < HARNESS_COUNT(texts); i++) {
        const char *t = texts[i];
        struct cordon_value s = cordon_string(t);
        assert_int_equal(subject_uint(&c, "strlen", ARGS(s)), strlen(t));
        expect_place(&c, t, strchr(t, 'o'), "strchr", ARGS(s, cordon_int('o')));
        expect_place(&c, t, strchr(t, 0), "strchr", ARGS(s, cordon_int(0)));
        expect_place(&c, t, strrchr(t, 'o'), "strrchr", ARGS(s, cordon_int('o')));
        expect_place(&c, t, strstr(t, "do"), "strstr", ARGS(s, cordon_string("do")));
        expect_place(&c, t, strpbrk(t, "xdp"), "strpbrk", ARGS(s, cordon_string("xdp")));
        expect_place(&c, t, memchr(t, 'p', strlen(t)), "memchr",
                     ARGS(cordon_in(t, strlen(t)), cordon_int('p')));
        assert_int_equal(subject_uint(&c, "strspn", ARGS(s, cordon_string("aco "))),
                         strspn(t, "aco "));
        assert_int_equal(subject_uint(&c, "strcspn", ARGS(s, cordon_string("12x"))),
                         strcspn(t, "12x"));
        subject_text(&c, t, "strdup", ARGS(s));
        for (size_t n = 0; n < HARNESS_COUNT(texts); n++) {
            int64_t ours = subject_int(&c, "strcmp", ARGS(s, cordon_string(texts[n])));
            int direct = strcmp(t, texts[n]);
            assert_int_equal((ours > 0) - (ours < 0), (direct > 0) - (direct < 0));
            ours = subject_int(&c, "strcasecmp", ARGS(s, cordon_string(texts[n])));
            direct = strcasecmp(t, texts[n]);
            assert_int_equal((ours > 0) - (ours < 0), (direct > 0) - (direct < 0));
        }
    }
    subject_close(&c);
}

static void test_number_functions_equal_direct_calls(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    for (size_t i = 0; i < HARNESS_COUNT(texts); i++) {
        const char *t = texts[i];
        struct cordon_value s = cordon_string(t);
        char *direct_end = NULL;
        uint64_t end = 999;
        errno = 0;
        long direct = strtol(t, &direct_end, 0);
        int direct_errno = errno;
        struct cordon_result result =
            subject_result(&c, "strtol", ARGS(s, cordon_out(&end, 1), cordon_int(0)));
        assert_int_equal(result.value.i, direct);
        assert_int_equal(result.error_number, direct_errno);
        assert_int_equal(end, direct_end - t);
        assert_int_equal(subject_int(&c, "strtol", ARGS(s, cordon_null(), cordon_int(0))), direct);
        assert_int_equal(subject_uint(&c, "strtoul", ARGS(s, cordon_out(&end, 1), cordon_int(16))),
                         strtoul(t, &direct_end, 16));
        assert_int_equal(end, direct_end - t);
        double direct_number = strtod(t, &direct_end);
        assert_true(subject_float(&c, "strtod", ARGS(s, cordon_out(&end, 1))) == direct_number);
        assert_int_equal(end, direct_end - t);
        assert_int_equal(subject_int(&c, "atoi", ARGS(s)), atoi(t));
    }
    for (int error = 0; error < 40; error += 3) {
        subject_text(&c, strerror(error), "strerror", ARGS(cordon_int(error)));
    }
    subject_close(&c);
}

static void test_structs_by_value_equal_direct_calls(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    const long pairs[][2] = {{17, 5}, {-17, 5}, {17, -5}, {0, 3}, {1000000007, 13}};
    for (size_t i = 0; i < HARNESS_COUNT(pairs); i++) {
        div_t direct = div((int)pairs[i][0], (int)pairs[i][1]);
        struct cordon_result result =
            subject_result(&c, "div", ARGS(cordon_int(pairs[i][0]), cordon_int(pairs[i][1])));
        assert_memory_equal(result.value.memory, &direct, sizeof direct);
        cordon_result_release(&result);
        ldiv_t direct_long = ldiv(pairs[i][0], pairs[i][1]);
        result = subject_result(&c, "ldiv", ARGS(cordon_int(pairs[i][0]), cordon_int(pairs[i][1])));
        assert_memory_equal(result.value.memory, &direct_long, sizeof direct_long);
        cordon_result_release(&result);
    }
    subject_close(&c);
}

static void test_memory_functions_equal_direct_calls(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    uint8_t from[300], ours[300], direct[300];
    for (int i = 0; i < 300; i++) {
        from[i] = (uint8_t)(i * 3);
    }
    (void)memcpy(direct, from, 300);
    assert_int_equal(
        subject_uint(&c, "memcpy",
                     ARGS(cordon_out(ours, 300), cordon_in(from, 300), cordon_uint(300))),
        0);
    assert_memory_equal(ours, direct, 300);
    (void)memset(direct, 9, 300);
    assert_int_equal(
        subject_uint(&c, "memset", ARGS(cordon_out(ours, 300), cordon_int(9), cordon_uint(300))),
        0);
    assert_memory_equal(ours, direct, 300);
    assert_int_equal(subject_int(&c, "memcmp", ARGS(cordon_in(ours, 300), cordon_in(direct, 300))),
                     0);
    subject_close(&c);
}

static void test_rand_goes_on_within_a_session(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    struct subject other = {.cell = c.cell, .session = harness_session(c.cell)};
    int direct[50];
    srand(4711);
    for (size_t i = 0; i < HARNESS_COUNT(direct); i++) {
        direct[i] = rand();
    }
    subject_void(&c, "srand", ARGS(cordon_uint(4711)));
    for (size_t i = 0; i < HARNESS_COUNT(direct); i++) {
        assert_int_equal(subject_int(&c, "rand", NO_ARGS), direct[i]);
        if (harness->level == CORDON_LEVEL_PROCESS) {
            (void)subject_int(&other, "rand", NO_ARGS); /* its own numbers */
        }
    }
    cordon_session_close(other.session);
    subject_close(&c);
}

static void test_strtok_goes_on_within_a_session(const struct harness *harness)
{
    struct subject c = subject_open(harness, "libc.so.6",
                                    "const char *strtok(nullable kept char *str,"
                                    " const char *delim);",
                                    0);
    char line[] = "one, two;three";
    subject_text(&c, "one", "strtok", ARGS(cordon_string(line), cordon_string(", ;")));
    subject_text(&c, "two", "strtok", ARGS(cordon_null(), cordon_string(", ;")));
    subject_text(&c, "three", "strtok", ARGS(cordon_null(), cordon_string(", ;")));
    subject_text(&c, NULL, "strtok", ARGS(cordon_null(), cordon_string(", ;")));
    subject_close(&c);
}

static void test_locale_belongs_to_the_session(const struct harness *harness)
{
    static const char *const grants[] = {"locale", NULL};
    struct subject c = subject_open_granted(harness, "libc.cordon", grants);
    struct subject other = {.cell = c.cell, .session = harness_session(c.cell)};
    subject_text(&c, "C", "setlocale", ARGS(cordon_int(LC_ALL), cordon_null()));
    subject_text(&c, "C.UTF-8", "setlocale", ARGS(cordon_int(LC_ALL), cordon_string("C.UTF-8")));
    subject_text(&c, "C.UTF-8", "setlocale", ARGS(cordon_int(LC_ALL), cordon_null()));
    subject_text(&other, "C", "setlocale", ARGS(cordon_int(LC_ALL), cordon_null()));
    assert_string_equal(setlocale(LC_ALL, NULL), "C");
    subject_text(&c, NULL, "setlocale", ARGS(cordon_int(LC_ALL), cordon_string("xx_YY")));
    cordon_session_close(other.session);
    subject_close(&c);
}

static void test_environment_belongs_to_the_session(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    assert_int_equal(
        subject_int(&c, "setenv",
                    ARGS(cordon_string("CORDON_TEST_VALUE"), cordon_string("here"), cordon_int(1))),
        0);
    subject_text(&c, "here", "getenv", ARGS(cordon_string("CORDON_TEST_VALUE")));
    assert_null(getenv("CORDON_TEST_VALUE"));
    subject_close(&c);
}

static void test_time_functions_equal_direct_calls(const struct harness *harness)
{
    struct subject c = subject_open_interface(harness, "libc.cordon");
    const time_t times[] = {0, 1000000000, 1700000000, -86400};
    for (size_t i = 0; i < HARNESS_COUNT(times); i++) {
        struct tm direct, ours;
        char direct_text[64], text[64] = "";
        memset(&ours, 0, sizeof ours);
        (void)gmtime_r(&times[i], &direct);
        subject_void(&c, "gmtime_r", ARGS(cordon_in(&times[i], 1), cordon_out(&ours, 1)));
        assert_memory_equal(&ours, &direct, 9 * sizeof(int)); /* then padding, then pointers */
        size_t direct_length = strftime(direct_text, sizeof direct_text, "%Y-%m-%d %T", &direct);
        ours.tm_zone = NULL;
        assert_int_equal(subject_uint(&c, "strftime",
                                      ARGS(cordon_out(text, sizeof text), cordon_uint(sizeof text),
                                           cordon_string("%Y-%m-%d %T"), cordon_in(&ours, 1))),
                         direct_length);
        assert_string_equal(text, direct_text);
    }
    subject_close(&c);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"string_functions_equal_direct_calls", test_string_functions_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"number_functions_equal_direct_calls", test_number_functions_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"structs_by_value_equal_direct_calls", test_structs_by_value_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"memory_functions_equal_direct_calls", test_memory_functions_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
        {"rand_goes_on_within_a_session", test_rand_goes_on_within_a_session, HARNESS_ALL_LEVELS, 0,
         0},
        {"strtok_goes_on_within_a_session", test_strtok_goes_on_within_a_session,
         HARNESS_ALL_LEVELS, 0, 0},
        {"locale_belongs_to_the_session", test_locale_belongs_to_the_session, HARNESS_PROCESS, 0,
         0},
        {"environment_belongs_to_the_session", test_environment_belongs_to_the_session,
         HARNESS_PROCESS, 0, 0},
        {"time_functions_equal_direct_calls", test_time_functions_equal_direct_calls,
         HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
