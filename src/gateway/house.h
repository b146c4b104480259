/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOUSE_H
#define GATEWAY_HOUSE_H

/*
 * House: one configured cell at work: its library, its methods, its seats, and who waits for them. A
 * reload that changes the cell builds another house beside the old one.
 *
 * Life: opened in a thread of the pool, then the loop's alone; retired when another one took its place, or
 * at the end; closed, in the pool again, once nobody uses it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "cordon/batch.h"
#include "gateway/pace.h"
#include "config/settings.h"
#include "gateway/tally.h"
#include "json/method.h"

struct gateway;
struct guest;
struct seat;

struct house;

/* What clients call: a function of a house, as its settings want it offered. */
struct method {
    struct house *house;
    struct method_settings settings; /* texts owned by the house's settings */
    struct cordon_function *function;
    struct json_method json;
    bool
        needs_own; /* it makes or takes handles, or is pinned: the client needs a seat of its own */
    struct tally tally;
    struct pace pace;
};

struct house {
    struct gateway *gateway;
    struct cell_settings settings; /* owned */
    struct cordon_cell *cell;
    char *library;       /* as settings or interface name it; NULL: the C library alone */
    uint32_t generation; /* counts the houses of this cell's name */
    struct method *methods;
    size_t method_count;
    struct cordon_function **functions; /* of the methods, each once */
    size_t function_count;

    struct seat **seats; /* settings.workers; [0] has the session that the cell opened with */
    uint32_t preparing;  /* of them, and of single clients' seats */
    uint32_t own_seats;
    uint64_t restarts;    /* workers in the place of others that had served, and ended */
    uint64_t last_report; /* of an end in a seat; 0: none */
    struct {
        const struct method *method; /* NULL: none ended in a call */
        int outcome;
        uint64_t when_ns;
    } last_end;
    uint64_t unavailable_ns; /* until then no worker can be had, and requests are told so */
    struct message unavailable;
    struct guest *ring; /* the guest whose turn it is; they have requests that wait */
    uint32_t ring_count;
    uint32_t waiting;   /* requests in all their queues */
    uint32_t in_flight; /* requests in seats */
    uint32_t users;     /* guests and jobs: it is closed when none is left and it is retired */
    bool retired;
    bool lends; /* the lender knows its cell */
    struct house *next_retired;
    bool closing;
    uv_work_t work;
};

/*
 * Open the cell, bind what it offers. Blocks: a thread of the pool. @settings are taken over on success.
 * Returns 0, or a negative errno with a sentence that names the cell.
 */
int house_open(struct cell_settings *settings, uint32_t generation, struct house **ret_house,
               struct message *why);

/* From now on it is the loop's. Returns 0; -ENOMEM: it is as it was before. */
int house_start(struct house *house, struct gateway *gateway);

/* It shall not be after all, whether it was started or not: it is closed in the pool. */
void house_discard(struct house *house, struct gateway *gateway);

/* End it: in the loop, once nobody uses it. */
void house_retire(struct house *house);
void house_use(struct house *house);
void house_leave(struct house *house);

/* Free what was never started, or is ended. Blocks. */
void house_free(struct house *house);

#endif
