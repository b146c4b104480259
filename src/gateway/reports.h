/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_REPORTS_H
#define GATEWAY_REPORTS_H

/*
 * Reports of the daemon's own cells, for its clients and the status page. Nothing else that lies in their directory
 * is shown: it may be of another program of this user, and clients may be other users. Nor is the call's
 * request, with the memory that a client passed: that stays in the file, for `cordon report` and `cordon replay`.
 *
 * Files are read in libuv's pool, a few questions at a time; the others wait, as many as REPORTS_WAITING.
 *
 * Threads: the loop's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "json/json_out.h"

struct gateway;
struct house;
struct reports_job;
struct told;

#define REPORTS_LISTED     64u /* unless asked for more or less */
#define REPORTS_LISTED_MAX 256u
#define REPORTS_WAITING    16u
#define REPORTS_TOLD       256u        /* ids given to clients that are remembered */
#define REPORTS_BYTES      (16u << 20) /* of a file that is read */
#define REPORTS_WAIT_MS    2000u       /* for one that was told of and is not there yet */
#define REPORTS_WRITTEN_MS 15000u      /* after that it is not coming any more */

/* All zero is a fine start. */
struct reports {
    struct reports_job *first; /* waiting, oldest first */
    struct reports_job *last;
    uint32_t waiting;
    uint32_t running;
    struct told *told; /* ring; NULL: none yet */
    uint32_t told_next;
};

/* What is asked for: the newest ones, or one by its id. */
struct reports_wish {
    const char *cell; /* of this cell alone; NULL: of all. Borrowed until reports_ask() returns */
    uint32_t most;
    uint64_t id; /* 0: a list */
    uint32_t part;
};

/*
 * @result  0: @json holds the answer, one value, the callee's to keep or deinit; -ENOENT there is no such report;
 *          -EINPROGRESS it is still being written;
 *          -EFBIG larger than REPORTS_BYTES; -EBADMSG it is none; -ENOMEM.
 */
typedef void reports_answer_fn(void *context, int result, struct json_out *json);

/*
 * Ask. @answer is called once, later, if and only if this returns 0. Else: -ENOENT no such cell, -EAGAIN too many ask,
 * -ENOMEM.
 */
int reports_ask(struct gateway *gateway, const struct reports_wish *wish, reports_answer_fn *answer,
                void *context);

/* "0123456789abcdef", "0123456789abcdef-2". False: it is no report's id. */
bool reports_parse_id(const char *text, uint64_t *ret_id, uint32_t *ret_part);

/* A client was told of this report: it can be read from now on, also when @house is gone. */
void reports_tell(struct house *house, uint64_t id);

void reports_deinit(struct reports *reports);

#endif
