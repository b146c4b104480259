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
#include "keeper/ward_steps.h"

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

static void end_start(struct ward *ward)
{
    (void)lane_ward_condemn(&ward->lane, LANE_START_FAILED, 0, &ward->death);
    ward_kill(ward);
}

/* Nobody is left who could write the lane. */
static void on_gone(struct ward *ward)
{
    lane_ward_gone(&ward->lane, &ward->death);
    lane_ward_close(&ward->lane);
    fd_release(&ward->bell_fd);
    fd_release(&ward->start_socket);
    fd_release(&ward->pidfd);
    fd_release(&ward->listener);
    fd_release(&ward->h_fd);
    fd_release(&ward->card_fd);
    fd_release(&ward->reports_fd);
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
    ward_stop_listening(ward);
    if (lane_ward_condemn(&ward->lane, verdict, seq, &ward->death) && verdict == LANE_DIED) {
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
    reap(ward);
    on_dead(ward, LANE_DIED);
}

static void on_exit_capturing(struct ward *ward)
{
    ward_capture_cut(ward);
    on_exit_serving(ward);
}

/* ---- Starting ---------------------------------------------------------------------------------- */

/* One message, and a descriptor that may have come along. Returns its length, or as recvmsg() does. */
static ssize_t receive(int socket, char *text, size_t bytes, int *ret_fd)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {.iov_base = text, .iov_len = bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *rights = length < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS &&
        rights->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(ret_fd, CMSG_DATA(rights), sizeof *ret_fd);
    }
    return length;
}

/*
 * What comes first may be the listener, sent before there was foreign code: nobody else may name one,
 * and make the keeper wait for what never comes.
 */
static bool take_listener(struct ward *ward, const char *answer, ssize_t length, int *fd)
{
    bool first = !ward->listener_came;
    ward->listener_came = true;
    if (length != 1 || answer[0] != START_LISTENER) {
        return false;
    }
    if (first && *fd >= 0 && (ward->mechanisms & ERRAND_SECCOMP)) {
        ward_take_listener(ward, fd);
    }
    return true;
}

/* Read the start socket: 1 loaded, 0 nothing yet, -1 refused (text in the ward's death) or silent. */
static int read_answer(struct ward *ward)
{
    char answer[START_ANSWER_BYTES];
    ssize_t length;
    for (;;) {
        OWN_FD fd = -1;
        if (ward->start_socket < 0) {
            return 0;
        }
        length = receive(ward->start_socket, answer, sizeof answer, &fd);
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        if (!take_listener(ward, answer, length, &fd)) {
            break;
        }
    }
    fd_release(&ward->start_socket);
    if (length > 0 && answer[0] == START_LOADED) {
        return 1;
    }
    if (length > 2 && answer[0] == START_REFUSED) {
        struct message text;
        message_set_foreign(&text, answer + 2, (size_t)length - 2);
        ward_say(&ward->death, text.text);
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

/* What it said before it made the call was sent before: a first call may crash at once. */
static void on_notice_starting(struct ward *ward)
{
    on_answer(ward);
    if (ward->state == WARD_STARTING || ward->state == WARD_SERVING) {
        ward_on_notice(ward);
    }
}

void ward_say_how_loading_ended(struct lane_death *death)
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
        ward_say_how_loading_ended(&ward->death);
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

static void on_time_serving(struct ward *ward)
{
    ward_resume_listening(ward);
    if (clock_now_ns() >= ward->look_ns) {
        look_at_deadlines(ward);
    }
}

/* What it does instead of loading is worth a report. */
static void end_late_start(struct ward *ward)
{
    (void)lane_ward_condemn(&ward->lane, LANE_START_FAILED, 0, &ward->death);
    struct ward_reason reason = {.why = CAPTURE_WHY_START, .text = ward->death.text};
    ward_capture_and_kill(ward, &reason);
}

static void on_time_starting(struct ward *ward)
{
    uint64_t now = clock_now_ns();
    if (now >= ward->start_until_ns) {
        ward->death.status = ETIMEDOUT;
        (void)snprintf(ward->death.text, sizeof ward->death.text,
                       "the library did not finish loading within %llu ms (a constructor hangs?)",
                       (unsigned long long)((ward->start_until_ns - ward->start_ns) / CLOCK_MS_NS));
        end_late_start(ward);
        return;
    }
    on_time_serving(ward);
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
        return earlier(ward->look_ns, ward->listen_ns);
    case WARD_CAPTURING:
        return ward->capture_until_ns;
    default:
        return CLOCK_NEVER;
    }
}

/* ---- The table --------------------------------------------------------------------------------- */

static void on_end(struct ward *ward)
{
    if (ward->state == WARD_SERVING && ward->end_reason != ERRAND_UNSAID &&
        lane_ward_condemn(&ward->lane, LANE_CLOSED, 0, NULL)) {
        ward_capture_recycled(ward);
        ward_kill(ward);
        return;
    }
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
    [WARD_STARTING][WARD_NOTICE] = on_notice_starting,
    [WARD_STARTING][WARD_EXIT] = on_exit_starting,

    [WARD_SERVING][WARD_END] = on_end,
    [WARD_SERVING][WARD_WATCH] = look_at_deadlines,
    [WARD_SERVING][WARD_MEASURE] = on_measure,
    [WARD_SERVING][WARD_TIME] = on_time_serving,
    [WARD_SERVING][WARD_NOTICE] = ward_on_notice,
    [WARD_SERVING][WARD_EXIT] = on_exit_serving,

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

/* ---- Start ------------------------------------------------------------------------------------- */

static int open_lane(struct lane_ward *lane, const struct ward_fds *fds)
{
    return lane_ward_open(lane, fds->h, fds->w, fds->bell) < 0 ? -EBADMSG : 0;
}

static void tell_refusal(struct lane_ward *lane, const char *text)
{
    struct lane_death death = {0};
    ward_say(&death, text);
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
    ward->number = process_number(child.pidfd);
    ward->mechanisms = order.mechanisms;
    ward->may_make_processes =
        policy_makes_processes(&errand->policy) || !(order.mechanisms & ERRAND_SECCOMP);
    return 0;
}

int ward_start(struct ward *ward, const struct ward_house *house, const struct errand *errand,
               struct ward_fds *fds)
{
    *ward = (struct ward){.worker = errand->worker,
                          .bell_fd = -1,
                          .start_socket = -1,
                          .pidfd = -1,
                          .house = house,
                          .memory_bytes = errand->policy.memory_bytes,
                          .report_id = errand->report_id,
                          .listener = -1,
                          .listen_ns = CLOCK_NEVER,
                          .h_fd = -1,
                          .card_fd = -1,
                          .reports_fd = -1,
                          .look_ns = CLOCK_NEVER,
                          .start_ns = clock_now_ns()};
    ward->start_until_ns = clock_after_ns(errand->start_timeout_ns);
    ward->policy = errand->policy;
    memcpy(ward->library, errand->library, sizeof ward->library);
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
    ward->bell_fd = take_fd(&fds->bell);
    if (fds->reports >= 0) {
        ward->h_fd = take_fd(&fds->h);
        ward->card_fd = take_fd(&fds->card);
        ward->reports_fd = take_fd(&fds->reports);
    }
    ward->state = WARD_STARTING;
    return 0;
}
