/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/test_rig.h"

#define ROW_DONE  101
#define ROW_THERE 100

static int set_up(void **state)
{
    *state = rig_new("libsqlite3.so.0", 8, 64, 4096);
    return 0;
}

static int tear_down(void **state)
{
    if (*state) {
        rig_free(*state);
    }
    return 0;
}

struct database {
    struct rig *rig;
    uint32_t exec;
    uint32_t close;
    struct cordon_handle handle;
};

static struct database open_database(struct rig *rig)
{
    struct database db = {.rig = rig};
    uint32_t open_fn = rig_bind(rig, "int sqlite3_open(const char *name, out struct sqlite3 **db)");
    db.exec = rig_bind(rig, "int sqlite3_exec(struct sqlite3 *db, const char *sql, "
                            "int (*row)(token void *context, int n, const char *values[n], "
                            "const char *names[n]) fails(1), token void *context, "
                            "out owned(sqlite3_free) char **error)");
    db.close = rig_bind(rig, "int sqlite3_close(release struct sqlite3 *db)");
    assert_int_equal(
        rig_number(rig, open_fn, RIG_ARGS(cordon_string(":memory:"), cordon_out(&db.handle, 1))),
        0);
    return db;
}

static int64_t exec(const struct database *db, const char *sql, struct cordon_value row,
                    char **error)
{
    return rig_number(db->rig, db->exec,
                      RIG_ARGS(cordon_object(db->handle), cordon_string(sql), row,
                               cordon_uint(0x1234), cordon_out(error, 1)));
}

static int collect_row(void *context, const struct cordon_value *args,
                       struct cordon_value *ret_result)
{
    char *text = context;
    char *const *values = args[1].memory; /* n is filled in by Cordon: it is the count */
    assert_int_equal(args[0].u, 0x1234);
    for (size_t i = 0; i < args[1].count; i++) {
        strcat(text, values[i] ? values[i] : "NULL");
        strcat(text, i + 1 < args[1].count ? "," : ";");
    }
    *ret_result = cordon_int(0);
    return 0;
}

static int fail_row(void *context, const struct cordon_value *args, struct cordon_value *ret_result)
{
    (void)context;
    (void)args;
    (void)ret_result;
    return -1;
}

static void test_rows_arrive_through_a_callback(void **state)
{
    if (!*state) {
        skip();
    }
    struct rig *rig = *state;
    struct database db = open_database(rig);
    char rows[256] = "";
    char *error = NULL;
    assert_int_equal(exec(&db, "create table t(a, b); insert into t values(1, 'x'), (2, null);",
                          cordon_null(), &error),
                     0);
    assert_null(error);
    assert_int_equal(
        exec(&db, "select * from t order by a", rig_callback(rig, collect_row, rows), &error), 0);
    assert_string_equal(rows, "1,x;2,NULL;");
    assert_int_equal(exec(&db, "select * from t", rig_callback(rig, fail_row, NULL), &error), 4);
    assert_string_equal(error, "query aborted");
    free(error);
    error = NULL;
    assert_int_equal(exec(&db, "no sql at all", cordon_null(), &error), 1);
    assert_non_null(strstr(error, "syntax error"));
    free(error);
    assert_int_equal(rig_number(rig, db.close, RIG_ARGS(cordon_object(db.handle))), 0);
}

