/* SPDX-License-Identifier: Apache-2.0 */

/* Callbacks that cannot be answered, that fail late, and that close what they run in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "harness/harness.h"

struct run {
    struct cordon_cell *cell;
    struct cordon_session *session;
    struct cordon_function *sort;
    struct cordon_callback *callback;
    uint32_t depth;
    int first;
    int second;
    int third;
};

static void run_open(const struct harness *harness, struct run *run,
                     cordon_callback_function *function, const char *sort, uint32_t call_bytes)
{
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    options.call_bytes = call_bytes;
    *run = (struct run){.cell = harness_open_with(&options)};
    run->session = harness_session(run->cell);
    run->sort = harness_bind(run->cell, sort);
    assert_int_equal(cordon_callback_new(function, run, &run->callback), 0);
}

static void run_close(struct run *run)
{
    assert_int_equal(cordon_session_close(run->session), 0);
    assert_int_equal(cordon_cell_close(run->cell), 0);
    cordon_callback_free(run->callback);
}

static int sort(struct run *run, size_t size, struct cordon_result *ret_result)
{
    uint8_t *memory = calloc(2, size);
    assert_non_null(memory);
    struct cordon_value args[] = {cordon_out(memory, 2 * size), cordon_uint(2), cordon_uint(size),
                                  cordon_function_pointer(run->callback)};
    int r = cordon_session_call(run->session, run->sort, args, 4, CORDON_DEFAULT, ret_result);
    free(memory);
    return r;
}

#define SORT(fails)                                                                                \
    "void qsort(uint8_t base[n * size], size_t n, size_t size,"                                    \
    " int (*cmp)(uint8_t a[size], uint8_t b[size])" fails ")"

static int descend(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    struct run *run = context;
    struct cordon_result result;
    (void)session, (void)args, (void)count;
    if (run->depth++ < 100) {
        run->first = sort(run, 1, &result);
        run->depth = 100;
    }
    *ret_value = cordon_int(0);
    return 0;
}

static int equal(void *context, struct cordon_session *session, const struct cordon_value *args,
                 size_t count, struct cordon_value *ret_value)
{
    (void)context, (void)session, (void)args, (void)count;
    *ret_value = cordon_int(0);
    return 0;
}

static void test_too_deep_without_failure_value_is_aborted(const struct harness *harness)
{
    struct run run;
    struct cordon_result result;
    run_open(harness, &run, descend, SORT(""), 0);
    harness_expect(sort(&run, 1, &result), CORDON_ABORTED, &result);
    assert_int_equal(result.exit_status, 0);
    run_close(&run);
}

static void test_no_room_without_failure_value_is_aborted(const struct harness *harness)
{
    struct run run;
    struct cordon_result result;
    run_open(harness, &run, equal, SORT(""), 128u << 10);
    harness_expect(sort(&run, 16u << 10, &result), CORDON_DONE, &result);
    harness_expect(sort(&run, 50u << 10, &result), CORDON_ABORTED, &result);
    harness_expect(sort(&run, 16u << 10, &result), CORDON_DONE, &result);
    harness_expect(sort(&run, 36u << 10, &result), CORDON_ABORTED, &result);
    run_close(&run);
}

static void test_no_room_is_told_by_the_call(const struct harness *harness)
{
    struct run run;
    struct cordon_result result;
    run_open(harness, &run, equal, SORT(" fails(0)"), 128u << 10);
    for (uint32_t size = 32; size < 60; size++) {
        int r = sort(&run, size << 10, &result);
        assert_true(r == CORDON_DONE || r < 0);
        assert_true(size < 58 || r < 0);
    }
    harness_expect(sort(&run, 16u << 10, &result), CORDON_DONE, &result);
    run_close(&run);
}

static int close_all(void *context, struct cordon_session *session, const struct cordon_value *args,
                     size_t count, struct cordon_value *ret_value)
{
    struct run *run = context;
    (void)args, (void)count;
    run->first = cordon_session_close(session);
    run->second = cordon_cell_close(run->cell);
    run->third = cordon_session_close(cordon_session_current(run->cell));
    *ret_value = cordon_int(0);
    return 0;
}

static void test_closing_from_inside_is_refused(const struct harness *harness)
{
    struct run run;
    struct cordon_result result;
    run_open(harness, &run, close_all, SORT(""), 0);
    harness_expect(sort(&run, 8, &result), CORDON_DONE, &result);
    assert_int_equal(run.first, -EDEADLK);
    assert_int_equal(run.second, -EDEADLK);
    assert_int_equal(run.third, 0); /* the thread's own: nothing that could be closed */
    harness_expect(sort(&run, 8, &result), CORDON_DONE, &result);
    run_close(&run);
    assert_int_equal(cordon_cell_close(NULL), 0);
    assert_int_equal(cordon_session_close(NULL), 0);
}

static int refuse_row(void *context, struct cordon_session *session,
                      const struct cordon_value *args, size_t count, struct cordon_value *ret_value)
{
    (void)context, (void)session, (void)args, (void)count, (void)ret_value;
    return -EIO;
}

