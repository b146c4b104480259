/* SPDX-License-Identifier: Apache-2.0 */
#include "report/symbolize/story.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "cordon/cell.h"
#include "lane/errand.h"
#include "report/symbolize/stack.h"

#define TEXT_MAX 4096u

static const char *const why_names[CAPTURE_WHY_COUNT] = {
    [CAPTURE_WHY_CRASH] = "crash",
    [CAPTURE_WHY_HANG] = "hang",
    [CAPTURE_WHY_EXIT] = "exit",
    [CAPTURE_WHY_VIOLATION] = "violation",
    [CAPTURE_WHY_RECYCLED] = "recycled",
    [CAPTURE_WHY_KILLED] = "killed",
    [CAPTURE_WHY_LIED] = "broken-protocol",
    [CAPTURE_WHY_START] = "start-failed",
};

json_t *story_hexadecimal(uint64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "0x%" PRIx64, number);
    return json_string(text);
}

json_t *story_text(const char *text, size_t length)
{
    char clean[TEXT_MAX];
    size_t bytes = strnlen(text, length < sizeof clean - 1 ? length : sizeof clean - 1);
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        clean[i] = byte < 0x20 || byte == 0x7f ? '?' : text[i];
    }
    clean[bytes] = '\0';
    json_t *json = json_string(clean);
    for (size_t i = 0; !json && i < bytes; i++) {
        clean[i] = (unsigned char)clean[i] >= 0x80 ? '?' : clean[i];
    }
    return json ? json : json_string(clean);
}

/* ---- Cell and machine -------------------------------------------------------------------------- */

static json_t *names_of(uint32_t bits, const char *const *names, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if ((bits & 1u << i) && names[i]) {
            (void)json_array_append_new(array, json_string(names[i]));
        }
    }
    return array;
}

static json_t *mechanisms_of(uint32_t bits)
{
    static const char *const names[] = {
        "user-namespace", "pid-namespace", "landlock",          "seccomp", "no-new-privileges",
        "limits",         "guard-pages",   "unprivileged-user", "notify",  "trace"};
    return names_of(bits, names, sizeof names / sizeof names[0]);
}

json_t *story_cell(const struct evidence *evidence)
{
    static const char *const levels[] = {"process", "thread", "inline"};
    static const char *const policies[] = {"strict", "files", "network", "trusted"};
    const struct card_header *card = &evidence->card;
    uint32_t policy = evidence->reason.policy;
    if (!evidence->has_card) {
        return NULL;
    }
    json_t *json = json_object();
    (void)json_object_set_new(json, "library", story_text(card->library, sizeof card->library));
    (void)json_object_set_new(json, "level", json_string(levels[card->level]));
    if (card->level == CARD_PROCESS) {
        (void)json_object_set_new(json, "policy",
                                  json_string(policy < 4 ? policies[policy] : "other"));
    }
    if (card->policy_text[0]) {
        (void)json_object_set_new(json, "policy_text",
                                  story_text(card->policy_text, sizeof card->policy_text));
    }
    (void)json_object_set_new(json, "mechanisms", mechanisms_of(evidence->reason.mechanisms));
    (void)json_object_set_new(json, "isolation", story_hexadecimal(card->isolation));
    (void)json_object_set_new(
        json, "limits",
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "memory_bytes", (json_int_t)card->memory_bytes,
                  "deadline_ms", (json_int_t)card->deadline_ms, "start_ms",
                  (json_int_t)card->start_ms, "call_bytes", (json_int_t)card->call_bytes, "workers",
                  (json_int_t)card->workers, "arena_bytes", (json_int_t)card->arena_bytes));
    (void)json_object_set_new(json, "host",
                              json_pack("{s:o, s:I}", "program",
                                        story_text(card->program, sizeof card->program), "pid",
                                        (json_int_t)card->host_pid));
    return json;
}

/* ---- Worker ------------------------------------------------------------------------------------ */

