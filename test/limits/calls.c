/* SPDX-License-Identifier: Apache-2.0 */

/* Limits of calls, sessions and cells: each is reached, named by the refusal, and calls go on. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "harness/harness.h"

/* A limit that is an option goes by the option's name too: "LIMIT_X|option". */
static bool names(const char *text, const char *name)
{
    char first[64];
    const char *other = strchr(name, '|');
    (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(name, "|"), name);
    return strstr(text, first) || (other && strstr(text, other + 1));
}

/* Fail unless the call is refused with @error and a sentence that has @name in it. */
static void expect_refused(struct cordon_session *session, struct cordon_function *function,
                           const struct cordon_value *args, size_t count, int error,
                           const char *name)
{
    struct cordon_result result;
    int r = cordon_session_call(session, function, args, count, CORDON_DEFAULT, &result);
    if (r != error || !names(result.error.text, name)) {
        fail_msg("expected %d and '%s', not %d: %s", error, name, r,
                 r ? result.error.text : "done");
    }
}

static void expect_served(struct cordon_cell *cell, struct cordon_session *session)
{
    struct cordon_value arg = cordon_int(-3);
    assert_int_equal(harness_value(session, harness_bind(cell, "int abs(int j)"), &arg, 1).i, 3);
}

struct opened {
    struct cordon_cell *cell;
    struct cordon_session *session;
};

static struct opened open_c_library(const struct harness *harness)
{
    struct opened opened = {.cell = harness_open(harness, "", NULL)};
    opened.session = harness_session(opened.cell);
    return opened;
}

static void close_c_library(struct opened *opened)
{
    expect_served(opened->cell, opened->session);
    cordon_session_close(opened->session);
    cordon_cell_close(opened->cell);
}

static void test_frame_bytes(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    size_t bytes = LIMIT_FRAME_BYTES + (1u << 20);
    uint8_t *large = calloc(1, bytes);
    assert_non_null(large);
    struct cordon_value args[] = {cordon_in(large, bytes), cordon_in(large, bytes)};
    expect_refused(c.session,
                   harness_bind(c.cell, "int memcmp(const uint8_t a[n],"
                                        " const uint8_t b[n], size_t n)"),
                   args, 2, -E2BIG, "LIMIT_FRAME_BYTES|call_bytes");
    struct cordon_value out[] = {cordon_out(large, bytes), cordon_int(0), cordon_uint(bytes)};
    expect_refused(c.session,
                   harness_bind(c.cell, "void memset(out uint8_t s[n], int value, size_t n)"), out,
                   3, -E2BIG, "LIMIT_FRAME_BYTES|call_bytes");
    free(large);
    close_c_library(&c);
}

static void test_string_bytes(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    char *large = malloc(LIMIT_STRING_BYTES + 2ull);
    assert_non_null(large);
    memset(large, 'x', LIMIT_STRING_BYTES + 1ull);
    large[LIMIT_STRING_BYTES + 1ull] = '\0';
    struct cordon_function *length = harness_bind(c.cell, "size_t strlen(const char *s)");
    struct cordon_value arg = cordon_string(large);
    expect_refused(c.session, length, &arg, 1, -E2BIG, "LIMIT_STRING_BYTES");
    large[LIMIT_STRING_BYTES] = '\0';
    arg = cordon_string(large);
    assert_int_equal(harness_value(c.session, length, &arg, 1).u, LIMIT_STRING_BYTES);
    free(large);
    close_c_library(&c);
}

static void test_dynamic_room(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    size_t bytes = LIMIT_DYNAMIC_ROOM + 1u;
    char *large = malloc(bytes + 1);
    assert_non_null(large);
    memset(large, 'x', bytes);
    large[bytes] = '\0';
    struct cordon_function *copy = harness_bind(c.cell, "owned(free) char *strdup(const char *s)");
    struct cordon_value arg = cordon_string(large);
    expect_refused(c.session, copy, &arg, 1, -E2BIG, "LIMIT_DYNAMIC_ROOM");
    free(large);
    close_c_library(&c);
}

