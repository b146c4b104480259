/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reports_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cordon/report.h"
#include "gateway/reports.h"
#include "json/document.h"

#define NESTING 64u

const char *reports_id(uint64_t id, uint32_t part, char text[REPORTS_ID_BYTES])
{
    if (part == 0) {
        (void)snprintf(text, REPORTS_ID_BYTES, "%016" PRIx64, id);
    } else {
        (void)snprintf(text, REPORTS_ID_BYTES, "%016" PRIx64 "-%" PRIu32, id, part);
    }
    return text;
}

/* ---- The list ----------------------------------------------------------------------------------- */

struct headline_of {
    const char *cell;
    struct cordon_report report;
};

static int by_time(const void *left, const void *right)
{
    const struct cordon_report *a = &((const struct headline_of *)left)->report;
    const struct cordon_report *b = &((const struct headline_of *)right)->report;
    return a->when_ns != b->when_ns ? (a->when_ns < b->when_ns) - (a->when_ns > b->when_ns)
                                    : (a->id < b->id) - (a->id > b->id);
}

static void put_text(struct json_out *out, const char *key, const char *value)
{
    json_out_key(out, key);
    json_out_sentence(out, value);
}

static void put_when(struct json_out *out, uint64_t when_ns)
{
    char text[40] = "";
    struct tm parts;
    time_t seconds = (time_t)(when_ns / 1000000000u);
    if (gmtime_r(&seconds, &parts)) {
        size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
        (void)snprintf(text + length, sizeof text - length, ".%03uZ",
                       (unsigned)(when_ns / 1000000u % 1000u));
    }
    put_text(out, "when", text);
}

static void put_headline(struct json_out *out, const struct headline_of *one)
{
    const struct cordon_report *report = &one->report;
    char id[REPORTS_ID_BYTES];
    json_out_object(out);
    put_text(out, "id", reports_id(report->id, report->part, id));
    put_when(out, report->when_ns);
    put_text(out, "cell", one->cell);
    put_text(out, "what", report->what);
    json_out_key(out, "ended");
    json_out_bool(out, report->ended);
    put_text(out, "library", report->library);
    put_text(out, "function", report->function);
    put_text(out, "summary", report->summary);
    json_out_key(out, "bytes");
    json_out_uint(out, report->bytes);
    json_out_object_end(out);
}

int reports_show_list(const struct reports_found *found, size_t count, uint32_t most,
                      struct json_out *out)
{
    struct headline_of *headlines = calloc(count + 1, sizeof *headlines);
    size_t known = 0;
    if (!headlines) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct headline_of *one = &headlines[known];
        one->cell = found[i].cell;
        /* One that is not there yet, or no more, is none. */
        known += cordon_report_load(found[i].directory, found[i].id, found[i].part, &one->report,
                                    NULL) == 0;
    }
    qsort(headlines, known, sizeof *headlines, by_time);
    json_out_array(out);
    for (size_t i = 0; i < known && i < most; i++) {
        put_headline(out, &headlines[i]);
    }
    json_out_array_end(out);
    free(headlines);
    return out->failed ? -ENOMEM : 0;
}

/* ---- The whole ---------------------------------------------------------------------------------- */

/* What the caller passed, in the members call, call.replay and call.replay.session: not to be shown. */
static bool is_left_out(unsigned depth, struct json_value key)
{
    return (depth == 2 && (json_value_equals(key, "frame") || json_value_equals(key, "words") ||
                           json_value_equals(key, "plan"))) ||
           (depth == 3 && json_value_equals(key, "recording"));
}

/* Along the path down to the session; everything else as it is. */
static void put_without_request(struct json_out *out, struct json_value value, unsigned depth)
{
    static const char *const path[] = {"call", "replay", "session"};
    struct json_walk walk = json_walk(value);
    struct json_value key;
    struct json_value member;
    json_out_object(out);
    while (json_walk_member(&walk, &key, &member)) {
        if (is_left_out(depth, key)) {
            continue;
        }
        json_out_key(out, json_value_string(key, NULL));
        if (depth < sizeof path / sizeof path[0] && json_value_equals(key, path[depth]) &&
            json_value_kind(member) == JSON_KIND_OBJECT) {
            put_without_request(out, member, depth + 1);
        } else {
            json_out_value(out, member);
        }
    }
    json_out_object_end(out);
}

static int put_report(const char *text, struct json_out *out)
{
    struct document document = {0};
    struct json_value root;
    size_t length = strlen(text);
    int r = document_parse(&document, text, length, length + 1, NESTING, &root, NULL);
    if (r == 0 && json_value_kind(root) == JSON_KIND_OBJECT) {
        put_without_request(out, root, 0);
        r = out->failed ? -ENOMEM : 0;
    } else {
        r = r == -ENOMEM ? r : -EBADMSG;
    }
    document_deinit(&document);
    return r;
}

int reports_show(const struct reports_found *found, struct json_out *out)
{
    struct cordon_report report;
    char *text = NULL;
    int r = cordon_report_load(found->directory, found->id, found->part, &report, NULL);
    if (r == 0 && report.bytes > REPORTS_BYTES) {
        return -EFBIG;
    }
    r = r == 0 ? cordon_report_read(found->directory, found->id, found->part, &text, NULL) : r;
    r = r == 0 ? put_report(text, out) : r;
    free(text);
    return r == 0 || r == -ENOMEM || r == -EBADMSG ? r : -ENOENT;
}
