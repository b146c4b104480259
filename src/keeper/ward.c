/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/ward.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/message.h"
#include "keeper/process.h"
#include "keeper/spawn.h"

/* ---- Ends -------------------------------------------------------------------------------------- */

static void say(struct lane_death *death, const char *text)
{
    size_t length = strnlen(text, sizeof death->text - 1);
    memcpy(death->text, text, length);
    death->text[length] = '\0';
}

/* A pidfd never names a stranger; a process that is dead already needs no signal. */
static void kill_worker(struct ward *ward)
{
    (void)syscall(SYS_pidfd_send_signal, ward->pidfd, SIGKILL, NULL, 0);
    ward->state = WARD_ENDING;
}

/* How it died is known, and told, later. */
static void end_with(struct ward *ward, enum lane_verdict verdict, uint32_t seq)
{
    (void)lane_ward_condemn(&ward->lane, verdict, seq, NULL);
    kill_worker(ward);
}

static void end_start(struct ward *ward)
{
    (void)lane_ward_condemn(&ward->lane, LANE_START_FAILED, 0, &ward->death);
    kill_worker(ward);
}

/* Nobody is left who could write the lane. */
static void on_gone(struct ward *ward)
{
    lane_ward_gone(&ward->lane, &ward->death);
    lane_ward_close(&ward->lane);
    fd_release(&ward->event_fd);
    fd_release(&ward->start_socket);
    fd_release(&ward->pidfd);
    ward->state = WARD_NOTHING;
}

static void reap(struct ward *ward)
{
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)ward->pidfd, &info, WEXITED | __WALL) == 0) {
        ward->death.code = info.si_code;
        ward->death.status = info.si_status;
    }
}

static void on_dead(struct ward *ward, enum lane_verdict verdict)
{
    uint32_t seq = lane_ward_unanswered(&ward->lane);
    (void)lane_ward_condemn(&ward->lane, verdict, seq, &ward->death);
    if (ward->may_make_processes) {
        ward->state = WARD_SWEEPING;
    } else {
        on_gone(ward);
    }
}

static void on_exit_serving(struct ward *ward)
{
    reap(ward);
    on_dead(ward, LANE_DIED);
}

/* ---- Starting ---------------------------------------------------------------------------------- */