/* Callbacks inside callbacks: qsort sorts by a comparison that sorts. */
struct descent {
    struct cordon_function *sort;
    struct cordon_callback *compare;
    uint32_t depth;
    uint32_t deepest;
    int refusal;
    char text[CORDON_ERROR_BYTES];
};

static int descend(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    struct descent *descent = context;
    (void)args, (void)count;
    int numbers[2] = {2, 1};
    const struct cordon_value inner[] = {cordon_out(numbers, 2), cordon_uint(sizeof(int)),
                                         cordon_function_pointer(descent->compare)};
    struct cordon_result result;
    descent->depth++;
    descent->deepest = descent->depth > descent->deepest ? descent->depth : descent->deepest;
    if (descent->refusal == 0 && descent->depth < 100) {
        int r = cordon_session_call(session, descent->sort, inner, 3, CORDON_DEFAULT, &result);
        if (r != CORDON_DONE && descent->refusal == 0) {
            descent->refusal = r;
            (void)snprintf(descent->text, sizeof descent->text, "%s", result.error.text);
        }
    }
    descent->depth--;
    *ret_value = cordon_int(0);
    return 0;
}

static void test_depth(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    struct descent descent = {
        .sort = harness_bind(c.cell, "void qsort(int base[n], size_t n, size_t size,"
                                     " int (*cmp)(const int *a, const int *b) fails(0))")};
    assert_int_equal(cordon_callback_new(descend, &descent, &descent.compare), 0);
    int numbers[2] = {2, 1};
    const struct cordon_value args[] = {cordon_out(numbers, 2), cordon_uint(sizeof(int)),
                                        cordon_function_pointer(descent.compare)};
    struct cordon_result result;
    (void)!cordon_session_call(c.session, descent.sort, args, 3, CORDON_DEFAULT, &result);
    assert_int_equal(descent.deepest, LIMIT_DEPTH);
    if (descent.refusal != -E2BIG || !strstr(descent.text, "LIMIT_DEPTH")) {
        fail_msg("%d: %s", descent.refusal, descent.text);
    }
    cordon_callback_free(descent.compare);
    close_c_library(&c);
}

static void test_handles(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    struct cordon_function *make = harness_bind(c.cell, "struct thing *malloc(size_t bytes)");
    struct cordon_value arg = cordon_uint(16);
    for (uint32_t i = 0; i < LIMIT_HANDLES; i++) {
        (void)harness_value(c.session, make, &arg, 1);
    }
    expect_refused(c.session, make, &arg, 1, -E2BIG, "LIMIT_HANDLES");
    close_c_library(&c);
}

static int equal(void *context, struct cordon_session *session, const struct cordon_value *args,
                 size_t count, struct cordon_value *ret_value)
{
    (void)context, (void)session, (void)args, (void)count;
    *ret_value = cordon_int(0);
    return 0;
}

static void test_closures(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    struct cordon_function *sort =
        harness_bind(c.cell, "void qsort(int base[n], size_t n, size_t size,"
                             " kept int (*cmp)(const int *a, const int *b) fails(0))");
    struct cordon_callback *callbacks[LIMIT_CLOSURES + 1];
    int numbers[1] = {1};
    struct cordon_value args[] = {cordon_out(numbers, 1), cordon_uint(sizeof(int)), cordon_null()};
    for (uint32_t i = 0; i <= LIMIT_CLOSURES; i++) {
        assert_int_equal(cordon_callback_new(equal, NULL, &callbacks[i]), 0);
        args[2] = cordon_function_pointer(callbacks[i]);
        if (i < LIMIT_CLOSURES) {
            (void)harness_call(c.session, sort, args, 3);
        }
    }
    expect_refused(c.session, sort, args, 3, -E2BIG, "LIMIT_CLOSURES");
    for (uint32_t i = 0; i <= LIMIT_CLOSURES; i++) {
        cordon_callback_free(callbacks[i]);
    }
    close_c_library(&c);
}

