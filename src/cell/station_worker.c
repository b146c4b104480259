/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/station_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "cell/recorder.h"
#include "cell/reporting.h"
#include "report/card.h"

#define GONE_PATIENCE_NS   (5 * CLOCK_SECOND_NS)
#define THREAD_PATIENCE_NS (20 * CLOCK_MS_NS)

#define OVERHEAD_BYTES (64u * 1024u) /* the pages in front, a frame's header and words, alignment */

static uint32_t page_round(uint32_t bytes)
{
    return (bytes + LANE_PAGE - 1) & ~(LANE_PAGE - 1);
}

/* A lane in which one call of @call_bytes each way fits. */
static void size_lane(uint32_t call_bytes, uint32_t *ret_h_bytes, uint32_t *ret_w_bytes)
{
    *ret_h_bytes = page_round(call_bytes + OVERHEAD_BYTES);
    *ret_w_bytes =
        page_round((call_bytes + OVERHEAD_BYTES) / (LANE_CALLBACK_SHARE - 1) * LANE_CALLBACK_SHARE +
                   OVERHEAD_BYTES);
}

uint32_t station_lane_h_bytes(const struct station *station)
{
    uint32_t h_bytes;
    uint32_t w_bytes;
    size_lane(station->options.call_bytes, &h_bytes, &w_bytes);
    return h_bytes;
}

static int start_recorder(struct station *station)
{
    const struct station_options *options = &station->options;
    return recorder_new(options->record_bytes, options->call_bytes, options->arena,
                        &station->recorder);
}

static int start_process(struct station *station, struct message *why)
{
    const struct station_options *options = &station->options;
    int r = keeper_share_take(options->keeper, &station->keeper, why);
    if (r != 0) {
        return r;
    }
    struct errand errand = {
        .magic = ERRAND_MAGIC,
        .version = ERRAND_VERSION,
        .kind = ERRAND_START,
        .worker = station->number,
        .without = options->without,
        .policy = *options->policy,
        .start_timeout_ns = options->start_timeout_ns,
    };
    int length = snprintf(errand.library, sizeof errand.library, "%s", options->library);
    if (length < 0 || (size_t)length >= sizeof errand.library) {
        return message_set(why, -ENAMETOOLONG, "the library's name is longer than %zu bytes",
                           sizeof errand.library - 1);
    }
    int fds[8] = {lane_peek_h_fd(station->lane), lane_peek_w_fd(station->lane)};
    uint32_t fd_count = 2;
    if (options->events) {
        errand.flags |= ERRAND_HAS_EVENT;
        fds[fd_count++] = lane_peek_event_fd(station->lane);
    }
    if (options->arena) {
        errand.flags |= ERRAND_HAS_ARENA;
        errand.arena_base = arena_base(options->arena);
        errand.arena_bytes = arena_bytes(options->arena);
        fds[fd_count++] = arena_peek_fd(options->arena);
    }
    if (options->reporting && options->reporting->card) {
        station->report_id = reporting_new_id(options->reporting);
        errand.flags |= ERRAND_HAS_CARD | ERRAND_HAS_REPORTS;
        errand.report_id = station->report_id;
        fds[fd_count++] = card_peek_fd(options->reporting->card);
        fds[fd_count++] = options->reporting->directory;
    }
    r = options->record_bytes && errand.report_id ? start_recorder(station) : 0;
    if (r != 0) {
        return message_set(why, r, "cannot make the memory for a recording: %s", strerror(-r));
    }
    if (options->events) {
        errand.flags |= ERRAND_HAS_BELL;
        fds[fd_count++] = lane_peek_bell_fd(station->lane);
    }
    if (station->recorder) {
        errand.flags |= ERRAND_HAS_RECORDING;
        fds[fd_count++] = recorder_peek_fd(station->recorder);
    }
    r = keeper_client_send(station->keeper, &errand, fds, fd_count);
    if (r != 0) {
        return message_set(why, r, "cannot reach the keeper process: %s", strerror(-r));
    }
    return 0;
}

static int start_thread(struct station *station, struct message *why)
{
    const struct arena *arena = station->options.arena;
    if (station->options.events) {
        station->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (station->timer < 0) {
            return message_set(why, -errno, "no timer for deadlines: %s", strerror(errno));
        }
    }
    struct local_worker_options options = {
        .lane = station->lane,
        .resolve_context = station->options.resolve_context,
        .resolve = station->options.resolve,
        .arena = {arena ? arena_base(arena) : 0, arena ? arena_bytes(arena) : 0},
        .seen = station->options.reporting && station->options.reporting->card,
    };
    size_lane(station->options.call_bytes, &options.h_bytes, &options.w_bytes);
    return local_worker_start(&options, &station->local, why);
}

int station_lane_open(struct station *station, struct message *why)
{
    bool process = station->options.level == CORDON_LEVEL_PROCESS;
    struct lane_options options = {
        .wake = station->options.events ? LANE_WAKE_EVENTFD : LANE_WAKE_FUTEX,
        .private_memory = !process,
    };
    size_lane(station->options.call_bytes, &options.h_bytes, &options.w_bytes);
    int r = lane_open(&options, &station->lane);
    if (r != 0) {
        return message_set(why, r, "cannot make the shared memory of a worker: %s", strerror(-r));
    }
    if (process && station->options.attachment) {
        return station_lease_open(station, why);
    }
    return process ? start_process(station, why) : start_thread(station, why);
}

/* Tell the keeper to end the worker. It may be gone itself: then the worker is as well. */
static void end_process(struct station *station)
{
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = ERRAND_END,
                            .worker = station->number,
                            .reason = station->end_reason};
    (void)keeper_client_send(station->keeper, &errand, NULL, 0);
}

void station_lane_condemn(struct station *station, enum lane_verdict verdict, uint32_t seq)
{
    (void)lane_condemn(station->lane, verdict, seq);
    if (station->keeper) {
        end_process(station);
    }
    if (station->seat) {
        attached_end(station->seat);
    }
}

void station_lane_close(struct station *station, bool wait)
{
    if (!station->lane) {
        return;
    }
    /* Of whom there is a report the keeper gives the verdict: it would end by itself, before it is seen. */
    if (!station->keeper || station->end_reason == ERRAND_UNSAID) {
        (void)lane_condemn(station->lane, LANE_CLOSED, 0);
    }
    if (station->keeper) {
        end_process(station);
        if (wait && keeper_client_alive(station->keeper)) {
            (void)lane_await_gone(station->lane, clock_after_ns(GONE_PATIENCE_NS));
        }
    }
    if (station->seat) {
        attached_end(station->seat);
        if (wait && attached_hear(station->seat) && station->seat->worker != 0) {
            (void)lane_await_gone(station->lane, clock_after_ns(GONE_PATIENCE_NS));
        }
        attached_give(station->seat);
        station->seat = NULL;
    }
    if (station->local && !local_worker_stop(station->local, THREAD_PATIENCE_NS)) {
        station->lane = NULL; /* the runaway thread owns it now */
    }
    lane_close(station->lane);
    station->lane = NULL;
    if (station->keeper) {
        keeper_share_give(station->options.keeper, station->keeper);
        station->keeper = NULL;
    }
}
