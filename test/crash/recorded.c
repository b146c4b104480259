/* SPDX-License-Identifier: Apache-2.0 */

/* A crash that takes the whole session to come again: recorded, reported, replayed. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cordon/arena.h"
#include "cordon/object.h"
#include "crash/recorded_rig.h"

static const char libc_text[] =
    "int abs(int j);\n"
    "int raise(int sig);\n"
    "unsigned sleep(unsigned seconds);\n"
    "void qsort(int base[n], size_t n, size_t size,\n"
    "           fails(0) int (*compare)(const int *a, const int *b));\n";

/* ---- SQLite ------------------------------------------------------------------------------------ */

static const char sqlite_text[] =
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

/* Open, fill, ask with a row callback, prepare, step - and a step on a statement that was overwritten. */
static void break_sqlite(struct rig *rig)
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

static void test_sqlite_session_crashes_again_when_replayed(const struct harness *harness)
{
    struct rig rig;
    struct stat info;
    char path[128];
    rig_init(&rig, harness, "libsqlite3.so.0", sqlite_text);
    rig_open(&rig);
    break_sqlite(&rig);
    rig_expect_replay(&rig, CORDON_CRASHED, SIGSEGV);
    (void)snprintf(path, sizeof path, "%s/%016llx.json", rig.reports,
                   (unsigned long long)rig.report);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    rig_close(&rig);
}

/* Without the recording the report says why not, and what would help. */
static void test_without_record_the_report_says_why(const struct harness *harness)
{
    struct rig rig;
    json_t *report = NULL;
    rig_init(&rig, harness, "libsqlite3.so.0", sqlite_text);
    rig.options.record = false;
    rig_open(&rig);
    break_sqlite(&rig);
    const json_t *replay = rig_replay_of(&rig, &report);
    assert_true(json_is_false(json_object_get(replay, "possible")));
    const char *why = json_string_value(json_object_get(replay, "why"));
    assert_non_null(strstr(why, "handle"));
    assert_non_null(strstr(why, "record"));
    json_decref(report);
    rig_close(&rig);
}

/* ---- zlib -------------------------------------------------------------------------------------- */

static const char zlib_text[] =
    "struct z_stream {\n"
    "    void *next_in; unsigned avail_in; unsigned long total_in;\n"
    "    void *next_out; unsigned avail_out; unsigned long total_out;\n"
    "    const char *msg; void *state; void *zalloc; void *zfree; void *opaque;\n"
    "    int data_type; unsigned long adler; unsigned long reserved;\n"
    "};\n"
    "int deflateInit_(resident struct z_stream *strm, int level, const char *version, int size);\n"
    "int deflate(resident struct z_stream *strm, int flush);\n"
    "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned len);\n"
    "void memset(resident struct z_stream *strm, int byte, size_t n);\n";

static void set_member(const struct rig *rig, struct cordon_handle stream, const char *member,
                       const void *value, size_t bytes)
{
    struct cordon_error error = {""};
    if (cordon_object_write(rig->session, stream, member, value, bytes, &error) != 0) {
        fail_msg("%s: %s", member, error.text);
    }
}

