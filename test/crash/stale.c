/* SPDX-License-Identifier: Apache-2.0 */

/* Handles, objects and kept memory end with their worker: used afterwards, they are refused as stale. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/harness.h"

static const char interface_text[] = "typedef struct FILE_ FILE;\n"
                                     "struct timespec_ { long seconds; long nanoseconds; };\n"
                                     "nullable FILE *fopen(const char *path, const char *mode);\n"
                                     "int fclose(release FILE *stream);\n"
                                     "int fileno(FILE *stream);\n"
                                     "int raise(int sig);\n"
                                     "int abs(int j);\n";

static struct cordon_cell *open_cell(const struct harness *harness)
{
    static const char *const grants[] = {"device:/dev/null", NULL};
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.interface_text = interface_text;
    options.grants = grants;
    return harness_open_with(&options);
}

static void crash(struct cordon_cell *cell, struct cordon_session *session)
{
    struct cordon_value arg = cordon_int(SIGSEGV);
    struct cordon_result result;
    int r =
        cordon_session_call(session, harness_bind(cell, "raise"), &arg, 1, CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_CRASHED, &result);
}

static struct cordon_handle open_null(struct cordon_cell *cell, struct cordon_session *session)
{
    const struct cordon_value args[] = {cordon_string("/dev/null"), cordon_string("r")};
    struct cordon_value value = harness_value(session, harness_bind(cell, "fopen"), args, 2);
    assert_int_equal(value.kind, CORDON_VALUE_HANDLE);
    return value.handle;
}

static void expect_stale(struct cordon_session *session, struct cordon_function *function,
                         struct cordon_handle handle)
{
    struct cordon_value arg = cordon_object(handle);
    struct cordon_result result;
    int r = cordon_session_call(session, function, &arg, 1, CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_STALE, &result);
    assert_string_not_equal(result.error.text, "");
}

static void test_handle_of_a_dead_worker_is_stale(const struct harness *harness)
{
    struct cordon_cell *cell = open_cell(harness);
    struct cordon_session *session = harness_session(cell);
    struct cordon_handle old = open_null(cell, session);
    struct cordon_function *fileno_ = harness_bind(cell, "fileno");
    struct cordon_value arg = cordon_object(old);
    assert_true(harness_value(session, fileno_, &arg, 1).i >= 0);
    crash(cell, session);
    expect_stale(session, fileno_, old);
    struct cordon_handle fresh = open_null(cell, session);
    expect_stale(session, fileno_, old);
    arg = cordon_object(fresh);
    assert_true(harness_value(session, fileno_, &arg, 1).i >= 0);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_released_handle_is_stale(const struct harness *harness)
{
    struct cordon_cell *cell = open_cell(harness);
    struct cordon_session *session = harness_session(cell);
    struct cordon_function *fileno_ = harness_bind(cell, "fileno");
    struct cordon_function *fclose_ = harness_bind(cell, "fclose");
    struct cordon_handle old = open_null(cell, session);
    struct cordon_value arg = cordon_object(old);
    assert_int_equal(harness_value(session, fclose_, &arg, 1).i, 0);
    expect_stale(session, fileno_, old);
    expect_stale(session, fclose_, old);
    struct cordon_handle fresh = open_null(cell, session);
    expect_stale(session, fileno_, old);
    arg = cordon_object(fresh);
    assert_int_equal(harness_value(session, fclose_, &arg, 1).i, 0);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_handle_of_another_session_is_stale(const struct harness *harness)
{
    struct cordon_cell *cell = open_cell(harness);
    struct cordon_session *one = harness_session(cell);
    struct cordon_session *other = harness_session(cell);
    struct cordon_handle handle = open_null(cell, one);
    expect_stale(other, harness_bind(cell, "fileno"), handle);
    cordon_session_close(one);
    cordon_session_close(other);
    cordon_cell_close(cell);
}

static void test_made_up_handle_is_refused(const struct harness *harness)
{
    struct cordon_cell *cell = open_cell(harness);
    struct cordon_session *session = harness_session(cell);
    struct cordon_handle handle = open_null(cell, session);
    struct cordon_function *fileno_ = harness_bind(cell, "fileno");
    struct cordon_result result;
    for (int field = 0; field < 3; field++) {
        struct cordon_handle forged = handle;
        *(field == 0 ? &forged.worker : field == 1 ? &forged.generation : &forged.index) += 77;
        expect_stale(session, fileno_, forged);
    }
    struct cordon_handle wrong = handle;
    wrong.tag ^= 1;
    struct cordon_value arg = cordon_object(wrong);
    int r = cordon_session_call(session, fileno_, &arg, 1, CORDON_DEFAULT, &result);
    harness_expect(r, -EINVAL, &result);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_object_of_a_dead_worker_is_stale(const struct harness *harness)
{
    struct cordon_cell *cell = open_cell(harness);
    struct cordon_session *session = harness_session(cell);
    struct cordon_handle object;
    struct cordon_error error = {{0}};
    assert_int_equal(cordon_object_new(session, "struct timespec_", &object, &error), 0);
    long seconds = 7;
    assert_int_equal(
        cordon_object_write(session, object, "seconds", &seconds, sizeof seconds, &error), 0);
    seconds = 0;
    assert_int_equal(
        cordon_object_read(session, object, "seconds", &seconds, sizeof seconds, &error), 0);
    assert_int_equal(seconds, 7);
    crash(cell, session);
    assert_int_equal(
        cordon_object_read(session, object, "seconds", &seconds, sizeof seconds, &error),
        CORDON_STALE);
    assert_string_not_equal(error.text, "");
    cordon_session_close(session);
    cordon_cell_close(cell);
}

static void test_arena_survives_the_worker(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.interface_text = interface_text;
    options.arena_bytes = 1u << 20;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_session *session = harness_session(cell);
    uint8_t *bytes = cordon_arena_alloc(session, 1000);
    assert_non_null(bytes);
    for (int i = 0; i < 1000; i++) {
        bytes[i] = (uint8_t)i;
    }
    struct cordon_function *compare =
        harness_bind(cell, "int memcmp(const uint8_t a[n], const uint8_t b[n], size_t n)");
    uint8_t copy[1000];
    for (int i = 0; i < 1000; i++) {
        copy[i] = (uint8_t)i;
    }
    const struct cordon_value args[] = {cordon_in(bytes, 1000), cordon_in(copy, 1000)};
    assert_int_equal(harness_value(session, compare, args, 2).i, 0);
    crash(cell, session);
    assert_int_equal(harness_value(session, compare, args, 2).i, 0);
    assert_true(cordon_arena_check(session, bytes, 1000));
    cordon_session_close(session);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"handle_of_a_dead_worker_is_stale", test_handle_of_a_dead_worker_is_stale, HARNESS_PROCESS,
         0, 0},
        {"released_handle_is_stale", test_released_handle_is_stale, HARNESS_ALL_LEVELS,
         HARNESS_LEAVES_FDS, 0},
        {"handle_of_another_session_is_stale", test_handle_of_another_session_is_stale,
         HARNESS_ALL_LEVELS, HARNESS_LEAVES_FDS, 0},
        {"made_up_handle_is_refused", test_made_up_handle_is_refused, HARNESS_ALL_LEVELS,
         HARNESS_LEAVES_FDS, 0},
        {"object_of_a_dead_worker_is_stale", test_object_of_a_dead_worker_is_stale, HARNESS_PROCESS,
         0, 0},
        {"arena_survives_the_worker", test_arena_survives_the_worker, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
