/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_gateway.h"

/*
 * All ways to one function, sha256 of 1 KB: Python's ctypes, alone and with JSON; the server that one writes first;
 * the gateway; a client that attached itself; the C API. Held against ctypes alone; the attached client
 * also against the C API, whose call it is.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define CALLS         200u
#define ATTACHED_MARK 1.2

static const char library[] = "libcrypto.so.3";
static const char prototype[] = "within(md) unsigned char *SHA256(const unsigned char data[n], "
                                "size_t n, out unsigned char md[32])";

struct api {
    struct cordon_cell *cell;
    struct cordon_function *function;
    const char *text;
};

struct python {
    struct bench_child child;
    const char *row;
};

struct table {
    struct api attached;
    struct api api;
    struct socket_caller gateway;
    struct socket_caller plain;
    struct bench_child python;
    struct python direct;
    struct python encoded;
};

static double api_round(void *context)
{
    const struct api *api = context;
    unsigned char digest[32];
    const struct cordon_value args[] = {cordon_in(api->text, STAGE_TEXT_BYTES),
                                        cordon_out(digest, sizeof digest)};
    uint64_t began_ns = 0;
    for (uint32_t i = 0; i < CALLS + CALLS / 5; i++) {
        if (i == CALLS / 5) {
            began_ns = clock_now_ns();
        }
        rig_call(api->function, args, 2);
    }
    return (double)(clock_now_ns() - began_ns) / CALLS;
}

static double python_round(void *context)
{
    const struct python *python = context;
    double ns;
    if (fprintf(python->child.to, "%s %u\n", python->row, CALLS) < 0 ||
        fflush(python->child.to) != 0 || fscanf(python->child.from, "%lf", &ns) != 1) {
        fprintf(stderr, "cordon: bench: python3 ended\n");
        exit(1);
    }
    return ns;
}

static int open_api(struct stage *stage, bool attach, struct api *api)
{
    struct rig *rig = stage->rig;
    int r;
    if (attach) {
        struct cordon_attach_options options = CORDON_ATTACH_OPTIONS;
        options.gateway = stage->socket;
        options.cell = "crypto";
        r = cordon_attach(&options, &api->cell, &rig->error);
    } else {
        struct cordon_cell_options options = rig->cell;
        options.library = library;
        r = cordon_cell_open(&options, &api->cell, &rig->error);
    }
    api->text = stage->text;
    return r < 0 ? r : cordon_bind(api->cell, prototype, 0, &api->function, &rig->error);
}

/* Without Python, or without the server, their rows are left out. */
static int open_python(struct stage *stage, struct table *table)
{
    const char *built = BENCH_ROWS_BUILT;
    const char *argv[] = {"python3", access(built, R_OK) == 0 ? built : BENCH_ROWS_INSTALLED, NULL};
    double ns = 0;
    int r = child_open(&table->python, argv, stage->log, 1);
    if (r == 0 && (fprintf(table->python.to, "direct 1\n") < 0 || fflush(table->python.to) != 0 ||
                   fscanf(table->python.from, "%lf", &ns) != 1)) {
        char said[200];
        child_complaint(&table->python, said, sizeof said);
        fprintf(stderr, "cordon: bench: no ctypes rows: %s\n", said);
        return -ENOENT;
    }
    table->direct = (struct python){table->python, "direct"};
    table->encoded = (struct python){table->python, "json"};
    return r;
}

enum { ROW_DIRECT, ROW_JSON, ROW_PLAIN, ROW_GATEWAY, ROW_ATTACHED, ROW_API, ROW_COUNT };

static void report(struct rig *rig, struct measure_series *series)
{
    static const char *const texts[] = {
        "Python's ctypes, direct",  "ctypes, JSON decoded and encoded", "plain server, sequential",
        "cordon serve, sequential", "attached client, cordon_call",     "C API, cordon_call",
    };
    for (int i = 0; i < ROW_COUNT; i++) {
        rig_report(rig,
                   &(struct measure_line){.subject = &series[i],
                                          .floor = {{&series[ROW_DIRECT], 1}},
                                          .floor_terms = 1},
                   texts[i]);
    }
}

static void report_attached(struct rig *rig, struct measure_series *attached,
                            const struct measure_series *api)
{
    attached->name = "attached";
    rig_report(
        rig,
        &(struct measure_line){
            .subject = attached, .floor = {{api, 1}}, .floor_terms = 1, .mark = ATTACHED_MARK},
        "the same call by the C API");
}

static int measure(struct stage *stage, struct table *table, bool whole)
{
    struct measure_series series[ROW_COUNT] = {
        [ROW_DIRECT] = {.name = "table ctypes", .round = python_round, .context = &table->direct},
        [ROW_JSON] = {.name = "table ctypes+json",
                      .round = python_round,
                      .context = &table->encoded},
        [ROW_PLAIN] = {.name = "table plain server",
                       .round = gateway_trip_round,
                       .context = &table->plain},
        [ROW_GATEWAY] = {.name = "table gateway",
                         .round = gateway_trip_round,
                         .context = &table->gateway},
        [ROW_ATTACHED] = {.name = "table attached",
                          .round = api_round,
                          .context = &table->attached},
        [ROW_API] = {.name = "table C API", .round = api_round, .context = &table->api},
    };
    struct measure_series *first = whole ? series : &series[ROW_ATTACHED];
    uint32_t count = whole ? ROW_COUNT : 2;
    int r = measure_alternate(first, count, stage->rig->rounds);
    if (r == 0 && whole) {
        report(stage->rig, series);
    }
    if (r == 0) {
        report_attached(stage->rig, &series[ROW_ATTACHED], &series[ROW_API]);
    }
    measure_series_deinit(first, count);
    return r;
}

int gateway_ask_table(struct stage *stage)
{
    struct table table = {0};
    int r = stage_start_daemon(stage, -1, -1, &table.gateway);
    r = r < 0 ? r : open_api(stage, true, &table.attached);
    r = r < 0 ? r : open_api(stage, false, &table.api);
    if (r == 0) {
        bool whole = stage->plain.pid > 0 &&
                     stage_connect(stage, stage->plain_socket, &table.plain) == 0 &&
                     open_python(stage, &table) == 0;
        r = measure(stage, &table, whole);
    }
    cordon_cell_close(table.attached.cell);
    cordon_cell_close(table.api.cell);
    child_close(&table.python);
    caller_close(&table.plain);
    caller_close(&table.gateway);
    stage_end_daemon(stage);
    return r;
}
