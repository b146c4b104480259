/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_GIVEN_H
#define FRAME_GIVEN_H

/*
 * Given: the memory that a call was made from. It is the caller's, who may change it while the call is under way
 * (in a callback, or in another thread), and what comes back must not go where nothing was given: the encoder sums up
 * where all of it lies, and the decoder, before it follows the first pointer, looks whether it still lies there.
 *
 * Sums are by depth, for what lies behind a pointer may be looked at only if the pointer is as it was: arguments,
 * then pointers in what they point to, and so on. Private to src/frame.
 */

#include "frame/walk.h"

/* What one pointer adds; @place tells it from the others of its depth. */
static inline uint64_t given_mark(const void *memory, uint64_t place)
{
    /* Each step can be undone: another pointer at the same place adds something else. */
    uint64_t mark = (uint64_t)(uintptr_t)memory ^ (place * 0x9e3779b97f4a7c15ull);
    mark = (mark ^ mark >> 32) * 0xd6e8feb86659fd93ull;
    return mark ^ mark >> 29;
}

/* @depth: 1 for members of what is passed by value, 2 for what an argument points to, one more for each pointer. */
static inline void given_add(struct frame_request *request, uint32_t depth, uint64_t mark)
{
    while (request->given_depth <= depth) {
        request->given[request->given_depth++] = 0;
    }
    request->given[depth] += mark;
}

/* The arguments themselves, depth 0: where their memory lies, and how much is there. */
static inline uint64_t given_arguments(const struct cordon_value *args, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (args[i].kind == CORDON_VALUE_MEMORY) {
            sum += given_mark(args[i].memory, args[i].count << 16 | i);
        }
    }
    return sum;
}

#endif
