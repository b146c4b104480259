/* SPDX-License-Identifier: Apache-2.0 */

/* What is written of a library that crashed, hung or left: complete, private, bounded. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "containment/reports_rig.h"

static const json_t *find_frame(const json_t *thread, const char *function)
{
    size_t index;
    json_t *frame;
    json_array_foreach(json_object_get(thread, "stack"), index, frame)
    {
        if (strcmp(reports_text(frame, "function"), function) == 0) {
            return frame;
        }
    }
    return NULL;
}

static bool has_stacks(const struct harness *harness)
{
    return harness->level != CORDON_LEVEL_PROCESS ||
           !(harness->without & (CORDON_SECCOMP | CORDON_SECCOMP_NOTIFY | CORDON_PTRACE));
}

/* ---- Cases ------------------------------------------------------------------------------------- */

static void test_crash_has_function_arguments_and_lines(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value value = cordon_int(4711);
    json_t *report = reports_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED);
    const json_t *call = json_object_get(report, "call");
    assert_string_equal(reports_text(report, "what"), "crash");
    assert_string_equal(reports_text(call, "function"), "reported_crash");
    const json_t *argument = json_array_get(json_object_get(call, "arguments"), 0);
    assert_string_equal(reports_text(argument, "name"), "value");
    assert_int_equal(json_integer_value(json_object_get(argument, "value")), 4711);
    const json_t *signal = json_object_get(report, "signal");
    assert_string_equal(reports_text(signal, "name"), "SIGSEGV");
    assert_string_equal(reports_text(signal, "address"), "0x18");
    assert_string_equal(reports_text(signal, "there"), "near NULL");
    if (has_stacks(harness)) {
        const json_t *leaf = find_frame(reports_blamed(report), "write_to");
        const json_t *caller = find_frame(reports_blamed(report), "reported_crash");
        assert_non_null(leaf);
        assert_non_null(strstr(reports_text(leaf, "file"), "reported.c"));
        assert_true(json_integer_value(json_object_get(leaf, "line")) > 0);
        assert_non_null(caller);
        assert_non_null(strstr(reports_text(caller, "file"), "reported.c"));
    }
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

static void test_stripped_library_has_module_and_offset(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED_STRIPPED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value value = cordon_int(1);
    json_t *report = reports_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED);
    if (has_stacks(harness)) {
        const json_t *leaf = json_array_get(json_object_get(reports_blamed(report), "stack"), 0);
        assert_string_equal(reports_text(leaf, "module"), options.library);
        assert_string_equal(reports_text(leaf, "file"), "");
        assert_int_equal(strncmp(reports_text(leaf, "offset"), "0x", 2), 0);
    }
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

