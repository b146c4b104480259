/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/findings_text.h"

#include <string.h>

static const char *colour_of(enum finding_severity severity)
{
    static const char *const colours[] = {
        [FINDING_ERROR] = "\033[31m",
        [FINDING_UNSAFE] = "\033[35m",
        [FINDING_NOTE] = "\033[36m",
    };
    return colours[severity];
}

static void put(struct json_out *text, const char *piece, size_t length)
{
    char *room = json_out_raw(text, length);
    if (room) {
        memcpy(room, piece, length);
    }
}

/* The severity is the word that has a colour. */
static void put_finding(const struct finding *finding, bool colours, struct json_out *text)
{
    struct message line;
    const char *severity = finding_severity_name(finding->severity);
    struct message marked = {.text = ""};
    finding_print(finding, &line);
    const char *at = colours ? strstr(line.text + strlen(finding->file), severity) : NULL;
    if (at) {
        message_add(&marked, "%.*s%s%s\033[0m%s", (int)(at - line.text), line.text,
                    colour_of(finding->severity), severity, at + strlen(severity));
    }
    const char *shown = at ? marked.text : line.text;
    put(text, shown, strlen(shown));
    put(text, "\n", 1);
}

void findings_to_text(const struct findings *findings, bool colours, struct json_out *text)
{
    struct message more;
    for (size_t i = 0; i < findings->count; i++) {
        put_finding(&findings->list[i], colours, text);
    }
    if (findings->dropped > 0) {
        (void)message_set(&more, 0, "... and %zu more\n", findings->dropped);
        put(text, more.text, strlen(more.text));
    }
}

void findings_to_json(const struct findings *findings, struct json_out *out)
{
    json_out_array(out);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];
        json_out_object(out);
        json_out_key(out, "file");
        json_out_sentence(out, finding->file);
        json_out_key(out, "line");
        json_out_uint(out, finding->line);
        json_out_key(out, "column");
        json_out_uint(out, finding->column);
        json_out_key(out, "severity");
        json_out_string(out, finding_severity_name(finding->severity));
        json_out_key(out, "field");
        json_out_sentence(out, finding->field);
        json_out_key(out, "sentence");
        json_out_sentence(out, finding->sentence);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}
