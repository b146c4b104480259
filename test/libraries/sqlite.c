/* SPDX-License-Identifier: Apache-2.0 */

/* SQLite: handles that come and go, rows by callback and by column, kept binds, a function of the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "libraries/subject.h"

#define ROWS 200

static struct cordon_handle open_database(const struct subject *lite)
{
    struct cordon_handle db = {0};
    assert_int_equal(
        subject_int(lite, "sqlite3_open", ARGS(cordon_string(":memory:"), cordon_out(&db, 1))),
        SQLITE_OK);
    return db;
}

static void run(const struct subject *lite, struct cordon_handle db, const char *sql)
{
    assert_int_equal(subject_int(lite, "sqlite3_exec",
                                 ARGS(cordon_object(db), cordon_string(sql), cordon_null(),
                                      cordon_uint(0), cordon_null())),
                     SQLITE_OK);
}

static struct cordon_handle prepare(const struct subject *lite, struct cordon_handle db,
                                    const char *sql)
{
    struct cordon_handle statement = {0};
    assert_int_equal(subject_int(lite, "sqlite3_prepare_v2",
                                 ARGS(cordon_object(db), cordon_string(sql), cordon_int(-1),
                                      cordon_out(&statement, 1), cordon_null())),
                     SQLITE_OK);
    return statement;
}

static struct cordon_handle fill_table(const struct subject *lite)
{
    struct cordon_handle db = open_database(lite);
    run(lite, db, "create table t(id integer primary key, name text, weight real, data blob)");
    struct cordon_handle insert =
        prepare(lite, db, "insert into t(name, weight, data) values(?, ?, ?)");
    assert_int_equal(subject_int(lite, "sqlite3_bind_parameter_count", ARGS(cordon_object(insert))),
                     3);
    for (int i = 0; i < ROWS; i++) {
        char name[32];
        uint8_t data[16];
        (void)snprintf(name, sizeof name, "row %d", i);
        memset(data, i, sizeof data);
        assert_int_equal(subject_int(lite, "sqlite3_bind_text",
                                     ARGS(cordon_object(insert), cordon_int(1),
                                          cordon_in(name, strlen(name)), cordon_null())),
                         SQLITE_OK);
        assert_int_equal(
            subject_int(lite, "sqlite3_bind_double",
                        ARGS(cordon_object(insert), cordon_int(2), cordon_float(i * 0.5))),
            SQLITE_OK);
        assert_int_equal(subject_int(lite, "sqlite3_bind_blob",
                                     ARGS(cordon_object(insert), cordon_int(3),
                                          cordon_in(data, sizeof data), cordon_null())),
                         SQLITE_OK);
        /* What was bound is used now: the bytes given then must still be there. */
        memset(name, '?', sizeof name);
        memset(data, '?', sizeof data);
        assert_int_equal(subject_int(lite, "sqlite3_step", ARGS(cordon_object(insert))),
                         SQLITE_DONE);
        assert_int_equal(subject_int(lite, "sqlite3_reset", ARGS(cordon_object(insert))),
                         SQLITE_OK);
        assert_int_equal(subject_int(lite, "sqlite3_last_insert_rowid", ARGS(cordon_object(db))),
                         i + 1);
    }
    assert_int_equal(subject_int(lite, "sqlite3_finalize", ARGS(cordon_object(insert))), SQLITE_OK);
    return db;
}

static void close_database(const struct subject *lite, struct cordon_handle db)
{
    assert_int_equal(subject_int(lite, "sqlite3_close", ARGS(cordon_object(db))), SQLITE_OK);
}

