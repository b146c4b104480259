/* SPDX-License-Identifier: Apache-2.0 */
#include "config/findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void finding_deinit(struct finding *finding)
{
    free(finding->file);
    free(finding->field);
    free(finding->sentence);
}

void findings_deinit(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        finding_deinit(&findings->list[i]);
    }
    free(findings->list);
    *findings = (struct findings){0};
}

/* Where the new one goes: behind the last, or in the place of a note. -1: there is no room. */
static long find_room(struct findings *findings, enum finding_severity severity)
{
    if (findings->count < FINDINGS_MAX) {
        return (long)findings->count;
    }
    for (size_t i = findings->count; severity != FINDING_NOTE && i > 0; i--) {
        if (findings->list[i - 1].severity == FINDING_NOTE) {
            return (long)i - 1;
        }
    }
    return -1;
}

static uint32_t number_file(struct findings *findings, const char *file)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (strcmp(findings->list[i].file, file) == 0) {
            return findings->list[i].file_number;
        }
    }
    return findings->files++;
}

static bool keep(struct findings *findings, const struct finding *finding)
{
    long at = find_room(findings, finding->severity);
    if (at < 0 || !finding->file || !finding->field || !finding->sentence) {
        return false;
    }
    if ((size_t)at < findings->count) {
        finding_deinit(&findings->list[at]);
        findings->dropped++;
    } else {
        struct finding *list =
            realloc(findings->list, (findings->count + 1) * sizeof *findings->list);
        if (!list) {
            return false;
        }
        findings->list = list;
        findings->count++;
    }
    findings->list[at] = *finding;
    return true;
}

/* On one line, whatever the file, a compiler's sentence or a path holds. */
static void tidy(struct message *ret_tidy, const char *text)
{
    message_set_foreign(ret_tidy, text, strlen(text));
    for (char *at = strpbrk(ret_tidy->text, "\t\n\r"); at; at = strpbrk(at, "\t\n\r")) {
        *at = ' ';
    }
}

void findings_add_v(struct findings *findings, enum finding_severity severity, const char *file,
                    uint32_t line, uint32_t column, const char *field, const char *format,
                    va_list args)
{
    char text[MESSAGE_BYTES];
    struct message sentence;
    struct message where;
    (void)vsnprintf(text, sizeof text, format, args);
    tidy(&sentence, text);
    tidy(&where, field);
    struct finding finding = {
        .severity = severity,
        .file = strdup(file),
        .field = strdup(where.text),
        .sentence = strdup(sentence.text),
        .file_number = number_file(findings, file),
        .line = line,
        .column = column,
    };
    findings->refusals += severity != FINDING_NOTE;
    if (!keep(findings, &finding)) {
        finding_deinit(&finding);
        findings->dropped++;
    }
}

void findings_add(struct findings *findings, enum finding_severity severity, const char *file,
                  uint32_t line, uint32_t column, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    findings_add_v(findings, severity, file, line, column, field, format, args);
    va_end(args);
}

static bool comes_before(const struct finding *a, const struct finding *b)
{
    if (a->file_number != b->file_number) {
        return a->file_number < b->file_number;
    }
    return a->line < b->line || (a->line == b->line && a->column < b->column);
}

/* Stable: what was found first about a place comes first. FINDINGS_MAX of them at most. */
void findings_sort(struct findings *findings)
{
    for (size_t i = 1; i < findings->count; i++) {
        struct finding moving = findings->list[i];
        size_t at = i;
        while (at > 0 && comes_before(&moving, &findings->list[at - 1])) {
            findings->list[at] = findings->list[at - 1];
            at--;
        }
        findings->list[at] = moving;
    }
}

const char *finding_severity_name(enum finding_severity severity)
{
    static const char *const names[] = {
        [FINDING_ERROR] = "error",
        [FINDING_UNSAFE] = "unsafe",
        [FINDING_NOTE] = "note",
    };
    return names[severity];
}

void finding_print(const struct finding *finding, struct message *ret_line)
{
    struct message file;
    tidy(&file, finding->file);
    (void)message_set(ret_line, 0, "%s:", file.text);
    if (finding->line > 0) {
        message_add(ret_line, "%u:%u:", finding->line, finding->column);
    }
    message_add(ret_line, " %s: ", finding_severity_name(finding->severity));
    message_add(ret_line, "%s%s%s", finding->field, finding->field[0] ? ": " : "",
                finding->sentence);
}
