/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/taking.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/reach.h"
#include "keeper/process.h"
#include "lane/layout.h"
#include "report/registers.h"

#define STACK_BYTES  (64u * 1024u)
#define RED_ZONE     128u
#define AROUND_BYTES 256u /* in all, around an address */
#define LANE_BYTES   LANE_H_BYTES_AT

_Static_assert(STACK_BYTES <= CAPTURE_STACK_BYTES, "a capture takes it");

static void note(struct taking *taking, pid_t thread, const char *what, int error)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%s: %s", what, strerror(error));
    capture_note(&taking->capture, (uint32_t)thread, text);
}

/* ---- The process ------------------------------------------------------------------------------- */

static void add_file(struct taking *taking, int process, enum capture_kind kind, const char *name)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/thread-self/fd/%d/%s", process, name);
    capture_add_file(&taking->capture, kind, path, CAPTURE_TEXT_BYTES);
}

/* The blamed call's request: its record says where, in the host's own words. */
static void add_frame(struct taking *taking, const struct lane_ward *lane, uint32_t seq)
{
    const struct lane_record *record = &lane->h->record[lane_slot_of(seq)];
    uint64_t place = atomic_load_explicit(&record->words[0], memory_order_relaxed);
    uint32_t at = (uint32_t)place;
    uint32_t bytes = (uint32_t)(place >> 32);
    if (seq == 0 || bytes == 0 || bytes > CAPTURE_FRAME_BYTES || at < LANE_H_BYTES_AT ||
        at > lane->h_bytes || bytes > lane->h_bytes - at) {
        return; /* a call of words alone has none */
    }
    (void)capture_add(&taking->capture, CAPTURE_FRAME, 0, at, (const uint8_t *)lane->h + at, bytes);
}

static void list_threads(struct taking *taking, int process)
{
    struct process_thread threads[CAPTURE_THREADS_MAX];
    int count = process_threads(process, threads, CAPTURE_THREADS_MAX);
    if (count < 0) {
        note(taking, 0, "its threads are not known", -count);
    }
    for (int i = 0; i < count; i++) {
        taking->threads[i] = (struct taking_thread){.is = threads[i]};
        taking->thread_count++;
    }
    if (count == (int)CAPTURE_THREADS_MAX) {
        capture_note(&taking->capture, 0, "there may be more threads than are taken");
    }
}

int taking_begin(struct taking *taking, const struct taking_subject *subject,
                 const struct capture_reason *reason)
{
    *taking = (struct taking){.pid = subject->pid, .missed = reason->missed};
    taking->fd = memfd_create("cordon-capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (taking->fd < 0) {
        return -errno;
    }
    capture_begin(&taking->capture, taking->fd, reason);
    (void)capture_add(&taking->capture, CAPTURE_LANE, 0, 0, subject->lane->h, LANE_BYTES);
    add_frame(taking, subject->lane, reason->seq);
    if (subject->process < 0) {
        note(taking, 0, "nothing of /proc", -subject->process);
        return 0;
    }
    add_file(taking, subject->process, CAPTURE_MAPS, "maps");
    add_file(taking, subject->process, CAPTURE_STATUS, "status");
    add_file(taking, subject->process, CAPTURE_LIMITS, "limits");
    list_threads(taking, subject->process);
    return 0;
}

/* ---- One thread -------------------------------------------------------------------------------- */

static struct taking_thread *find_thread(struct taking *taking, pid_t id)
{
    for (uint32_t i = 0; i < taking->thread_count; i++) {
        if (taking->threads[i].is.id == id) {
            return &taking->threads[i];
        }
    }
    return NULL;
}

/* The entry of a thread that is there, whatever the list said. */
static struct taking_thread *enter_thread(struct taking *taking, pid_t id)
{
    struct taking_thread *entry = find_thread(taking, id);
    if (!entry) {
        taking->thread_count += taking->thread_count < CAPTURE_THREADS_MAX ? 1 : 0;
        entry = &taking->threads[taking->thread_count - 1];
        *entry = (struct taking_thread){.is = {.id = id}};
    }
    return entry;
}