static void test_hang_shows_all_threads(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.policy = CORDON_POLICY_TRUSTED;
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value threads = cordon_int(2);
    json_t *report = reports_of_call(cell, "reported_hang", &threads, 1, CORDON_TIMEOUT);
    assert_string_equal(reports_text(report, "what"), "hang");
    if (cordon_cell_isolation(cell) & CORDON_HANG_STACKS) {
        size_t index;
        json_t *thread;
        bool hangs = false;
        uint32_t waits = 0;
        assert_int_equal(json_array_size(json_object_get(report, "threads")), 3);
        json_array_foreach(json_object_get(report, "threads"), index, thread)
        {
            hangs = hangs || find_frame(thread, "reported_hang");
            waits += find_frame(thread, "wait_for_ever") ? 1 : 0;
        }
        assert_true(hangs);
        assert_int_equal(waits, 2);
    }
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

static void test_exit_shows_who_called_it(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value status = cordon_int(7);
    json_t *report = reports_of_call(cell, "reported_exit", &status, 1, CORDON_CRASHED);
    if (has_stacks(harness)) {
        assert_string_equal(reports_text(report, "what"), "exit");
        assert_int_equal(json_integer_value(json_object_get(report, "exit_status")), 7);
        assert_non_null(find_frame(reports_blamed(report), "leave"));
        assert_non_null(find_frame(reports_blamed(report), "reported_exit"));
    }
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

static void test_secrets_are_nowhere_in_the_file(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.report_bytes = true;
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value args[] = {cordon_string("anna"), cordon_string("opensesame")};
    json_t *report = reports_of_call(cell, "reported_secret", args, 2, CORDON_CRASHED);
    const json_t *call = json_object_get(report, "call");
    const json_t *password = json_array_get(json_object_get(call, "arguments"), 1);
    assert_string_equal(reports_text(password, "value"), "secret");
    assert_false(json_is_true(json_object_get(json_object_get(call, "replay"), "possible")));
    assert_null(json_object_get(json_object_get(call, "replay"), "frame"));
    char *text = json_dumps(report, 0);
    assert_null(strstr(text, "opensesame"));
    assert_null(strstr(text, "6f70656e736573616d65"));
    assert_null(strstr(text, "b3BlbnNlc2FtZ"));
    free(text);
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

static void test_bytes_are_left_out_unless_asked_for(const struct harness *harness)
{
    static const uint8_t bytes[] = {0xde, 0xad, 0xbe, 0xef};
    const struct cordon_value data = cordon_in(bytes, sizeof bytes);
    for (int shown = 0; shown < 2; shown++) {
        struct cordon_cell_options options;
        reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
        options.report_bytes = shown;
        struct cordon_cell *cell = harness_open_with(&options);
        json_t *report = reports_of_call(cell, "reported_bytes", &data, 1, CORDON_CRASHED);
        const json_t *call = json_object_get(report, "call");
        const json_t *value =
            json_object_get(json_array_get(json_object_get(call, "arguments"), 0), "value");
        assert_int_equal(json_integer_value(json_object_get(value, "bytes")), 4);
        assert_string_equal(reports_text(value, "sha256"),
                            "5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953");
        assert_string_equal(reports_text(value, "first"), shown ? "deadbeef" : "");
        json_decref(report);
        cordon_cell_close(cell);
        reports_remove();
    }
}

static const json_t *value_of(const json_t *call)
{
    return json_object_get(json_array_get(json_object_get(call, "arguments"), 0), "value");
}

/* On a worker that knows the function: bytes alone, in H; few of them inside the mail, and in its history as well. */
static void test_bytes_that_travelled_without_a_frame_are_shown(const struct harness *harness)
{
    static const uint8_t bytes[] = {0xde, 0xad, 0xbe, 0xef, [16] = 1};
    for (uint32_t count = 4; count <= sizeof bytes; count += 13) {
        struct cordon_cell_options options;
        reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
        options.report_bytes = true;
        struct cordon_cell *cell = harness_open_with(&options);
        struct cordon_session *session = harness_session(cell);
        struct cordon_function *function = harness_bind(cell, "reported_bytes");
        const struct cordon_value data = cordon_in(bytes, count);
        struct cordon_result result;
        struct cordon_error error;
        uint32_t retry_ms;
        assert_int_equal(cordon_session_prepare(session, &function, 1, &retry_ms, &error), 0);
        assert_int_equal(cordon_session_call(session, function, &data, 1, CORDON_DEFAULT, &result),
                         CORDON_CRASHED);
        json_t *report = reports_of(result.report);
        const json_t *call = json_object_get(report, "call");
        const json_t *replay = json_object_get(call, "replay");
        const json_t *history = json_object_get(report, "history");
        const json_t *last = json_array_get(history, json_array_size(history) - 1);
        uint64_t place = strtoull(
            json_string_value(json_array_get(json_object_get(replay, "words"), 0)), NULL, 16);
        assert_int_equal(json_integer_value(json_object_get(value_of(call), "bytes")), count);
        assert_memory_equal(reports_text(value_of(call), "first"), "deadbeef", 8);
        assert_true(json_is_true(json_object_get(replay, "possible")));
        assert_true(((uint32_t)place == 0) == (count <= 16));
        assert_true((value_of(last) != NULL) == (count <= 16));
        json_decref(report);
        cordon_session_close(session);
        cordon_cell_close(cell);
        reports_remove();
    }
}

static void test_call_with_a_handle_says_why_it_is_not_replayed(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_session *session = harness_session(cell);
    struct cordon_handle handle;
    struct cordon_result result;
    const struct cordon_value out = cordon_out(&handle, 1);
    (void)harness_call(session, harness_bind(cell, "reported_open"), &out, 1);
    const struct cordon_value object = cordon_object(handle);
    int r = cordon_session_call(session, harness_bind(cell, "reported_use"), &object, 1,
                                CORDON_DEFAULT, &result);
    assert_int_equal(r, CORDON_CRASHED);
    json_t *report = reports_of(result.report);
    const json_t *replay = json_object_get(json_object_get(report, "call"), "replay");
    assert_false(json_is_true(json_object_get(replay, "possible")));
    assert_non_null(strstr(reports_text(replay, "why"), "handle"));
    json_decref(report);
    cordon_session_close(session);
    cordon_cell_close(cell);
    reports_remove();
}

static void test_last_calls_are_listed(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.workers = 1;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *add = harness_bind(cell, "reported_add");
    for (int i = 0; i < 100; i++) {
        const struct cordon_value args[] = {cordon_int(i), cordon_int(1)};
        (void)harness_call(NULL, add, args, 2);
    }
    const struct cordon_value value = cordon_int(1);
    json_t *report = reports_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED);
    const json_t *history = json_object_get(report, "history");
    assert_int_equal(json_array_size(history), 64);
    const json_t *last = json_array_get(history, 63);
    assert_string_equal(reports_text(last, "function"), "reported_crash");
    uint32_t additions = 0;
    size_t index;
    json_t *entry;
    json_array_foreach(history, index, entry)
    {
        additions += strcmp(reports_text(entry, "function"), "reported_add") == 0 ? 1 : 0;
    }
    assert_true(additions >= 60);
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

/* What no keeper can be asked about is captured by the host itself: the same members, by the same program. */
static void test_fault_in_the_host_has_registers_modules_and_memory(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value value = cordon_int(1);
    json_t *report = reports_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED);
    assert_string_equal(reports_text(json_object_get(report, "cell"), "level"),
                        harness->level_name);
    assert_string_equal(reports_text(json_object_get(report, "cell"), "policy"), "");
    assert_true(json_is_true(json_object_get(report, "ended")));
    assert_non_null(strstr(reports_text(report, "text"), "0x18"));
    assert_string_equal(reports_text(json_object_get(report, "signal"), "code_name"),
                        "SEGV_MAPERR");
    assert_string_equal(reports_text(report, "summary"),
                        "SIGSEGV in write_to, called by reported_crash: 0x18 is near NULL");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(report, "worker"), "pid")),
                     getpid());
    assert_true(json_object_size(json_object_get(reports_blamed(report), "registers")) > 16);
    size_t index;
    json_t *module;
    bool identified = false;
    json_array_foreach(json_object_get(report, "modules"), index, module)
    {
        identified = identified || (strcmp(reports_text(module, "path"), options.library) == 0 &&
                                    reports_text(module, "build_id")[0]);
    }
    assert_true(identified);
    assert_true(json_is_true(
        json_object_get(json_object_get(json_object_get(report, "call"), "replay"), "possible")));
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

