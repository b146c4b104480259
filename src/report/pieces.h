/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_PIECES_H
#define REPORT_PIECES_H

/*
 * Pieces: heads with data behind them, one after the other in one memory, each padded to a multiple of 8: what
 * captures, cards and recordings are made of. This is how they are read, as input: what a head says of its data is
 * judged by what is left.
 *
 * Threads: one at a time.
 */

#include <stddef.h>
#include <stdint.h>

#define PIECES_ALIGN 8u

/* @length: where they end. @at: where the next one begins, a multiple of 8. */
struct pieces {
    const uint8_t *bytes; /* unchanged meanwhile; aligned to 8 */
    uint64_t length;
    uint64_t at;
    uint32_t count; /* that have been read */
    uint32_t count_max;
};

/* Copy the next head: 1, 0 at the end, -EBADMSG: cut, or one too many. */
int pieces_head(struct pieces *pieces, void *ret_head, size_t head_bytes);

/* The @bytes of data behind that head, and go on behind them. Returns 0, or -EBADMSG: they are not all there. */
int pieces_data(struct pieces *pieces, size_t head_bytes, uint64_t bytes, const uint8_t **ret_data);

#endif