static void test_kept_bytes(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    size_t bytes = LIMIT_KEPT_BYTES / 4;
    uint8_t *large = calloc(1, bytes);
    assert_non_null(large);
    struct cordon_value args[] = {cordon_in(large, bytes), cordon_int(1)};
    struct cordon_function *find = harness_bind(
        c.cell, "nullable within(a) void *memchr(kept const uint8_t a[n], int value, size_t n)");
    for (int i = 0; i < 3; i++) {
        (void)harness_call(c.session, find, args, 2);
    }
    struct cordon_result result;
    int r = CORDON_DONE;
    for (int i = 0; i < 3 && r == CORDON_DONE; i++) {
        r = cordon_session_call(c.session, find, args, 2, CORDON_DEFAULT, &result);
    }
    if (r != -E2BIG || !strstr(result.error.text, "LIMIT_KEPT_BYTES")) {
        fail_msg("%d: %s", r, r ? result.error.text : "done");
    }
    free(large);
    close_c_library(&c);
}

static void test_lane_slots(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    struct cordon_function *absolute = harness_bind(c.cell, "int abs(int j)");
    struct cordon_pending *pending[LIMIT_LANE_SLOTS];
    struct cordon_value arg = cordon_int(-1);
    struct cordon_error error = {{0}};
    for (uint32_t i = 0; i < LIMIT_LANE_SLOTS; i++) {
        assert_int_equal(
            cordon_submit(c.session, absolute, &arg, 1, CORDON_DEFAULT, &pending[i], &error), 0);
    }
    struct cordon_pending *more = NULL;
    assert_int_equal(cordon_submit(c.session, absolute, &arg, 1, CORDON_DEFAULT, &more, &error),
                     -EAGAIN);
    if (!names(error.text, "LIMIT_LANE_SLOTS|CORDON_BATCH_MAX")) {
        fail_msg("%s", error.text);
    }
    cordon_flush(c.session);
    for (uint32_t i = 0; i < LIMIT_LANE_SLOTS; i++) {
        struct cordon_result result;
        harness_expect(cordon_collect(pending[i], CORDON_NEVER, &result), CORDON_DONE, &result);
    }
    close_c_library(&c);
}

static void *call_abs(void *context)
{
    struct cordon_function *absolute = context;
    struct cordon_value arg = cordon_int(-1);
    struct cordon_result result;
    for (int i = 0; i < 50; i++) {
        if (cordon_call(absolute, &arg, 1, CORDON_DEFAULT, &result) != CORDON_DONE) {
            return context;
        }
    }
    return NULL;
}

static void test_workers(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *absolute = harness_bind(cell, "int abs(int j)");
    pthread_t threads[LIMIT_WORKERS * 3];
    for (size_t i = 0; i < HARNESS_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_abs, absolute), 0);
    }
    for (size_t i = 0; i < HARNESS_COUNT(threads); i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    struct cordon_cell_stats stats;
    cordon_cell_stats(cell, &stats);
    assert_int_equal(stats.workers, LIMIT_WORKERS);
    assert_int_equal(stats.started, LIMIT_WORKERS);
    cordon_cell_close(cell);
}

static void expect_no_cell(const struct cordon_cell_options *options, int error, const char *name)
{
    struct cordon_cell *cell = NULL;
    struct cordon_error why = {{0}};
    int r = cordon_cell_open(options, &cell, &why);
    if (r != error || !strstr(why.text, name)) {
        fail_msg("expected %d and '%s', not %d: %s", error, name, r, why.text);
    }
    assert_null(cell);
}

static void test_workers_max(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.workers = LIMIT_WORKERS_MAX + 1;
    expect_no_cell(&options, -E2BIG, "workers");
}

static void test_arena_bytes(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.arena_bytes = LIMIT_ARENA_BYTES + 4096;
    expect_no_cell(&options, -E2BIG, "arena_bytes");
}

static void test_call_bytes(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.call_bytes = UINT32_MAX;
    expect_no_cell(&options, -EINVAL, "call_bytes");
}

