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

#include "cordon/report.h"
#include "harness/harness.h"

#define PATIENCE_MS 15000u

static char directory[64];

static const char interface_text[] =
    "typedef struct thing_ thing;\n"
    "int reported_crash(int value);\n"
    "int reported_exit(int status);\n"
    "int reported_hang(int threads);\n"
    "int reported_secret(const char *name, secret const char *password);\n"
    "int reported_bytes(const uint8_t data[length], uint32_t length);\n"
    "int reported_add(int a, int b);\n"
    "int reported_open(out thing **object);\n"
    "int reported_use(thing *object);\n";

static void set_options(const struct harness *harness, const char *variable,
                        struct cordon_cell_options *options)
{
    (void)snprintf(directory, sizeof directory, "/tmp/cordon-reports-XXXXXX");
    assert_non_null(mkdtemp(directory));
    *options = harness_options(harness);
    options->library = getenv(variable);
    options->interface_text = interface_text;
    options->reports = directory;
    options->recycle_bytes = UINT64_MAX;
    options->breaker_percent = options->function_breaker_percent = CORDON_NONE;
    assert_non_null(options->library);
}

static void remove_directory(void)
{
    DIR *folder = opendir(directory);
    const struct dirent *file;
    assert_non_null(folder);
    while ((file = readdir(folder)) != NULL) {
        if (strcmp(file->d_name, ".") != 0 && strcmp(file->d_name, "..") != 0) {
            assert_int_equal(unlinkat(dirfd(folder), file->d_name, 0), 0);
        }
    }
    (void)closedir(folder);
    assert_int_equal(rmdir(directory), 0);
}

static json_t *report_of(uint64_t id)
{
    char *text = NULL;
    struct cordon_error error = {""};
    assert_int_not_equal(id, 0);
    assert_int_equal(cordon_report_wait(directory, id, 0, cordon_after_ms(PATIENCE_MS)), 0);
    assert_int_equal(cordon_report_read(directory, id, 0, &text, &error), 0);
    json_t *report = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(report);
    return report;
}

/* The report of one call that must end as @outcome. */
static json_t *report_of_call(struct cordon_cell *cell, const char *name,
                              const struct cordon_value *args, size_t count, int outcome)
{
    struct cordon_result result;
    struct cordon_session *session = cordon_session_current(cell);
    int r = cordon_call(harness_bind(cell, name), args, count, cordon_after_ms(1500), &result);
    assert_int_equal(r, outcome);
    assert_int_equal(result.report, cordon_session_report(session));
    return report_of(result.report);
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const json_t *find_frame(const json_t *thread, const char *function)
{
    size_t index;
    json_t *frame;
    json_array_foreach(json_object_get(thread, "stack"), index, frame)
    {
        if (strcmp(text_at(frame, "function"), function) == 0) {
            return frame;
        }
    }
    return NULL;
}

static const json_t *blamed(const json_t *report)
{
    return json_array_get(json_object_get(report, "threads"), 0);
}

static bool has_stacks(const struct harness *harness)
{
    return !(harness->without & (CORDON_SECCOMP | CORDON_SECCOMP_NOTIFY | CORDON_PTRACE));
}

/* ---- Cases ------------------------------------------------------------------------------------- */

static void test_crash_has_function_arguments_and_lines(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value value = cordon_int(4711);
    json_t *report = report_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED);
    const json_t *call = json_object_get(report, "call");
    assert_string_equal(text_at(report, "what"), "crash");
    assert_string_equal(text_at(call, "function"), "reported_crash");
    const json_t *argument = json_array_get(json_object_get(call, "arguments"), 0);
    assert_string_equal(text_at(argument, "name"), "value");
    assert_int_equal(json_integer_value(json_object_get(argument, "value")), 4711);
    const json_t *signal = json_object_get(report, "signal");
    assert_string_equal(text_at(signal, "name"), "SIGSEGV");
    assert_string_equal(text_at(signal, "address"), "0x18");
    assert_string_equal(text_at(signal, "there"), "near NULL");
    if (has_stacks(harness)) {
        const json_t *leaf = find_frame(blamed(report), "write_to");
        const json_t *caller = find_frame(blamed(report), "reported_crash");
        assert_non_null(leaf);
        assert_non_null(strstr(text_at(leaf, "file"), "reported.c"));
        assert_true(json_integer_value(json_object_get(leaf, "line")) > 0);
        assert_non_null(caller);
        assert_non_null(strstr(text_at(caller, "file"), "reported.c"));
    }
    json_decref(report);
    cordon_cell_close(cell);
    remove_directory();
}