static void add_memory(struct taking *taking, pid_t thread, uint64_t address)
{
    uint8_t bytes[AROUND_BYTES];
    uint64_t from = address > AROUND_BYTES / 2 ? address - AROUND_BYTES / 2 : 0;
    /* Below it may be nothing: then from the address's own page on. */
    size_t count = reach_bytes(taking->pid, from, bytes, sizeof bytes);
    if (from + count <= address) {
        from = address - address % 4096 > from ? address - address % 4096 : address;
        count = reach_bytes(taking->pid, from, bytes, sizeof bytes);
    }
    if (count > 0) {
        (void)capture_add(&taking->capture, CAPTURE_MEMORY, (uint32_t)thread, from, bytes, count);
    } else {
        char text[64];
        (void)snprintf(text, sizeof text, "nothing is mapped at 0x%llx",
                       (unsigned long long)address);
        capture_note(&taking->capture, (uint32_t)thread, text);
    }
}

static void add_stack(struct taking *taking, pid_t thread, uint64_t pointer)
{
    static uint8_t bytes[STACK_BYTES]; /* too large for a stack; the keeper has one thread */
    uint64_t from = pointer - RED_ZONE;
    size_t count = reach_bytes(taking->pid, from, bytes, sizeof bytes);
    if (count <= RED_ZONE) {
        from = pointer;
        count = reach_bytes(taking->pid, from, bytes, sizeof bytes);
    }
    if (count == 0) {
        from = reach_above(taking->pid, pointer);
        count = from == 0 ? 0 : reach_bytes(taking->pid, from, bytes, sizeof bytes);
    }
    if (count > 0) {
        (void)capture_add(&taking->capture, CAPTURE_STACK, (uint32_t)thread, from, bytes, count);
    } else {
        capture_note(&taking->capture, (uint32_t)thread, "its stack cannot be read");
    }
}

static void add_thread(struct taking *taking, struct taking_thread *of,
                       struct capture_thread *thread, bool blamed)
{
    pid_t id = of->is.id;
    thread->flags = (blamed ? (uint32_t)CAPTURE_THREAD_BLAMED : 0u) |
                    (id == taking->pid ? (uint32_t)CAPTURE_THREAD_SERVING : 0u);
    memcpy(thread->name, of->is.name, sizeof thread->name);
    of->state = TAKING_TAKEN;
    (void)capture_add(&taking->capture, CAPTURE_THREAD, (uint32_t)id, 0, thread, sizeof *thread);
    add_stack(taking, id, thread->registers[CAPTURE_REGISTER_SP]);
}

/* ---- A crash, told by the thread that had it --------------------------------------------------- */

void taking_read_alarm(const struct notice *notice, struct taking_alarm *ret_alarm)
{
    struct taking_alarm alarm = {0};
    siginfo_t info;
    _Static_assert(sizeof alarm.siginfo == sizeof info, "it fits");
    _Static_assert(sizeof alarm.context >= CAPTURE_CONTEXT_BYTES, "it fits");
    uint64_t signal = notice->arguments[0];
    alarm.signal = signal >= 1 && signal <= 64 ? (int)signal : 0;
    alarm.has_siginfo = reach_bytes(notice->thread, notice->arguments[1], alarm.siginfo,
                                    sizeof alarm.siginfo) == sizeof alarm.siginfo;
    alarm.has_context = reach_bytes(notice->thread, notice->arguments[2], alarm.context,
                                    CAPTURE_CONTEXT_BYTES) == CAPTURE_CONTEXT_BYTES;
    if (alarm.has_siginfo) {
        memcpy(&info, alarm.siginfo, sizeof info);
        alarm.code = info.si_code;
        alarm.address = (uint64_t)(uintptr_t)info.si_addr;
    }
    *ret_alarm = alarm;
}