static void test_sessions(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_session *sessions[LIMIT_SESSIONS + 1] = {NULL};
    for (uint32_t i = 0; i < LIMIT_SESSIONS; i++) {
        sessions[i] = harness_session(cell);
    }
    struct cordon_error error = {{0}};
    assert_int_equal(cordon_session_open(cell, &sessions[LIMIT_SESSIONS], &error), -EAGAIN);
    assert_non_null(strstr(error.text, "sessions"));
    cordon_session_close(sessions[0]);
    sessions[0] = harness_session(cell);
    for (uint32_t i = 0; i < LIMIT_SESSIONS; i++) {
        expect_served(cell, sessions[i]);
        cordon_session_close(sessions[i]);
    }
    cordon_cell_close(cell);
}

static void test_functions(const struct harness *harness)
{
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    struct cordon_function *function = NULL;
    struct cordon_error error = {{0}};
    for (uint32_t i = 0; i < LIMIT_FUNCTIONS; i++) {
        char prototype[64];
        (void)snprintf(prototype, sizeof prototype, "int abs(int j%u)", i);
        assert_int_equal(cordon_bind(cell, prototype, 0, &function, &error), 0);
    }
    struct cordon_function *more = NULL;
    assert_int_equal(cordon_bind(cell, "int abs(int one_more)", 0, &more, &error), -E2BIG);
    assert_non_null(strstr(error.text, "LIMIT_FUNCTIONS"));
    struct cordon_value arg = cordon_int(-3);
    assert_int_equal(harness_value(NULL, function, &arg, 1).i, 3);
    cordon_cell_close(cell);
}

static void test_quarantined_threads(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = harness_faults();
    options.deadline_ms = 30;
    options.reports = ""; /* each would start a program, which outlives the case where it is slow */
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *hang = harness_bind(cell, "int fault_pause(int value)");
    struct cordon_value arg = cordon_int(1);
    struct cordon_result result;
    struct cordon_cell_stats stats;
    /* A thread that had not begun by its call's deadline comes back, and is not one of them. */
    int r = CORDON_TIMEOUT;
    for (uint32_t i = 0; r != CORDON_BUSY && i < 4 * LIMIT_QUARANTINED_THREADS; i++) {
        r = cordon_call(hang, &arg, 1, CORDON_DEFAULT, &result);
        harness_expect(r, i < LIMIT_QUARANTINED_THREADS || r != CORDON_BUSY ? CORDON_TIMEOUT : r,
                       &result);
    }
    harness_expect(r, CORDON_BUSY, &result);
    assert_non_null(strstr(result.error.text, "LIMIT_QUARANTINED_THREADS"));
    cordon_cell_stats(cell, &stats);
    assert_int_equal(stats.quarantined, LIMIT_QUARANTINED_THREADS);
    cordon_cell_close(cell);
}

static void test_deadline_ms(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    struct cordon_function *wait = harness_bind(c.cell, "unsigned sleep(unsigned seconds)");
    struct cordon_value arg = cordon_uint(60);
    struct cordon_result result;
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_session_call(c.session, wait, &arg, 1, CORDON_DEFAULT, &result);
    harness_expect(r, CORDON_TIMEOUT, &result);
    assert_in_range((clock_now_ns() - begin_ns) / CLOCK_MS_NS, LIMIT_DEADLINE_MS,
                    LIMIT_DEADLINE_MS + 1500);
    close_c_library(&c);
}

static void test_start_ms(const struct harness *harness)
{
    const char *library = getenv("CORDON_TEST_SLOW_START");
    if (!library) {
        harness_skip("CORDON_TEST_SLOW_START names no library");
    }
    struct cordon_cell_options options = harness_options(harness);
    options.library = library;
    options.start_ms = 300;
    uint64_t begin_ns = clock_now_ns();
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    int r = cordon_cell_open(&options, &cell, &error);
    assert_int_not_equal(r, 0);
    assert_null(cell);
    if (!strstr(error.text, "start_ms") || !strstr(error.text, library)) {
        fail_msg("%s", error.text);
    }
    /* A busy machine takes its time; without the option it would be LIMIT_START_MS. */
    assert_in_range((clock_now_ns() - begin_ns) / CLOCK_MS_NS, 250, LIMIT_START_MS - 1000);
}

