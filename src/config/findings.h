/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_FINDINGS_H
#define CONFIG_FINDINGS_H

/*
 * Findings: what is wrong with a configuration, or worth knowing about it: each with its place and a
 * sentence that says what would be right. In the order of the file once they are sorted.
 *
 * At most FINDINGS_MAX are kept, errors before notes; how many there were is counted.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"

#define FINDINGS_MAX 256u

enum finding_severity {
    FINDING_ERROR = 0, /* it cannot be, or means nothing */
    FINDING_UNSAFE,    /* it could be, but nobody has said that it is meant */
    FINDING_NOTE,      /* worth knowing; refuses nothing */
};

struct finding {
    enum finding_severity severity;
    char *file;           /* as it was named */
    char *field;          /* "cells[1].methods[0].result"; "": the file */
    char *sentence;       /* without a full stop; control characters are '?' */
    uint32_t file_number; /* of the files that are named, in the order in which they were */
    uint32_t line;        /* from 1; 0: the file as a whole */
    uint32_t column;      /* from 1, in characters; 0 as well */
};

/* All zero is an empty list. */
struct findings {
    struct finding *list;
    size_t count;
    size_t refusals; /* errors and unsafe ones, those beyond FINDINGS_MAX as well */
    size_t dropped;
    uint32_t files; /* that were named */
};

/* NULL members are fine. */
void findings_deinit(struct findings *findings);

/* Out of memory it is counted as dropped, and refuses nevertheless. */
void findings_add(struct findings *findings, enum finding_severity severity, const char *file,
                  uint32_t line, uint32_t column, const char *field, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
void findings_add_v(struct findings *findings, enum finding_severity severity, const char *file,
                    uint32_t line, uint32_t column, const char *field, const char *format,
                    va_list args) __attribute__((format(printf, 7, 0)));

/* By file (as first named), line and column. */
void findings_sort(struct findings *findings);

/* Whether any of them is an error or unsafe. */
static inline bool findings_refuse(const struct findings *findings)
{
    return findings->refusals > 0;
}

/* "error", "unsafe", "note". */
const char *finding_severity_name(enum finding_severity severity);

/* "FILE:LINE:COLUMN: SEVERITY: FIELD: SENTENCE", without what it has not. Replaces @ret_line's text. */
void finding_print(const struct finding *finding, struct message *ret_line);

#endif
