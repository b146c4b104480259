/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/process.h"
#include "keeper/taking.h"
#include "keeper/ward_steps.h"
#include "lane/alarm.h"
#include "lane/start.h"
#include "lane/verdict.h"
#include "lane/violation.h"

/* ---- Listening --------------------------------------------------------------------------------- */

static int watch(struct ward *ward, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = ward->listener_source};
    return epoll_ctl(ward->house->epoll, operation, ward->listener, &event) == 0 ? 0 : -errno;
}

void ward_take_listener(struct ward *ward, int *fd)
{
    if (ward->listener >= 0 || listener_accept(*fd) < 0) {
        return;
    }
    ward->listener = take_fd(fd);
    if (watch(ward, EPOLL_CTL_ADD, EPOLLIN) < 0) {
        fd_release(
            &ward->listener); /* what the filter refuses is ENOSYS from now on, and not listed */
        return;
    }
    ward->listening = true;
}

void ward_stop_listening(struct ward *ward)
{
    if (ward->listener >= 0) {
        (void)watch(ward, EPOLL_CTL_DEL, 0);
    }
    ward->listening = false;
    ward->listen_ns = CLOCK_NEVER;
}

/*
 * Who makes forbidden calls without end waits longer and longer for the answers. Meanwhile nobody is
 * told of further ones, so that a keeper has time for its other workers.
 */
static void slow_down(struct ward *ward)
{
    ward->refused++;
    if (ward->refused <= WARD_NOTICES_FREE) {
        return;
    }
    uint64_t ms = 1 + (ward->refused - WARD_NOTICES_FREE) / WARD_NOTICES_FREE;
    ms = ms < WARD_NOTICE_MS_MAX ? ms : WARD_NOTICE_MS_MAX;
    if (watch(ward, EPOLL_CTL_MOD, 0) == 0) {
        ward->listening = false;
        ward->listen_ns = clock_after_ns(ms * CLOCK_MS_NS);
    }
}

void ward_resume_listening(struct ward *ward)
{
    if (ward->listen_ns <= clock_now_ns()) {
        ward->listen_ns = CLOCK_NEVER;
        ward->listening = watch(ward, EPOLL_CTL_MOD, EPOLLIN) == 0;
    }
}

/* ---- Judging ---------------------------------------------------------------------------------- */

static void judge(struct ward *ward, const struct notice *notice, struct finding *finding)
{
    /* Of a crash nothing has to be found: its caller waits. */
    bool looks = ward->number > 0 && notice->system_call != START_ALARM_CALL;
    OWN_FD process = looks ? process_open_number(ward->number) : -1;
    struct finding_scene scene = {.policy = &ward->policy,
                                  .library = ward->library,
                                  .loading = ward->state == WARD_STARTING,
                                  .files_guarded = (ward->mechanisms & ERRAND_LANDLOCK) != 0,
                                  .pid = ward->pid,
                                  .process = process,
                                  .pidfd = ward->pidfd};
    finding_make(&scene, notice, finding);
}

/* ---- Crash ------------------------------------------------------------------------------------- */

static bool is_about_memory(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS;
}

/*
 * The verdict first: who waits for an answer waits for nothing else. The thread stands in the kernel, so what
 * it left can be read later.
 */
static void end_by_crash(struct ward *ward, const struct notice *notice)
{
    bool starting = ward->state == WARD_STARTING;
    uint32_t seq = starting ? 0 : lane_ward_unanswered(&ward->lane);
    alarm_describe(notice->arguments[0], notice->arguments[3], notice->arguments[4], &ward->death);
    if (starting) {
        ward_say_how_loading_ended(&ward->death);
    }
    ward->alarm = *notice;
    (void)lane_ward_condemn(&ward->lane, starting ? LANE_START_FAILED : LANE_DIED, seq,
                            &ward->death);
    ward_mourn(ward);
}

void ward_mourn(struct ward *ward)
{
    ward->state = WARD_MOURNED;
    ward->bury_ns = clock_after_ns(WARD_MOURNING_NS);
    ward->mourn_until_ns = clock_after_ns(WARD_MOURNING_MOST_NS);
    if (ward->listen_ns !=
        CLOCK_NEVER) { /* a pause for forbidden calls would keep the alarm from us */
        ward->listen_ns = CLOCK_NEVER;
        ward->listening = watch(ward, EPOLL_CTL_MOD, EPOLLIN) == 0;
    }
}

/* The host was told first. Other threads stand in the kernel until the end. */
void ward_on_notice_mourned(struct ward *ward)
{
    struct notice notice;
    static struct finding finding;
    if (ward->alarm.thread != 0 || listener_receive(ward->listener, &notice) < 0) {
        ward_stop_listening(ward);
        return;
    }
    judge(ward, &notice, &finding);
    if (finding.kind == FINDING_CRASH) {
        ward->alarm = notice;
        if (ward->bury_ns == ward->mourn_until_ns) {
            ward_bury(ward); /* nothing else was waited for */
        }
    }
}

