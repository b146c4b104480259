/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reports of what ends in this process, where no keeper looks on. The capture is the same that a keeper
 * makes. The library may have died inside the allocator, or of what it did to the heap: nothing here
 * allocates, and what is written to a stream is not.
 */
#include "cell/reporting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cell/fault_scene.h"
#include "cell/launch.h"
#include "cell/programs.h"
#include "cell/writers.h"
#include "lane/layout.h"
#include "report/capture.h"
#include "report/card.h"
#include "report/directory.h"
#include "report/symbolize.h"

#define JSON_BYTES 4096u

/*
 * Not all of a host that opens poisoned cells again and again: a burst, then one every so often, and no more
 * at a time than writers.h says.
 */
#define HERE_BURST    5u
#define HERE_EVERY_NS (100 * CLOCK_MS_NS)

/* ---- How many ---------------------------------------------------------------------------------- */

static _Atomic uint64_t full_ns; /* when the whole burst may come again */
static _Atomic uint32_t missed;  /* since the last */
static struct writers writers;

static void miss(uint32_t count)
{
    (void)atomic_fetch_add_explicit(&missed, count, memory_order_relaxed);
}

/* True: it counts as made, by @ret_place of the writers. Relaxed: numbers that stand alone. */
static bool allow(uint32_t *ret_missed, uint32_t *ret_place)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t full = atomic_load_explicit(&full_ns, memory_order_relaxed);
    uint64_t from;
    do {
        from = full > now_ns ? full : now_ns;
        if (from - now_ns > (HERE_BURST - 1) * HERE_EVERY_NS) {
            miss(1);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&full_ns, &full, from + HERE_EVERY_NS,
                                                    memory_order_relaxed, memory_order_relaxed));
    if (!writers_allow(&writers, ret_place)) {
        miss(1);
        return false;
    }
    *ret_missed = atomic_exchange_explicit(&missed, 0, memory_order_relaxed);
    return true;
}

/* ---- The capture ------------------------------------------------------------------------------- */

static uint64_t realtime_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_SECOND_NS + (uint64_t)now.tv_nsec;
}

static bool has_scene(const struct reporting_end *end)
{
    return end->scene != NULL && end->scene->taken;
}

static void fill_reason(const struct reporting_end *end, uint64_t id, uint32_t reports_missed,
                        struct capture_reason *reason)
{
    *reason = (struct capture_reason){
        .why = end->why,
        .flags = end->ended ? (uint32_t)CAPTURE_ENDED : 0u,
        .report_id = id,
        .worker = end->worker,
        .pid = (uint32_t)getpid(),
        .realtime_ns = realtime_ns(),
        .now_ns = clock_now_ns(),
        .signal = end->signal,
        .status = end->exit_status,
        .deadline_ns = end->deadline_ns,
        .missed = reports_missed,
    };
    if (end->page != NULL && end->seq != 0) {
        const struct lane_record *record = &end->page->record[lane_slot_of(end->seq)];
        reason->flags |= CAPTURE_HAS_CALL;
        reason->seq = end->seq;
        /* Relaxed: this thread's own, or published by the verdict. */
        reason->function_id = atomic_load_explicit(&record->function_id, memory_order_relaxed);
    }
    if (has_scene(end)) {
        reason->tid = (uint32_t)end->scene->thread;
    }
    if (has_scene(end) && end->scene->has_info) {
        reason->code = end->scene->info.si_code;
        reason->fault_address = (uint64_t)(uintptr_t)end->scene->info.si_addr;
        reason->flags |=
            end->signal == SIGSEGV || end->signal == SIGBUS ? (uint32_t)CAPTURE_HAS_FAULT : 0u;
    }
    (void)snprintf(reason->text, sizeof reason->text, "%s", end->text ? end->text : "");
}

