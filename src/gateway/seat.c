/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/seat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "gateway/gateway.h"
#include "gateway/guest.h"
#include "gateway/gateway_limits.h"
#include "gateway/log.h"
#include "gateway/request.h"

#define PURSE_MOST_NS  200000u
#define PURSE_WON_NS   25000u
#define PURSE_CAME_NS  1000u
#define RETRY_MS       100u    /* between tries of a seat whose worker does not start, at least */
#define HOT_NS         100000u /* a worker that answered so lately is not asleep yet */
#define PREPARING_MOST 2u /* of one house at once: a library that hangs must not fill the pool */

struct seat *seat_new(struct house *house, bool is_own, struct cordon_session *session)
{
    struct seat *seat = calloc(1, sizeof *seat);
    if (seat) {
        seat->house = house;
        seat->is_own = is_own;
        seat->session = session;
        seat->borrowed = session != NULL;
        house_use(house);
    }
    return seat;
}

/* An answer, or a death: the turn that follows looks. */
static void on_event(uv_poll_t *poll, int status, int events)
{
    struct seat *seat = poll->data;
    (void)status;
    (void)events;
    if (seat->state == SEAT_READY || seat->state == SEAT_EMPTY) { /* else it is the pool's */
        struct cordon_pending *oldest;
        int r = cordon_collect_any(seat->session, 0, &oldest); /* makes it quiet */
        (void)r;
        (void)seat_collect(seat, false);
    }
}

static void watch(struct seat *seat)
{
    int fd = cordon_session_event_fd(seat->session);
    if (fd >= 0 && !seat->polling) {
        seat->poll.data = seat;
        seat->polling = uv_poll_init(seat->house->gateway->loop, &seat->poll, fd) == 0;
    }
    if (seat->polling) {
        (void)uv_poll_start(&seat->poll, UV_READABLE, on_event);
    }
}

/* In the pool. */
static void prepare_work(uv_work_t *work)
{
    struct seat *seat = work->data;
    struct house *house = seat->house;
    seat->result = 0;
    seat->retry_ms = 0;
    if (!seat->session) {
        seat->result = cordon_session_open(house->cell, &seat->session, &seat->error);
    }
    if (seat->result == 0) {
        seat->result = cordon_session_prepare(seat->session, house->functions,
                                              house->function_count, &seat->retry_ms, &seat->error);
    }
}

static void prepare_failed(struct seat *seat)
{
    struct house *house = seat->house;
    uint32_t pause_ms = seat->retry_ms > RETRY_MS ? seat->retry_ms : RETRY_MS;
    seat->retry_ns = clock_after_ns(pause_ms * CLOCK_MS_NS);
    house->unavailable_ns = seat->retry_ns;
    (void)message_set(&house->unavailable, 0, "%s", seat->error.text);
    if (house->gateway->stopping || seat->close_soon) {
        return;
    }
    log_say(LOG_ERROR, "unavailable", house->settings.name, "no worker could be started: %s",
            seat->error.text);
}

/* Whether it is another one than before. */
static void note_worker(struct seat *seat)
{
    int pid = cordon_session_worker_pid(seat->session);
    seat->house->restarts += seat->worker_pid != 0 && pid != seat->worker_pid;
    seat->worker_pid = pid;
    seat->retry_ns = 0;
}

static void prepare_done(uv_work_t *work, int status)
{
    struct seat *seat = work->data;
    struct house *house = seat->house;
    house->preparing--;
    seat->state = SEAT_EMPTY;
    if (status == 0 && seat->result == 0) {
        seat->state = SEAT_READY;
        seat->quiet = false;
        seat->last_ns = clock_now_ns();
        house->unavailable_ns = 0;
        note_worker(seat);
        watch(seat);
    } else {
        prepare_failed(seat);
    }
    if (seat->close_soon) {
        seat_close(seat);
    }
    gateway_wake(house->gateway);
}

void seat_prepare(struct seat *seat)
{
    struct house *house = seat->house;
    if (seat->state != SEAT_EMPTY || seat->first || house->preparing >= PREPARING_MOST ||
        seat->close_soon || (seat->retry_ns != 0 && clock_now_ns() < seat->retry_ns)) {
        return;
    }
    seat->work.data = seat;
    if (uv_queue_work(house->gateway->loop, &seat->work, prepare_work, prepare_done) == 0) {
        seat->state = SEAT_PREPARING;
        if (seat->polling) { /* what rings meanwhile nobody would hear, and the loop would not sleep */
            (void)uv_poll_stop(&seat->poll);
        }
        house->preparing++;
    }
}