static void test_memory_bytes(const struct harness *harness)
{
    struct opened c = open_c_library(harness);
    struct cordon_function *make =
        harness_bind(c.cell, "nullable struct thing *malloc(size_t bytes)");
    struct cordon_value arg = cordon_uint(LIMIT_MEMORY_BYTES + 4096);
    struct cordon_result result = harness_call(c.session, make, &arg, 1);
    assert_int_equal(result.value.kind, CORDON_VALUE_NULL);
    assert_int_equal(result.error_number, ENOMEM);
    arg = cordon_uint(1u << 20);
    result = harness_call(c.session, make, &arg, 1);
    assert_int_equal(result.value.kind, CORDON_VALUE_HANDLE);
    close_c_library(&c);
}

/* Too little to load the library, or to hold what a call brings: both say whose fault that is. */
static void test_memory_bytes_are_named(const struct harness *harness)
{
    if (harness_under_tsan()) {
        harness_skip(
            "a sanitizer that finds no memory ends the worker with a map of it, and no word");
    }
    struct cordon_cell_options options = harness_options(harness);
    options.library = "libsqlite3.so.0";
    options.memory_bytes = 256u << 10;
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    assert_true(cordon_cell_open(&options, &cell, &error) < 0);
    if (!strstr(error.text, "memory_bytes")) {
        fail_msg("%s", error.text);
    }
    options.library = "";
    options.memory_bytes = 8u << 20;
    cell = harness_open_with(&options);
    struct cordon_session *session = harness_session(cell);
    size_t bytes = 16u << 20;
    uint8_t *large = calloc(1, bytes);
    assert_non_null(large);
    struct cordon_value args[] = {cordon_in(large, bytes), cordon_int(1)};
    struct cordon_function *find = harness_bind(
        cell, "nullable within(a) void *memchr(kept const uint8_t a[n], int value, size_t n)");
    struct cordon_result result;
    int r = cordon_session_call(session, find, args, 2, CORDON_DEFAULT, &result);
    if (r != -ENOMEM || !strstr(result.error.text, "memory_bytes")) {
        fail_msg("%d: %s", r, r ? result.error.text : "done");
    }
    free(large);
    expect_served(cell, session);
    cordon_session_close(session);
    cordon_cell_close(cell);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"frame_bytes", test_frame_bytes, HARNESS_ALL_LEVELS, 0, 0},
        {"string_bytes", test_string_bytes, HARNESS_ALL_LEVELS, 0, 0},
        {"dynamic_room", test_dynamic_room, HARNESS_PROCESS, 0, 0},
        {"depth", test_depth, HARNESS_ALL_LEVELS, 0, 0},
        {"handles", test_handles, HARNESS_PROCESS, 0, 60},
        {"closures", test_closures, HARNESS_ALL_LEVELS, 0, 0},
        {"kept_bytes", test_kept_bytes, HARNESS_ALL_LEVELS, 0, 0},
        {"lane_slots", test_lane_slots, HARNESS_ALL_LEVELS, 0, 0},
        {"workers", test_workers, HARNESS_PROCESS, 0, 0},
        {"workers_max", test_workers_max, HARNESS_PROCESS, 0, 0},
        {"arena_bytes", test_arena_bytes, HARNESS_ALL_LEVELS, 0, 0},
        {"call_bytes", test_call_bytes, HARNESS_PROCESS, 0, 0},
        {"sessions", test_sessions, HARNESS_PROCESS, 0, 60},
        {"functions", test_functions, HARNESS_ALL_LEVELS, 0, 0},
        {"quarantined_threads", test_quarantined_threads, HARNESS_THREAD, HARNESS_ABANDONS, 0},
        {"deadline_ms", test_deadline_ms, HARNESS_PROCESS, 0, 0},
        {"start_ms", test_start_ms, HARNESS_PROCESS, 0, 0},
        {"memory_bytes", test_memory_bytes, HARNESS_PROCESS, 0, 0},
        {"memory_bytes_are_named", test_memory_bytes_are_named, HARNESS_PROCESS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
