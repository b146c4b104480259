/* SPDX-License-Identifier: Apache-2.0 */
/* What the lane tells: the call in progress, the last calls, violations. */
#include "report/symbolize/story.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lane/layout.h"
#include "prototype/plan.h"
#include "report/arguments.h"
#include "report/base64.h"

#define HISTORY_REQUEST_BYTES (1u << 20)
#define PLAN_SHOWN_MAX        (256u * 1024u)

static const struct lane_host_page *page_of(const struct evidence *evidence)
{
    return evidence->lane.data && evidence->lane.bytes >= sizeof(struct lane_host_page)
               ? (const struct lane_host_page *)(const void *)evidence->lane.data
               : NULL;
}

static void copy_record(const struct lane_host_page *page, uint32_t seq, uint32_t *ret_function,
                        uint64_t words[LANE_WORDS])
{
    const struct lane_record *record = &page->record[lane_slot_of(seq)];
    *ret_function = record->function_id;
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        words[i] = record->words[i];
    }
}

/* Bytes that travelled inside the mail: the record has them. NULL: they did not, or there is no memory. */
static uint8_t *bytes_inside(const uint64_t *words)
{
    uint32_t bytes = (uint32_t)(words[0] >> 32);
    if ((uint32_t)words[0] != 0 || bytes == 0 || bytes > LANE_INSIDE_BYTES) {
        return NULL;
    }
    uint8_t *memory = malloc(LANE_INSIDE_BYTES);
    if (memory) {
        memcpy(memory, &words[LANE_INSIDE_WORD], LANE_INSIDE_BYTES);
    }
    return memory;
}

/* The request of a record; @ret_memory is the caller's. */
static struct report_request request_of(const struct evidence *evidence, const struct plan *plan,
                                        uint32_t function, const uint64_t *words,
                                        uint32_t bytes_max, uint8_t **ret_memory)
{
    struct report_request request = {.plan = plan, .function_id = function, .words = words};
    uint32_t bytes = (uint32_t)(words[0] >> 32);
    *ret_memory = NULL;
    if (!(plan_function(plan, 0)->flags & CORDON_PLAN_MAILBOX) && bytes <= bytes_max) {
        *ret_memory = bytes_inside(words);
        if (!*ret_memory) {
            *ret_memory = evidence_request(evidence, (uint32_t)words[0], bytes);
        }
        request.memory = *ret_memory;
        request.memory_bytes = *ret_memory ? bytes : 0;
    }
    return request;
}

static enum report_detail detail_of(const struct evidence *evidence)
{
    return evidence->has_card && (evidence->card.flags & CARD_SHOW_BYTES) ? REPORT_BYTES
                                                                          : REPORT_BRIEF;
}

static void put_arguments(const struct evidence *evidence, const struct report_request *request,
                          json_t *json)
{
    struct message why = {""};
    json_t *arguments = NULL;
    if (report_arguments(request, detail_of(evidence), &arguments, &why) == 0) {
        (void)json_object_set_new(json, "arguments", arguments);
    } else {
        (void)json_object_set_new(json, "arguments_missing",
                                  story_text(why.text, strlen(why.text)));
    }
}

static void put_base64(json_t *json, const char *key, const void *bytes, size_t length)
{
    char *text = base64_new(bytes, length);
    if (text) {
        (void)json_object_set_new(json, key, json_string(text));
    }
    free(text);
}