static void append(struct seat *seat, struct request *request)
{
    request->next = NULL;
    if (seat->last) {
        seat->last->next = request;
    } else {
        seat->first = request;
    }
    seat->last = request;
    seat->in_flight++;
    seat->house->in_flight++;
    request->expected_ns = request->method->pace.call_ns;
    seat->expected_ns += request->expected_ns;
    seat->unflushed = true;
    if (!seat->busy) {
        seat->busy = true;
        seat->next_busy = seat->house->gateway->busy;
        seat->house->gateway->busy = seat;
        seat->house->gateway->busy_count++;
    }
}

int seat_submit(struct seat *seat, struct request *request, struct cordon_result *ret_refusal)
{
    int r = cordon_submit_ready(seat->session, request->method->function, request->call.args,
                                request->call.arg_count, request->deadline_ns, &request->pending,
                                ret_refusal);
    if (r == 0) {
        /* What is behind others begins when those have ended: see collect(). */
        request->began_ns = clock_now_ns();
        if (!seat->quiet) {
            seat->quiet = true;
            (void)cordon_session_ring(seat->session, false);
        }
        append(seat, request);
    } else if (r == -ENOTCONN || r == -EBUSY) {
        seat->state = SEAT_EMPTY;
        seat_prepare(seat);
        r = -ENOTCONN;
    } else if (r == -EAGAIN && seat->first) {
        seat->full = true;
    }
    return r;
}

void seat_flush(struct seat *seat)
{
    if (seat->unflushed) {
        seat->unflushed = false;
        cordon_flush(seat->session);
    }
}

/* A worker ended in a call. */
static void note_end(struct house *house, const struct request *request, int outcome,
                     const struct cordon_result *result)
{
    if (result->report != 0) {
        house->last_report = result->report;
        reports_tell(house, result->report);
    }
    if (!result->unbegun) {
        house->last_end.method = request->method;
        house->last_end.outcome = outcome;
        house->last_end.when_ns = clock_now_ns();
    }
}

/* The first in flight has ended so. */
static void finish(struct seat *seat, int outcome, struct cordon_result *result)
{
    struct request *request = seat->first;
    struct house *house = seat->house;
    uint64_t now_ns = clock_now_ns();
    seat->first = request->next;
    if (!seat->first) {
        seat->last = NULL;
    }
    seat->in_flight--;
    house->in_flight--;
    seat->full = false;
    seat->expected_ns -= request->expected_ns;
    request->next = NULL;
    request->pending = NULL;
    if (outcome > CORDON_DONE && outcome <= CORDON_DENIED) {
        note_end(house, request, outcome, result);
    }
    if (outcome != CORDON_DONE && result->unbegun && request->resent < GATEWAY_RESENDS &&
        request->connection) {
        request->resent++;
        request->guest->in_flight--;
        guest_put_back(request->guest, request);
    } else {
        struct guest *guest = request->guest;
        tally_add(&request->method->tally, outcome, now_ns - request->arrived_ns);
        request_end(request, outcome, result);
        if (guest) {
            guest_served(guest);
        }
    }
}

/*
 * Look for the first answer again and again, a little while: one that comes spares the worker a ring, the loop
 * a round, and often a wake-up of 5 to 40 us. Bought, with the purse: 28.6 instead of 37.7 us a request of 1 KB
 * (docs/performance.md).
 */
static int look(struct seat *seat, struct cordon_result *result)
{
    struct pace *pace = &seat->first->method->pace;
    uint64_t began_ns = clock_now_ns();
    uint64_t now_ns;
    int outcome;
    if (!pace_may_look(pace)) {
        return -ETIME;
    }
    do {
        cpu_relax();
        outcome = cordon_collect(seat->first->pending, 0, result);
        now_ns = clock_now_ns();
    } while (outcome == -ETIME && now_ns - began_ns < GATEWAY_LOOK_NS);
    pace_looked(pace, outcome != -ETIME, now_ns - began_ns);
    return outcome;
}

/* When the first in flight began, as far as is known here. */
static uint64_t since_ns(const struct seat *seat)
{
    return seat->first->began_ns > seat->last_ns ? seat->first->began_ns : seat->last_ns;
}

