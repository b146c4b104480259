/* SPDX-License-Identifier: Apache-2.0 */

/* What refusals and ends say: which value, which argument, which limit. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness/harness.h"

static void expect_says(const char *text, const char *says)
{
    if (!strstr(text, says)) {
        fail_msg("'%s' is not in: %s", says, text);
    }
}

static void expect_says_not(const char *text, const char *says)
{
    if (strstr(text, says)) {
        fail_msg("'%s' is in: %s", says, text);
    }
}

static void expect_no_cell(const struct cordon_cell_options *options, const char *says)
{
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    assert_int_equal(cordon_cell_open(options, &cell, &error), -EINVAL);
    expect_says(error.text, says);
}

static void test_options_that_do_not_exist(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.level = (enum cordon_level)7;
    expect_no_cell(&options, "level is 7");
    expect_no_cell(&options, "CORDON_LEVEL_INLINE");
    options = harness_options(harness);
    options.library = "";
    options.policy = (enum cordon_policy)9;
    expect_no_cell(&options, "policy is 9");
    expect_no_cell(&options, "CORDON_POLICY_STRICT");
    options = harness_options(harness);
    options.library = "";
    options.without = 1u << 29;
    expect_no_cell(&options, "without");
    expect_no_cell(&options, "0x20000000");
}

static void expect_refused(struct cordon_session *session, struct cordon_function *function,
                           const struct cordon_value *args, size_t count, int expected,
                           const char *says)
{
    struct cordon_result result;
    int r = cordon_session_call(session, function, args, count, CORDON_DEFAULT, &result);
    harness_expect(r, expected, &result);
    expect_says(result.error.text, says);
}

static void test_values_of_no_kind(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_value arg = cordon_int(1);
    arg.kind = 99;
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    expect_refused(session, absolute, &arg, 1, -EINVAL, "argument 1 'j' is of kind 99");
    expect_refused(session, absolute, &arg, 1, -EINVAL, "CORDON_VALUE_INT");
    expect_refused(session, harness_bind(cell, "size_t strlen(const char *s)"), &arg, 1, -EINVAL,
                   "CORDON_VALUE_MEMORY");
    expect_refused(session, harness_bind(cell, "int finite(double x)"), &arg, 1, -EINVAL,
                   "CORDON_VALUE_FLOAT");
    expect_refused(session, harness_bind(cell, "int fileno(FILE *stream)"), &arg, 1, -EINVAL,
                   "CORDON_VALUE_HANDLE");
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_null_for_an_array_that_counts_itself(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *strict =
        harness_bind(cell, "int memcmp(const uint8_t a[n], const uint8_t b[n], size_t n)");
    struct cordon_function *lenient = harness_bind(
        cell, "int memcmp(nullable const uint8_t a[n], nullable const uint8_t b[n], size_t n)");
    struct cordon_value args[] = {cordon_null(), cordon_null()};
    expect_refused(session, strict, args, 2, -EINVAL, "argument 1 'a' is NULL");
    assert_int_equal(harness_value(session, lenient, args, 2).i, 0);
    args[0] = args[1] = cordon_in("", 0);
    assert_int_equal(harness_value(session, strict, args, 2).i, 0);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_stale_handles_are_named(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *read_ =
        harness_bind(cell, "size_t fread(out uint8_t bytes[size * n], size_t size, size_t n, "
                           "FILE *stream)");
    struct cordon_handle handle = {.worker = UINT32_MAX - 1, .generation = 1, .index = 1};
    uint8_t bytes[4];
    struct cordon_value args[] = {cordon_out(bytes, 4), cordon_uint(1), cordon_uint(4),
                                  cordon_object(handle)};
    expect_refused(session, read_, args, 4, CORDON_STALE, "argument 4 'stream'");
    struct cordon_result result;
    harness_expect(cordon_call(read_, args, 4, CORDON_DEFAULT, &result), CORDON_STALE, &result);
    expect_says(result.error.text, "argument 4 'stream'");
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_a_handle_that_ended_is_named(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_value bytes = cordon_uint(16);
    struct cordon_function *make = harness_bind(cell, "struct thing *malloc(size_t bytes)");
    struct cordon_function *end = harness_bind(cell, "void free(release struct thing *thing)");
    struct cordon_value thing = cordon_object(harness_value(session, make, &bytes, 1).handle);
    (void)harness_call(session, end, &thing, 1);
    expect_refused(session, end, &thing, 1, CORDON_STALE, "argument 1 'thing'");
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_a_deadline_says_what_became_of_the_worker(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *session = harness_session(cell);
    struct cordon_value arg = cordon_uint(400000);
    struct cordon_result result;
    int r = cordon_session_call(session, harness_bind(cell, "int usleep(unsigned usec)"), &arg, 1,
                                cordon_after_ms(30), &result);
    harness_expect(r, CORDON_TIMEOUT, &result);
    bool thread = harness->level == CORDON_LEVEL_THREAD;
    expect_says(result.error.text, thread ? "abandoned" : "ended");
    expect_says_not(result.error.text, thread ? "ended" : "abandoned");
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_an_abort_has_no_address(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, harness_faults(), NULL);
    struct cordon_function *abort_ = harness_bind(cell, "int fault_abort(int value)");
    struct cordon_value arg = cordon_int(1);
    struct cordon_result result;
    harness_expect(cordon_call(abort_, &arg, 1, CORDON_DEFAULT, &result), CORDON_CRASHED, &result);
    assert_int_equal(result.signal, SIGABRT);
    expect_says_not(result.error.text, "address");
    cordon_cell_close(cell);
}

static void test_a_fault_has_an_address(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, harness_faults(), NULL);
    struct cordon_function *write_ = harness_bind(cell, "int fault_wild_write(int value)");
    struct cordon_value arg = cordon_int(1);
    struct cordon_result result;
    harness_expect(cordon_call(write_, &arg, 1, CORDON_DEFAULT, &result), CORDON_CRASHED, &result);
    expect_says(result.error.text, "address");
    expect_says(result.error.text, "poisoned");
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"options_that_do_not_exist", test_options_that_do_not_exist, HARNESS_ALL_LEVELS, 0, 0},
        {"values_of_no_kind", test_values_of_no_kind, HARNESS_ALL_LEVELS, 0, 0},
        {"null_for_an_array_that_counts_itself", test_null_for_an_array_that_counts_itself,
         HARNESS_ALL_LEVELS, 0, 0},
        {"stale_handles_are_named", test_stale_handles_are_named, HARNESS_ALL_LEVELS, 0, 0},
        {"a_handle_that_ended_is_named", test_a_handle_that_ended_is_named, HARNESS_ALL_LEVELS, 0,
         0},
        {"a_deadline_says_what_became_of_the_worker",
         test_a_deadline_says_what_became_of_the_worker, HARNESS_PROCESS | HARNESS_THREAD,
         HARNESS_ABANDONS, 0},
        {"an_abort_has_no_address", test_an_abort_has_no_address, HARNESS_ALL_LEVELS,
         HARNESS_ABANDONS, 0},
        {"a_fault_has_an_address", test_a_fault_has_an_address, HARNESS_THREAD | HARNESS_INLINE,
         HARNESS_ABANDONS, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
