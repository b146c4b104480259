/* SPDX-License-Identifier: Apache-2.0 */
#include "crash/recorded_rig.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cordon/callback.h"
#include "cordon/report.h"
#include "report/base64.h"

#define PATIENCE_MS 15000u

void rig_init(struct rig *rig, const struct harness *harness, const char *library,
              const char *interface_text)
{
    *rig =
        (struct rig){.options = harness_options(harness), .reports = "/tmp/cordon-recorded-XXXXXX"};
    assert_non_null(mkdtemp(rig->reports));
    rig->options.library = library;
    rig->options.interface_text = interface_text;
    rig->options.reports = rig->reports;
    rig->options.record = true;
    rig->options.breaker_percent = rig->options.function_breaker_percent = CORDON_NONE;
}

void rig_open(struct rig *rig)
{
    rig->cell = harness_open_with(&rig->options);
    rig->session = harness_session(rig->cell);
}

void rig_close(struct rig *rig)
{
    (void)cordon_session_close(rig->session);
    (void)cordon_cell_close(rig->cell);
    DIR *folder = opendir(rig->reports);
    const struct dirent *file;
    assert_non_null(folder);
    while ((file = readdir(folder)) != NULL) {
        (void)unlinkat(dirfd(folder), file->d_name, 0);
    }
    (void)closedir(folder);
    assert_int_equal(rmdir(rig->reports), 0);
}

struct cordon_value rig_call(const struct rig *rig, const char *name,
                             const struct cordon_value *args, size_t count)
{
    return harness_value(rig->session, harness_bind(rig->cell, name), args, count);
}

void rig_end(struct rig *rig, int outcome, const char *name, const struct cordon_value *args,
             size_t count)
{
    struct cordon_result result;
    int r = cordon_session_call(rig->session, harness_bind(rig->cell, name), args, count,
                                cordon_after_ms(1000), &result);
    harness_expect(r, outcome, &result);
    rig->report = result.report;
    assert_int_not_equal(rig->report, 0);
}

const json_t *rig_replay_of(const struct rig *rig, json_t **ret_report)
{
    char *text = NULL;
    assert_int_equal(cordon_report_wait(rig->reports, rig->report, 0, cordon_after_ms(PATIENCE_MS)),
                     0);
    assert_int_equal(cordon_report_read(rig->reports, rig->report, 0, &text, NULL), 0);
    *ret_report = json_loads(text, 0, NULL);
    const json_t *replay = json_object_get(json_object_get(*ret_report, "call"), "replay");
    if (!replay) {
        fail_msg("no replay: %s", text);
    }
    free(text);
    return replay;
}

struct rig_session rig_session(const struct rig *rig)
{
    struct rig_session session = {0};
    json_t *report = NULL;
    const json_t *replay = rig_replay_of(rig, &report);
    const json_t *recording = json_object_get(json_object_get(replay, "session"), "recording");
    assert_true(json_is_true(json_object_get(replay, "possible")));
    if (!json_is_string(recording)) {
        const json_t *missing = json_object_get(json_object_get(replay, "session"), "missing");
        fail_msg("no recording: %s", missing ? json_string_value(missing) : "no session");
    }
    session.bytes =
        base64_read(json_string_value(recording), json_string_length(recording), &session.length);
    session.until =
        (uint32_t)json_integer_value(json_object_get(json_object_get(report, "call"), "number"));
    assert_non_null(session.bytes);
    json_decref(report);
    return session;
}

void rig_session_deinit(struct rig_session *session)
{
    free(session->bytes);
    session->bytes = NULL;
}

int rig_replay(const struct rig *rig, const struct rig_session *session, enum cordon_level level,
               struct cordon_replay_result *ret_result)
{
    struct cordon_cell_options options = rig->options;
    struct cordon_error error = {""};
    options.interface_text = NULL;
    options.level = level;
    options.record = false;
    options.arena_bytes = 0;
    options.reports = "";
    options.spares = CORDON_NONE;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_replay_options how = {.size = sizeof how,
                                        .recording = session->bytes,
                                        .recording_bytes = session->length,
                                        .until = session->until};
    int r = cordon_replay(cell, &how, ret_result, &error);
    if (r < 0) {
        print_message("replay: %d: %s\n", r, error.text);
    }
    (void)cordon_cell_close(cell);
    return r;
}