/* "VmPeak:  123 kB" -> {"VmPeak": "123 kB"}: some of them. */
static json_t *resources_of(const struct capture_part *status)
{
    static const char *const wanted[] = {"VmPeak", "VmSize",  "VmHWM",     "VmRSS",
                                         "VmData", "VmStk",   "Threads",   "FDSize",
                                         "State",  "Seccomp", "NoNewPrivs"};
    json_t *json = json_object();
    const char *text = (const char *)status->data;
    const char *end = text + status->bytes;
    while (text && text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        line_end = line_end ? line_end : end;
        const char *colon = memchr(text, ':', (size_t)(line_end - text));
        for (size_t i = 0; colon && i < sizeof wanted / sizeof wanted[0]; i++) {
            size_t length = strlen(wanted[i]);
            if ((size_t)(colon - text) == length && memcmp(text, wanted[i], length) == 0) {
                const char *value = colon + 1;
                while (value < line_end && isspace((unsigned char)*value)) {
                    value++;
                }
                (void)json_object_set_new(json, wanted[i],
                                          story_text(value, (size_t)(line_end - value)));
            }
        }
        text = line_end + 1;
    }
    return json;
}

static json_t *rlimits_of(const struct capture_part *limits)
{
    json_t *array = json_array();
    const char *text = (const char *)limits->data;
    const char *end = text + limits->bytes;
    while (text && text < end && json_array_size(array) < 32) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        line_end = line_end ? line_end : end;
        if (line_end > text) {
            (void)json_array_append_new(array, story_text(text, (size_t)(line_end - text)));
        }
        text = line_end + 1;
    }
    return array;
}

static json_t *worker_of(const struct evidence *evidence)
{
    const struct capture_reason *reason = &evidence->reason;
    json_t *json = json_pack("{s:I, s:I}", "number", (json_int_t)reason->worker, "pid",
                             (json_int_t)reason->pid);
    if (reason->started_ns != 0 && reason->now_ns >= reason->started_ns) {
        (void)json_object_set_new(json, "age_ms",
                                  json_real((double)(reason->now_ns - reason->started_ns) / 1e6));
    }
    if (reason->memory_bytes != 0) {
        (void)json_object_set_new(json, "memory_limit_bytes",
                                  json_integer((json_int_t)reason->memory_bytes));
    }
    if (evidence->status.data) {
        (void)json_object_set_new(json, "resources", resources_of(&evidence->status));
    }
    if (evidence->limits.data) {
        (void)json_object_set_new(json, "limits", rlimits_of(&evidence->limits));
    }
    return json;
}

/* ---- Threads and modules ----------------------------------------------------------------------- */

static json_t *registers_of(const struct capture_thread *thread)
{
#if defined(__x86_64__)
    static const char *const names[CAPTURE_REGISTER_COUNT] = {
        "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
        "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip", "eflags"};
#endif
    json_t *json = json_object();
    for (uint32_t i = 0; i < CAPTURE_REGISTER_COUNT; i++) {
#if defined(__x86_64__)
        const char *name = names[i];
#else
        char name[16] = "pstate";
        if (i < CAPTURE_REGISTER_SP) {
            (void)snprintf(name, sizeof name, "x%u", i);
        } else if (i < CAPTURE_REGISTER_FLAGS) {
            (void)snprintf(name, sizeof name, i == CAPTURE_REGISTER_SP ? "sp" : "pc");
        }
#endif
        (void)json_object_set_new(json, name, story_hexadecimal(thread->registers[i]));
    }
    return json;
}

static json_t *threads_of(struct evidence *evidence, struct modules *modules)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < evidence->thread_count; i++) {
        struct witness *witness = &evidence->threads[i];
        bool blamed = witness->thread.flags & CAPTURE_THREAD_BLAMED ||
                      witness->tid == evidence->reason.tid || evidence->thread_count == 1;
        json_t *json = json_pack("{s:I, s:b}", "tid", (json_int_t)witness->tid, "blamed", blamed);
        (void)json_object_set_new(json, "name",
                                  story_text(witness->thread.name, sizeof witness->thread.name));
        if (witness->thread.system_call >= 0) {
            (void)json_object_set_new(json, "system_call",
                                      json_integer(witness->thread.system_call));
        }
        (void)json_object_set_new(json, "registers", registers_of(&witness->thread));
        (void)json_object_set_new(json, "stack", stack_of(evidence, modules, witness));
        if (blamed) {
            (void)json_array_insert_new(array, 0, json);
        } else {
            (void)json_array_append_new(array, json);
        }
    }
    return array;
}

