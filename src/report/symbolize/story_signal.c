/* SPDX-License-Identifier: Apache-2.0 */
/* The signal, where the fault was, and what lies there. */
#include "report/symbolize/story.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/symbolize/stack.h"

#define NEAR_NULL  65536u
#define NEAR_STACK (1u << 20)

struct named_code {
    int signal;
    int code;
    const char *name;
    const char *meaning;
};

static const struct named_code codes[] = {
    {SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR", "nothing is mapped there"},
    {SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR", "what is mapped there does not allow it"},
    {SIGSEGV, SI_KERNEL, "SI_KERNEL", "no possible address"},
    {SIGBUS, BUS_ADRALN, "BUS_ADRALN", "wrong alignment"},
    {SIGBUS, BUS_ADRERR, "BUS_ADRERR", "behind the end of a file"},
    {SIGBUS, BUS_OBJERR, "BUS_OBJERR", "hardware error"},
    {SIGFPE, FPE_INTDIV, "FPE_INTDIV", "integer division by zero"},
    {SIGFPE, FPE_INTOVF, "FPE_INTOVF", "integer overflow"},
    {SIGFPE, FPE_FLTDIV, "FPE_FLTDIV", "division by zero"},
    {SIGILL, ILL_ILLOPC, "ILL_ILLOPC", "illegal instruction"},
    {SIGILL, ILL_ILLOPN, "ILL_ILLOPN", "illegal operand"},
    {0, SI_USER, "SI_USER", "sent by kill()"},
    {0, SI_TKILL, "SI_TKILL", "sent by itself, as abort() does"},
};

static const struct named_code *find_code(int signal, int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if ((codes[i].signal == signal || codes[i].signal == 0) && codes[i].code == code) {
            return &codes[i];
        }
    }
    return NULL;
}

static uint64_t blamed_sp(const struct evidence *evidence)
{
    for (uint32_t i = 0; i < evidence->thread_count; i++) {
        if (evidence->threads[i].thread.flags & CAPTURE_THREAD_BLAMED) {
            return evidence->threads[i].sp;
        }
    }
    return evidence->thread_count > 0 ? evidence->threads[0].sp : 0;
}

/* The next mapping above an address that lies in none. */
static const struct mapping *above(const struct evidence *evidence, uint64_t address)
{
    for (uint32_t i = 0; i < evidence->mapping_count; i++) {
        if (evidence->mappings[i].start > address) {
            return &evidence->mappings[i];
        }
    }
    return NULL;
}

/* The stack has grown to where it ends: the stack pointer is near, and is in nothing, or in a guard. */
static bool is_overflow(const struct evidence *evidence, uint64_t address)
{
    uint64_t sp = blamed_sp(evidence);
    uint64_t distance = address > sp ? address - sp : sp - address;
    return sp != 0 && distance < NEAR_NULL;
}

static const char *name_of(const struct mapping *mapping)
{
    return mapping->path[0] ? mapping->path : "anonymous memory";
}

static void describe(const struct evidence *evidence, uint64_t address, int code, char *text,
                     size_t size)
{
    const struct mapping *mapping = evidence_mapping(evidence, address);
    if (address < NEAR_NULL) {
        (void)snprintf(text, size, address == 0 ? "NULL" : "near NULL");
    } else if (evidence->mapping_count == 0) {
        (void)snprintf(text, size, "not known: the list of mappings could not be had");
    } else if (!mapping && is_overflow(evidence, address)) {
        (void)snprintf(text, size, "below the stack: it has overflowed");
    } else if (!mapping) {
        const struct mapping *next = above(evidence, address);
        if (next && next->start - address < NEAR_STACK) {
            (void)snprintf(text, size, "nothing, 0x%llx bytes below %s",
                           (unsigned long long)(next->start - address), name_of(next));
        } else {
            (void)snprintf(text, size, "nothing");
        }
    } else if (!mapping->read && !mapping->write && !mapping->execute) {
        (void)snprintf(text, size, "a guard page%s%s",
                       is_overflow(evidence, address) ? " below the stack: it has overflowed" : "",
                       mapping->path[0] ? ", reserved" : "");
    } else if (code == SEGV_MAPERR && mapping->write) {
        (void)snprintf(text, size, "a guard page inside %s%s", name_of(mapping),
                       is_overflow(evidence, address) ? ": the stack has overflowed" : "");
    } else {
        (void)snprintf(text, size, "%s, mapped %c%c%c", name_of(mapping), mapping->read ? 'r' : '-',
                       mapping->write ? 'w' : '-', mapping->execute ? 'x' : '-');
    }
}

json_t *story_signal(const struct evidence *evidence, struct modules *modules)
{
    const struct capture_reason *reason = &evidence->reason;
    if (reason->signal <= 0) {
        return NULL;
    }
    char name[32];
    const char *short_name = sigabbrev_np(reason->signal);
    (void)snprintf(name, sizeof name, "SIG%s", short_name ? short_name : "?");
    json_t *json = json_pack("{s:s, s:i}", "name", name, "number", reason->signal);
    if (reason->why == CAPTURE_WHY_KILLED || (reason->flags & CAPTURE_CODE_UNKNOWN)) {
        return json; /* of its siginfo nothing is known */
    }
    (void)json_object_set_new(json, "code", json_integer(reason->code));
    const struct named_code *code = find_code(reason->signal, reason->code);
    if (code) {
        (void)json_object_set_new(json, "code_name", json_string(code->name));
        (void)json_object_set_new(json, "meaning", json_string(code->meaning));
    }
    if (!(reason->flags & CAPTURE_HAS_FAULT) || reason->code == SI_USER ||
        reason->code == SI_TKILL) {
        return json;
    }
    if (reason->code == SI_KERNEL) {
        (void)json_object_set_new(json, "there",
                                  json_string("not told by the processor: no possible address"));
        return json;
    }
    char text[512];
    describe(evidence, reason->fault_address, reason->code, text, sizeof text);
    (void)json_object_set_new(json, "address", story_hexadecimal(reason->fault_address));
    (void)json_object_set_new(json, "there", story_text(text, strlen(text)));
    if (modules_find(modules, reason->fault_address)) {
        (void)json_object_set_new(json, "place",
                                  stack_place(evidence, modules, reason->fault_address, true));
    }
    return json;
}
