/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/ward.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/process.h"
#include "keeper/ward_steps.h"
#include "lane/verdict.h"

/* ---- Ends -------------------------------------------------------------------------------------- */

void ward_say(struct lane_death *death, const char *text)
{
    size_t length = strnlen(text, sizeof death->text - 1);
    memcpy(death->text, text, length);
    death->text[length] = '\0';
}

/* A pidfd never names a stranger; a process that is dead already needs no signal. */
void ward_kill(struct ward *ward)
{
    ward_stop_listening(ward);
    (void)syscall(SYS_pidfd_send_signal, ward->pidfd, SIGKILL, NULL, 0);
    ward->state = WARD_ENDING;
}

/* A verdict of the host's that a report is to be made of, as its own of a call that was late. */
static void end_by_verdict(struct ward *ward)
{
    enum lane_verdict verdict = lane_ward_verdict(&ward->lane);
    uint32_t seq = lane_ward_blamed(&ward->lane);
    if (verdict == LANE_DEADLINE || verdict == LANE_LIED) {
        struct ward_reason reason = {
            .why = verdict == LANE_DEADLINE ? CAPTURE_WHY_HANG : CAPTURE_WHY_LIED, .seq = seq};
        ward_capture_and_kill(ward, &reason);
    } else if (verdict == LANE_DIED) {
        ward->death = lane_ward_death(&ward->lane);
        ward_mourn(ward); /* the host was told by the worker; so are we, any moment */
    } else {
        ward_kill(ward);
    }
}

/* How it died is known, and told, later. */
static void end_with(struct ward *ward, enum lane_verdict verdict, uint32_t seq)
{
    (void)lane_ward_condemn(&ward->lane, verdict, seq, NULL);
    end_by_verdict(ward);
}

/*
 * Out of the epoll set first: a child that is between its vfork and the end of its exec still has a copy of
 * our descriptors, and as long as it has this one the set would tell of its end without end.
 */
void ward_close_start(struct ward *ward)
{
    if (ward->start_socket >= 0 && ward->house->events >= 0) {
        (void)epoll_ctl(ward->house->events, EPOLL_CTL_DEL, ward->start_socket, NULL);
    }
    fd_release(&ward->start_socket);
}

/* Nobody is left who could write the lane. */
static void on_gone(struct ward *ward)
{
    lane_ward_gone(&ward->lane, &ward->death);
    lane_ward_close(&ward->lane);
    fd_release(&ward->bell_fd);
    ward_close_start(ward);
    fd_release(&ward->pidfd);
    fd_release(&ward->listener);
    fd_release(&ward->h_fd);
    fd_release(&ward->card_fd);
    fd_release(&ward->recording_fd);
    fd_release(&ward->reports_fd);
    ward->state = WARD_NOTHING;
}

void ward_reap(struct ward *ward)
{
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)ward->pidfd, &info, WEXITED | __WALL) == 0) {
        ward->death.code = info.si_code;
        ward->death.status = info.si_status;
    }
}

/* A host that the worker had told of its crash gave the verdict itself, and nobody has looked yet. */
static bool was_told(const struct ward *ward)
{
    return (ward->state == WARD_SERVING || ward->state == WARD_MOURNED) &&
           lane_ward_verdict(&ward->lane) == LANE_DIED;
}

void ward_dead(struct ward *ward, enum lane_verdict verdict)
{
    bool told = was_told(ward);
    uint32_t seq = told ? lane_ward_blamed(&ward->lane) : lane_ward_unanswered(&ward->lane);
    ward_stop_listening(ward);
    bool won = lane_ward_condemn(&ward->lane, verdict, seq, &ward->death) || told;
    bool abandoned = lane_leaving(ward->lane.w) == LANE_LEAVING_ABANDONED;
    if (won && lane_ward_verdict(&ward->lane) == LANE_DIED && !abandoned) {
        ward_capture_dead(ward, seq);
    }
    if (ward->may_make_processes) {
        ward->state = WARD_SWEEPING;
    } else {
        on_gone(ward);
    }
}

static void on_exit_serving(struct ward *ward)
{
    ward_reap(ward);
    ward_dead(ward, LANE_DIED);
}

static void on_exit_capturing(struct ward *ward)
{
    ward_capture_cut(ward);
    on_exit_serving(ward);
}

/* ---- Time -------------------------------------------------------------------------------------- */

static void look_at_deadlines(struct ward *ward)
{
    uint32_t seq = 0;
    if (lane_ward_overdue(&ward->lane, clock_now_ns(), &seq, &ward->look_ns)) {
        end_with(ward, LANE_DEADLINE, seq);
    }
}

static void on_end(struct ward *ward);

