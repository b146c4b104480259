/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LOG_H
#define GATEWAY_LOG_H

/*
 * Log: one line for each event, to standard error: text where that is a terminal, JSON elsewhere.
 *
 * Threads: any; a line is written at once.
 */

#include <stdbool.h>

enum log_level {
    LOG_ERROR = 0, /* somebody has to do something */
    LOG_WARNING,   /* a crash, a violation, a refused client: what is contained */
    LOG_NOTICE,    /* start, stop, reload */
    LOG_DEBUG,     /* connections, workers */
};

enum log_form {
    LOG_BY_TERMINAL = 0,
    LOG_TEXT,
    LOG_JSON,
};

/* Before the first line: LOG_NOTICE and LOG_BY_TERMINAL hold otherwise. */
void log_configure(enum log_level most, enum log_form form);
bool log_wants(enum log_level level);

/*
 * @event   a word for machines: "listening", "crashed".
 * @cell    whom it is about, or NULL.
 * @format  a sentence for people.
 */
void log_say(enum log_level level, const char *event, const char *cell, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