/* Objects' members and the arena that they point into are written by the host between the calls. */
static void test_zlib_stream_over_the_arena_is_replayed(const struct harness *harness)
{
    struct rig rig;
    struct cordon_handle stream;
    rig_init(&rig, harness, "libz.so.1", zlib_text);
    rig.options.arena_bytes = 1u << 20;
    rig_open(&rig);
    uint8_t *in = cordon_arena_alloc(rig.session, 20000);
    uint8_t *out = cordon_arena_alloc(rig.session, 4096);
    assert_true(in && out);
    assert_int_equal(cordon_object_new(rig.session, "struct z_stream", &stream, NULL), 0);
    assert_int_equal(RIG_CALL(&rig, "deflateInit_", cordon_object(stream), cordon_int(6),
                              cordon_string("1.2.11"), cordon_int(112))
                         .i,
                     0);
    for (unsigned round = 0; round < 3; round++) {
        unsigned in_bytes = 20000;
        unsigned out_bytes = 4096;
        for (unsigned i = 0; i < in_bytes; i++) {
            in[i] = (uint8_t)(i * (round + 1) / 7);
        }
        set_member(&rig, stream, "next_in", &in, sizeof in);
        set_member(&rig, stream, "avail_in", &in_bytes, sizeof in_bytes);
        set_member(&rig, stream, "next_out", &out, sizeof out);
        set_member(&rig, stream, "avail_out", &out_bytes, sizeof out_bytes);
        assert_int_equal(RIG_CALL(&rig, "deflate", cordon_object(stream), cordon_int(2)).i, 0);
        /* What was made of it is a number now, which the replay compares. */
        assert_true(RIG_CALL(&rig, "crc32", cordon_uint(0), cordon_in(out, 64)).u != 0);
    }
    (void)RIG_CALL(&rig, "memset", cordon_object(stream), cordon_int(0x41), cordon_uint(112));
    RIG_END(&rig, CORDON_CRASHED, "deflate", cordon_object(stream), cordon_int(2));
    cordon_session_close(rig.session); /* its arena lay where the replay's has to */
    rig.session = NULL;
    rig_expect_replay(&rig, CORDON_CRASHED, SIGSEGV);
    rig_close(&rig);
}

/* ---- The arena --------------------------------------------------------------------------------- */

static const char things_text[] = "typedef struct thing thing;\n"
                                  "struct link_ { void *next; int value; };\n"
                                  "int links_sum(const struct link_ *first);\n"
                                  "static thing *thing_pick(const char *path);\n"
                                  "int thing_number(thing *t);\n"
                                  "int thing_login(thing *t, secret const char *password);\n"
                                  "void thing_break(thing *t);\n";

static const char *things_library(void)
{
    const char *path = getenv("CORDON_TEST_RECORDED");
    if (!path) {
        harness_skip("CORDON_TEST_RECORDED does not name the library");
    }
    return path;
}

struct link_ {
    struct link_ *next;
    int value;
};

/* What a call follows in the arena lies there again: the list, and its end in the wild. */
static void test_list_in_the_arena_is_followed_again(const struct harness *harness)
{
    struct rig rig;
    rig_init(&rig, harness, things_library(), things_text);
    rig.options.arena_bytes = 1u << 20;
    rig_open(&rig);
    struct link_ *links[3];
    for (int i = 0; i < 3; i++) {
        links[i] = cordon_arena_alloc(rig.session, sizeof *links[i]);
        *links[i] = (struct link_){.next = i ? links[i - 1] : NULL, .value = 1 << i};
    }
    assert_int_equal(RIG_CALL(&rig, "links_sum", cordon_in(links[2], 1)).i, 7);
    links[1]->value = 20; /* changed between two calls, in place */
    assert_int_equal(RIG_CALL(&rig, "links_sum", cordon_in(links[2], 1)).i, 25);
    links[0]->next = (struct link_ *)(uintptr_t)0xd000;
    RIG_END(&rig, CORDON_CRASHED, "links_sum", cordon_in(links[2], 1));
    struct rig_session session = rig_session(&rig);
    struct cordon_replay_result result;
    /* Something lies there: the old session's arena itself. */
    assert_int_equal(rig_replay(&rig, &session, CORDON_LEVEL_PROCESS, &result), -EEXIST);
    rig_session_deinit(&session);
    cordon_session_close(rig.session);
    rig.session = NULL;
    rig_expect_replay(&rig, CORDON_CRASHED, SIGSEGV);
    rig_close(&rig);
}

/* ---- Callbacks --------------------------------------------------------------------------------- */

struct comparing {
    struct cordon_function *abs_;
    struct cordon_function *raise_;
    int calls;
    int fatal; /* the comparison in which the worker is ended; 0: none */
};

/* Compares by calling back into the worker; ends it there when the time has come. */
static int compare(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    struct comparing *comparing = context;
    struct cordon_result result;
    int a = *(const int *)args[0].memory;
    int b = *(const int *)args[1].memory;
    struct cordon_value values[2] = {cordon_int(a), cordon_int(b)};
    (void)count;
    a = (int)harness_value(session, comparing->abs_, &values[0], 1).i;
    b = (int)harness_value(session, comparing->abs_, &values[1], 1).i;
    *ret_value = cordon_int(a < b ? -1 : a > b);
    if (++comparing->calls == comparing->fatal) {
        struct cordon_value signal = cordon_int(SIGSEGV);
        harness_expect(
            cordon_session_call(session, comparing->raise_, &signal, 1, CORDON_DEFAULT, &result),
            CORDON_CRASHED, &result);
    }
    return 0;
}

