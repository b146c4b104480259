/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/process.h"
#include "keeper/reports.h"
#include "keeper/taking.h"
#include "keeper/ward_steps.h"
#include "lane/violation.h"

/* ---- Which, and whether ------------------------------------------------------------------------ */

static struct taking *free_taking(const struct ward_house *house)
{
    for (uint32_t i = 0; i < house->taking_count; i++) {
        if (house->takings[i].fd < 0) {
            return &house->takings[i];
        }
    }
    return NULL;
}

static void cancel(const struct ward *ward, uint32_t missed)
{
    reports_cancel(ward->house->reports, ward->card_fd, ward->reports_fd, missed);
}

/* NULL: no report is to be made of this. Else hand_over() or cancel() follows. */
static struct taking *wanted(const struct ward *ward, enum reports_kind kind, uint32_t *ret_missed)
{
    const struct ward_house *house = ward->house;
    if (ward->reports_fd < 0 || !house->reports ||
        !reports_allow(house->reports, kind, ward->card_fd, ward->reports_fd, ret_missed)) {
        return NULL;
    }
    struct taking *taking = free_taking(house);
    if (!taking) {
        cancel(ward, *ret_missed);
    }
    return taking;
}

static uint64_t realtime_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_SECOND_NS + (uint64_t)now.tv_nsec;
}

static void fill_call(const struct ward *ward, uint32_t seq, struct capture_reason *reason)
{
    const struct lane_record *record = &ward->lane.h->record[lane_slot_of(seq)];
    /* What was not submitted is not in progress: an idle worker ended. */
    uint32_t submitted = atomic_load_explicit(&ward->lane.h->submitted, memory_order_acquire);
    if (seq == 0 || lane_seq_before(submitted, seq)) {
        return;
    }
    reason->flags |= CAPTURE_HAS_CALL;
    reason->seq = seq;
    /* Relaxed: published by `submitted`. */
    reason->function_id = atomic_load_explicit(&record->function_id, memory_order_relaxed);
    reason->deadline_ns = atomic_load_explicit(&record->deadline_ns, memory_order_relaxed);
}

/* Zero would be a code: that of a signal that was sent. */
static bool knows_code(const struct ward_reason *from)
{
    return from->why != CAPTURE_WHY_CRASH || (from->alarm && from->alarm->has_siginfo);
}

static void fill_reason(const struct ward *ward, const struct ward_reason *from, uint32_t missed,
                        struct capture_reason *reason)
{
    *reason = (struct capture_reason){
        .why = from->why,
        .part = from->part,
        .flags = (from->part == 0 ? (uint32_t)CAPTURE_ENDED : 0u) |
                 (from->has_fault ? (uint32_t)CAPTURE_HAS_FAULT : 0u) |
                 (knows_code(from) ? 0u : (uint32_t)CAPTURE_CODE_UNKNOWN),
        .report_id = ward->report_id,
        .worker = ward->worker,
        .pid = (uint32_t)ward->pid,
        .tid = (uint32_t)from->thread,
        .realtime_ns = realtime_ns(),
        .started_ns = ward->start_ns,
        .now_ns = clock_now_ns(),
        .signal = from->signal,
        .code = from->code,
        .status = from->status,
        .number = from->system_call,
        .fault_address = from->fault_address,
        .deadline_ns = CLOCK_NEVER,
        .mechanisms = ward->mechanisms,
        .policy = ward->policy.preset,
        .memory_bytes = ward->memory_bytes,
        .violations = lane_violation_count(ward->lane.h),
        .missed = missed,
    };
    fill_call(ward, from->seq, reason);
    if (from->act) {
        (void)snprintf(reason->grant, sizeof reason->grant, "%.*s", (int)sizeof reason->grant - 1,
                       from->act->grant);
    }
    if (from->text) {
        (void)snprintf(reason->text, sizeof reason->text, "%s", from->text);
    }
}

/* ---- Taking ------------------------------------------------------------------------------------ */

static void hand_over(struct ward *ward, struct taking *taking)
{
    int capture = taking_end(taking);
    ward->taking = NULL;
    if (capture < 0) {
        cancel(ward, taking->missed);
        return;
    }
    struct reports_fds fds = {.capture = capture,
                              .directory = take_fd(&ward->reports_fd),
                              .card = take_fd(&ward->card_fd),
                              .recording = take_fd(&ward->recording_fd),
                              .h = take_fd(&ward->h_fd)};
    reports_make(ward->house->reports, &fds);
}

static void finish(struct ward *ward)
{
    struct taking *taking = ward->taking;
    ward_kill(ward);
    hand_over(ward, taking);
}