/* The library ends well by its own lights and has a text to give: the call failed, nothing is written. */
static void test_a_failed_callback_leaves_outputs_alone(const struct harness *harness)
{
    static const char text[] =
        "library \"libsqlite3.so.0\";\n"
        "int sqlite3_open(const char *name, out struct sqlite3 **db);\n"
        "int sqlite3_close(release struct sqlite3 *db);\n"
        "int sqlite3_exec(struct sqlite3 *db, const char *sql, int (*row)(void *context, int n,"
        " const char *values[n], const char *names[n]) fails(1), void *context,"
        " nullable out owned(sqlite3_free) char **message);\n";
    struct cordon_cell *cell = harness_open(harness, NULL, text);
    struct cordon_session *session = harness_session(cell);
    struct cordon_callback *callback = NULL;
    struct cordon_handle db;
    assert_int_equal(cordon_callback_new(refuse_row, NULL, &callback), 0);
    struct cordon_value open_args[] = {cordon_string(":memory:"), cordon_out(&db, 1)};
    assert_int_equal(harness_value(session, harness_bind(cell, "sqlite3_open"), open_args, 2).i, 0);
    char *message = NULL;
    struct cordon_value args[] = {cordon_object(db), cordon_string("select 1"),
                                  cordon_function_pointer(callback), cordon_uint(0),
                                  cordon_out(&message, 1)};
    struct cordon_result result;
    int r = cordon_session_call(session, harness_bind(cell, "sqlite3_exec"), args, 5,
                                CORDON_DEFAULT, &result);
    harness_expect(r, -EIO, &result);
    assert_null(message);
    struct cordon_value close_arg = cordon_object(db);
    assert_int_equal(harness_value(session, harness_bind(cell, "sqlite3_close"), &close_arg, 1).i,
                     0);
    assert_int_equal(cordon_session_close(session), 0);
    assert_int_equal(cordon_cell_close(cell), 0);
    cordon_callback_free(callback);
}

struct piece {
    uint8_t *at;
    uint64_t bytes;
};

/* A call whose callback changes what it was made from. */
struct change {
    struct piece pieces[2];
    struct piece to;
    uint8_t small[16]; /* the callback puts one byte of these there */
};

static int change_piece(void *context, struct cordon_session *session,
                        const struct cordon_value *args, size_t count,
                        struct cordon_value *ret_value)
{
    struct change *change = context;
    (void)session, (void)args, (void)count;
    change->pieces[1] = change->to;
    *ret_value = cordon_int(0);
    return 0;
}

static void test_memory_that_a_callback_changes_is_not_written(const struct harness *harness)
{
    static uint8_t rooms[2][4096];
    struct change change = {.pieces = {{rooms[0], 4096}, {rooms[1], 4096}}};
    struct cordon_cell_options options = harness_options(harness);
    options.library = "";
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_session *session = harness_session(cell);
    struct cordon_callback *callback = NULL;
    assert_int_equal(cordon_callback_new(change_piece, &change, &callback), 0);
    struct cordon_function *sort = harness_bind(
        cell,
        "struct p { inout uint8_t at[bytes]; size_t bytes; };"
        "void qsort(inout struct p base[n], size_t n, size_t size, int (*cmp)(const void a[size],"
        " const void b[size]))");
    const struct cordon_value args[] = {cordon_out(change.pieces, 2),
                                        cordon_uint(sizeof(struct piece)),
                                        cordon_function_pointer(callback)};
    struct cordon_result result;
    change.to = change.pieces[1];
    harness_expect(cordon_session_call(session, sort, args, 3, CORDON_DEFAULT, &result),
                   CORDON_DONE, &result);
    memset(rooms, 1, sizeof rooms);
    change.to = (struct piece){change.small, 1};
    change.pieces[1] = (struct piece){rooms[1], 4096};
    harness_expect(cordon_session_call(session, sort, args, 3, CORDON_DEFAULT, &result), -EFAULT,
                   &result);
    assert_non_null(strstr(result.error.text, "changed while the call was under way"));
    assert_ptr_equal(change.pieces[1].at, change.small);
    assert_int_equal(change.pieces[1].bytes, 1);
    for (size_t i = 0; i < sizeof change.small; i++) {
        assert_int_equal(change.small[i], 0);
    }
    /* The worker has done nothing wrong: it serves on. */
    change.pieces[1] = (struct piece){rooms[1], 4096};
    change.to = change.pieces[1];
    harness_expect(cordon_session_call(session, sort, args, 3, CORDON_DEFAULT, &result),
                   CORDON_DONE, &result);
    assert_int_equal(cordon_session_close(session), 0);
    assert_int_equal(cordon_cell_close(cell), 0);
    cordon_callback_free(callback);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"too_deep_without_failure_value_is_aborted",
         test_too_deep_without_failure_value_is_aborted, HARNESS_ALL_LEVELS, HARNESS_ABANDONS, 0},
        {"no_room_without_failure_value_is_aborted", test_no_room_without_failure_value_is_aborted,
         HARNESS_PROCESS, 0, 0},
        {"no_room_is_told_by_the_call", test_no_room_is_told_by_the_call,
         HARNESS_PROCESS | HARNESS_THREAD, 0, 0},
        {"closing_from_inside_is_refused", test_closing_from_inside_is_refused, HARNESS_ALL_LEVELS,
         0, 0},
        {"a_failed_callback_leaves_outputs_alone", test_a_failed_callback_leaves_outputs_alone,
         HARNESS_ALL_LEVELS, 0, 0},
        {"memory_that_a_callback_changes_is_not_written",
         test_memory_that_a_callback_changes_is_not_written, HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