static void test_stripped_library_has_module_and_offset(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED_STRIPPED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value value = cordon_int(1);
    json_t *report = report_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED);
    if (has_stacks(harness)) {
        const json_t *leaf = json_array_get(json_object_get(blamed(report), "stack"), 0);
        assert_string_equal(text_at(leaf, "module"), options.library);
        assert_string_equal(text_at(leaf, "file"), "");
        assert_int_equal(strncmp(text_at(leaf, "offset"), "0x", 2), 0);
    }
    json_decref(report);
    cordon_cell_close(cell);
    remove_directory();
}

static void test_hang_shows_all_threads(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.policy = CORDON_POLICY_TRUSTED;
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value threads = cordon_int(2);
    json_t *report = report_of_call(cell, "reported_hang", &threads, 1, CORDON_TIMEOUT);
    assert_string_equal(text_at(report, "what"), "hang");
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
    remove_directory();
}

static void test_exit_shows_who_called_it(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value status = cordon_int(7);
    json_t *report = report_of_call(cell, "reported_exit", &status, 1, CORDON_CRASHED);
    if (has_stacks(harness)) {
        assert_string_equal(text_at(report, "what"), "exit");
        assert_int_equal(json_integer_value(json_object_get(report, "exit_status")), 7);
        assert_non_null(find_frame(blamed(report), "leave"));
        assert_non_null(find_frame(blamed(report), "reported_exit"));
    }
    json_decref(report);
    cordon_cell_close(cell);
    remove_directory();
}

static void test_secrets_are_nowhere_in_the_file(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.report_bytes = true;
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value args[] = {cordon_string("anna"), cordon_string("opensesame")};
    json_t *report = report_of_call(cell, "reported_secret", args, 2, CORDON_CRASHED);
    const json_t *call = json_object_get(report, "call");
    const json_t *password = json_array_get(json_object_get(call, "arguments"), 1);
    assert_string_equal(text_at(password, "value"), "secret");
    assert_false(json_is_true(json_object_get(json_object_get(call, "replay"), "possible")));
    assert_null(json_object_get(json_object_get(call, "replay"), "frame"));
    char *text = json_dumps(report, 0);
    assert_null(strstr(text, "opensesame"));
    assert_null(strstr(text, "6f70656e736573616d65"));
    assert_null(strstr(text, "b3BlbnNlc2FtZ"));
    free(text);
    json_decref(report);
    cordon_cell_close(cell);
    remove_directory();
}

static void test_bytes_are_left_out_unless_asked_for(const struct harness *harness)
{
    static const uint8_t bytes[] = {0xde, 0xad, 0xbe, 0xef};
    const struct cordon_value data = cordon_in(bytes, sizeof bytes);
    for (int shown = 0; shown < 2; shown++) {
        struct cordon_cell_options options;
        set_options(harness, "CORDON_TEST_REPORTED", &options);
        options.report_bytes = shown;
        struct cordon_cell *cell = harness_open_with(&options);
        json_t *report = report_of_call(cell, "reported_bytes", &data, 1, CORDON_CRASHED);
        const json_t *call = json_object_get(report, "call");
        const json_t *value =
            json_object_get(json_array_get(json_object_get(call, "arguments"), 0), "value");
        assert_int_equal(json_integer_value(json_object_get(value, "bytes")), 4);
        assert_string_equal(text_at(value, "sha256"),
                            "5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953");
        assert_string_equal(text_at(value, "first"), shown ? "deadbeef" : "");
        json_decref(report);
        cordon_cell_close(cell);
        remove_directory();
    }
}

static void test_call_with_a_handle_says_why_it_is_not_replayed(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
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
    json_t *report = report_of(result.report);
    const json_t *replay = json_object_get(json_object_get(report, "call"), "replay");
    assert_false(json_is_true(json_object_get(replay, "possible")));
    assert_non_null(strstr(text_at(replay, "why"), "handle"));
    json_decref(report);
    cordon_session_close(session);
    cordon_cell_close(cell);
    remove_directory();
}

