/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/scratch.h"

#include <stdlib.h>

#define CHUNK_BYTES 4096u

struct frame_scratch *scratch_new(uint64_t budget)
{
    struct frame_scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch) {
        scratch->budget = budget;
    }
    return scratch;
}

static bool scratch_grow(struct frame_scratch *scratch, size_t bytes)
{
    size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct scratch_chunk *chunk = malloc(sizeof *chunk + FRAME_ALIGN + room);
    if (!chunk) {
        return false;
    }
    chunk->next = scratch->chunks;
    scratch->chunks = chunk;
    uintptr_t start = ((uintptr_t)chunk->bytes + FRAME_ALIGN - 1) & ~(uintptr_t)(FRAME_ALIGN - 1);
    scratch->free = (uint8_t *)start;
    scratch->free_bytes = room;
    return true;
}

void *scratch_take(struct frame_scratch *scratch, size_t bytes)
{
    if (bytes > SIZE_MAX - 2 * CHUNK_BYTES) {
        return NULL;
    }
    size_t rounded = (bytes + FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
    rounded = rounded ? rounded : FRAME_ALIGN;
    if (rounded > scratch->free_bytes && !scratch_grow(scratch, rounded)) {
        return NULL;
    }
    void *taken = scratch->free;
    scratch->free += rounded;
    scratch->free_bytes -= rounded;
    return taken;
}

void scratch_free(struct frame_scratch *scratch)
{
    if (!scratch) {
        return;
    }
    while (scratch->chunks) {
        struct scratch_chunk *next = scratch->chunks->next;
        free(scratch->chunks);
        scratch->chunks = next;
    }
    free(scratch);
}