/* Read the start socket: 1 loaded, 0 nothing yet, -1 refused (text in the ward's death) or silent. */
static int read_answer(struct ward *ward)
{
    char answer[START_ANSWER_BYTES];
    ssize_t length =
        ward->start_socket < 0 ? 0 : recv(ward->start_socket, answer, sizeof answer, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    fd_release(&ward->start_socket);
    if (length > 0 && answer[0] == START_LOADED) {
        return 1;
    }
    if (length > 2 && answer[0] == START_REFUSED) {
        struct message text;
        message_set_foreign(&text, answer + 2, (size_t)length - 2);
        say(&ward->death, text.text);
        ward->death.status = (unsigned char)answer[1];
    }
    return -1;
}

static void on_answer(struct ward *ward)
{
    int answer = read_answer(ward);
    if (answer > 0) {
        ward->state = WARD_SERVING;
    }
    /* Without a reason its end is near, and says more than a kill would. */
    if (answer < 0 && ward->death.text[0]) {
        end_start(ward);
    }
}

static void say_how_loading_ended(struct lane_death *death)
{
    if (death->code == CLD_EXITED) {
        (void)snprintf(death->text, sizeof death->text,
                       "the library ended the process with status %d while it was loaded "
                       "(a constructor calls exit?)",
                       death->status);
    } else {
        (void)snprintf(death->text, sizeof death->text,
                       "the process died of signal %d (%s) while the library was loaded "
                       "(a constructor crashes?)",
                       death->status, strsignal(death->status));
    }
}

/* The answer may have come just before the end. */
static void on_exit_starting(struct ward *ward)
{
    int answer = read_answer(ward);
    bool refused = answer < 0 && ward->death.text[0];
    int error = ward->death.status;
    reap(ward);
    if (refused) {
        /* It said why, and which errno that is: how it ended then says nothing more. */
        ward->death.code = 0;
        ward->death.status = error;
    } else if (answer <= 0) {
        say_how_loading_ended(&ward->death);
    }
    on_dead(ward, answer > 0 ? LANE_DIED : LANE_START_FAILED);
}

/* ---- Time -------------------------------------------------------------------------------------- */

static void look_at_deadlines(struct ward *ward)
{
    uint32_t seq = 0;
    if (lane_ward_overdue(&ward->lane, clock_now_ns(), &seq, &ward->look_ns)) {
        end_with(ward, LANE_DEADLINE, seq);
    }
}

static void on_time_starting(struct ward *ward)
{
    uint64_t now = clock_now_ns();
    if (now >= ward->start_until_ns) {
        ward->death.status = ETIMEDOUT;
        (void)snprintf(ward->death.text, sizeof ward->death.text,
                       "the library did not finish loading within %llu ms (a constructor hangs?)",
                       (unsigned long long)((ward->start_until_ns - ward->start_ns) / CLOCK_MS_NS));
        end_start(ward);
    } else if (now >= ward->look_ns) {
        look_at_deadlines(ward);
    }
}

uint64_t ward_due_ns(const struct ward *ward)
{
    switch (ward->state) {
    case WARD_STARTING:
        return ward->start_until_ns < ward->look_ns ? ward->start_until_ns : ward->look_ns;
    case WARD_SERVING:
        return ward->look_ns;
    default:
        return CLOCK_NEVER;
    }
}

/* ---- The table --------------------------------------------------------------------------------- */

static void on_end(struct ward *ward)
{
    end_with(ward, LANE_CLOSED, 0);
}

static void on_nothing(struct ward *ward)
{
    (void)ward;
}

/* A killed worker's answer interests nobody. */
static void on_answer_ending(struct ward *ward)
{
    fd_release(&ward->start_socket);
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
    [WARD_STARTING][WARD_ANSWER] = on_answer,
    [WARD_STARTING][WARD_END] = on_end,
    [WARD_STARTING][WARD_WATCH] = look_at_deadlines,
    [WARD_STARTING][WARD_MEASURE] = on_measure,
    [WARD_STARTING][WARD_TIME] = on_time_starting,
    [WARD_STARTING][WARD_EXIT] = on_exit_starting,

    [WARD_SERVING][WARD_END] = on_end,
    [WARD_SERVING][WARD_WATCH] = look_at_deadlines,
    [WARD_SERVING][WARD_MEASURE] = on_measure,
    [WARD_SERVING][WARD_TIME] = look_at_deadlines,
    [WARD_SERVING][WARD_EXIT] = on_exit_serving,

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

/* ---- Start ------------------------------------------------------------------------------------- */

static int open_lane(struct lane_ward *lane, const struct ward_fds *fds)
{
    return lane_ward_open(lane, fds->h, fds->w, fds->event) < 0 ? -EBADMSG : 0;
}

static void tell_refusal(struct lane_ward *lane, const char *text)
{
    struct lane_death death = {0};
    say(&death, text);
    (void)lane_ward_condemn(lane, LANE_START_FAILED, 0, &death);
    lane_ward_gone(lane, &death);
}

int ward_refuse(const struct ward_fds *fds, const char *text)
{
    struct lane_ward lane;
    int r = open_lane(&lane, fds);
    if (r < 0) {
        return r;
    }
    tell_refusal(&lane, text);
    lane_ward_close(&lane);
    return 0;
}

static void fill_order(struct start_order *order, const struct ward *ward,
                       const struct ward_house *house, const struct errand *errand)
{
    *order = (struct start_order){
        .magic = START_MAGIC,
        .version = START_VERSION,
        .flags = errand->flags & (uint32_t)(ERRAND_HAS_EVENT | ERRAND_HAS_ARENA),
        .policy = errand->policy,
        .mechanisms = house->mechanisms & ~errand->without,
        .keeper_pid = (uint32_t)getpid(),
        .h_bytes = ward->lane.h_bytes,
        .w_bytes = ward->lane.w_bytes,
        .arena_base = errand->arena_base,
        .arena_bytes = errand->arena_bytes,
        .memory_bytes = errand->memory_bytes,
    };
    memcpy(order->library, errand->library, sizeof order->library);
}

static int spawn(struct ward *ward, const struct ward_house *house, const struct errand *errand,
                 const struct ward_fds *fds)
{
    struct start_order order;
    struct spawn_child child;
    struct spawn_fds spawn_fds = {.program = house->program,
                                  .h = fds->h,
                                  .w = fds->w,
                                  .event = fds->event,
                                  .arena = fds->arena};
    fill_order(&order, ward, house, errand);
    int r = spawn_worker(&order, &spawn_fds, &child);
    if (r < 0) {
        return r;
    }
    ward->pid = child.pid;
    ward->pidfd = child.pidfd;
    ward->start_socket = child.start_socket;
    ward->may_make_processes =
        errand->policy == ERRAND_POLICY_TRUSTED || !(order.mechanisms & ERRAND_SECCOMP);
    return 0;
}

int ward_start(struct ward *ward, const struct ward_house *house, const struct errand *errand,
               struct ward_fds *fds)
{
    *ward = (struct ward){.worker = errand->worker,
                          .event_fd = -1,
                          .start_socket = -1,
                          .pidfd = -1,
                          .look_ns = CLOCK_NEVER,
                          .start_ns = clock_now_ns()};
    ward->start_until_ns = clock_after_ns(errand->start_timeout_ns);
    int r = open_lane(&ward->lane, fds);
    if (r < 0) {
        return r;
    }
    r = spawn(ward, house, errand, fds);
    if (r < 0) {
        char text[sizeof ward->death.text];
        (void)snprintf(text, sizeof text, "the worker program cannot be run: %s", strerror(-r));
        tell_refusal(&ward->lane, text);
        lane_ward_close(&ward->lane);
        return 0;
    }
    ward->event_fd = take_fd(&fds->event);
    ward->state = WARD_STARTING;
    return 0;
}