static void test_rows_are_read_by_columns(const struct harness *harness)
{
    struct subject lite = subject_open_interface(harness, "sqlite3.cordon");
    struct cordon_handle db = fill_table(&lite);
    struct cordon_handle select =
        prepare(&lite, db, "select id, name, weight, data, null from t order by id");
    assert_int_equal(subject_int(&lite, "sqlite3_column_count", ARGS(cordon_object(select))), 5);
    subject_text(&lite, "weight", "sqlite3_column_name",
                 ARGS(cordon_object(select), cordon_int(2)));
    for (int i = 0; i < ROWS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "row %d", i);
        assert_int_equal(subject_int(&lite, "sqlite3_step", ARGS(cordon_object(select))),
                         SQLITE_ROW);
        assert_int_equal(
            subject_int(&lite, "sqlite3_column_int", ARGS(cordon_object(select), cordon_int(0))),
            i + 1);
        subject_text(&lite, name, "sqlite3_column_text",
                     ARGS(cordon_object(select), cordon_int(1)));
        assert_true(subject_float(&lite, "sqlite3_column_double",
                                  ARGS(cordon_object(select), cordon_int(2))) == i * 0.5);
        struct cordon_result blob = subject_result(&lite, "sqlite3_column_blob",
                                                   ARGS(cordon_object(select), cordon_int(3)));
        assert_int_equal(blob.value.count, 16);
        for (int n = 0; n < 16; n++) {
            assert_int_equal(((const uint8_t *)blob.value.memory)[n], i & 0xff);
        }
        cordon_result_release(&blob);
        assert_int_equal(
            subject_int(&lite, "sqlite3_column_type", ARGS(cordon_object(select), cordon_int(4))),
            SQLITE_NULL);
    }
    assert_int_equal(subject_int(&lite, "sqlite3_step", ARGS(cordon_object(select))), SQLITE_DONE);
    assert_int_equal(subject_int(&lite, "sqlite3_finalize", ARGS(cordon_object(select))),
                     SQLITE_OK);
    close_database(&lite, db);
    subject_close(&lite);
}

/* Rows as the callback of sqlite3_exec() sees them, joined as text. */
struct rows {
    char text[8192];
    int count;
    int stop_after; /* 0: never */
    const struct subject *lite;
    struct cordon_handle db;
    bool call_back;
};

static int on_row(void *context, struct cordon_session *session, const struct cordon_value *args,
                  size_t count, struct cordon_value *ret_value)
{
    struct rows *rows = context;
    (void)session;
    /* context, columns, values, names: `columns` is passed, since values may be looked at with it. */
    const char *const *values = NULL;
    const char *const *names = NULL;
    int64_t columns = 0;
    for (size_t i = 0; i < count; i++) {
        if (args[i].kind == CORDON_VALUE_MEMORY) {
            *(values ? &names : &values) = args[i].memory;
            columns = (int64_t)args[i].count;
        }
    }
    for (int64_t i = 0; values && names && i < columns; i++) {
        size_t length = strlen(rows->text);
        (void)snprintf(rows->text + length, sizeof rows->text - length, "%s=%s;", names[i],
                       values[i] ? values[i] : "NULL");
    }
    rows->count++;
    if (rows->call_back) {
        /* A call of the same session from inside. */
        assert_int_equal(subject_int(rows->lite, "sqlite3_libversion_number", NO_ARGS),
                         sqlite3_libversion_number());
    }
    *ret_value = cordon_int(rows->stop_after && rows->count >= rows->stop_after ? 1 : 0);
    return 0;
}

static int direct_row(void *context, int columns, char **values, char **names)
{
    struct rows *rows = context;
    for (int i = 0; i < columns; i++) {
        size_t length = strlen(rows->text);
        (void)snprintf(rows->text + length, sizeof rows->text - length, "%s=%s;", names[i],
                       values[i] ? values[i] : "NULL");
    }
    rows->count++;
    return 0;
}

static const char select_sql[] =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 50)"
    " select i, 'x' || i as name, null as empty from n";

static void test_row_callback_sees_what_a_direct_one_sees(const struct harness *harness)
{
    struct subject lite = subject_open_interface(harness, "sqlite3.cordon");
    struct cordon_handle db = open_database(&lite);
    static struct rows direct, ours;
    sqlite3 *direct_db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &direct_db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(direct_db, select_sql, direct_row, &direct, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(direct_db), SQLITE_OK);

    struct cordon_callback *row = NULL;
    ours.lite = &lite;
    ours.db = db;
    for (int round = 0; round < 2; round++) {
        ours.text[0] = '\0';
        ours.count = 0;
        ours.call_back = round == 1;
        row = NULL;
        assert_int_equal(cordon_callback_new(on_row, &ours, &row), 0);
        char *message = NULL;
        int64_t r = subject_int(&lite, "sqlite3_exec",
                                ARGS(cordon_object(db), cordon_string(select_sql),
                                     cordon_function_pointer(row), cordon_uint(7),
                                     cordon_out(&message, 1)));
        if (r != SQLITE_OK) {
            fail_msg("sqlite3_exec: %d: %s", (int)r, message ? message : "no message");
        }
        assert_int_equal(ours.count, direct.count);
        assert_string_equal(ours.text, direct.text);
        cordon_callback_free(row);
    }
    ours.count = 0;
    ours.stop_after = 3;
    ours.call_back = false;
    assert_int_equal(cordon_callback_new(on_row, &ours, &row), 0);
    assert_int_equal(subject_int(&lite, "sqlite3_exec",
                                 ARGS(cordon_object(db), cordon_string(select_sql),
                                      cordon_function_pointer(row), cordon_uint(7), cordon_null())),
                     SQLITE_ABORT);
    assert_int_equal(ours.count, 3);
    cordon_callback_free(row);
    close_database(&lite, db);
    subject_close(&lite);
}