static json_t *modules_of(const struct modules *modules)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < modules->count; i++) {
        const struct module *module = &modules->list[i];
        json_t *json = json_object();
        (void)json_object_set_new(json, "path", story_text(module->path, TEXT_MAX));
        (void)json_object_set_new(json, "start", story_hexadecimal(module->start));
        (void)json_object_set_new(json, "end", story_hexadecimal(module->end));
        if (module->build_id_bytes > 0) {
            char text[2 * BUILD_ID_MAX + 1];
            for (uint32_t b = 0; b < module->build_id_bytes; b++) {
                (void)snprintf(text + (size_t)2 * b, 3, "%02x", module->build_id[b]);
            }
            (void)json_object_set_new(json, "build_id", json_string(text));
        }
        if (module->symbols) {
            (void)json_object_set_new(json, "no_symbols", json_string(module->symbols));
        }
        (void)json_array_append_new(array, json);
    }
    return array;
}

/* ---- All of it --------------------------------------------------------------------------------- */

static void put_time(json_t *report, uint64_t realtime_ns)
{
    char text[64];
    struct tm parts;
    time_t seconds = (time_t)(realtime_ns / 1000000000u);
    if (gmtime_r(&seconds, &parts)) {
        size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
        (void)snprintf(text + length, sizeof text - length, ".%03uZ",
                       (unsigned)(realtime_ns / 1000000u % 1000u));
        (void)json_object_set_new(report, "when", json_string(text));
    }
    (void)json_object_set_new(report, "when_ns", json_integer((json_int_t)realtime_ns));
}

static void put_violation(json_t *report, const struct capture_reason *reason)
{
    json_t *json = json_pack("{s:i}", "system_call", reason->number);
    (void)json_object_set_new(json, "act", story_text(reason->text, sizeof reason->text));
    (void)json_object_set_new(json, "grant", story_text(reason->grant, sizeof reason->grant));
    (void)json_object_set_new(report, "violation", json);
}

static void set_if(json_t *report, const char *key, json_t *value)
{
    if (value) {
        (void)json_object_set_new(report, key, value);
    }
}

static void put_why(json_t *report, const struct evidence *evidence)
{
    const struct capture_reason *reason = &evidence->reason;
    (void)json_object_set_new(report, "what", json_string(why_names[reason->why]));
    (void)json_object_set_new(report, "ended", json_boolean(reason->flags & CAPTURE_ENDED));
    if (reason->why == CAPTURE_WHY_EXIT) {
        (void)json_object_set_new(report, "exit_status", json_integer(reason->status));
    }
    if (reason->why == CAPTURE_WHY_VIOLATION) {
        put_violation(report, reason);
    } else if (reason->text[0]) {
        (void)json_object_set_new(report, "text", story_text(reason->text, sizeof reason->text));
    }
}

static json_t *notes_of(const struct evidence *evidence, const struct modules *modules)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < evidence->note_count; i++) {
        (void)json_array_append_new(array, story_text(evidence->notes[i], evidence->note_bytes[i]));
    }
    if (evidence->thread_count == 0 && evidence->reason.why != CAPTURE_WHY_RECYCLED) {
        (void)json_array_append_new(array, json_string("no thread's registers could be had"));
    }
    if (!modules->dwfl) {
        (void)json_array_append_new(array, json_string("no module could be read: no symbols"));
    }
    if (evidence->reason.missed > 0) {
        char text[96];
        (void)snprintf(text, sizeof text, "%u reports before this one could not be made",
                       evidence->reason.missed);
        (void)json_array_append_new(array, json_string(text));
    }
    return array;
}