static void add_scene(struct capture *capture, const struct fault_scene *scene)
{
    uint32_t thread = (uint32_t)scene->thread;
    if (scene->has_info) {
        (void)capture_add(capture, CAPTURE_SIGINFO, thread, 0, &scene->info, sizeof scene->info);
    }
    (void)capture_add(capture, CAPTURE_THREAD, thread, 0, &scene->registers,
                      sizeof scene->registers);
    if (scene->stack_bytes > 0) {
        (void)capture_add(capture, CAPTURE_STACK, thread, scene->stack_address, scene->stack,
                          scene->stack_bytes);
    } else {
        capture_note(capture, thread, "its stack cannot be read");
    }
    for (uint32_t i = 0; i < scene->piece_count; i++) {
        const struct scene_piece *piece = &scene->pieces[i];
        char text[64];
        (void)snprintf(text, sizeof text, "nothing is mapped at %#" PRIx64, piece->wanted);
        if (piece->bytes > 0) {
            (void)capture_add(capture, CAPTURE_MEMORY, thread, piece->address, piece->data,
                              piece->bytes);
        } else {
            capture_note(capture, thread, text);
        }
    }
    capture_note(capture, thread,
                 "level thread or inline: of the host's threads this one alone is shown");
}

static void add_no_scene(struct capture *capture, const struct reporting_end *end)
{
    char text[256];
    (void)snprintf(text, sizeof text, "no registers and no stack: %s",
                   end->scene_missing ? end->scene_missing : "they were not taken");
    capture_note(capture, 0, text);
}

/* A thread that is late runs on, and may end now: each word of the page is read once, whole. */
static void append_page(struct capture *capture, const struct lane_host_page *page)
{
    const _Atomic uint64_t *words = (const _Atomic uint64_t *)(const void *)page;
    uint64_t copy[sizeof *page / sizeof(uint64_t)];
    _Static_assert(sizeof copy == sizeof *page, "in whole words");
    for (size_t i = 0; i < sizeof copy / sizeof copy[0]; i++) {
        /* Relaxed: what a report says of a call that goes on is what it happens to be. */
        copy[i] = atomic_load_explicit(&words[i], memory_order_relaxed);
    }
    (void)capture_append(capture, copy, sizeof copy);
}

/* The call's request: its record says where. A library of this process may have written there. */
static void add_call(struct capture *capture, const struct reporting_end *end)
{
    static const uint8_t zeros[LANE_H_BYTES_AT - sizeof(struct lane_host_page)];
    capture_open(capture, CAPTURE_LANE, 0, 0);
    append_page(capture, end->page);
    (void)capture_append(capture, zeros, sizeof zeros);
    capture_close(capture);
    const struct lane_record *record = &end->page->record[lane_slot_of(end->seq)];
    uint64_t place = atomic_load_explicit(&record->words[0], memory_order_relaxed);
    uint32_t at = (uint32_t)place;
    uint32_t bytes = (uint32_t)(place >> 32);
    if (end->seq == 0 || bytes == 0 || bytes > CAPTURE_FRAME_BYTES || at < end->memory_at ||
        at > end->memory_bytes || bytes > end->memory_bytes - at) {
        return; /* a call of words alone has none */
    }
    (void)capture_add(capture, CAPTURE_FRAME, 0, at, end->memory + at, bytes);
}

/* Returns a descriptor, or a negative errno. */
static int take(const struct reporting_end *end, const struct capture_reason *reason)
{
    struct capture capture;
    OWN_FD fd = memfd_create("cordon-capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int high = fd < 0 ? -errno : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (high < 0) {
        return fd < 0 ? high : -errno;
    }
    capture_begin(&capture, high, reason);
    if (end->page != NULL) {
        add_call(&capture, end);
    }
    if (has_scene(end)) {
        add_scene(&capture, end->scene);
    } else {
        add_no_scene(&capture, end);
    }
    capture_add_file(&capture, CAPTURE_MAPS, "/proc/self/maps", CAPTURE_TEXT_BYTES);
    capture_add_file(&capture, CAPTURE_STATUS, "/proc/self/status", CAPTURE_TEXT_BYTES);
    capture_add_file(&capture, CAPTURE_LIMITS, "/proc/self/limits", CAPTURE_TEXT_BYTES);
    int r = capture_end(&capture);
    if (r < 0) {
        (void)close(high);
    }
    return r < 0 ? r : high;
}

