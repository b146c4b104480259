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
