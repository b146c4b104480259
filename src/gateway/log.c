/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/log_line.h"

#define PIECE_BYTES 16384u /* written at once by the thread */
#define RETRY_MS    200    /* standard error takes nothing now: looked at again */

static _Atomic int most_told = LOG_LEVEL_DEFAULT;
static _Atomic int told_form = LOG_BY_TERMINAL;

/* Lines that wait for the thread. */
static struct {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    char *bytes; /* LOG_BUFFER_BYTES of them; whole lines */
    size_t length;
    uint64_t dropped; /* lines that found no room, not told yet */
    bool running;     /* the thread takes them */
    bool stopping;
} waiting = {.lock = PTHREAD_MUTEX_INITIALIZER};
static pthread_t writer;

bool log_level_parse(const char *text, enum log_level *ret_level)
{
    static const char *const names[] = {"error", "warning", "notice", "debug"};
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_form_parse(const char *text, enum log_form *ret_form)
{
    static const char *const names[] = {"auto", "text", "json"};
    for (int i = LOG_BY_TERMINAL; i <= LOG_JSON; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_form = (enum log_form)i;
            return true;
        }
    }
    return false;
}

void log_configure(enum log_level most, enum log_form form)
{
    most_told = (int)most;
    told_form = (int)form;
}

bool log_wants(enum log_level level)
{
    return (int)level <= most_told;
}

/* systemd's journal at the other end: it takes a line's priority from "<N>" before it. */
static bool is_journal(void)
{
    unsigned long long device;
    unsigned long long inode;
    struct stat there;
    const char *stream = getenv("JOURNAL_STREAM");
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &there) == 0 && there.st_dev == device && there.st_ino == inode;
}

static bool is_coloured(void)
{
    const char *terminal = getenv("TERM");
    const char *none = getenv("NO_COLOR");
    return isatty(STDERR_FILENO) && !(none && none[0]) && terminal && strcmp(terminal, "dumb") != 0;
}

static size_t make_line(const struct log_event *event, char line[LOG_LINE_BYTES])
{
    static const char *const priorities[] = {"<3>", "<4>", "<5>", "<7>"};
    bool json = told_form == LOG_JSON || (told_form == LOG_BY_TERMINAL && !isatty(STDERR_FILENO));
    size_t length = json ? log_line_json(event, line) : log_line_text(event, is_coloured(), line);
    size_t prefix = is_journal() ? strlen(priorities[event->level]) : 0;
    if (prefix > 0 && length + prefix <= LOG_LINE_BYTES) {
        memmove(line + prefix, line, length);
        memcpy(line, priorities[event->level], prefix);
        length += prefix;
    }
    return length;
}

static bool is_stopping(void)
{
    (void)pthread_mutex_lock(&waiting.lock);
    bool stopping = waiting.stopping;
    (void)pthread_mutex_unlock(&waiting.lock);
    return stopping;
}

static uint64_t count_lines(const char *text, size_t length)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < length; i++) {
        lines += text[i] == '\n';
    }
    return lines;
}

/* All of it, however long that takes. Returns how many lines went nowhere: it is closed, or a stop cannot wait. */
static uint64_t put(const char *text, size_t length, bool patient)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, text, length);
        if (written > 0) {
            text += written;
            length -= (size_t)written;
            continue;
        }
        if (written < 0 && errno == EINTR) {
            continue;
        }
        bool full = written < 0 && errno == EAGAIN; /* somebody made it non-blocking */
        if (!full || !patient || is_stopping()) {
            return count_lines(text, length);
        }
        struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
        (void)poll(&room, 1, RETRY_MS);
    }
    return 0;
}

/* Tell of lines that were dropped, now that there is room. Called with the lock. */
static void tell_dropped(void)
{
    char sentence[128];
    char line[LOG_LINE_BYTES];
    struct log_field fields[] = {{.key = "lines", .number = (int64_t)waiting.dropped}, {0}};
    struct log_event event = {
        .level = LOG_WARNING, .event = "dropped", .sentence = sentence, .fields = fields};
    (void)clock_gettime(CLOCK_REALTIME, &event.when);
    (void)snprintf(sentence, sizeof sentence,
                   "%llu lines of the log were dropped: standard error took none",
                   (unsigned long long)waiting.dropped);
    size_t length = make_line(&event, line);
    if (length > 0 && waiting.length + length <= LOG_BUFFER_BYTES) {
        memcpy(waiting.bytes + waiting.length, line, length);
        waiting.length += length;
        waiting.dropped = 0;
    }
}