static void test_last_calls_are_listed(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.workers = 1;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *add = harness_bind(cell, "reported_add");
    for (int i = 0; i < 100; i++) {
        const struct cordon_value args[] = {cordon_int(i), cordon_int(1)};
        (void)harness_call(NULL, add, args, 2);
    }
    const struct cordon_value value = cordon_int(1);
    json_t *report = report_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED);
    const json_t *history = json_object_get(report, "history");
    assert_int_equal(json_array_size(history), 64);
    const json_t *last = json_array_get(history, 63);
    assert_string_equal(text_at(last, "function"), "reported_crash");
    uint32_t additions = 0;
    size_t index;
    json_t *entry;
    json_array_foreach(history, index, entry)
    {
        additions += strcmp(text_at(entry, "function"), "reported_add") == 0 ? 1 : 0;
    }
    assert_true(additions >= 60);
    json_decref(report);
    cordon_cell_close(cell);
    remove_directory();
}

static void test_directory_is_bounded_and_private(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.reports_max = 2;
    options.workers = 1;
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value value = cordon_int(1);
    uint64_t ids[4];
    for (int i = 0; i < 4; i++) {
        json_t *report = report_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED);
        ids[i] = strtoull(text_at(report, "id"), NULL, 16);
        json_decref(report);
    }
    cordon_cell_close(cell);
    struct cordon_report_entry entries[8];
    /* The last report has its name before the oldest goes. */
    int count = 0;
    for (uint64_t until = cordon_after_ms(PATIENCE_MS);;) {
        count = cordon_report_list(directory, entries, 8);
        if (count == 2 || cordon_after_ms(0) > until) {
            break;
        }
    }
    assert_int_equal(count, 2);
    assert_int_equal(entries[1].id, ids[3]);
    assert_int_equal(entries[0].id, ids[2]);
    char path[256];
    struct stat info;
    assert_int_equal(cordon_report_path(directory, ids[3], 0, path, sizeof path), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    remove_directory();
}

static void test_no_reports_where_none_are_wanted(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_result result;
    options.reports = "";
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value value = cordon_int(1);
    int r = cordon_call(harness_bind(cell, "reported_crash"), &value, 1, CORDON_DEFAULT, &result);
    assert_int_equal(r, CORDON_CRASHED);
    assert_int_equal(result.report, 0);
    assert_int_equal(cordon_session_report(cordon_session_current(cell)), 0);
    cordon_cell_close(cell);
    struct cordon_report_entry entry;
    assert_int_equal(cordon_report_list(directory, &entry, 1), 0);
    remove_directory();
    options.reports = "/proc/none";
    struct cordon_error error;
    assert_true(cordon_cell_open(&options, &cell, &error) < 0);
    assert_non_null(strstr(error.text, "/proc/none"));
}

static void test_fault_in_the_host_leaves_a_small_report(const struct harness *harness)
{
    struct cordon_cell_options options;
    struct cordon_result result;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value value = cordon_int(1);
    struct cordon_function *crash = harness_bind(cell, "reported_crash");
    assert_int_equal(cordon_call(crash, &value, 1, CORDON_DEFAULT, &result), CORDON_CRASHED);
    json_t *report = report_of(result.report);
    assert_string_equal(text_at(report, "what"), "crash");
    assert_string_equal(text_at(json_object_get(report, "cell"), "level"), harness->level_name);
    assert_string_equal(text_at(json_object_get(report, "call"), "function"), "reported_crash");
    assert_string_equal(text_at(json_object_get(report, "signal"), "name"), "SIGSEGV");
    assert_non_null(strstr(text_at(report, "text"), "0x18"));
    json_decref(report);
    cordon_cell_close(cell);
    remove_directory();
}

/* Of what ended no call only the directory knows the name: the one report that comes. */
static json_t *only_report(uint32_t part)
{
    struct cordon_report_entry entries[4];
    char *text = NULL;
    struct cordon_error error = {""};
    int count = 0;
    for (uint32_t ms = 0; count == 0 && ms < PATIENCE_MS; ms += 10) {
        (void)usleep(10000);
        count = cordon_report_list(directory, entries, 4);
    }
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].part, part);
    assert_int_equal(cordon_report_read(directory, entries[0].id, part, &text, &error), 0);
    json_t *report = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(report);
    return report;
}

