/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LOG_LINE_H
#define GATEWAY_LOG_LINE_H

/* A line of the log, as text for a terminal or as JSON. */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/message.h"
#include "gateway/log.h"

#define LOG_LINE_BYTES (6 * MESSAGE_BYTES) /* each byte of a sentence may become four, and some */

struct log_event {
    enum log_level level;
    const char *event;
    const char *cell; /* or NULL */
    const char *sentence;
    const struct log_field *fields; /* or NULL */
    struct timespec when;           /* CLOCK_REALTIME */
};

/* Both end with a line feed and have no other; cut at LOG_LINE_BYTES. Return the length. */
size_t log_line_text(const struct log_event *event, bool coloured, char line[LOG_LINE_BYTES]);
size_t log_line_json(const struct log_event *event, char line[LOG_LINE_BYTES]);

/*
 * Foreign bytes as they may go to a terminal: control characters, those that turn the direction of text, and what is no
 * UTF-8 are written out (\x1b, \u202e). Cut at a whole character. Returns the length; @out is NUL-terminated.
 *
 * @keep_lines  line feeds stay what they are.
 */
size_t log_escape(const char *text, bool keep_lines, char *out, size_t room);

#endif
