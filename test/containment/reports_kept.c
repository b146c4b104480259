/* SPDX-License-Identifier: Apache-2.0 */

/* Where reports go and how many there are, whose they are, and those that no call tells of. */
#include <errno.h>
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

static void test_directory_is_bounded_and_private(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.reports_max = 2;
    options.workers = 1;
    struct cordon_cell *cell = harness_open_with(&options);
    const struct cordon_value value = cordon_int(1);
    uint64_t ids[4];
    for (int i = 0; i < 4; i++) {
        json_t *report = reports_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED);
        ids[i] = strtoull(reports_text(report, "id"), NULL, 16);
        json_decref(report);
    }
    cordon_cell_close(cell);
    struct cordon_report_entry entries[8];
    /* The last report has its name before the oldest goes. */
    int count = 0;
    for (uint64_t until = cordon_after_ms(REPORTS_PATIENCE_MS);;) {
        count = cordon_report_list(reports_directory, entries, 8);
        if (count == 2 || cordon_after_ms(0) > until) {
            break;
        }
    }
    assert_int_equal(count, 2);
    assert_int_equal(entries[1].id, ids[3]);
    assert_int_equal(entries[0].id, ids[2]);
    char path[256];
    struct stat info;
    assert_int_equal(cordon_report_path(reports_directory, ids[3], 0, path, sizeof path), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    reports_remove();
}

static void test_no_reports_where_none_are_wanted(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
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
    assert_int_equal(cordon_report_list(reports_directory, &entry, 1), 0);
    reports_remove();
    options.reports = "/proc/none";
    struct cordon_error error;
    assert_true(cordon_cell_open(&options, &cell, &error) < 0);
    assert_non_null(strstr(error.text, "/proc/none"));
}

/* Of what ended no call only the directory knows the name: the one report that comes. */
static json_t *only_report(uint32_t part)
{
    struct cordon_report_entry entries[4];
    char *text = NULL;
    struct cordon_error error = {""};
    int count = 0;
    for (uint32_t ms = 0; count == 0 && ms < REPORTS_PATIENCE_MS; ms += 10) {
        (void)usleep(10000);
        count = cordon_report_list(reports_directory, entries, 4);
    }
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].part, part);
    assert_int_equal(cordon_report_read(reports_directory, entries[0].id, part, &text, &error), 0);
    json_t *report = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(report);
    return report;
}

/* The worker goes on; what it does after the first refusal is counted, and has no report. */
static void test_first_refusal_has_a_report_with_its_stack(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    if (!(cordon_cell_isolation(cell) & CORDON_LISTS_VIOLATIONS)) {
        cordon_cell_close(cell);
        reports_remove();
        harness_skip("refused system calls are not listed here");
    }
    struct cordon_function *function =
        harness_bind(cell, "int socket(int domain, int type, int protocol)");
    const struct cordon_value args[] = {cordon_int(2), cordon_int(1), cordon_int(0)};
    for (int i = 0; i < 300; i++) {
        assert_int_equal(harness_value(NULL, function, args, 3).i, -1);
    }
    json_t *report = only_report(1);
    assert_string_equal(reports_text(report, "what"), "violation");
    assert_true(json_is_false(json_object_get(report, "ended")));
    assert_string_equal(reports_text(json_object_get(report, "violation"), "act"), "socket");
    assert_string_equal(reports_text(json_object_get(report, "call"), "function"), "socket");
    /* The second frame is found by the stack, which was read while the thread stood. */
    assert_true(json_array_size(json_object_get(reports_blamed(report), "stack")) >= 2);
    assert_non_null(strstr(reports_text(report, "summary"), "socket"));
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

static void test_recycled_worker_has_a_small_report(const struct harness *harness)
{
    struct cordon_cell_options options;
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    options.recycle_calls = 10;
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_function *add = harness_bind(cell, "reported_add");
    const struct cordon_value args[] = {cordon_int(2), cordon_int(3)};
    assert_int_equal(harness_value(NULL, add, args, 2).i, 5);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(harness_value(NULL, add, args, 2).i, 5);
    }
    json_t *report = only_report(0);
    assert_string_equal(reports_text(report, "what"), "recycled");
    assert_non_null(strstr(reports_text(report, "text"), "recycle_calls"));
    assert_int_equal(json_array_size(json_object_get(report, "threads")), 0);
    assert_true(json_is_object(json_object_get(json_object_get(report, "worker"), "resources")));
    json_decref(report);
    cordon_cell_close(cell);
    reports_remove();
}

/* Two cells, one directory: each knows its own, and what they are about is said without reading all of it. */
static void test_cell_lists_and_loads_its_own_reports(const struct harness *harness)
{
    struct cordon_cell_options options;
    struct cordon_report_entry entries[4];
    struct cordon_report report;
    struct cordon_error error = {""};
    const struct cordon_value value = cordon_int(7);
    reports_set_options(harness, "CORDON_TEST_REPORTED", &options);
    struct cordon_cell *cell = harness_open_with(&options);
    struct cordon_cell *other = harness_open_with(&options);
    assert_int_equal(cordon_cell_reports(cell, entries, 4), 0);
    json_decref(reports_of_call(other, "reported_crash", &value, 1, CORDON_CRASHED));
    json_decref(reports_of_call(cell, "reported_crash", &value, 1, CORDON_CRASHED));
    json_decref(reports_of_call(cell, "reported_exit", &value, 1, CORDON_CRASHED));
    assert_int_equal(cordon_report_list(reports_directory, entries, 4), 3);
    assert_int_equal(cordon_cell_reports(other, entries, 4), 1);
    assert_int_equal(cordon_cell_reports(cell, entries, 1), 1);
    assert_int_equal(entries[0].id, cordon_session_report(cordon_session_current(cell)));
    assert_int_equal(cordon_cell_reports(cell, entries, 4), 2);
    assert_int_equal(cordon_report_load(reports_directory, entries[0].id, 0, &report, &error), 0);
    assert_int_equal(report.kind, CORDON_REPORT_CRASH);
    assert_true(report.ended && report.id == entries[0].id && report.bytes == entries[0].bytes);
    assert_true(report.when_ns / 1000000000u - (report.id >> 32) < 60);
    assert_string_equal(report.what, "crash");
    assert_string_equal(report.function, "reported_crash");
    assert_string_equal(report.library, options.library);
    assert_non_null(strstr(report.summary, "SIG"));
    assert_int_equal(cordon_report_load(reports_directory, entries[1].id, 0, &report, &error), 0);
    assert_int_equal(report.kind, CORDON_REPORT_EXIT);
    assert_string_equal(report.function, "reported_exit");
    assert_int_equal(cordon_report_load(reports_directory, 1, 0, &report, &error), -ENOENT);
    assert_string_not_equal(error.text, "");
    cordon_cell_close(cell);
    cordon_cell_close(other);
    reports_remove();
}

static const struct harness_case cases[] = {
    {"first_refusal_has_a_report_with_its_stack", test_first_refusal_has_a_report_with_its_stack,
     HARNESS_ONCE, 0, 0},
    {"recycled_worker_has_a_small_report", test_recycled_worker_has_a_small_report, HARNESS_ONCE, 0,
     0},
    {"directory_is_bounded_and_private", test_directory_is_bounded_and_private, HARNESS_ONCE, 0, 0},
    {"no_reports_where_none_are_wanted", test_no_reports_where_none_are_wanted, HARNESS_ONCE, 0, 0},
    {"cell_lists_and_loads_its_own_reports", test_cell_lists_and_loads_its_own_reports,
     HARNESS_ONCE, 0, 0},
};

int main(int argc, char **argv)
{
    return harness_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