/* The worker goes on; what it does after the first refusal is counted, and has no report. */
static void test_first_refusal_has_a_report_with_its_stack(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    if (!(cordon_cell_isolation(cell) & CORDON_LISTS_VIOLATIONS)) {
        cordon_cell_close(cell);
        remove_directory();
        harness_skip("refused system calls are not listed here");
    }
    struct cordon_function *function =
        harness_bind(cell, "int socket(int domain, int type, int protocol)");
    const struct cordon_value args[] = {cordon_int(2), cordon_int(1), cordon_int(0)};
    for (int i = 0; i < 300; i++) {
        assert_int_equal(harness_value(NULL, function, args, 3).i, -1);
    }
    json_t *report = only_report(1);
    assert_string_equal(text_at(report, "what"), "violation");
    assert_true(json_is_false(json_object_get(report, "ended")));
    assert_string_equal(text_at(json_object_get(report, "violation"), "act"), "socket");
    assert_string_equal(text_at(json_object_get(report, "call"), "function"), "socket");
    /* The second frame is found by the stack, which was read while the thread stood. */
    assert_true(json_array_size(json_object_get(blamed(report), "stack")) >= 2);
    assert_non_null(strstr(text_at(report, "summary"), "socket"));
    json_decref(report);
    cordon_cell_close(cell);
    remove_directory();
}

static void test_recycled_worker_has_a_small_report(const struct harness *harness)
{
    struct cordon_cell_options options;
    set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.recycle_calls = 10;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *add = harness_bind(cell, "reported_add");
    const struct cordon_value args[] = {cordon_int(2), cordon_int(3)};
    assert_int_equal(harness_value(NULL, add, args, 2).i, 5);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(harness_value(NULL, add, args, 2).i, 5);
    }
    json_t *report = only_report(0);
    assert_string_equal(text_at(report, "what"), "recycled");
    assert_non_null(strstr(text_at(report, "text"), "recycle_calls"));
    assert_int_equal(json_array_size(json_object_get(report, "threads")), 0);
    assert_true(json_is_object(json_object_get(json_object_get(report, "worker"), "resources")));
    json_decref(report);
    cordon_cell_close(cell);
    remove_directory();
}

static const struct harness_case cases[] = {
    {"first_refusal_has_a_report_with_its_stack", test_first_refusal_has_a_report_with_its_stack,
     HARNESS_ONCE, 0, 0},
    {"recycled_worker_has_a_small_report", test_recycled_worker_has_a_small_report, HARNESS_ONCE, 0,
     0},
    {"crash_has_function_arguments_and_lines", test_crash_has_function_arguments_and_lines,
     HARNESS_ONCE, 0, 0},
    {"stripped_library_has_module_and_offset", test_stripped_library_has_module_and_offset,
     HARNESS_ONCE, 0, 0},
    {"hang_shows_all_threads", test_hang_shows_all_threads, HARNESS_ONCE, 0, 0},
    {"exit_shows_who_called_it", test_exit_shows_who_called_it, HARNESS_ONCE, 0, 0},
    {"secrets_are_nowhere_in_the_file", test_secrets_are_nowhere_in_the_file, HARNESS_ONCE, 0, 0},
    {"bytes_are_left_out_unless_asked_for", test_bytes_are_left_out_unless_asked_for, HARNESS_ONCE,
     0, 0},
    {"call_with_a_handle_says_why_it_is_not_replayed",
     test_call_with_a_handle_says_why_it_is_not_replayed, HARNESS_ONCE, 0, 0},
    {"last_calls_are_listed", test_last_calls_are_listed, HARNESS_ONCE, 0, 0},
    {"directory_is_bounded_and_private", test_directory_is_bounded_and_private, HARNESS_ONCE, 0, 0},
    {"fault_in_the_host_leaves_a_small_report", test_fault_in_the_host_leaves_a_small_report,
     HARNESS_THREAD | HARNESS_INLINE, HARNESS_ABANDONS, 0},
    {"no_reports_where_none_are_wanted", test_no_reports_where_none_are_wanted, HARNESS_ONCE, 0, 0},
};

int main(int argc, char **argv)
{
    return harness_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