/* Why the session cannot be replayed up to call @seq; false: it can. */
static bool is_incomplete(const struct evidence *evidence, uint32_t seq, char *text, size_t size)
{
    struct recording_view view = {0};
    int r = evidence->recording
                ? recording_view_init(&view, evidence->recording, evidence->recording_length)
                : -ENOENT;
    uint32_t stop = r == 0 ? view.header.stop : (uint32_t)RECORDING_RUNS;
    uint32_t from = r == 0 ? view.header.stop_call : 0;
    text[0] = '\0';
    if (r < 0) {
        (void)snprintf(text, size, "%s",
                       r == -ENOENT ? "it was not recorded (option record)"
                                    : "its recording is not sound");
    } else if (stop == RECORDING_SECRET) {
        (void)snprintf(text, size, "call %u has secret arguments, which are not kept", from);
    } else if (stop == RECORDING_NO_ARENA && from <= seq) {
        (void)snprintf(text, size, "the arena could not be read before call %u", from);
    } else if (stop == RECORDING_FULL && from <= seq) {
        (void)snprintf(
            text, size,
            "the recording is incomplete from call %u on: its %llu bytes (record_bytes) or "
            "%u entries were used up",
            from, (unsigned long long)view.header.bytes_max, RECORDING_ENTRIES_MAX);
    } else if (seq > view.calls) {
        (void)snprintf(text, size, "the recording ends at call %u", view.calls);
    }
    recording_view_deinit(&view);
    return text[0] != '\0';
}

/* The session, if it was recorded: then the call can be made again as a part of it. */
static void put_session(const struct evidence *evidence, json_t *replay, bool alone)
{
    char why[256];
    json_t *session = json_object();
    if (!is_incomplete(evidence, evidence->reason.seq, why, sizeof why)) {
        (void)json_object_set_new(session, "calls", json_integer(evidence->reason.seq));
        (void)json_object_set_new(session, "bytes",
                                  json_integer((json_int_t)evidence->recording_length));
        put_base64(session, "recording", evidence->recording, evidence->recording_length);
        (void)json_object_set_new(replay, "possible", json_true());
        (void)json_object_del(replay, "why");
    } else {
        (void)json_object_set_new(session, "missing", json_string(why));
    }
    if (!alone && json_object_get(session, "missing")) {
        char both[512];
        (void)snprintf(both, sizeof both, "%s; nor can its session: %s",
                       json_string_value(json_object_get(replay, "why")), why);
        (void)json_object_set_new(replay, "why", story_text(both, sizeof both));
    }
    (void)json_object_set_new(replay, "alone", json_boolean(alone));
    (void)json_object_set_new(replay, "session", session);
}

/* What `cordon replay` needs, or why it cannot be. */
static json_t *replay_of(const struct evidence *evidence, const struct report_request *request,
                         uint32_t plan_bytes)
{
    struct message why = {""};
    json_t *values = NULL;
    if (plan_has_secrets(request->plan)) {
        return json_pack("{s:b, s:s}", "possible", 0, "why",
                         "an argument is secret, and is not kept");
    }
    if (!evidence->has_card || plan_bytes > PLAN_SHOWN_MAX) {
        return json_pack("{s:b, s:s}", "possible", 0, "why", "the function is not known");
    }
    json_t *json = json_object();
    bool alone = report_arguments(request, REPORT_WHOLE, &values, &why) == 0;
    (void)json_object_set_new(json, "possible", json_boolean(alone));
    if (!alone) {
        (void)json_object_set_new(json, "why", story_text(why.text, strlen(why.text)));
    }
    json_decref(values);
    put_session(evidence, json, alone);
    json_t *words = json_array();
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        (void)json_array_append_new(words, story_hexadecimal(request->words[i]));
    }
    (void)json_object_set_new(json, "words", words);
    put_base64(json, "plan", request->plan, plan_bytes);
    if (request->memory) {
        put_base64(json, "frame", request->memory, request->memory_bytes);
    }
    return json;
}

