/* SPDX-License-Identifier: Apache-2.0 */

/* Recordings that are not whole, sessions that go otherwise, and recordings that somebody made up. */
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

#include "cell/replay_words.h"
#include "crash/recorded_rig.h"

/* ---- What goes otherwise ----------------------------------------------------------------------- */

static void write_letter(const char *path, char letter)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputc(letter, file), letter);
    assert_int_equal(fclose(file), 0);
}

/* The library may read a file of @path, which is made from this template. */
static void open_with_letter(struct rig *rig, const struct harness *harness, char *path)
{
    static char grant[64];
    static const char *const grants[] = {grant, NULL};
    rig_init(rig, harness, rig_things_library(), rig_things_text);
    int file = mkstemp(path);
    /* A worker may be another user than this process. */
    assert_true(file >= 0 && fchmod(file, 0644) == 0 && close(file) == 0);
    (void)snprintf(grant, sizeof grant, "read:%s", path);
    rig->options.grants = grants;
    rig_open(rig);
}

/*
 * The library gives one thing twice, so one handle; replayed, it gives two. Calls with the second handle reach
 * what the fresh worker calls it now.
 */
static void test_handles_with_other_numbers_are_mapped(const struct harness *harness)
{
    struct rig rig;
    struct cordon_replay_result result;
    char path[] = "/tmp/cordon-letter-XXXXXX";
    open_with_letter(&rig, harness, path);
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

/* A session in which one call goes otherwise, so that @count handles have other numbers. Returns what replaying does. */
static int replay_other_numbers(struct rig *rig, const char *path, uint32_t count)
{
    struct cordon_replay_result result;
    write_letter(path, '0');
    struct cordon_handle first = RIG_CALL(rig, "thing_pick", cordon_string(path)).handle;
    (void)RIG_CALL(rig, "thing_pick", cordon_string("/none"));
    for (uint32_t i = 1; i < count; i++) {
        (void)rig_call(rig, "thing_new", NULL, 0);
    }
    RIG_END(rig, CORDON_CRASHED, "thing_break", cordon_object(first));
    struct rig_session session = rig_session(rig);
    write_letter(path, '1');
    int r = rig_replay(rig, &session, CORDON_LEVEL_PROCESS, &result);
    assert_true(r < 0 || (result.outcome == CORDON_CRASHED && result.differences == 0));
    rig_session_deinit(&session);
    return r;
}

static void test_handles_with_other_numbers_have_a_limit(const struct harness *harness)
{
    struct rig rig;
    char path[] = "/tmp/cordon-letter-XXXXXX";
    open_with_letter(&rig, harness, path);
    assert_int_equal(replay_other_numbers(&rig, path, REPLAY_HANDLES_MAX), 0);
    assert_int_equal(replay_other_numbers(&rig, path, REPLAY_HANDLES_MAX + 1), -E2BIG);
    assert_int_equal(unlink(path), 0);
    rig_close(&rig);
}

/* ---- What is not kept -------------------------------------------------------------------------- */

static void test_recording_that_is_full_is_said(const struct harness *harness)
{
    struct rig rig;
    json_t *report = NULL;
    rig_init(&rig, harness, rig_things_library(), rig_things_text);
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
    rig_init(&rig, harness, rig_things_library(), rig_things_text);
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
    rig_init(&rig, harness, "libsqlite3.so.0", rig_sqlite_text);
    rig_open(&rig);
    rig_break_sqlite(&rig);
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
        {"handles_with_other_numbers_are_mapped", test_handles_with_other_numbers_are_mapped,
         HARNESS_ONCE, 0, 60},
        {"handles_with_other_numbers_have_a_limit", test_handles_with_other_numbers_have_a_limit,
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