/* Without an alarm the report has neither the fault nor the registers: the thread may be about to give it. */
static bool may_be_told(const struct ward *ward)
{
    return ward->alarm.thread == 0 && ward->listening && clock_now_ns() < ward->mourn_until_ns;
}

void ward_bury(struct ward *ward)
{
    static struct taking_alarm alarm; /* large; the keeper has one thread */
    bool told = ward->alarm.thread != 0;
    if (may_be_told(ward)) {
        ward->bury_ns = ward->mourn_until_ns;
        return;
    }
    if (told) {
        taking_read_alarm(&ward->alarm, &alarm);
        told = listener_waits(ward->listener, &ward->alarm);
    }
    if (!told) { /* only the host was; or what was read may be of another by now */
        alarm = (struct taking_alarm){.signal = ward->death.status};
    }
    struct ward_reason reason = {.why = CAPTURE_WHY_CRASH,
                                 .thread = ward->alarm.thread,
                                 .seq = lane_ward_blamed(&ward->lane),
                                 .signal = alarm.signal,
                                 .code = alarm.code,
                                 .has_fault = alarm.has_siginfo && is_about_memory(alarm.signal),
                                 .fault_address = alarm.address,
                                 .text = ward->death.text,
                                 .alarm = told ? &alarm : NULL};
    ward_capture_and_kill(ward, &reason);
}

/* ---- Exit -------------------------------------------------------------------------------------- */

/*
 * Whose end is decided already leaves as it likes; so does one that is being started: what it said
 * before, or else its status, tells why.
 */
static void end_by_exit(struct ward *ward, const struct notice *notice)
{
    if (ward->state == WARD_STARTING || lane_ward_is_over(&ward->lane)) {
        listener_let(ward->listener, notice);
        return;
    }
    uint32_t seq = lane_ward_unanswered(&ward->lane);
    ward->death.code = CLD_EXITED;
    ward->death.status = (int)(notice->arguments[0] & 0xff);
    bool won = lane_ward_condemn(&ward->lane, LANE_DIED, seq, &ward->death);
    if (!won || lane_leaving(ward->lane.w) == LANE_LEAVING_ABANDONED) {
        listener_let(ward->listener, notice); /* a callback's failure is the host's: no report */
        return;
    }
    struct ward_reason reason = {.why = CAPTURE_WHY_EXIT,
                                 .thread = notice->thread,
                                 .seq = seq,
                                 .status = ward->death.status,
                                 .notice = notice};
    ward_capture_and_kill(ward, &reason);
}

/* ---- Violations -------------------------------------------------------------------------------- */

static void end_by_violation(struct ward *ward, const struct notice *notice,
                             const struct lane_act *act)
{
    bool starting = ward->state == WARD_STARTING;
    finding_sentence(act, ward->death.text, sizeof ward->death.text);
    ward->death.code = starting ? 0 : CLD_KILLED;
    ward->death.status = starting ? EACCES : SIGKILL;
    (void)lane_ward_condemn(&ward->lane, starting ? LANE_START_FAILED : LANE_WORKER_DENIED,
                            starting ? 0 : act->seq, &ward->death);
    struct ward_reason reason = {.why = CAPTURE_WHY_VIOLATION,
                                 .thread = notice->thread,
                                 .seq = act->seq,
                                 .system_call = act->system_call,
                                 .act = act,
                                 .text = act->act,
                                 .notice = notice};
    ward_capture_and_kill(ward, &reason);
}

static void forbid(struct ward *ward, const struct notice *notice, struct lane_act *act)
{
    bool ends = ward->policy.on_violation == POLICY_KILL;
    int error = act->error;
    act->seq = ward->state == WARD_STARTING ? 0 : lane_ward_unanswered(&ward->lane);
    act->error = ends ? 0 : error;
    (void)lane_violation_list(ward->lane.h, act);
    if (ends) {
        end_by_violation(ward, notice, act);
    } else {
        ward_capture_refusal(ward, notice, act);
        listener_refuse(ward->listener, notice, error);
        slow_down(ward);
    }
}

/* ---- Notices ----------------------------------------------------------------------------------- */

void ward_on_notice(struct ward *ward)
{
    struct notice notice;
    static struct finding finding;
    int r = listener_receive(ward->listener, &notice);
    if (r < 0) {
        if (r != -ENOENT && r != -EINTR && r != -EAGAIN) {
            ward_stop_listening(ward);
        }
        return;
    }
    judge(ward, &notice, &finding);
    if (!listener_waits(ward->listener, &notice)) {
        return; /* it ended meanwhile: what was read may be of another */
    }
    switch (finding.kind) {
    case FINDING_HARMLESS:
        listener_let(ward->listener, &notice);
        break;
    case FINDING_FORBIDDEN:
        forbid(ward, &notice, &finding.act);
        break;
    case FINDING_CRASH:
        end_by_crash(ward, &notice);
        break;
    case FINDING_EXIT:
        end_by_exit(ward, &notice);
        break;
    case FINDING_NOTHING:
        listener_refuse(ward->listener, &notice, ENOSYS);
        break;
    case FINDING_DONE:
        listener_refuse(ward->listener, &notice, finding.act.error);
        break;
    }
}