static void test_crash_inside_a_callback_is_replayed(const struct harness *harness)
{
    int numbers[] = {5, -4, 3, -2, 1, 0, -7, 9};
    struct rig rig;
    struct cordon_callback *callback;
    rig_init(&rig, harness, "", libc_text);
    rig_open(&rig);
    struct comparing comparing = {.abs_ = harness_bind(rig.cell, "abs"),
                                  .raise_ = harness_bind(rig.cell, "raise")};
    assert_int_equal(cordon_callback_new(compare, &comparing, &callback), 0);
    (void)RIG_CALL(&rig, "qsort", cordon_out(numbers, 8), cordon_uint(4),
                   cordon_function_pointer(callback));
    assert_int_equal(numbers[0], 0);
    assert_int_equal(numbers[7], 9);
    comparing.calls = 0;
    comparing.fatal = 7;
    RIG_END(&rig, CORDON_CRASHED, "qsort", cordon_out(numbers, 8), cordon_uint(4),
            cordon_function_pointer(callback));
    rig_expect_replay(&rig, CORDON_CRASHED, SIGSEGV);
    cordon_callback_free(callback);
    rig_close(&rig);
}

/* ---- More than one call at once, more than one worker -------------------------------------------- */

static void test_the_call_of_a_batch_that_crashed_is_replayed(const struct harness *harness)
{
    struct rig rig;
    struct cordon_pending *pending[4];
    struct cordon_result result;
    rig_init(&rig, harness, "", libc_text);
    rig_open(&rig);
    struct cordon_function *abs_ = harness_bind(rig.cell, "abs");
    struct cordon_function *raise_ = harness_bind(rig.cell, "raise");
    for (int i = 0; i < 4; i++) {
        struct cordon_value arg = cordon_int(i == 2 ? SIGFPE : i);
        assert_int_equal(cordon_submit(rig.session, i == 2 ? raise_ : abs_, &arg, 1, CORDON_DEFAULT,
                                       &pending[i], NULL),
                         0);
    }
    for (int i = 0; i < 4; i++) {
        int r = cordon_collect(pending[i], CORDON_NEVER, &result);
        harness_expect(r, i < 2 ? CORDON_DONE : i == 2 ? CORDON_CRASHED : CORDON_ABORTED, &result);
        rig.report = i == 2 ? result.report : rig.report;
    }
    rig_expect_replay(&rig, CORDON_CRASHED, SIGFPE);
    rig_close(&rig);
}

/* A spare has been spoken to before it had a session, and an on_start call is a part of that. */
static void test_promoted_spare_has_its_own_recording(const struct harness *harness)
{
    struct rig rig;
    struct cordon_value minus = cordon_int(-3);
    rig_init(&rig, harness, "", libc_text);
    rig_open(&rig);
    assert_int_equal(cordon_cell_on_start(rig.cell, harness_bind(rig.cell, "abs"), &minus, 1, NULL),
                     0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(RIG_CALL(&rig, "abs", cordon_int(-5)).i, 5);
        RIG_END(&rig, CORDON_CRASHED, "raise", cordon_int(SIGILL));
        rig_expect_replay(&rig, CORDON_CRASHED, SIGILL);
    }
    rig_close(&rig);
}

static void test_hang_is_replayed_until_its_deadline(const struct harness *harness)
{
    struct rig rig;
    rig_init(&rig, harness, "", libc_text);
    rig_open(&rig);
    assert_int_equal(RIG_CALL(&rig, "abs", cordon_int(-5)).i, 5);
    RIG_END(&rig, CORDON_TIMEOUT, "sleep", cordon_uint(1000));
    rig_expect_replay(&rig, CORDON_TIMEOUT, 0);
    rig_close(&rig);
}

/* ---- What goes otherwise ----------------------------------------------------------------------- */

static void write_letter(const char *path, char letter)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputc(letter, file), letter);
    assert_int_equal(fclose(file), 0);
}

