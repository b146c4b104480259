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

static void test_sqlite_session_crashes_again_when_replayed(const struct harness *harness)
{
    struct rig rig;
    struct stat info;
    char path[128];
    rig_init(&rig, harness, "libsqlite3.so.0", rig_sqlite_text);
    rig_open(&rig);
    rig_break_sqlite(&rig);
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
    rig_init(&rig, harness, "libsqlite3.so.0", rig_sqlite_text);
    rig.options.record = false;
    rig_open(&rig);
    rig_break_sqlite(&rig);
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

struct link_ {
    struct link_ *next;
    int value;
};

/* What a call follows in the arena lies there again: the list, and its end in the wild. */
static void test_list_in_the_arena_is_followed_again(const struct harness *harness)
{
    struct rig rig;
    rig_init(&rig, harness, rig_things_library(), rig_things_text);
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
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