/* @count calls of these methods have just ended. */
static void note_pace(struct seat *seat, struct method *const *methods, uint32_t count,
                      uint64_t began_ns)
{
    uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < count; i++) {
        pace_note(&methods[i]->pace, now_ns - began_ns, count);
    }
    seat->last_ns = now_ns;
}

uint32_t seat_collect(struct seat *seat, bool idle)
{
    struct cordon_result *result = &seat->house->gateway->result;
    struct method *methods[GATEWAY_SEAT_CALLS];
    uint64_t began_ns = seat->first ? since_ns(seat) : 0;
    uint32_t count = 0;
    bool died = false;
    while (seat->first && count < GATEWAY_SEAT_CALLS) {
        struct method *method = seat->first->method;
        int outcome = cordon_collect(seat->first->pending, 0, result);
        if (outcome == -ETIME && idle && count == 0) {
            outcome = look(seat, result);
        } else if (outcome != -ETIME) {
            pace_came(&method->pace);
        }
        if (outcome == -ETIME) {
            break;
        }
        methods[count++] = method;
        died = died || (outcome >= CORDON_CRASHED && outcome <= CORDON_DENIED);
        finish(seat, outcome, result);
    }
    if (count > 0) {
        /* How long it took to die says nothing of the next call. */
        note_pace(seat, methods, died ? 0 : count, began_ns);
    }
    if (died && !seat->first && seat->state == SEAT_READY) {
        seat->state = SEAT_EMPTY; /* the next worker is begun with at once */
        seat_prepare(seat);
    }
    if (seat->close_soon && !seat->first) {
        seat_close(seat);
    }
    return count;
}

bool seat_listen(struct seat *seat)
{
    if (!seat->quiet) {
        return false;
    }
    seat->quiet = false;
    return seat->session && cordon_session_ring(seat->session, true) != 0;
}

uint64_t seat_wait_ns(const struct seat *seat, bool crowded, uint64_t now_ns)
{
    if (seat->state != SEAT_READY || seat->full || seat->close_soon ||
        seat->in_flight >= GATEWAY_SEAT_CALLS) {
        return UINT64_MAX;
    }
    if (seat->first) {
        /* One that takes much longer than such calls do may take for ever. */
        uint64_t running_ns = now_ns > since_ns(seat) ? now_ns - since_ns(seat) : 0;
        bool runs_over = running_ns > 2 * GATEWAY_WAKE_NS + 4 * seat->first->expected_ns;
        return runs_over || seat->expected_ns == 0 || seat->expected_ns > GATEWAY_BEHIND_NS
                   ? UINT64_MAX
                   : seat->expected_ns;
    }
    return crowded ? GATEWAY_CROWD_NS : now_ns - seat->last_ns < HOT_NS ? 0 : GATEWAY_WAKE_NS;
}

/* In the pool. */
static void close_work(uv_work_t *work)
{
    struct seat *seat = work->data;
    if (!seat->borrowed) {
        (void)cordon_session_close(seat->session);
    }
}

/* A turn that was cut short (GATEWAY_TURN_ANSWERS) leaves seats in the list that have nothing in flight any more. */
static void forget_busy(struct seat *seat)
{
    struct gateway *gateway = seat->house->gateway;
    struct seat **link = &gateway->busy;
    while (*link && *link != seat) {
        link = &(*link)->next_busy;
    }
    if (*link) {
        *link = seat->next_busy;
        gateway->busy_count--;
    }
}

static void close_done(uv_work_t *work, int status)
{
    struct seat *seat = work->data;
    struct house *house = seat->house;
    struct gateway *gateway = house->gateway;
    (void)status;
    house->own_seats -= seat->is_own;
    forget_busy(seat);
    free(seat);
    house_leave(house); /* the pool may be freeing it by now */
    gateway_wake(gateway);
}

static void close_session(struct seat *seat)
{
    seat->work.data = seat;
    if (uv_queue_work(seat->house->gateway->loop, &seat->work, close_work, close_done) != 0) {
        close_work(&seat->work);
        close_done(&seat->work, 0);
    }
}

static void on_unwatched(uv_handle_t *handle)
{
    close_session(handle->data);
}

void seat_close(struct seat *seat)
{
    seat->close_soon = true;
    if (seat->first || seat->state == SEAT_PREPARING || seat->state == SEAT_CLOSING) {
        return;
    }
    seat->state = SEAT_CLOSING;
    if (seat->polling) {
        uv_close((uv_handle_t *)&seat->poll, on_unwatched);
    } else {
        close_session(seat);
    }
}