/*
 * The library gives one thing twice, so one handle; replayed, it gives two. Calls with the second handle reach
 * what the fresh worker calls it now.
 */
static void test_handles_with_other_numbers_are_mapped(const struct harness *harness)
{
    struct rig rig;
    struct cordon_replay_result result;
    char path[] = "/tmp/cordon-letter-XXXXXX"; /* a worker may be another user than this process */
    char grant[64];
    rig_init(&rig, harness, things_library(), things_text);
    int file = mkstemp(path);
    assert_true(file >= 0 && fchmod(file, 0644) == 0 && close(file) == 0);
    (void)snprintf(grant, sizeof grant, "read:%s", path);
    const char *const grants[] = {grant, NULL};
    rig.options.grants = grants;
    rig_open(&rig);
    write_letter(path, '0');
    struct cordon_handle first = RIG_CALL(&rig, "thing_pick", cordon_string(path)).handle;
    struct cordon_handle second = RIG_CALL(&rig, "thing_pick", cordon_string("/none")).handle;
    assert_int_equal(first.index, second.index);
    assert_int_equal(RIG_CALL(&rig, "thing_number", cordon_object(second)).i, 0);
    RIG_END(&rig, CORDON_CRASHED, "thing_break", cordon_object(second));
    rig_expect_replay(&rig, CORDON_CRASHED, SIGABRT);
    write_letter(path, '1');
    rig_expect_replay(&rig, CORDON_CRASHED, SIGABRT);

    /* And a number that is another one now is said. */
    write_letter(path, '0');
    first = RIG_CALL(&rig, "thing_pick", cordon_string(path)).handle;
    assert_int_equal(RIG_CALL(&rig, "thing_number", cordon_object(first)).i, 0);
    RIG_END(&rig, CORDON_CRASHED, "thing_break", cordon_object(first));
    struct rig_session session = rig_session(&rig);
    write_letter(path, '1');
    assert_int_equal(rig_replay(&rig, &session, CORDON_LEVEL_PROCESS, &result), 0);
    assert_int_equal(result.outcome, CORDON_CRASHED);
    assert_int_equal(result.differences, 1);
    assert_int_equal(result.differs_at, session.until - 2); /* a request to bind comes between */
    assert_non_null(strstr(result.difference.text, "is 1, and was 0"));
    rig_session_deinit(&session);
    assert_int_equal(unlink(path), 0);
    rig_close(&rig);
}

/* ---- What is not kept -------------------------------------------------------------------------- */

static void test_recording_that_is_full_is_said(const struct harness *harness)
{
    struct rig rig;
    json_t *report = NULL;
    rig_init(&rig, harness, things_library(), things_text);
    rig.options.record_bytes = 4096;
    rig_open(&rig);
    struct cordon_handle thing = RIG_CALL(&rig, "thing_pick", cordon_string("/none")).handle;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(RIG_CALL(&rig, "thing_number", cordon_object(thing)).i, 0);
    }
    RIG_END(&rig, CORDON_CRASHED, "thing_break", cordon_object(thing));
    const json_t *replay = rig_replay_of(&rig, &report);
    assert_true(json_is_false(json_object_get(replay, "possible")));
    const char *why = json_string_value(json_object_get(replay, "why"));
    assert_non_null(strstr(why, "incomplete from call "));
    assert_non_null(strstr(why, "4096 bytes (record_bytes)"));
    json_decref(report);
    rig_close(&rig);
}

static void test_secret_ends_the_recording_and_is_nowhere(const struct harness *harness)
{
    struct rig rig;
    json_t *report = NULL;
    rig_init(&rig, harness, things_library(), things_text);
    rig_open(&rig);
    struct cordon_handle thing = RIG_CALL(&rig, "thing_pick", cordon_string("/none")).handle;
    assert_int_equal(
        RIG_CALL(&rig, "thing_login", cordon_object(thing), cordon_string("hunter2")).i, 7);
    RIG_END(&rig, CORDON_CRASHED, "thing_break", cordon_object(thing));
    const json_t *replay = rig_replay_of(&rig, &report);
    assert_true(json_is_false(json_object_get(replay, "possible")));
    assert_non_null(strstr(json_string_value(json_object_get(replay, "why")), "secret arguments"));
    assert_null(json_object_get(json_object_get(replay, "session"), "recording"));
    json_decref(report);
    rig_close(&rig);
}

