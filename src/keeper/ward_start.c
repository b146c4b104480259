/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/greeting.h"
#include "keeper/process.h"
#include "keeper/spawn.h"
#include "keeper/ward_steps.h"

/* ---- Start ------------------------------------------------------------------------------------- */

static int open_lane(struct lane_ward *lane, const struct ward_fds *fds, uint64_t deadline_max_ns)
{
    int r = fds->ledger > 0
                ? lane_ward_open_lent(lane, fds->h, fds->w, fds->bell, fds->ledger, deadline_max_ns)
                : lane_ward_open(lane, fds->h, fds->w, fds->bell);
    return r < 0 ? -EBADMSG : 0;
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
    int r = open_lane(&lane, fds, 0);
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
        .flags =
            errand->flags & (uint32_t)(ERRAND_HAS_EVENT | ERRAND_HAS_ARENA | ERRAND_HAS_PROVISION),
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
                                  .arena = fds->arena,
                                  .provision = fds->provision > 0 ? fds->provision : -1};
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
                          .recording_fd = -1,
                          .reports_fd = -1,
                          .look_ns = CLOCK_NEVER,
                          .start_ns = clock_now_ns()};
    ward->start_until_ns = clock_after_ns(errand->start_timeout_ns);
    ward->policy = errand->policy;
    memcpy(ward->library, errand->library, sizeof ward->library);
    int r = open_lane(&ward->lane, fds, errand->deadline_max_ns);
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
        ward->recording_fd = take_fd(&fds->recording);
        ward->reports_fd = take_fd(&fds->reports);
    }
    ward->state = WARD_STARTING;
    if (lane_ward_is_lent(&ward->lane)) {
        ward->look_ns = ward->start_ns;
    }
    return 0;
}

/* ---- Its answer ------------------------------------------------------------------------------- */

/*
 * The listener is sent before there is foreign code: what names one later would make the keeper wait for what
 * never comes.
 */
static void take_listener(struct ward *ward, struct greeting *greeting)
{
    bool here = greeting->kind == GREETING_LISTENER_HERE;
    unsigned char error = 0;
    ward->listener_came = true;
    if (here) {
        greeting->listener = (int)syscall(SYS_pidfd_getfd, ward->pidfd, greeting->number, 0);
        error = greeting->listener < 0 ? (unsigned char)errno : 0;
    }
    if (ward->mechanisms & ERRAND_SECCOMP) {
        ward_take_listener(ward, &greeting->listener);
    }
    greeting_deinit(greeting);
    if (here) {
        error = error == 0 && ward->listener < 0 ? EBADMSG : error;
        (void)send(ward->start_socket, &error, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* Read the start socket: 1 loaded, 0 nothing yet, -1 refused (text in the ward's death) or silent. */
static int read_answer(struct ward *ward)
{
    struct greeting greeting;
    if (ward->start_socket < 0) {
        return 0;
    }
    greeting_receive(&greeting, ward->start_socket);
    bool listens = greeting.kind == GREETING_LISTENER || greeting.kind == GREETING_LISTENER_HERE;
    if (listens && !ward->listener_came) {
        take_listener(ward, &greeting);
        greeting_receive(&greeting, ward->start_socket);
    }
    if (greeting.kind == GREETING_NOTHING) {
        return 0;
    }
    ward->listener_came = true;
    ward_close_start(ward);
    if (greeting.kind == GREETING_REFUSED) {
        ward_say(&ward->death, greeting.why.text);
        ward->death.status = greeting.error;
    }
    greeting_deinit(&greeting);
    return greeting.kind == GREETING_LOADED ? 1 : -1;
}

static void end_start(struct ward *ward)
{
    (void)lane_ward_condemn(&ward->lane, LANE_START_FAILED, 0, &ward->death);
    ward_kill(ward);
}

void ward_on_answer(struct ward *ward)
{
    int answer = read_answer(ward);
    if (answer > 0) {
        ward->state = WARD_SERVING;
        lane_ward_warm(&ward->lane);
        lane_ward_loaded(&ward->lane);
    }
    /* Without a reason its end is near, and says more than a kill would. */
    if (answer < 0 && ward->death.text[0]) {
        end_start(ward);
    }
}

/* What it said before it made the call was sent before: a first call may crash at once. */
void ward_on_notice_starting(struct ward *ward)
{
    ward_on_answer(ward);
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
void ward_on_exit_starting(struct ward *ward)
{
    int answer = read_answer(ward);
    bool refused = answer < 0 && ward->death.text[0];
    int error = ward->death.status;
    ward_reap(ward);
    if (refused) {
        /* It said why, and which errno that is: how it ended then says nothing more. */
        ward->death.code = 0;
        ward->death.status = error;
    } else if (answer <= 0) {
        ward_say_how_loading_ended(&ward->death);
    }
    ward_dead(ward, answer > 0 ? LANE_DIED : LANE_START_FAILED);
}

/* What it does instead of loading is worth a report. */
static void end_late_start(struct ward *ward)
{
    (void)lane_ward_condemn(&ward->lane, LANE_START_FAILED, 0, &ward->death);
    struct ward_reason reason = {.why = CAPTURE_WHY_START, .text = ward->death.text};
    ward_capture_and_kill(ward, &reason);
}

void ward_on_time_starting(struct ward *ward)
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
    ward_on_time_serving(ward);
}
