/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cli/file.h"
#include "cordon/report.h"

#define PATIENCE_NS (3 * CLOCK_SECOND_NS)
#define FILE_BYTES  (64u << 20)
#define ID_DIGITS   16u

const char *report_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

json_int_t report_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* Names come from libraries: nothing in them may move a terminal's cursor. */
static json_t *printable(const json_t *string)
{
    char *text = strdup(json_string_value(string));
    for (char *at = text; at && *at; at++) {
        unsigned char byte = (unsigned char)*at;
        /* C1 controls are 0xc2 and 0x80 to 0x9f. */
        bool second = byte == 0xc2 && (unsigned char)at[1] >= 0x80 && (unsigned char)at[1] < 0xa0;
        if (second) {
            at[0] = at[1] = '?';
        } else if (byte < 0x20 || byte == 0x7f) {
            *at = '?';
        }
    }
    json_t *clean = text ? json_string(text) : json_string("");
    free(text);
    return clean;
}

static void make_printable(json_t *json)
{
    const char *key;
    size_t index;
    void *next;
    json_t *value;
    json_object_foreach_safe(json, next, key, value)
    {
        if (json_is_string(value)) {
            (void)json_object_set_new(json, key, printable(value));
        } else {
            make_printable(value);
        }
    }
    json_array_foreach(json, index, value)
    {
        if (json_is_string(value)) {
            (void)json_array_set_new(json, index, printable(value));
        } else {
            make_printable(value);
        }
    }
}

static int parse(const char *name, const char *text, size_t length, json_t **ret_report,
                 struct message *why)
{
    json_error_t error;
    json_t *report = json_loadb(text, length, 0, &error);
    if (!json_is_object(report) || !json_is_integer(json_object_get(report, "cordon_report"))) {
        json_decref(report);
        return message_set(why, -EBADMSG, "'%s' is no report", name);
    }
    if (report_number(report, "cordon_report") != 1) {
        json_decref(report);
        return message_set(why, -EBADMSG, "'%s' is a report of another version of Cordon", name);
    }
    make_printable(report);
    *ret_report = report;
    return 0;
}

static int load_path(const char *path, json_t **ret_report, struct message *why)
{
    void *bytes = NULL;
    size_t length;
    int r = file_read(path, FILE_BYTES, &bytes, &length, why);
    r = r < 0 ? r : parse(path, bytes, length, ret_report, why);
    free(bytes);
    return r;
}

static int load_id(const char *name, const char *directory, uint64_t id, uint32_t part,
                   json_t **ret_report, struct message *why)
{
    struct cordon_error error = {""};
    char *text = NULL;
    int r = cordon_report_wait(directory, id, part, clock_after_ns(PATIENCE_NS));
    if (r < 0) {
        return message_set(why, -ENOENT, "no report '%s'", name);
    }
    r = cordon_report_read(directory, id, part, &text, &error);
    r = r < 0 ? message_set(why, r, "%s", error.text)
              : parse(name, text, strlen(text), ret_report, why);
    free(text);
    return r;
}

static int load_last(const char *directory, json_t **ret_report, struct message *why)
{
    struct cordon_report_entry entry;
    int r = cordon_report_list(directory, &entry, 1);
    if (r <= 0) {
        return message_set(why, -ENOENT, "there is no report");
    }
    return load_id("last", directory, entry.id, entry.part, ret_report, why);
}

int report_file_load(const char *name, const char *directory, json_t **ret_report,
                     struct message *why)
{
    char *end;
    if (strchr(name, '/')) {
        return load_path(name, ret_report, why);
    }
    if (strcmp(name, "last") == 0) {
        return load_last(directory, ret_report, why);
    }
    size_t digits = strspn(name, "0123456789abcdef");
    uint64_t id = strtoull(name, &end, 16);
    unsigned long part = *end == '-' ? strtoul(end + 1, &end, 10) : 0;
    if (digits != ID_DIGITS || *end != '\0' || part > UINT32_MAX) {
        return message_set(
            why, -EINVAL,
            "'%s' is no report: %u hexadecimal digits, `last`, or a path with a slash", name,
            ID_DIGITS);
    }
    return load_id(name, directory, id, (uint32_t)part, ret_report, why);
}