/* An overflow leaves the stack pointer where nothing can be read: just below the stack, or a large frame below. */
static void test_overflow_has_its_stack(const struct harness *harness)
{
    static const char *const functions[] = {"reported_overflow", "reported_overflow_far"};
    for (size_t i = 0; i < HARNESS_COUNT(functions); i++) {
        struct cordon_cell_options options;
        reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
        struct cordon_cell *cell = harness_open_with(&options);
        const struct cordon_value depth = cordon_int(0);
        json_t *report = reports_of_call(cell, functions[i], &depth, 1, CORDON_CRASHED);
        if (has_stacks(harness)) {
            /* Where it stands, registers tell; who called it, only its stack. */
            const json_t *stack = json_object_get(reports_blamed(report), "stack");
            assert_string_equal(reports_text(json_array_get(stack, 0), "function"), functions[i]);
            assert_string_equal(reports_text(json_array_get(stack, 1), "function"), functions[i]);
            assert_string_equal(reports_text(json_array_get(stack, 2), "function"), functions[i]);
        }
        assert_non_null(strstr(reports_text(json_object_get(report, "signal"), "there"), "stack"));
        json_decref(report);
        cordon_cell_close(cell);
        reports_remove();
    }
}

/* The thread that runs on is asked where it stands; the answer is taken on its own stack. */
static void test_late_call_of_a_thread_shows_where_it_stands(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value threads = cordon_int(0);
    json_t *report = NULL;
    /* On a busy machine the thread may not run in the time that it has to answer: a note says so, and the next one may. */
    for (int i = 0; i < 5 && (!report || json_array_size(json_object_get(report, "threads")) == 0);
         i++) {
        assert_true(!report || json_array_size(json_object_get(report, "notes")) > 0);
        json_decref(report);
        report = reports_of_call(cell, "reported_hang", &threads, 1, CORDON_TIMEOUT);
    }
    assert_string_equal(reports_text(report, "what"), "hang");
    assert_false(json_is_true(json_object_get(report, "ended")));
    assert_string_equal(reports_text(reports_blamed(report), "name"), "cordon-worker");
    assert_non_null(find_frame(reports_blamed(report), "reported_hang"));
    const json_t *call = json_object_get(report, "call");
    const json_t *argument = json_array_get(json_object_get(call, "arguments"), 0);
    assert_string_equal(reports_text(argument, "name"), "threads");
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

static void test_late_call_that_blocks_signals_says_why_it_has_no_stack(
    const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    json_t *report = reports_of_call(cell, "reported_hang_blocked", NULL, 0, CORDON_TIMEOUT);
    assert_int_equal(json_array_size(json_object_get(report, "threads")), 0);
    size_t index;
    json_t *note;
    bool said = false;
    json_array_foreach(json_object_get(report, "notes"), index, note)
    {
        said = said || strstr(json_string_value(note), "it blocks the signals");
    }
    assert_true(said);
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

static const struct harness_case cases[] = {
    {"crash_has_function_arguments_and_lines", test_crash_has_function_arguments_and_lines,
     HARNESS_ALL_LEVELS, HARNESS_ABANDONS, 0},
    {"stripped_library_has_module_and_offset", test_stripped_library_has_module_and_offset,
     HARNESS_ALL_LEVELS, HARNESS_ABANDONS, 0},
    {"hang_shows_all_threads", test_hang_shows_all_threads, HARNESS_ONCE, 0, 0},
    {"exit_shows_who_called_it", test_exit_shows_who_called_it, HARNESS_ALL_LEVELS,
     HARNESS_ABANDONS, 0},
    {"secrets_are_nowhere_in_the_file", test_secrets_are_nowhere_in_the_file, HARNESS_ALL_LEVELS,
     HARNESS_ABANDONS, 0},
    {"bytes_are_left_out_unless_asked_for", test_bytes_are_left_out_unless_asked_for,
     HARNESS_ALL_LEVELS, HARNESS_ABANDONS, 0},
    {"bytes_that_travelled_without_a_frame_are_shown",
     test_bytes_that_travelled_without_a_frame_are_shown, HARNESS_PROCESS | HARNESS_THREAD,
     HARNESS_ABANDONS, 0},
    {"call_with_a_handle_says_why_it_is_not_replayed",
     test_call_with_a_handle_says_why_it_is_not_replayed, HARNESS_ALL_LEVELS, HARNESS_ABANDONS, 0},
    {"last_calls_are_listed", test_last_calls_are_listed, HARNESS_ALL_LEVELS, HARNESS_ABANDONS, 0},
    {"fault_in_the_host_has_registers_modules_and_memory",
     test_fault_in_the_host_has_registers_modules_and_memory, HARNESS_THREAD | HARNESS_INLINE,
     HARNESS_ABANDONS, 0},
    {"overflow_has_its_stack", test_overflow_has_its_stack, HARNESS_ALL_LEVELS, HARNESS_ABANDONS,
     0},
    {"late_call_of_a_thread_shows_where_it_stands",
     test_late_call_of_a_thread_shows_where_it_stands, HARNESS_THREAD, HARNESS_ABANDONS, 0},
    {"late_call_that_blocks_signals_says_why_it_has_no_stack",
     test_late_call_that_blocks_signals_says_why_it_has_no_stack, HARNESS_THREAD, HARNESS_ABANDONS,
     0},
};

int main(int argc, char **argv)
{
    return harness_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