static void test_record_is_refused_where_it_cannot_be(const struct harness *harness)
{
    struct cordon_cell_options options = harness_options(harness);
    struct cordon_error error = {""};
    struct cordon_cell *cell;
    options.library = "";
    options.record = true;
    options.level = CORDON_LEVEL_INLINE;
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -ENOTSUP);
    options.level = CORDON_LEVEL_PROCESS;
    options.reports = "";
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -EINVAL);
    options.reports = NULL;
    options.record_bytes = (32u << 20) + 1;
    assert_int_equal(cordon_cell_open(&options, &cell, &error), -E2BIG);
    assert_non_null(strstr(error.text, "record_bytes"));
}

/* ---- Recordings that somebody made up ----------------------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Anything may come back, but this process goes on, and nothing is left. */
static void test_damaged_recordings_are_survived(const struct harness *harness)
{
    struct rig rig;
    struct cordon_error error;
    struct cordon_replay_result result;
    uint32_t chance = 2463534242u;
    uint32_t sound = 0;
    rig_init(&rig, harness, "libsqlite3.so.0", sqlite_text);
    rig_open(&rig);
    break_sqlite(&rig);
    struct rig_session session = rig_session(&rig);
    uint8_t *copy = aligned_alloc(64, (session.length + 64) & ~(size_t)63);
    assert_non_null(copy);
    for (int i = 0; i < 150; i++) {
        memcpy(copy, session.bytes, session.length);
        for (uint32_t flips = 1 + i % 4; flips > 0; flips--) {
            uint32_t at = next_random(&chance) % (uint32_t)session.length;
            copy[at] = i % 3 == 0 ? (uint8_t)next_random(&chance) : copy[at] ^ (1u << (i % 8));
        }
        struct cordon_replay_options how = {
            .size = sizeof how,
            .recording = copy,
            .recording_bytes = i % 10 == 9 ? session.length * (size_t)(i % 7) / 7 : session.length,
            .timeout_ns = 300000000u};
        sound += cordon_replay(rig.cell, &how, &result, &error) == 0;
    }
    assert_true(sound > 0);
    free(copy);
    rig_session_deinit(&session);
    rig_close(&rig);
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"sqlite_session_crashes_again_when_replayed",
         test_sqlite_session_crashes_again_when_replayed, HARNESS_ONCE, 0, 0},
        {"without_record_the_report_says_why", test_without_record_the_report_says_why,
         HARNESS_ONCE, 0, 0},
        {"zlib_stream_over_the_arena_is_replayed", test_zlib_stream_over_the_arena_is_replayed,
         HARNESS_ONCE, 0, 0},
        {"list_in_the_arena_is_followed_again", test_list_in_the_arena_is_followed_again,
         HARNESS_ONCE, 0, 0},
        {"crash_inside_a_callback_is_replayed", test_crash_inside_a_callback_is_replayed,
         HARNESS_ONCE, 0, 0},
        {"the_call_of_a_batch_that_crashed_is_replayed",
         test_the_call_of_a_batch_that_crashed_is_replayed, HARNESS_ONCE, 0, 0},
        {"promoted_spare_has_its_own_recording", test_promoted_spare_has_its_own_recording,
         HARNESS_ONCE, 0, 60},
        {"hang_is_replayed_until_its_deadline", test_hang_is_replayed_until_its_deadline,
         HARNESS_ONCE, 0, 0},
        {"handles_with_other_numbers_are_mapped", test_handles_with_other_numbers_are_mapped,
         HARNESS_ONCE, 0, 60},
        {"recording_that_is_full_is_said", test_recording_that_is_full_is_said, HARNESS_ONCE, 0, 0},
        {"secret_ends_the_recording_and_is_nowhere", test_secret_ends_the_recording_and_is_nowhere,
         HARNESS_ONCE, 0, 0},
        {"record_is_refused_where_it_cannot_be", test_record_is_refused_where_it_cannot_be,
         HARNESS_ONCE, 0, 0},
        {"damaged_recordings_are_survived", test_damaged_recordings_are_survived, HARNESS_ONCE, 0,
         100},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