static void test_errors_come_back_as_owned_text(const struct harness *harness)
{
    struct subject lite = subject_open_interface(harness, "sqlite3.cordon");
    struct cordon_handle db = open_database(&lite);
    char *message = NULL;
    assert_int_equal(subject_int(&lite, "sqlite3_exec",
                                 ARGS(cordon_object(db), cordon_string("select * from nowhere"),
                                      cordon_null(), cordon_uint(0), cordon_out(&message, 1))),
                     SQLITE_ERROR);
    assert_non_null(message);
    assert_string_equal(message, "no such table: nowhere");
    free(message);
    subject_text(&lite, "no such table: nowhere", "sqlite3_errmsg", ARGS(cordon_object(db)));
    subject_text(&lite, sqlite3_errstr(SQLITE_BUSY), "sqlite3_errstr",
                 ARGS(cordon_int(SQLITE_BUSY)));
    close_database(&lite, db);
    subject_close(&lite);
}

static void test_tail_of_a_statement_is_an_offset(const struct harness *harness)
{
    struct subject lite = subject_open_interface(harness, "sqlite3.cordon");
    struct cordon_handle db = open_database(&lite);
    struct cordon_handle statement = {0};
    uint64_t tail = 0;
    assert_int_equal(
        subject_int(&lite, "sqlite3_prepare_v2",
                    ARGS(cordon_object(db), cordon_string("select 1; select 2"), cordon_int(-1),
                         cordon_out(&statement, 1), cordon_out(&tail, 1))),
        SQLITE_OK);
    assert_int_equal(tail, strlen("select 1;"));
    assert_int_equal(subject_int(&lite, "sqlite3_finalize", ARGS(cordon_object(statement))),
                     SQLITE_OK);
    close_database(&lite, db);
    subject_close(&lite);
}

static void test_open_gives_a_handle_also_when_it_fails(const struct harness *harness)
{
    struct subject lite = subject_open_interface(harness, "sqlite3.cordon");
    struct cordon_handle db = {0};
    assert_int_equal(subject_int(&lite, "sqlite3_open",
                                 ARGS(cordon_string("/nowhere/at/all.db"), cordon_out(&db, 1))),
                     SQLITE_CANTOPEN);
    subject_text(&lite, "unable to open database file", "sqlite3_errmsg", ARGS(cordon_object(db)));
    close_database(&lite, db);
    subject_close(&lite);
}

static void test_facts_equal_direct_calls(const struct harness *harness)
{
    struct subject lite = subject_open_interface(harness, "sqlite3.cordon");
    subject_text(&lite, sqlite3_libversion(), "sqlite3_libversion", NO_ARGS);
    assert_int_equal(subject_int(&lite, "sqlite3_libversion_number", NO_ARGS),
                     sqlite3_libversion_number());
    subject_close(&lite);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"rows_are_read_by_columns", test_rows_are_read_by_columns, HARNESS_ALL_LEVELS, 0, 60},
        {"row_callback_sees_what_a_direct_one_sees", test_row_callback_sees_what_a_direct_one_sees,
         HARNESS_ALL_LEVELS, 0, 0},
        {"errors_come_back_as_owned_text", test_errors_come_back_as_owned_text, HARNESS_ALL_LEVELS,
         0, 0},
        {"tail_of_a_statement_is_an_offset", test_tail_of_a_statement_is_an_offset,
         HARNESS_ALL_LEVELS, 0, 0},
        {"open_gives_a_handle_also_when_it_fails", test_open_gives_a_handle_also_when_it_fails,
         HARNESS_ALL_LEVELS, 0, 0},
        {"facts_equal_direct_calls", test_facts_equal_direct_calls, HARNESS_ALL_LEVELS, 0, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