static void test_statements_end_with_their_database_and_keep_their_values(void **state)
{
    if (!*state) {
        skip();
    }
    struct rig *rig = *state;
    struct database db = open_database(rig);
    struct frame_result result;
    struct cordon_handle statement;
    uint32_t prepare = rig_bind(rig, "int sqlite3_prepare_v2(struct sqlite3 *db, const char *sql, "
                                     "int n, out borrowed(db) struct sqlite3_stmt **s, "
                                     "out within(sql) const char **tail)");
    uint32_t bind = rig_bind(
        rig, "int sqlite3_bind_text(struct sqlite3_stmt *s, int i, "
             "kept(until next) const char text[n], int n, void (*destroy)(token void *p))");
    uint32_t step = rig_bind(rig, "int sqlite3_step(struct sqlite3_stmt *s)");
    uint32_t blob = rig_bind(rig, "count(sqlite3_column_bytes(s, i)) const uint8_t "
                                  "*sqlite3_column_blob(struct sqlite3_stmt *s, int i)");
    uint32_t owner =
        rig_bind(rig, "static struct sqlite3 *sqlite3_db_handle(struct sqlite3_stmt *s)");
    char *tail = NULL;
    assert_int_equal(
        rig_number(rig, prepare,
                   RIG_ARGS(cordon_object(db.handle), cordon_string("select ?1 || '!'; rest"),
                            cordon_int(-1), cordon_out(&statement, 1), cordon_out(&tail, 1))),
        0);
    struct cordon_value s = cordon_object(statement);
    char text[] = "kept";
    assert_int_equal(
        rig_number(rig, bind, RIG_ARGS(s, cordon_int(1), cordon_in(text, 4), cordon_null())), 0);
    memset(text, '?', 4); /* the caller's own memory is free at once */
    assert_int_equal(rig_number(rig, step, RIG_ARGS(s)), ROW_THERE);
    assert_int_equal(rig_call(rig, blob, RIG_ARGS(s, cordon_int(0)), &result), 0);
    assert_int_equal(result.value.count, 5);
    assert_memory_equal(result.value.memory, "kept!", 5);
    free(result.owned);
    assert_int_equal(rig_number(rig, step, RIG_ARGS(s)), ROW_DONE);
    assert_int_equal(rig_call(rig, owner, RIG_ARGS(s), &result), 0);
    assert_int_equal(result.value.handle.index, db.handle.index);
    assert_int_equal(result.value.handle.generation, db.handle.generation);
    /* Declared without `release`: the handle outlives the statement, but not the database. */
    uint32_t finalize = rig_bind(rig, "int sqlite3_finalize(struct sqlite3_stmt *s)");
    assert_int_equal(rig_number(rig, finalize, RIG_ARGS(s)), 0);
    assert_int_equal(rig_number(rig, db.close, RIG_ARGS(cordon_object(db.handle))), 0);
    assert_int_equal(rig_call(rig, step, RIG_ARGS(s), &result), -ESTALE);
}

/* A function of SQL whose work is done by the host, with calls back into the library. */
struct twice {
    struct rig *rig;
    uint32_t value;
    uint32_t result;
    struct cordon_value last_context;
    unsigned calls;
};

static int compute_twice(void *context, const struct cordon_value *args,
                         struct cordon_value *ret_result)
{
    struct twice *twice = context;
    struct frame_result result;
    struct cordon_value value;
    (void)ret_result;
    assert_int_equal(args[0].kind, CORDON_VALUE_HANDLE);
    assert_int_equal(args[1].count, 1);
    uint64_t word;
    memcpy(&word, args[1].memory, sizeof word); /* without hooks a handle is its word */
    value = cordon_object(
        (struct cordon_handle){.generation = (uint32_t)(word >> 32), .index = (uint32_t)word});
    int64_t number = rig_number(twice->rig, twice->value, RIG_ARGS(value));
    assert_int_equal(
        rig_call(twice->rig, twice->result, RIG_ARGS(args[0], cordon_int(2 * number)), &result), 0);
    twice->last_context = args[0];
    twice->calls++;
    return 0;
}

static void test_objects_shown_to_a_callback_end_with_it(void **state)
{
    if (!*state) {
        skip();
    }
    struct rig *rig = *state;
    struct database db = open_database(rig);
    struct frame_result result;
    struct twice twice = {.rig = rig};
    char rows[2048] = "";
    char *error = NULL;
    uint32_t create = rig_bind(
        rig, "int sqlite3_create_function(struct sqlite3 *db, const char *name, int count, "
             "int encoding, token void *app, kept(until release db) void (*call)(struct "
             "sqlite3_context *c, int n, struct sqlite3_value *values[n]), "
             "void (*step)(token void *a), void (*final)(token void *a))");
    twice.value = rig_bind(rig, "int sqlite3_value_int(struct sqlite3_value *v)");
    twice.result = rig_bind(rig, "void sqlite3_result_int(struct sqlite3_context *c, int i)");
    assert_int_equal(
        rig_number(rig, create,
                   RIG_ARGS(cordon_object(db.handle), cordon_string("twice"), cordon_int(1),
                            cordon_int(1), cordon_uint(0), rig_callback(rig, compute_twice, &twice),
                            cordon_null(), cordon_null())),
        0);
    assert_int_equal(exec(&db,
                          "with recursive n(i) as (select 1 union all select i + 1 from n where "
                          "i < 200) select twice(i) from n",
                          rig_callback(rig, collect_row, rows), &error),
                     0);
    assert_int_equal(twice.calls, 200); /* more than there can be handles */
    assert_memory_equal(rows, "2;4;6;", 6);
    assert_int_equal(
        rig_call(rig, twice.result, RIG_ARGS(twice.last_context, cordon_int(1)), &result), -ESTALE);
    assert_int_equal(rig_number(rig, db.close, RIG_ARGS(cordon_object(db.handle))), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_arrive_through_a_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_statements_end_with_their_database_and_keep_their_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_objects_shown_to_a_callback_end_with_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