/* The next piece of what waits; 0: all is written, and no more will come. */
static size_t take_piece(char piece[PIECE_BYTES])
{
    (void)pthread_mutex_lock(&waiting.lock);
    while (waiting.length == 0 && !waiting.stopping) {
        (void)pthread_cond_wait(&waiting.changed, &waiting.lock);
    }
    size_t length = waiting.length < PIECE_BYTES ? waiting.length : PIECE_BYTES;
    memcpy(piece, waiting.bytes, length);
    waiting.length -= length;
    memmove(waiting.bytes, waiting.bytes + length, waiting.length);
    (void)pthread_mutex_unlock(&waiting.lock);
    return length;
}

static void *write_lines(void *nothing)
{
    static char piece[PIECE_BYTES];
    size_t length;
    (void)nothing;
    while ((length = take_piece(piece)) > 0) {
        uint64_t lost = put(piece, length, true);
        (void)pthread_mutex_lock(&waiting.lock);
        waiting.dropped += lost;
        if (lost == 0 && waiting.dropped > 0) {
            tell_dropped();
        }
        (void)pthread_mutex_unlock(&waiting.lock);
    }
    (void)pthread_mutex_lock(&waiting.lock);
    waiting.running = false;
    (void)pthread_cond_broadcast(&waiting.changed);
    (void)pthread_mutex_unlock(&waiting.lock);
    return NULL;
}

/* Signals are for the threads that were there before. */
static int create_writer(void)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&writer, NULL, write_lines, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

int log_start(void)
{
    pthread_condattr_t monotonic;
    if (waiting.running) {
        return 0;
    }
    waiting.bytes = malloc(LOG_BUFFER_BYTES);
    if (!waiting.bytes) {
        return -EAGAIN;
    }
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&waiting.changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    waiting.stopping = false;
    waiting.running = true;
    int r = create_writer();
    if (r != 0) {
        waiting.running = false;
        free(waiting.bytes);
        waiting.bytes = NULL;
    }
    return r;
}

void log_stop(uint32_t timeout_ms)
{
    struct timespec until = clock_timespec(clock_after_ns(timeout_ms * CLOCK_MS_NS));
    int r = 0;
    (void)pthread_mutex_lock(&waiting.lock);
    if (!waiting.bytes) {
        (void)pthread_mutex_unlock(&waiting.lock);
        return;
    }
    waiting.stopping = true;
    (void)pthread_cond_broadcast(&waiting.changed);
    while (waiting.running && r == 0) {
        r = pthread_cond_timedwait(&waiting.changed, &waiting.lock, &until);
    }
    bool ended = !waiting.running;
    (void)pthread_mutex_unlock(&waiting.lock);
    if (ended) {
        (void)pthread_join(writer, NULL);
        free(waiting.bytes);
        waiting.bytes = NULL;
    } /* else it hangs in its write, and ends with the process: it keeps the buffer */
}

static void give(const char *line, size_t length)
{
    (void)pthread_mutex_lock(&waiting.lock);
    bool queued = waiting.running;
    if (queued && waiting.length + length > LOG_BUFFER_BYTES) {
        waiting.dropped++;
    } else if (queued) {
        memcpy(waiting.bytes + waiting.length, line, length);
        waiting.length += length;
        (void)pthread_cond_broadcast(&waiting.changed);
    }
    (void)pthread_mutex_unlock(&waiting.lock);
    if (!queued) {
        (void)put(line, length, false);
    }
}

__attribute__((format(printf, 5, 0))) static void say(enum log_level level, const char *event,
                                                      const char *cell,
                                                      const struct log_field *fields,
                                                      const char *format, va_list args)
{
    char sentence[MESSAGE_BYTES];
    char line[LOG_LINE_BYTES];
    struct log_event said = {
        .level = level, .event = event, .cell = cell, .sentence = sentence, .fields = fields};
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    (void)clock_gettime(CLOCK_REALTIME, &said.when);
    size_t length = make_line(&said, line);
    if (length > 0) {
        give(line, length);
    }
}

bool log_limit_pass(struct log_limit *limit, uint64_t *ret_left_out)
{
    uint64_t now_ns = clock_now_ns();
    if (now_ns - limit->since_ns >= CLOCK_SECOND_NS) {
        limit->since_ns = now_ns;
        limit->told = 0;
    }
    if (limit->told >= LOG_LIMIT_PER_S) {
        limit->left_out++;
        return false;
    }
    limit->told++;
    *ret_left_out = limit->left_out;
    limit->left_out = 0;
    return true;
}

void log_say(enum log_level level, const char *event, const char *cell, const char *format, ...)
{
    if (log_wants(level)) {
        va_list args;
        va_start(args, format);
        say(level, event, cell, NULL, format, args);
        va_end(args);
    }
}

void log_say_with(enum log_level level, const char *event, const char *cell,
                  const struct log_field *fields, const char *format, ...)
{
    if (log_wants(level)) {
        va_list args;
        va_start(args, format);
        say(level, event, cell, fields, format, args);
        va_end(args);
    }
}
