/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cell/station_internal.h"

/* Deadlines of calls that nobody waits for: the daemon's keeper looks seldom. */
static int open_timer(struct station *station, struct message *why)
{
    if (!station->options.events) {
        return 0;
    }
    station->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return station->timer >= 0
               ? 0
               : message_set(why, -errno, "no timer for deadlines: %s", strerror(errno));
}

int station_lease_open(struct station *station, struct message *why)
{
    const struct station_options *options = &station->options;
    uint64_t until_ns = clock_after_ns(options->start_timeout_ns);
    struct attached_worker worker;
    int r = open_timer(station, why);
    r = r < 0 ? r : attached_take(options->attachment, until_ns, &station->seat, why);
    if (r == 0) {
        r = attached_lease(station->seat, station->lane, options->arena, until_ns, &worker, why);
    }
    if (r == 0) {
        station->report_id = worker.report_id;
        station->board = station->seat->board;
        station->calm = lease_now(worker.epoch, LEASE_CALM);
        lane_set_alarm_fd(station->lane, station->seat->socket);
    }
    return r;
}

/* Nobody else tells of the daemon's end. */
void station_lease_check(struct station *station)
{
    if (!attached_hear(station->seat)) {
        lane_set_alarm_fd(station->lane, -1);
        (void)lane_condemn(station->lane, LANE_KEEPER_LOST, 0);
    }
}

/* The board is mapped as long as the seat is another's: a new welcome may have brought another one. */
enum lease_weather station_weather(const struct station *station, uint64_t *ret_until_ns,
                                   bool *ret_is_old)
{
    *ret_until_ns = 0;
    *ret_is_old = false;
    if (!station->board) {
        return LEASE_CALM;
    }
    uint32_t now = atomic_load_explicit(&station->board->now, memory_order_acquire);
    *ret_until_ns = atomic_load_explicit(&station->board->until_ns, memory_order_relaxed);
    *ret_is_old = (now >> 2) != (station->calm >> 2);
    return lease_weather(now);
}
