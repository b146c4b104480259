/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cordon/outcome.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/guest.h"
#include "gateway/seat.h"

#define MEMORY_MS 500u /* how old what is told of a worker's memory may be */

static const char *const levels[] = {"process", "thread", "inline"};
static const char *const breaker_states[] = {"closed", "open", "half-open"};

static void put_uint(struct json_out *out, const char *key, uint64_t value)
{
    json_out_key(out, key);
    json_out_uint(out, value);
}

static void put_text(struct json_out *out, const char *key, const char *value)
{
    json_out_key(out, key);
    json_out_text_bytes(out, value, strlen(value));
}

/* Resident bytes of a process; 0: it is gone. */
static uint64_t resident_bytes(int pid)
{
    char path[64];
    char text[128];
    unsigned long long size;
    unsigned long long resident;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", pid);
    OWN_FD fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (got <= 0) {
        return 0;
    }
    text[got] = '\0';
    return sscanf(text, "%llu %llu", &size, &resident) == 2
               ? resident * (uint64_t)sysconf(_SC_PAGESIZE)
               : 0;
}

/* Of its worker, as it was at most a while ago: who asks often has the loop open no more files. */
static uint64_t worker_bytes(struct seat *seat, int pid)
{
    uint64_t now_ns = clock_now_ns();
    if (seat->memory.pid != pid || now_ns - seat->memory.read_ns >= MEMORY_MS * CLOCK_MS_NS) {
        seat->memory.pid = pid;
        seat->memory.bytes = resident_bytes(pid);
        seat->memory.read_ns = now_ns;
    }
    return seat->memory.bytes;
}

static void put_ended(struct json_out *out, const uint64_t ended[TALLY_OUTCOMES])
{
    json_out_key(out, "ended");
    json_out_object(out);
    for (int i = 0; i < (int)TALLY_OUTCOMES; i++) {
        put_uint(out, cordon_outcome_name(i), ended[i]);
    }
    json_out_object_end(out);
}

/* The last one has no bound; counts behind the last that is not 0 are left out. */
static void put_buckets(struct json_out *out, const struct tally *tally)
{
    uint32_t used = TALLY_BUCKETS;
    while (used > 0 && tally->buckets[used - 1] == 0) {
        used--;
    }
    json_out_key(out, "buckets");
    json_out_array(out);
    for (uint32_t i = 0; i < used; i++) {
        json_out_uint(out, tally->buckets[i]);
    }
    json_out_array_end(out);
}

static void put_tally(struct json_out *out, const struct tally *tally)
{
    put_uint(out, "calls", tally->count);
    put_ended(out, tally->ended);
    put_uint(out, "errors", tally->errors);
    put_uint(out, "average_us", tally->count > 0 ? tally->sum_ns / tally->count / 1000 : 0);
    put_uint(out, "p50_us", (tally_quantile(tally, 500) + 500) / 1000);
    put_uint(out, "p99_us", (tally_quantile(tally, 990) + 500) / 1000);
    put_buckets(out, tally);
}

static void put_method(struct json_out *out, const struct method *method)
{
    json_out_object(out);
    put_text(out, "method", method->settings.name);
    put_text(out, "function", method->settings.function);
    put_tally(out, &method->tally);
    json_out_object_end(out);
}

/* In words of whoever looks at it; @pid: of a ready one's worker. */
static const char *worker_state(const struct seat *seat, int pid)
{
    switch (seat->state) {
    case SEAT_PREPARING:
        return "preparing";
    case SEAT_READY:
        if (pid == 0 && seat->house->settings.options.level == CORDON_LEVEL_PROCESS) {
            return "dead";
        }
        return seat->in_flight > 0 ? "busy" : "idle";
    case SEAT_CLOSING:
        return "closing";
    default: /* had one, or could not have one */
        return seat->worker_pid != 0 || seat->retry_ns != 0 ? "dead" : "empty";
    }
}

/* @client: whose own it is; NULL: all clients share it. Returns its memory. */
static uint64_t put_worker(struct json_out *out, struct seat *seat, const struct connection *client)
{
    int pid = seat->state == SEAT_READY ? cordon_session_worker_pid(seat->session) : 0;
    uint64_t bytes = worker_bytes(seat, pid);
    json_out_object(out);
    put_text(out, "state", worker_state(seat, pid));
    put_uint(out, "pid", pid > 0 ? (uint64_t)pid : 0);
    put_uint(out, "in_flight", seat->in_flight);
    put_uint(out, "memory_bytes", bytes);
    json_out_key(out, "client_pid");
    if (client) {
        json_out_int(out, client->pid);
    } else {
        json_out_null(out);
    }
    json_out_object_end(out);
    return bytes;
}

/* Shared ones, then those of single clients. Returns the memory of all. */
static uint64_t put_workers(struct json_out *out, const struct house *house)
{
    uint64_t bytes = 0;
    json_out_key(out, "workers");
    json_out_array(out);
    for (uint32_t i = 0; i < house->settings.workers; i++) {
        bytes += put_worker(out, house->seats[i], NULL);
    }
    const struct connection *client = house->own_seats > 0 ? house->gateway->connections : NULL;
    for (; client; client = client->next) {
        for (const struct guest *guest = client->guests; guest; guest = guest->next) {
            if (guest->house == house && guest->own) {
                bytes += put_worker(out, guest->own, client);
            }
        }
    }
    json_out_array_end(out);
    return bytes;
}