json_t *story_tell(struct evidence *evidence, struct modules *modules)
{
    const struct capture_reason *reason = &evidence->reason;
    char id[32];
    json_t *report = json_pack("{s:i}", "cordon_report", REPORT_VERSION);
    (void)snprintf(id, sizeof id, reason->part ? "%016" PRIx64 "-%u" : "%016" PRIx64,
                   reason->report_id, reason->part);
    (void)json_object_set_new(report, "id", json_string(id));
    put_time(report, reason->realtime_ns);
    put_why(report, evidence);
    /* Early, where headline.h looks for it; written when all is known. */
    (void)json_object_set_new(report, "summary", json_string(""));
    set_if(report, "cell", story_cell(evidence));
    (void)json_object_set_new(report, "worker", worker_of(evidence));
    set_if(report, "call", story_call(evidence));
    stack_prepare(evidence, modules);
    set_if(report, "signal", story_signal(evidence, modules));
    (void)json_object_set_new(report, "threads", threads_of(evidence, modules));
    set_if(report, "violations", story_violations(evidence));
    set_if(report, "history", story_history(evidence));
    (void)json_object_set_new(report, "modules", modules_of(modules));
    (void)json_object_set_new(report, "notes", notes_of(evidence, modules));
    story_summary(evidence, report);
    return report;
}

/* The innermost function with a name that is not of the C library's way of dying. */
static const char *culprit(const json_t *report)
{
    const json_t *stack =
        json_object_get(json_array_get(json_object_get(report, "threads"), 0), "stack");
    size_t index;
    json_t *frame;
    json_array_foreach(stack, index, frame)
    {
        const char *name = json_string_value(json_object_get(frame, "function"));
        const char *module = json_string_value(json_object_get(frame, "module"));
        if (name && !(module && strstr(module, "/libc.so"))) {
            return name;
        }
    }
    return NULL;
}

void story_summary(const struct evidence *evidence, json_t *report)
{
    const struct capture_reason *reason = &evidence->reason;
    const json_t *call = json_object_get(report, "call");
    const json_t *signal = json_object_get(report, "signal");
    const char *function = json_string_value(json_object_get(call, "function"));
    const char *there = json_string_value(json_object_get(signal, "there"));
    const char *meaning = json_string_value(json_object_get(signal, "meaning"));
    const char *inner = culprit(report);
    char text[1024];
    size_t at = 0;
    switch (reason->why) {
    case CAPTURE_WHY_CRASH:
    case CAPTURE_WHY_KILLED:
        at = (size_t)snprintf(text, sizeof text, "%s",
                              signal ? json_string_value(json_object_get(signal, "name"))
                                     : "ended without a word");
        break;
    case CAPTURE_WHY_EXIT:
        at = (size_t)snprintf(text, sizeof text, "exit status %d", reason->status);
        break;
    case CAPTURE_WHY_VIOLATION: {
        json_t *act = story_text(reason->text, sizeof reason->text);
        at = (size_t)snprintf(text, sizeof text, "forbidden: %s", json_string_value(act));
        json_decref(act);
        break;
    }
    default:
        at = (size_t)snprintf(text, sizeof text, "%s", why_names[reason->why]);
        break;
    }
    if (inner) {
        at += (size_t)snprintf(text + at, sizeof text - at, " in %.128s", inner);
    }
    if (function && (!inner || strcmp(function, inner) != 0)) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s %.128s",
                               inner ? ", called by" : " in", function);
    }
    if (there) {
        (void)snprintf(text + at, sizeof text - at, ": %s is %.300s",
                       json_string_value(json_object_get(signal, "address"))
                           ? json_string_value(json_object_get(signal, "address"))
                           : "the address",
                       there);
    } else if (meaning) {
        (void)snprintf(text + at, sizeof text - at, ": %s", meaning);
    }
    (void)json_object_set_new(report, "summary", story_text(text, sizeof text));
}
