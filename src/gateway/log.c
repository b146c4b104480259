/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/message.h"
#include "json/json_out.h"

static enum log_level most_told = LOG_NOTICE;
static enum log_form told_form = LOG_BY_TERMINAL;

static const char *const level_names[] = {"error", "warning", "notice", "debug"};

void log_configure(enum log_level most, enum log_form form)
{
    most_told = most;
    told_form = form;
}

bool log_wants(enum log_level level)
{
    return level <= most_told;
}

/* RFC 3339, in UTC, to the millisecond. */
static void write_time(char *text, size_t size)
{
    struct timespec now;
    struct tm date;
    char seconds[24];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &date);
    (void)strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &date);
    (void)snprintf(text, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

static void put(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, text, length);
        if (written <= 0) {
            return;
        }
        text += written;
        length -= (size_t)written;
    }
}

static void say_json(enum log_level level, const char *event, const char *cell, const char *time_,
                     const char *sentence)
{
    struct json_out out = {0};
    json_out_object(&out);
    json_out_key(&out, "time");
    json_out_string(&out, time_);
    json_out_key(&out, "level");
    json_out_string(&out, level_names[level]);
    json_out_key(&out, "event");
    json_out_string(&out, event);
    if (cell) {
        json_out_key(&out, "cell");
        json_out_text_bytes(&out, cell, strlen(cell));
    }
    json_out_key(&out, "message");
    json_out_text_bytes(&out, sentence, strlen(sentence));
    json_out_object_end(&out);
    char *end = json_out_raw(&out, 1);
    if (end) {
        *end = '\n';
        put(out.text, out.length);
    }
    json_out_deinit(&out);
}

static void say_text(enum log_level level, const char *cell, const char *time_,
                     const char *sentence)
{
    static const char *const colours[] = {"\033[31m", "\033[33m", "", "\033[2m"};
    char line[MESSAGE_BYTES + 256];
    bool coloured = isatty(STDERR_FILENO) && colours[level][0];
    int length = snprintf(line, sizeof line, "%s%.12s %s%s%s%s\n", coloured ? colours[level] : "",
                          time_ + 11, cell ? cell : "", cell ? ": " : "", sentence,
                          coloured ? "\033[0m" : "");
    put(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

void log_say(enum log_level level, const char *event, const char *cell, const char *format, ...)
{
    char sentence[MESSAGE_BYTES];
    char when[40];
    if (!log_wants(level)) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    write_time(when, sizeof when);
    bool json = told_form == LOG_JSON || (told_form == LOG_BY_TERMINAL && !isatty(STDERR_FILENO));
    if (json) {
        say_json(level, event, cell, when, sentence);
    } else {
        say_text(level, cell, when, sentence);
    }
}
