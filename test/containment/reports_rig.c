/* SPDX-License-Identifier: Apache-2.0 */
#include "containment/reports_rig.h"

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

char reports_directory[64];

static const char interface_text[] =
    "typedef struct thing_ thing;\n"
    "int reported_crash(int value);\n"
    "int reported_exit(int status);\n"
    "int reported_hang(int threads);\n"
    "int reported_hang_blocked(void);\n"
    "int reported_overflow(int depth);\n"
    "int reported_overflow_far(int depth);\n"
    "int reported_secret(const char *name, secret const char *password);\n"
    "int reported_bytes(const uint8_t data[length], uint32_t length);\n"
    "int reported_add(int a, int b);\n"
    "int reported_open(out thing **object);\n"
    "int reported_use(thing *object);\n";

void reports_set_options(const struct harness *harness, const char *variable,
                         struct cordon_cell_options *options)
{
    (void)snprintf(reports_directory, sizeof reports_directory, "/tmp/cordon-reports-XXXXXX");
    assert_non_null(mkdtemp(reports_directory));
    *options = harness_options(harness);
    options->library = getenv(variable);
    options->interface_text = interface_text;
    options->reports = reports_directory;
    options->recycle_bytes = UINT64_MAX;
    options->breaker_percent = options->function_breaker_percent = CORDON_NONE;
    assert_non_null(options->library);
}

void reports_remove(void)
{
    DIR *folder = opendir(reports_directory);
    const struct dirent *file;
    assert_non_null(folder);
    while ((file = readdir(folder)) != NULL) {
        if (strcmp(file->d_name, ".") != 0 && strcmp(file->d_name, "..") != 0) {
            assert_int_equal(unlinkat(dirfd(folder), file->d_name, 0), 0);
        }
    }
    (void)closedir(folder);
    assert_int_equal(rmdir(reports_directory), 0);
}

json_t *reports_of(uint64_t id)
{
    char *text = NULL;
    struct cordon_error error = {""};
    assert_int_not_equal(id, 0);
    assert_int_equal(
        cordon_report_wait(reports_directory, id, 0, cordon_after_ms(REPORTS_PATIENCE_MS)), 0);
    assert_int_equal(cordon_report_read(reports_directory, id, 0, &text, &error), 0);
    json_t *report = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(report);
    return report;
}

json_t *reports_of_call(struct cordon_cell *cell, const char *name, const struct cordon_value *args,
                        size_t count, int outcome)
{
    struct cordon_result result;
    struct cordon_session *session = cordon_session_current(cell);
    int r = cordon_call(harness_bind(cell, name), args, count, cordon_after_ms(1500), &result);
    assert_int_equal(r, outcome);
    assert_int_equal(result.report, cordon_session_report(session));
    return reports_of(result.report);
}

const char *reports_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

const json_t *reports_blamed(const json_t *report)
{
    return json_array_get(json_object_get(report, "threads"), 0);
}
