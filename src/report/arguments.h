/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_ARGUMENTS_H
#define REPORT_ARGUMENTS_H

/*
 * Arguments: what a call was given, from the words and bytes of its request, as JSON. The request is
 * judged by the plan as a worker would judge it (frame_accept()), then walked.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/message.h"
#include "prototype/plan.h"

/* A request as the host's record of it says: at most six words, and the memory that word 0 names. */
struct report_request {
    const struct plan *plan;
    uint32_t function_id;
    const uint64_t *words; /* LANE_WORDS of them */
    const uint8_t *memory; /* aligned to 16; NULL: not to be had */
    uint32_t memory_bytes;
};

enum report_detail {
    /* Contents of memory are left out (length and SHA-256 stay), secrets masked, long things cut. */
    REPORT_BRIEF,
    /* As brief, with the first bytes of memory. */
    REPORT_BYTES,
    /* Everything, as `cordon call` takes it: {"base64":...} for bytes. For those parameters alone that it
     * takes. */
    REPORT_WHOLE,
};

#define REPORT_FIRST_BYTES    64u
#define REPORT_ELEMENTS_SHOWN 16u
#define REPORT_DEPTH_MAX      8u

/*
 * BRIEF, BYTES: an array of {"name", "type", "value"}, one per parameter. WHOLE: an array of values for the
 * parameters that are passed. Returns 0 and a new reference; -EBADMSG, -ENOTSUP (WHOLE: a handle, a
 * callback, arena memory, a secret; @why says which), -ENOMEM.
 */
int report_arguments(const struct report_request *request, enum report_detail detail,
                     json_t **ret_json, struct message *why);

/* "uint8_t *", "struct point", "handle": for people. Returns @text. */
const char *report_type_text(const struct plan *plan, const struct cordon_plan_type *type,
                             char *text, size_t size);

#endif