void rig_expect_replay(const struct rig *rig, int outcome, int signal)
{
    struct rig_session session = rig_session(rig);
    struct cordon_replay_result result;
    assert_int_equal(rig_replay(rig, &session, CORDON_LEVEL_PROCESS, &result), 0);
    if (result.differences > 0) {
        fail_msg("call %u: %s", result.differs_at, result.difference.text);
    }
    assert_int_equal(result.call, session.until);
    assert_int_equal(result.outcome, outcome);
    assert_int_equal(result.signal, signal);
    rig_session_deinit(&session);
}

/* ---- SQLite ------------------------------------------------------------------------------------ */

const char rig_sqlite_text[] =
    "typedef struct sqlite3 sqlite3;\n"
    "typedef struct sqlite3_stmt sqlite3_stmt;\n"
    "int sqlite3_open(const char *filename, out sqlite3 **ppDb);\n"
    "int sqlite3_exec(sqlite3 *db, const char *sql,\n"
    "                 nullable fails(1) int (*row)(void *context, int count,\n"
    "                     const char *values[count], const char *names[count]),\n"
    "                 void *context, nullable void *message);\n"
    "int sqlite3_prepare_v2(sqlite3 *db, const char *zSql, int nByte, out sqlite3_stmt **ppStmt,\n"
    "                       nullable void *rest);\n"
    "int sqlite3_step(sqlite3_stmt *stmt);\n"
    "int sqlite3_column_int(sqlite3_stmt *stmt, int column);\n"
    "void memset(sqlite3_stmt *stmt, int byte, size_t n);\n";

#define SQLITE_ROW 100

static int count_rows(void *context, struct cordon_session *session,
                      const struct cordon_value *args, size_t count, struct cordon_value *ret_value)
{
    (void)session;
    (void)args;
    (void)count;
    ++*(int *)context;
    *ret_value = cordon_int(0);
    return 0;
}

void rig_break_sqlite(struct rig *rig)
{
    struct cordon_handle db = {0};
    struct cordon_handle statement = {0};
    struct cordon_callback *rows;
    int seen = 0;
    assert_int_equal(cordon_callback_new(count_rows, &seen, &rows), 0);
    assert_int_equal(RIG_CALL(rig, "sqlite3_open", cordon_string(":memory:"), cordon_out(&db, 1)).i,
                     0);
    assert_int_equal(RIG_CALL(rig, "sqlite3_exec", cordon_object(db),
                              cordon_string("create table t(a); insert into t values(1),(2),(3)"),
                              cordon_null(), cordon_null(), cordon_null())
                         .i,
                     0);
    assert_int_equal(RIG_CALL(rig, "sqlite3_exec", cordon_object(db),
                              cordon_string("select a from t"), cordon_function_pointer(rows),
                              cordon_null(), cordon_null())
                         .i,
                     0);
    assert_int_equal(seen, 3);
    assert_int_equal(RIG_CALL(rig, "sqlite3_prepare_v2", cordon_object(db),
                              cordon_string("select a from t"), cordon_int(-1),
                              cordon_out(&statement, 1), cordon_null())
                         .i,
                     0);
    assert_int_equal(RIG_CALL(rig, "sqlite3_step", cordon_object(statement)).i, SQLITE_ROW);
    assert_int_equal(RIG_CALL(rig, "sqlite3_column_int", cordon_object(statement), cordon_int(0)).i,
                     1);
    (void)RIG_CALL(rig, "memset", cordon_object(statement), cordon_int(0x41), cordon_uint(64));
    RIG_END(rig, CORDON_CRASHED, "sqlite3_step", cordon_object(statement));
    cordon_callback_free(rows);
}

/* ---- The library of the tests ------------------------------------------------------------------ */

const char rig_things_text[] = "typedef struct thing thing;\n"
                               "struct link_ { void *next; int value; };\n"
                               "int links_sum(const struct link_ *first);\n"
                               "static thing *thing_pick(const char *path);\n"
                               "thing *thing_new(void);\n"
                               "int thing_number(thing *t);\n"
                               "int thing_login(thing *t, secret const char *password);\n"
                               "void thing_break(thing *t);\n";

const char *rig_things_library(void)
{
    const char *path = getenv("CORDON_TEST_RECORDED");
    if (!path) {
        harness_skip("CORDON_TEST_RECORDED does not name the library");
    }
    return path;
}