json_t *story_call(const struct evidence *evidence)
{
    const struct capture_reason *reason = &evidence->reason;
    const struct lane_host_page *page = page_of(evidence);
    if (!(reason->flags & CAPTURE_HAS_CALL)) {
        return NULL;
    }
    uint32_t function = reason->function_id;
    uint64_t words[LANE_WORDS] = {0};
    if (page) {
        copy_record(page, reason->seq, &function, words);
    }
    json_t *json = json_pack("{s:I, s:I}", "number", (json_int_t)reason->seq, "function_id",
                             (json_int_t)function);
    uint32_t plan_bytes = 0;
    const struct plan *plan = evidence_plan(evidence, function, &plan_bytes);
    if (reason->deadline_ns != 0 && reason->deadline_ns != UINT64_MAX && reason->now_ns != 0) {
        (void)json_object_set_new(
            json, "deadline_in_ms",
            json_real(((double)reason->deadline_ns - (double)reason->now_ns) / 1e6));
    }
    if (!plan) {
        (void)json_object_set_new(json, "arguments_missing",
                                  json_string("the function is not on the cell's card"));
        return json;
    }
    const struct cordon_plan_function *record = plan_function(plan, 0);
    (void)json_object_set_new(json, "function", json_string(plan_name(plan, record->name)));
    (void)json_object_set_new(json, "symbol", json_string(plan_name(plan, record->symbol)));
    if (page) {
        uint8_t *memory;
        struct report_request request =
            request_of(evidence, plan, function, words, CAPTURE_FRAME_BYTES, &memory);
        put_arguments(evidence, &request, json);
        (void)json_object_set_new(json, "replay", replay_of(evidence, &request, plan_bytes));
        free(memory);
    }
    return json;
}

static json_t *history_entry(const struct evidence *evidence, const struct lane_host_page *page,
                             uint32_t seq)
{
    uint64_t words[LANE_WORDS];
    uint32_t function;
    uint32_t plan_bytes;
    copy_record(page, seq, &function, words);
    json_t *json = json_pack("{s:I}", "number", (json_int_t)seq);
    const struct plan *plan = evidence_plan(evidence, function, &plan_bytes);
    if (!plan) {
        /* Verbs of the engine (binding, objects) have numbers that no function has. */
        (void)json_object_set_new(json, "function_id", story_hexadecimal(function));
        return json;
    }
    const struct cordon_plan_function *record = plan_function(plan, 0);
    (void)json_object_set_new(json, "function", json_string(plan_name(plan, record->name)));
    bool mailbox = (record->flags & CORDON_PLAN_MAILBOX) != 0;
    uint8_t *memory = mailbox ? NULL : bytes_inside(words);
    struct report_request request = {.plan = plan,
                                     .function_id = function,
                                     .words = words,
                                     .memory = memory,
                                     .memory_bytes = memory ? (uint32_t)(words[0] >> 32) : 0};
    if (mailbox || memory) {
        put_arguments(evidence, &request, json);
    } else {
        /* Its memory has been used again by later calls. */
        (void)json_object_set_new(json, "request_bytes",
                                  json_integer((json_int_t)(words[0] >> 32)));
    }
    free(memory);
    return json;
}

json_t *story_history(const struct evidence *evidence)
{
    const struct lane_host_page *page = page_of(evidence);
    if (!page) {
        return NULL;
    }
    uint32_t last = page->submitted;
    uint32_t count = last < LANE_SLOTS ? last : LANE_SLOTS;
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, history_entry(evidence, page, last - count + 1 + i));
    }
    return array;
}

json_t *story_violations(const struct evidence *evidence)
{
    const struct lane_host_page *page = page_of(evidence);
    uint32_t total = page ? page->violations : 0;
    if (total == 0) {
        return NULL;
    }
    json_t *array = json_array();
    uint32_t first = total > LANE_VIOLATIONS ? total - LANE_VIOLATIONS + 1 : 1;
    for (uint32_t number = first; number <= total && number != 0; number++) {
        const struct lane_violation *violation = &page->violation[(number - 1) % LANE_VIOLATIONS];
        if (violation->number != number) {
            continue;
        }
        json_t *entry = json_object();
        (void)json_object_set_new(entry, "act", story_text(violation->act, sizeof violation->act));
        (void)json_object_set_new(entry, "grant",
                                  story_text(violation->grant, sizeof violation->grant));
        (void)json_object_set_new(entry, "call", json_integer(violation->seq));
        (void)json_object_set_new(entry, "system_call", json_integer(violation->system_call));
        (void)json_object_set_new(entry, "errno", json_integer(violation->error));
        (void)json_array_append_new(array, entry);
    }
    return json_pack("{s:I, s:o}", "count", (json_int_t)total, "last", array);
}