static void sum_of(const struct house *house, struct tally *ret_sum)
{
    *ret_sum = (struct tally){0};
    for (size_t i = 0; i < house->method_count; i++) {
        tally_merge(ret_sum, &house->methods[i].tally);
    }
}

const char *stats_state(const struct house *house)
{
    for (uint32_t i = 0; i < house->settings.workers; i++) {
        if (house->seats[i]->state == SEAT_READY) {
            return "ready";
        }
    }
    return house->unavailable_ns > clock_now_ns() ? "unavailable" : "starting";
}

static void put_life(struct json_out *out, const struct house *house)
{
    struct cordon_cell_stats stats;
    cordon_cell_stats(house->cell, &stats);
    put_text(out, "breaker",
             breaker_states[stats.breaker <= CORDON_BREAKER_HALF_OPEN ? stats.breaker : 0]);
    put_uint(out, "breakers_open", stats.breakers_open);
    put_uint(out, "breaker_opened", stats.breaker_opened);
    put_uint(out, "started", stats.started);
    put_uint(out, "restarts", house->restarts);
    put_uint(out, "crashes", stats.crashes);
    put_uint(out, "timeouts", stats.timeouts);
    put_uint(out, "promoted", stats.promoted);
    put_uint(out, "recycled", stats.recycled);
    put_uint(out, "starts_failed", stats.starts_failed);
    put_uint(out, "spares", stats.spares);
}

/* How a worker's life ended last, as its caller was told. */
static void put_last_end(struct json_out *out, const struct house *house)
{
    char report[32];
    (void)snprintf(report, sizeof report, "%016llx", (unsigned long long)house->last_report);
    json_out_key(out, "last_report");
    if (house->last_report != 0) {
        json_out_string(out, report);
    } else {
        json_out_null(out);
    }
    json_out_key(out, "last_end");
    if (!house->last_end.method) {
        json_out_null(out);
        return;
    }
    json_out_object(out);
    put_text(out, "outcome", cordon_outcome_name(house->last_end.outcome));
    put_text(out, "method", house->last_end.method->settings.name);
    put_uint(out, "ago_ms", (clock_now_ns() - house->last_end.when_ns) / CLOCK_MS_NS);
    json_out_object_end(out);
}

static void put_house(struct json_out *out, const struct house *house)
{
    struct tally sum;
    sum_of(house, &sum);
    json_out_object(out);
    put_text(out, "cell", house->settings.name);
    put_text(out, "library", house->library ? house->library : "");
    put_text(out, "level", levels[house->settings.options.level]);
    put_uint(out, "generation", house->generation);
    put_text(out, "state", stats_state(house));
    put_tally(out, &sum);
    put_uint(out, "in_flight", house->in_flight);
    put_uint(out, "queue", house->waiting);
    uint64_t memory = put_workers(out, house);
    put_uint(out, "client_workers", house->own_seats);
    put_uint(out, "memory_bytes", memory);
    put_life(out, house);
    put_last_end(out, house);
    json_out_key(out, "methods");
    json_out_array(out);
    for (size_t i = 0; i < house->method_count; i++) {
        put_method(out, &house->methods[i]);
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

static void put_bounds(struct json_out *out)
{
    json_out_key(out, "bucket_bounds_ns");
    json_out_array(out);
    for (uint32_t i = 0; i < TALLY_BUCKETS - 1; i++) {
        json_out_uint(out, tally_bucket_ns(i));
    }
    json_out_array_end(out);
}

/* Replaced by a reload, and not unused yet. */
static void put_draining(struct json_out *out, const struct gateway *gateway)
{
    json_out_key(out, "draining");
    json_out_array(out);
    for (const struct house *house = gateway->retired; house; house = house->next_retired) {
        json_out_object(out);
        put_text(out, "cell", house->settings.name);
        put_uint(out, "generation", house->generation);
        put_uint(out, "in_flight", house->in_flight);
        put_uint(out, "queue", house->waiting);
        put_uint(out, "client_workers", house->own_seats);
        json_out_object_end(out);
    }
    json_out_array_end(out);
}

void stats_write(const struct gateway *gateway, const char *cell, struct json_out *out)
{
    json_out_object(out);
    put_text(out, "version", CORDON_VERSION);
    put_uint(out, "pid", (uint64_t)getpid());
    put_uint(out, "uptime_ms", (clock_now_ns() - gateway->started_ns) / CLOCK_MS_NS);
    put_uint(out, "clients", gateway->client_count);
    put_uint(out, "clients_accepted", gateway->accepted);
    put_uint(out, "clients_forbidden", gateway->forbidden);
    put_uint(out, "clients_slow", gateway->slow);
    put_uint(out, "requests_in_flight", gateway->in_flight);
    put_uint(out, "requests_refused", gateway->refused);
    put_uint(out, "memory_bytes", resident_bytes(getpid()));
    json_out_key(out, "cells");
    json_out_array(out);
    for (size_t i = 0; i < gateway->house_count; i++) {
        if (!cell || strcmp(gateway->houses[i]->settings.name, cell) == 0) {
            put_house(out, gateway->houses[i]);
        }
    }
    json_out_array_end(out);
    put_draining(out, gateway);
    put_bounds(out);
    json_out_object_end(out);
}
