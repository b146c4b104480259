/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_PROVISION_H
#define LANE_PROVISION_H

/*
 * Provision: what a worker does by itself between loading its library and its first call, as one sealed
 * memory of records. A lender has no conversation of its own with a worker on a client's lane, where the client
 * could write between its lines: functions are bound, on_start calls made and the engine sealed from here.
 * The same format, of BIND and TYPE alone, tells a client what is lent (docs/protocol/attach.md).
 *
 * Layout: header, then records, each aligned to 16: the struct, its words, its name with a NUL, padding to 16, its
 * bytes, padding to 16.
 */

#include <stddef.h>
#include <stdint.h>

#include "cordon/plan.h"

#define PROVISION_MAGIC     0x56525043u /* "CPRV" */
#define PROVISION_VERSION   1u
#define PROVISION_ALIGN     16u
#define PROVISION_BYTES_MAX (128u << 20)

struct provision_header {
    uint32_t magic;
    uint32_t version;
    uint32_t bytes; /* all of it, this header included */
    uint32_t count; /* of records */
};

enum provision_kind {
    PROVISION_BIND =
        1, /* id: of the function; bytes: its plan. One that the library lacks is left out */
    PROVISION_TYPE = 2, /* name: "struct z_stream"; bytes: its plan. Objects of it may be made */
    PROVISION_CALL = 3, /* id; words and bytes of a request: has to succeed */
    PROVISION_SEAL = 4, /* nothing is bound or declared any more */
};

struct provision_record {
    uint32_t kind; /* enum provision_kind */
    uint32_t id;
    uint32_t word_count; /* CALL: at most CORDON_PLAN_WORDS_MAX */
    uint32_t name_bytes; /* with its NUL; 0: none */
    uint32_t bytes;
    uint32_t reply_fixed; /* CALL: as in a frame's header */
    uint32_t reply_bytes_max;
    uint32_t reserved;
};
_Static_assert(sizeof(struct provision_header) == 16, "pinned");
_Static_assert(sizeof(struct provision_record) == 32, "pinned");

/* A record, judged: all of it lies inside. */
struct provision_item {
    struct provision_record record;
    const uint64_t *words;
    const char *name; /* NUL-terminated; NULL: none */
    const uint8_t *bytes;
};

/*
 * Judge the header of @memory, which nobody changes any more. Returns where the first record stands, or
 * -EBADMSG.
 */
int64_t provision_begin(const void *memory, uint64_t bytes);

/*
 * Judge the record at @at. Returns where the next one stands, 0 behind the last (ret_item untouched), or
 * -EBADMSG.
 */
int64_t provision_next(const void *memory, int64_t at, struct provision_item *ret_item);

#endif
