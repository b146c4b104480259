/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_SCRATCH_H
#define FRAME_SCRATCH_H

/*
 * Scratch: a receiver's private copies for one call, and what has to go back when it ends. Private
 * to src/frame. Freed as a whole by frame_finish().
 */

#include "frame/walk.h"

/* Memory that goes to its place in the reply after the call. */
struct frame_block {
    struct frame_block *next;
    const struct cordon_plan_type *target;
    uint64_t count;
    uint64_t bytes;
    uint8_t *native;   /* what native code works on */
    uint8_t *original; /* images only: as it was before the call */
    uint8_t *extents;  /* images only: where a spot is, the bytes that its pointer points to */
    uint32_t reply_at;
};

struct scratch_chunk {
    struct scratch_chunk *next;
    uint64_t bytes[]; /* keeps what follows aligned; malloc aligns to 16, the link takes 8 */
};

struct frame_scratch {
    struct scratch_chunk *chunks;
    uint8_t *free;
    size_t free_bytes;
    uint64_t budget; /* work that a request of this size may still cause */
    uint32_t depth;
    struct frame_block *blocks;
    uint64_t owned_inputs; /* bit per parameter: pointee is malloc'ed and not yet the library's */
    uint64_t param_bytes[CORDON_PLAN_PARAMS_MAX]; /* what BYTES parameters point to */
};

/* NULL: out of memory. */
struct frame_scratch *scratch_new(uint64_t budget);

/* @bytes aligned to 16, or NULL. */
void *scratch_take(struct frame_scratch *scratch, size_t bytes);

void scratch_free(struct frame_scratch *scratch);

#endif