void taking_add_alarm(struct taking *taking, pid_t thread, const struct taking_alarm *alarm)
{
    if (alarm->has_siginfo) {
        (void)capture_add(&taking->capture, CAPTURE_SIGINFO, (uint32_t)thread, 0, alarm->siginfo,
                          sizeof alarm->siginfo);
    }
    if (!alarm->has_context) {
        capture_note(&taking->capture, (uint32_t)thread, "its registers cannot be read");
        return;
    }
    ucontext_t context = {0};
    struct capture_thread registers;
    memcpy(&context, alarm->context, CAPTURE_CONTEXT_BYTES);
    capture_thread_from_context(&registers, &context);
    add_thread(taking, enter_thread(taking, thread), &registers, true);
    add_memory(taking, thread, registers.registers[CAPTURE_REGISTER_PC]);
    if (alarm->has_siginfo && (alarm->signal == SIGSEGV || alarm->signal == SIGBUS)) {
        add_memory(taking, thread, alarm->address);
    }
}

/* ---- One that stands in the kernel ------------------------------------------------------------- */

void taking_add_standing(struct taking *taking, int process, const struct notice *notice)
{
    struct taking_thread *entry = find_thread(taking, notice->thread);
    struct capture_thread thread = {.machine = CAPTURE_MACHINE,
                                    .count = CAPTURE_REGISTER_COUNT,
                                    .system_call = (int32_t)notice->system_call};
    int r = entry ? process_thread_place(process, entry->is.number,
                                         &thread.registers[CAPTURE_REGISTER_SP],
                                         &thread.registers[CAPTURE_REGISTER_PC])
                  : -ESRCH;
    if (r < 0) {
        note(taking, notice->thread, "where the thread stands cannot be had", -r);
        return;
    }
    capture_note(&taking->capture, (uint32_t)notice->thread,
                 "the worker went on: of its registers only two are known, and one thread alone");
    add_thread(taking, entry, &thread, true);
}

/* ---- All threads, by ptrace -------------------------------------------------------------------- */

static void stop_thread(struct taking *taking, struct taking_thread *thread)
{
    pid_t id = thread->is.id;
    if (ptrace(PTRACE_SEIZE, id, NULL, PTRACE_O_EXITKILL) != 0 ||
        ptrace(PTRACE_INTERRUPT, id, NULL, NULL) != 0) {
        note(taking, id, "the thread cannot be stopped", errno);
        return;
    }
    thread->state = TAKING_WAITS;
    taking->waiting++;
}

bool taking_stop(struct taking *taking, bool may_trace)
{
    if (!may_trace) {
        capture_note(&taking->capture, 0, "the system does not let the keeper stop threads");
        return false;
    }
    for (uint32_t i = 0; i < taking->thread_count; i++) {
        if (taking->threads[i].state == TAKING_RUNS) {
            stop_thread(taking, &taking->threads[i]);
        }
    }
    return taking->waiting > 0;
}

bool taking_stopped(struct taking *taking, pid_t id, pid_t blamed)
{
    struct taking_thread *entry = taking->fd < 0 ? NULL : find_thread(taking, id);
    if (!entry || entry->state != TAKING_WAITS) {
        return entry != NULL;
    }
    struct user_regs_struct registers;
    struct iovec part = {.iov_base = &registers, .iov_len = sizeof registers};
    struct capture_thread thread;
    taking->waiting--;
    entry->state = TAKING_TAKEN;
    if (ptrace(PTRACE_GETREGSET, id, (void *)(uintptr_t)NT_PRSTATUS, &part) != 0) {
        note(taking, id, "its registers cannot be read", errno);
        return true;
    }
    capture_thread_from_ptrace(&thread, &registers);
    add_thread(taking, entry, &thread, id == blamed);
    return true;
}

/* ---- End --------------------------------------------------------------------------------------- */

int taking_end(struct taking *taking)
{
    for (uint32_t i = 0; i < taking->thread_count; i++) {
        if (taking->threads[i].state == TAKING_WAITS) {
            capture_note(&taking->capture, (uint32_t)taking->threads[i].is.id,
                         "the thread did not stand in time");
        }
    }
    int r = capture_end(&taking->capture);
    int fd = take_fd(&taking->fd);
    if (r < 0) {
        fd_release(&fd);
        return r;
    }
    return fd;
}