/* 0 once somebody is at it. */
static int hand_over(const struct reporting *reporting, const struct reporting_end *end,
                     const struct capture_reason *reason, pid_t *ret_pid, const char **ret_what)
{
    *ret_what = "its capture cannot be made";
    OWN_FD capture = take(end, reason);
    if (capture < 0) {
        return capture;
    }
    *ret_what = "cordon-symbolize cannot be found";
    OWN_FD program = program_open(PROGRAM_SYMBOLIZE, NULL, NULL);
    if (program < 0) {
        return program;
    }
    *ret_what = "cordon-symbolize cannot be started";
    struct launch_program launch = {.program = program, .name = "cordon-symbolize"};
    _Static_assert(SYMBOLIZE_FD_END <= LAUNCH_FDS, "they have a place");
    memset(launch.fds, 0xff, sizeof launch.fds);
    launch.fds[SYMBOLIZE_FD_CAPTURE] = capture;
    launch.fds[SYMBOLIZE_FD_DIRECTORY] = reporting->directory;
    launch.fds[SYMBOLIZE_FD_CARD] = card_peek_fd(reporting->card);
    return launch_program(&launch, ret_pid);
}

/* ---- A small report ---------------------------------------------------------------------------- */

/* @text as it can stand between quotes. */
static void quotable(const char *text, char *clean, size_t size)
{
    size_t i = 0;
    for (; i + 1 < size && text[i]; i++) {
        unsigned char byte = (unsigned char)text[i];
        clean[i] = byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\' ? '?' : text[i];
    }
    clean[i] = '\0';
}

static int small_json(const struct reporting *reporting, const struct reporting_end *end,
                      const struct capture_reason *reason, const char *note, char *json,
                      size_t size)
{
    char library[512];
    char text[256];
    char noted[256];
    char when[32] = "";
    struct tm parts;
    time_t seconds = (time_t)(reason->realtime_ns / CLOCK_SECOND_NS);
    const char *what = end->why == CAPTURE_WHY_CRASH  ? "crash"
                       : end->why == CAPTURE_WHY_EXIT ? "exit"
                                                      : "hang";
    if (gmtime_r(&seconds, &parts)) {
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    quotable(reporting->library, library, sizeof library);
    quotable(reason->text, text, sizeof text);
    quotable(note, noted, sizeof noted);
    return snprintf(
        json, size,
        "{\"cordon_report\": 1, \"id\": \"%016" PRIx64 "\", \"when\": \"%s\", \"when_ns\": %" PRIu64
        ", \"what\": \"%s\", \"ended\": %s, \"summary\": \"%s in %s (no more could be found "
        "out)\", \"text\": \"%s\", \"cell\": {\"library\": \"%s\", \"level\": \"%s\", \"host\": "
        "{\"pid\": %d}}, \"call\": {\"function\": \"%s\"}, \"signal_number\": %d, "
        "\"exit_status\": %d, \"notes\": [\"%s\"]}\n",
        reason->report_id, when, reason->realtime_ns, what, end->ended ? "true" : "false", what,
        end->function, text, library, end->level == CORDON_LEVEL_THREAD ? "thread" : "inline",
        (int)getpid(), end->function, end->signal, end->exit_status, noted);
}

static uint64_t write_small(const struct reporting *reporting, const struct reporting_end *end,
                            const struct capture_reason *reason, const char *note)
{
    char json[JSON_BYTES];
    char temporary[DIRECTORY_NAME_BYTES];
    char name[DIRECTORY_NAME_BYTES];
    int length = small_json(reporting, end, reason, note, json, sizeof json);
    (void)snprintf(temporary, sizeof temporary, ".%016" PRIx64 ".tmp", reason->report_id);
    OWN_FD file = openat(reporting->directory, temporary,
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0 || length < 0 || (size_t)length >= sizeof json) {
        return 0;
    }
    if (write(file, json, (size_t)length) != length ||
        renameat(reporting->directory, temporary, reporting->directory,
                 directory_name(reason->report_id, 0, name)) != 0) {
        (void)unlinkat(reporting->directory, temporary, 0);
        return 0;
    }
    return reason->report_id;
}

uint64_t reporting_write_end(const struct reporting *reporting, const struct reporting_end *end)
{
    struct capture_reason reason;
    uint32_t reports_missed = 0;
    uint32_t place = 0;
    pid_t pid = 0;
    const char *what = "";
    char note[256];
    if (reporting->directory <= 0 || !reporting->card || !allow(&reports_missed, &place)) {
        return 0;
    }
    fill_reason(end, reporting_new_id(reporting), reports_missed, &reason);
    int r = hand_over(reporting, end, &reason, &pid, &what);
    writers_started(&writers, place, pid);
    if (r == 0) {
        return reason.report_id;
    }
    (void)snprintf(note, sizeof note, "%s: %s", what, strerrordesc_np(-r));
    return write_small(reporting, end, &reason, note);
}