void ward_on_time_serving(struct ward *ward)
{
    ward_resume_listening(ward);
    if (ward->leave_ns != 0 && clock_now_ns() >= ward->leave_ns) {
        on_end(ward);
        return;
    }
    if (clock_now_ns() >= ward->look_ns) {
        look_at_deadlines(ward);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t ward_due_ns(const struct ward *ward)
{
    switch (ward->state) {
    case WARD_STARTING:
        return earlier(ward->start_until_ns, earlier(ward->look_ns, ward->listen_ns));
    case WARD_SERVING:
        return earlier(ward->leave_ns != 0 ? ward->leave_ns : CLOCK_NEVER,
                       earlier(ward->look_ns, ward->listen_ns));
    case WARD_MOURNED:
        return ward->bury_ns;
    case WARD_CAPTURING:
        return ward->capture_until_ns;
    default:
        return CLOCK_NEVER;
    }
}

/* ---- The table --------------------------------------------------------------------------------- */

/* A client ends a worker whose call is late: its lender says no more than that. */
static bool is_late(struct ward *ward, uint32_t *ret_seq)
{
    uint64_t next_ns;
    return lane_ward_is_lent(&ward->lane) &&
           lane_ward_overdue(&ward->lane, clock_now_ns(), ret_seq, &next_ns);
}

/*
 * Its client has heard of a crash from the worker itself, sooner than we did: what happened is about to be
 * told here as well. The client's word alone would be the library's crash by hearsay.
 */
static bool waits_for_crash(struct ward *ward)
{
    if (ward->state != WARD_SERVING || ward->leave_ns != 0 ||
        !lane_ward_is_said_dead(&ward->lane)) {
        return false;
    }
    ward->leave_ns = clock_after_ns(WARD_LEAVING_NS);
    return true;
}

static void on_end(struct ward *ward)
{
    uint32_t late = 0;
    if (waits_for_crash(ward)) {
        return;
    }
    if (is_late(ward, &late)) {
        end_with(ward, LANE_DEADLINE, late);
        return;
    }
    if (ward->end_reason == ERRAND_RECALLED) {
        end_with(ward, LANE_RECALLED, 0);
        return;
    }
    if (ward->state == WARD_SERVING && ward->end_reason != ERRAND_UNSAID &&
        lane_ward_condemn(&ward->lane, LANE_CLOSED, 0, NULL)) {
        ward_capture_recycled(ward);
        ward_kill(ward);
        return;
    }
    end_with(ward, LANE_CLOSED, 0);
}

/* What it said before was sent before: it may have been loaded, and have crashed in its client's first call. */
static void on_end_starting(struct ward *ward)
{
    ward_on_answer(ward);
    if (ward->state == WARD_STARTING || ward->state == WARD_SERVING) {
        on_end(ward);
    }
}

static void on_nothing(struct ward *ward)
{
    (void)ward;
}

/* A killed worker's answer interests nobody. */
static void on_answer_ending(struct ward *ward)
{
    ward_close_start(ward);
}

/* No tick: a host asks when it wants to know. */
static void on_measure(struct ward *ward)
{
    uint64_t bytes = 0;
    if (process_resident(ward->pidfd, &bytes) == 0) {
        lane_ward_measured(&ward->lane, bytes);
    }
}

typedef void (*step_fn)(struct ward *ward);

/* Empty: cannot happen. */
static const step_fn steps[WARD_STATE_COUNT][WARD_EVENT_COUNT] = {
    [WARD_STARTING][WARD_ANSWER] = ward_on_answer,
    [WARD_STARTING][WARD_END] = on_end_starting,
    [WARD_STARTING][WARD_WATCH] = look_at_deadlines,
    [WARD_STARTING][WARD_MEASURE] = on_measure,
    [WARD_STARTING][WARD_TIME] = ward_on_time_starting,
    [WARD_STARTING][WARD_NOTICE] = ward_on_notice_starting,
    [WARD_STARTING][WARD_EXIT] = ward_on_exit_starting,

    [WARD_SERVING][WARD_END] = on_end,
    [WARD_SERVING][WARD_WATCH] = look_at_deadlines,
    [WARD_SERVING][WARD_MEASURE] = on_measure,
    [WARD_SERVING][WARD_TIME] = ward_on_time_serving,
    [WARD_SERVING][WARD_NOTICE] = ward_on_notice,
    [WARD_SERVING][WARD_EXIT] = on_exit_serving,

    [WARD_MOURNED][WARD_ANSWER] = on_answer_ending,
    [WARD_MOURNED][WARD_END] = on_nothing, /* who ends it has another one, and needs its CPUs */
    [WARD_MOURNED][WARD_WATCH] = on_nothing,
    [WARD_MOURNED][WARD_MEASURE] = on_nothing,
    [WARD_MOURNED][WARD_TIME] = ward_bury,
    [WARD_MOURNED][WARD_NOTICE] = ward_on_notice_mourned,
    [WARD_MOURNED][WARD_EXIT] = on_exit_serving,

    [WARD_CAPTURING][WARD_ANSWER] = on_answer_ending,
    [WARD_CAPTURING][WARD_END] = on_nothing,
    [WARD_CAPTURING][WARD_WATCH] = on_nothing,
    [WARD_CAPTURING][WARD_MEASURE] = on_nothing,
    [WARD_CAPTURING][WARD_TIME] = ward_on_time_capturing,
    [WARD_CAPTURING][WARD_STOPPED] = ward_on_stopped,
    [WARD_CAPTURING][WARD_EXIT] = on_exit_capturing,

    [WARD_ENDING][WARD_ANSWER] = on_answer_ending,
    [WARD_ENDING][WARD_END] = on_nothing,
    [WARD_ENDING][WARD_WATCH] = on_nothing,
    [WARD_ENDING][WARD_MEASURE] = on_nothing,
    [WARD_ENDING][WARD_EXIT] = on_exit_serving,

    [WARD_SWEEPING][WARD_END] = on_nothing,
    [WARD_SWEEPING][WARD_WATCH] = on_nothing,
    [WARD_SWEEPING][WARD_MEASURE] = on_nothing,
    [WARD_SWEEPING][WARD_SWEPT] = on_gone,
};

void ward_step(struct ward *ward, enum ward_event event)
{
    step_fn step = steps[ward->state][event];
    assert(step);
    step(ward);
}