static struct taking *begin(struct ward *ward, enum reports_kind kind,
                            const struct ward_reason *from, int process)
{
    uint32_t missed = 0;
    struct capture_reason reason;
    struct taking *taking = wanted(ward, kind, &missed);
    struct taking_subject subject = {.pid = ward->pid, .process = process, .lane = &ward->lane};
    if (!taking) {
        return NULL;
    }
    fill_reason(ward, from, missed, &reason);
    if (taking_begin(taking, &subject, &reason) < 0) {
        cancel(ward, missed);
        return NULL;
    }
    return taking;
}

void ward_capture_and_kill(struct ward *ward, const struct ward_reason *reason)
{
    OWN_FD process = ward->number > 0 ? process_open_number(ward->number) : -ESRCH;
    ward_stop_listening(ward);
    struct taking *taking = begin(ward, REPORTS_END, reason, process);
    if (!taking) {
        ward_kill(ward);
        return;
    }
    ward->taking = taking;
    ward->blamed = reason->thread > 0 ? reason->thread : ward->pid;
    if (reason->alarm) {
        taking_add_alarm(taking, reason->thread, reason->alarm);
    }
    if (taking_stop(taking, (ward->mechanisms & ERRAND_TRACE) != 0)) {
        ward->state = WARD_CAPTURING;
        ward->capture_until_ns = clock_after_ns(TAKING_PATIENCE_NS);
        if (reason->notice) {
            /* Whom the filter holds no tracer can stop. It stops before it comes back to user mode. */
            listener_refuse(ward->listener, reason->notice, EINTR);
        }
    } else {
        finish(ward);
    }
}

void ward_capture_dead(struct ward *ward, uint32_t seq)
{
    struct ward_reason reason = {
        .why = CAPTURE_WHY_KILLED, .seq = seq, .signal = ward->death.status};
    struct taking *taking = begin(ward, REPORTS_END, &reason, -ESRCH);
    if (taking) {
        hand_over(ward, taking);
    }
}

/* Copies: the worker's end may want to be reported as well. */
static void hand_over_part(struct ward *ward, struct taking *taking)
{
    int capture = taking_end(taking);
    if (capture < 0) {
        cancel(ward, taking->missed);
        return;
    }
    struct reports_fds fds = {.capture = capture,
                              .directory = fcntl(ward->reports_fd, F_DUPFD_CLOEXEC, 0),
                              .card = fcntl(ward->card_fd, F_DUPFD_CLOEXEC, 0),
                              .recording = fcntl(ward->recording_fd, F_DUPFD_CLOEXEC, 0),
                              .h = fcntl(ward->h_fd, F_DUPFD_CLOEXEC, 0)};
    reports_make(ward->house->reports, &fds);
}

void ward_capture_refusal(struct ward *ward, const struct notice *notice,
                          const struct lane_act *act)
{
    bool first = !ward->refusal_counted;
    ward->refusal_counted = true;
    if (!first) {
        return;
    }
    OWN_FD process = ward->number > 0 ? process_open_number(ward->number) : -ESRCH;
    struct ward_reason reason = {.why = CAPTURE_WHY_VIOLATION,
                                 .thread = notice->thread,
                                 .seq = act->seq,
                                 .system_call = act->system_call,
                                 .part = 1,
                                 .act = act,
                                 .text = act->act};
    struct taking *taking = begin(ward, REPORTS_REFUSAL, &reason, process);
    if (taking) {
        taking_add_standing(taking, process, notice);
        hand_over_part(ward, taking);
    }
}

void ward_capture_recycled(struct ward *ward)
{
    static const char *const texts[ERRAND_REASON_COUNT] = {
        [ERRAND_RECYCLED_CALLS] = "it had served as many calls as it may (recycle_calls)",
        [ERRAND_RECYCLED_TIME] = "it had served as long as it may (recycle_ms)",
        [ERRAND_RECYCLED_MEMORY] = "it held as much memory as it may (recycle_bytes)",
    };
    OWN_FD process = ward->number > 0 ? process_open_number(ward->number) : -ESRCH;
    struct ward_reason reason = {.why = CAPTURE_WHY_RECYCLED, .text = texts[ward->end_reason]};
    struct taking *taking = begin(ward, REPORTS_RECYCLING, &reason, process);
    if (taking) {
        hand_over(ward, taking);
    }
}

/* ---- Steps ------------------------------------------------------------------------------------- */

void ward_on_stopped(struct ward *ward)
{
    if (ward->taking->waiting == 0) {
        finish(ward);
    }
}

void ward_on_time_capturing(struct ward *ward)
{
    finish(ward);
}

void ward_capture_cut(struct ward *ward)
{
    hand_over(ward, ward->taking);
}
