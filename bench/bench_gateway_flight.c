/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_gateway.h"

/*
 * 32 requests in flight: by one client, who sends them without waiting, and by 32 clients with one each. The plain
 * server answers in a thread for each connection; the gateway has one loop, and as many workers as it wants.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

#define DEPTH           32u
#define FLIGHT_CALLS    1600u
#define SEQUENTIAL_MARK 0.2         /* 5 x the throughput */
#define FLIGHT_MARK     (1.0 / 1.5) /* 1.5 x */

static double flight_round(void *context)
{
    caller_flight(context, 2 * DEPTH, DEPTH);
    uint64_t began_ns = clock_now_ns();
    caller_flight(context, FLIGHT_CALLS, DEPTH);
    return (double)(clock_now_ns() - began_ns) / FLIGHT_CALLS;
}

/* One in flight for each of many clients, driven by one thread. */
struct crowd {
    struct socket_caller callers[DEPTH];
    int poller;
};

static int crowd_open(struct stage *stage, const char *socket, struct crowd *crowd)
{
    int r = 0;
    crowd->poller = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < DEPTH && r == 0; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        r = stage_connect(stage, socket, &crowd->callers[i]);
        if (r == 0 && epoll_ctl(crowd->poller, EPOLL_CTL_ADD, crowd->callers[i].fd, &event) < 0) {
            r = rig_fail(stage->rig, -errno, "cannot wait for clients");
        }
    }
    return r;
}

static void crowd_close(struct crowd *crowd)
{
    for (uint32_t i = 0; i < DEPTH; i++) {
        caller_close(&crowd->callers[i]);
    }
    if (crowd->poller > 0) {
        (void)close(crowd->poller);
    }
}

static void crowd_run(struct crowd *crowd, uint32_t count)
{
    uint32_t asked = 0;
    uint32_t answered = 0;
    for (uint32_t i = 0; i < DEPTH; i++, asked++) {
        caller_send(&crowd->callers[i], 1);
    }
    while (answered < count) {
        struct epoll_event events[DEPTH];
        int ready = epoll_wait(crowd->poller, events, (int)DEPTH, -1);
        for (int i = 0; i < ready; i++) {
            struct socket_caller *caller = &crowd->callers[events[i].data.u32];
            uint32_t came = caller_receive(caller);
            answered += came;
            if (came > 0 && asked < count) {
                caller_send(caller, 1);
                asked++;
            }
        }
    }
}

static double crowd_round(void *context)
{
    crowd_run(context, 2 * DEPTH);
    uint64_t began_ns = clock_now_ns();
    crowd_run(context, FLIGHT_CALLS);
    return (double)(clock_now_ns() - began_ns) / FLIGHT_CALLS;
}

struct flight {
    struct socket_caller gateway;
    struct socket_caller plain;
    struct crowd gateway_crowd;
    struct crowd plain_crowd;
};

enum {
    SERIES_FLIGHT,
    SERIES_CROWD,
    SERIES_PLAIN,
    SERIES_PLAIN_FLIGHT,
    SERIES_PLAIN_CROWD,
    SERIES_COUNT,
};

static void report(struct rig *rig, struct measure_series *series)
{
    static const struct {
        const char *name;
        int subject;
        int floor;
        double mark;
        const char *text;
    } lines[] = {
        {"gateway-32", SERIES_FLIGHT, SERIES_PLAIN, SEQUENTIAL_MARK,
         "plain server, one request after the other"},
        {"gateway-32-even", SERIES_FLIGHT, SERIES_PLAIN_FLIGHT, FLIGHT_MARK,
         "plain server, 32 in flight by one client"},
        {"gateway-32-many", SERIES_FLIGHT, SERIES_PLAIN_CROWD, FLIGHT_MARK,
         "plain server, 32 clients with one each"},
        {"32-clients", SERIES_CROWD, SERIES_PLAIN_CROWD, FLIGHT_MARK,
         "plain server, 32 clients with one each, too"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        series[lines[i].subject].name = lines[i].name;
        rig_report(rig,
                   &(struct measure_line){.subject = &series[lines[i].subject],
                                          .floor = {{&series[lines[i].floor], 1}},
                                          .floor_terms = 1,
                                          .mark = lines[i].mark},
                   lines[i].text);
    }
}

static int measure(struct stage *stage, struct flight *flight)
{
    struct measure_series series[SERIES_COUNT] = {
        [SERIES_FLIGHT] = {.round = flight_round, .context = &flight->gateway},
        [SERIES_CROWD] = {.round = crowd_round, .context = &flight->gateway_crowd},
        [SERIES_PLAIN] = {.round = gateway_trip_round, .context = &flight->plain},
        [SERIES_PLAIN_FLIGHT] = {.round = flight_round, .context = &flight->plain},
        [SERIES_PLAIN_CROWD] = {.round = crowd_round, .context = &flight->plain_crowd},
    };
    int r = measure_alternate(series, SERIES_COUNT, stage->rig->rounds);
    if (r == 0) {
        report(stage->rig, series);
    }
    measure_series_deinit(series, SERIES_COUNT);
    return r;
}

int gateway_ask_flight(struct stage *stage)
{
    struct flight *flight = calloc(1, sizeof *flight);
    if (!flight) {
        return -ENOMEM;
    }
    int r = stage_start_plain(stage);
    if (r == -ENOENT) {
        fprintf(stderr, "cordon: bench: no plain server: its lines are left out\n");
        free(flight);
        return 0;
    }
    r = r < 0 ? r : stage_start_daemon(stage, -1, -1, &flight->gateway);
    r = r < 0 ? r : stage_connect(stage, stage->plain_socket, &flight->plain);
    r = r < 0 ? r : crowd_open(stage, stage->socket, &flight->gateway_crowd);
    r = r < 0 ? r : crowd_open(stage, stage->plain_socket, &flight->plain_crowd);
    r = r < 0 ? r : measure(stage, flight);
    crowd_close(&flight->plain_crowd);
    crowd_close(&flight->gateway_crowd);
    caller_close(&flight->plain);
    caller_close(&flight->gateway);
    free(flight);
    stage_end_daemon(stage);
    return r;
}
