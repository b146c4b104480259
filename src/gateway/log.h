/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LOG_H
#define GATEWAY_LOG_H

/*
 * Log: one line for each event, to standard error: text where that is a terminal, JSON elsewhere.
 *
 * Once started, lines wait in LOG_BUFFER_BYTES for a thread that writes them: whoever says something never waits for
 * a terminal that was stopped, a pipe that nobody reads, or a disk. What finds no room is dropped and counted,
 * and the count is told as soon as lines go again. Before, and after, lines are written at once.
 *
 * Threads: any. Words of clients and libraries may be said as they are: control characters do not reach a terminal.
 */

#include <stdbool.h>
#include <stdint.h>

#include "config/log_choice.h"

#define LOG_BUFFER_BYTES (256u << 10)

/* "error", "warning", "notice", "debug"; "auto", "text", "json". False: none of them. */
bool log_level_parse(const char *text, enum log_level *ret_level);
bool log_form_parse(const char *text, enum log_form *ret_form);

/* At any time: LOG_LEVEL_DEFAULT and LOG_BY_TERMINAL hold otherwise. */
void log_configure(enum log_level most, enum log_form form);
bool log_wants(enum log_level level);

/* From here on lines are written by a thread; without one (-EAGAIN) at once, as before. */
int log_start(void);

/* The lines that wait are written, in @timeout_ms at most. */
void log_stop(uint32_t timeout_ms);

/* What machines want to know of an event: a number, or @text if that is not NULL. The last one has no key. */
struct log_field {
    const char *key;
    const char *text;
    int64_t number;
};

/*
 * @event   a word for machines: "listening", "crashed".
 * @cell    whom it is about, or NULL.
 * @format  a sentence for people, which says what the fields say.
 */
void log_say(enum log_level level, const char *event, const char *cell, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void log_say_with(enum log_level level, const char *event, const char *cell,
                  const struct log_field *fields, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* At most LOG_LIMIT_PER_S of one kind in a second, where somebody else decides how many there are. All zero. */
#define LOG_LIMIT_PER_S 10u
struct log_limit {
    uint64_t since_ns;
    uint32_t told;
    uint64_t left_out;
};

/* Whether to tell of one more; then *@ret_left_out says how many were left out since the last one told. One thread. */
bool log_limit_pass(struct log_limit *limit, uint64_t *ret_left_out);

#endif
