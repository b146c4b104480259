/* SPDX-License-Identifier: Apache-2.0 */

/* Handles: a database and a statement live in the worker, and are named by values here. */
#include <stdio.h>
#include <string.h>

#include "cordon/cordon.h"

static const char interface_text[] =
    "library \"libsqlite3.so.0\";\n"
    "int sqlite3_open(const char *name, out struct sqlite3 **db);\n"
    "int sqlite3_close(release struct sqlite3 *db);\n"
    "int sqlite3_prepare_v2(struct sqlite3 *db, const char *sql, int bytes,\n"
    "                       out struct sqlite3_stmt **statement, void *tail);\n"
    "int sqlite3_step(struct sqlite3_stmt *statement);\n"
    "int sqlite3_column_int(struct sqlite3_stmt *statement, int column);\n"
    "const char *sqlite3_column_text(struct sqlite3_stmt *statement, int column);\n"
    "int sqlite3_finalize(release struct sqlite3_stmt *statement);\n";

#define SQLITE_ROW 100

static struct cordon_session *session;

/* Call function @name; the program ends when the call was not done. */
static int call(struct cordon_cell *cell, const char *name, const struct cordon_value *args,
                size_t count, struct cordon_result *ret_result)
{
    struct cordon_function *function = NULL;
    int r = cordon_bind(cell, name, 0, &function, &ret_result->error);
    if (r == 0) {
        r = cordon_session_call(session, function, args, count, CORDON_DEFAULT, ret_result);
    }
    if (r != CORDON_DONE) {
        fprintf(stderr, "%s: %s\n", name, ret_result->error.text);
    }
    return r;
}

static int print_rows(struct cordon_cell *cell, struct cordon_handle statement)
{
    struct cordon_value row[] = {cordon_object(statement), cordon_int(0)};
    struct cordon_result result;
    for (;;) {
        if (call(cell, "sqlite3_step", row, 1, &result) != CORDON_DONE) {
            return 1;
        }
        if (result.value.i != SQLITE_ROW) {
            return 0;
        }
        row[1] = cordon_int(0);
        if (call(cell, "sqlite3_column_int", row, 2, &result) != CORDON_DONE) {
            return 1;
        }
        printf("%2d  ", (int)result.value.i);
        row[1] = cordon_int(1);
        if (call(cell, "sqlite3_column_text", row, 2, &result) != CORDON_DONE) {
            return 1;
        }
        printf("%s\n", (const char *)result.value.memory);
        cordon_result_release(&result);
    }
}

int main(void)
{
    static const char sql[] = "with recursive n(i) as (select 1 union all select i + 1 from n"
                              " where i < 5) select i, printf('%d squared is %d', i, i * i) from n";
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_cell *cell = NULL;
    struct cordon_error error;
    struct cordon_result result;
    struct cordon_handle db = {0};
    struct cordon_handle statement = {0};

    options.interface_text = interface_text;
    if (cordon_cell_open(&options, &cell, &error) != 0 ||
        cordon_session_open(cell, &session, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        cordon_cell_close(cell);
        return 1;
    }
    struct cordon_value open[] = {cordon_string(":memory:"), cordon_out(&db, 1)};
    int failed = call(cell, "sqlite3_open", open, 2, &result) != CORDON_DONE;
    if (!failed) {
        struct cordon_value prepare[] = {cordon_object(db), cordon_string(sql), cordon_int(-1),
                                         cordon_out(&statement, 1), cordon_uint(0)};
        failed = call(cell, "sqlite3_prepare_v2", prepare, 5, &result) != CORDON_DONE ||
                 print_rows(cell, statement) != 0;
    }
    if (!failed) {
        struct cordon_value end[] = {cordon_object(statement)};
        failed = call(cell, "sqlite3_finalize", end, 1, &result) != CORDON_DONE;
        end[0] = cordon_object(db);
        failed = failed || call(cell, "sqlite3_close", end, 1, &result) != CORDON_DONE;
    }
    cordon_session_close(session);
    cordon_cell_close(cell);
    return failed;
}
