/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_ROOM_H
#define LANE_ROOM_H

/*
 * Space in one memory of a lane: pieces in use, kept in private memory, sorted by place. The lowest gap
 * that fits is used, so that the first pages, which are there already, are used again and again.
 *
 * Threads: the lane's.
 */

#include <stdint.h>

#include "lane/layout.h"

/* More than calls in flight and answers of nested callbacks can need. */
#define LANE_PIECES_MAX 128u

struct lane_piece {
    uint32_t at;
    uint32_t bytes;
};

struct lane_space {
    uint32_t begin;
    uint32_t end;
    uint32_t count;
    uint32_t packed; /* before this piece there is no gap */
    struct lane_piece pieces[LANE_PIECES_MAX];
};

void lane_space_init(struct lane_space *space, uint32_t begin, uint32_t end);

/* 0 and a place, -EAGAIN or -E2BIG. No bytes take no place. */
int lane_space_new(struct lane_space *space, uint32_t bytes, uint32_t *ret_at);

/* Bytes of the largest gap. */
uint32_t lane_space_largest(const struct lane_space *space);

/* Keep only the first @bytes of the piece that begins @at. */
void lane_space_shrink(struct lane_space *space, uint32_t at, uint32_t bytes);

void lane_space_free(struct lane_space *space, uint32_t at);

#endif
