/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/room.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* 64-bit, so that sizes near 4 GiB do not wrap. */
static uint64_t round_up(uint64_t bytes)
{
    return (bytes + LANE_LINE - 1) & ~(uint64_t)(LANE_LINE - 1);
}

static uint32_t piece_end(const struct lane_space *space, uint32_t index)
{
    return space->pieces[index].at + space->pieces[index].bytes;
}

/* Where the gap before piece @index begins (index == count: after the last). */
static uint32_t gap_begin(const struct lane_space *space, uint32_t index)
{
    return index == 0 ? space->begin : piece_end(space, index - 1);
}

static uint32_t gap_end(const struct lane_space *space, uint32_t index)
{
    return index == space->count ? space->end : space->pieces[index].at;
}

static uint32_t find(const struct lane_space *space, uint32_t at)
{
    for (uint32_t index = space->count; index > 0; index--) {
        if (space->pieces[index - 1].at == at) {
            return index - 1;
        }
    }
    assert(!"a room of this lane");
    return 0;
}

static void insert(struct lane_space *space, uint32_t index, uint32_t at, uint32_t bytes)
{
    memmove(&space->pieces[index + 1], &space->pieces[index],
            (space->count - index) * sizeof space->pieces[0]);
    space->pieces[index] = (struct lane_piece){.at = at, .bytes = bytes};
    space->count++;
    if (index == space->packed && at == gap_begin(space, index)) {
        space->packed++;
    }
}

static void erase(struct lane_space *space, uint32_t index)
{
    space->count--;
    memmove(&space->pieces[index], &space->pieces[index + 1],
            (space->count - index) * sizeof space->pieces[0]);
    if (index < space->packed) {
        space->packed = index;
    }
}

void lane_space_init(struct lane_space *space, uint32_t begin, uint32_t end)
{
    assert(begin <= end && begin % LANE_LINE == 0 && end % LANE_LINE == 0);
    space->begin = begin;
    space->end = end;
    space->count = 0;
    space->packed = 0;
}

int lane_space_new(struct lane_space *space, uint32_t bytes, uint32_t *ret_at)
{
    uint64_t wanted = round_up(bytes);
    if (wanted > space->end - space->begin) {
        return -E2BIG;
    }
    if (wanted == 0) {
        *ret_at = space->begin;
        return 0;
    }
    if (space->count == LANE_PIECES_MAX) {
        return -EAGAIN;
    }
    for (uint32_t index = space->packed; index <= space->count; index++) {
        uint32_t at = gap_begin(space, index);
        if (gap_end(space, index) - at >= wanted) {
            insert(space, index, at, (uint32_t)wanted);
            *ret_at = at;
            return 0;
        }
    }
    return -EAGAIN;
}

uint32_t lane_space_largest(const struct lane_space *space)
{
    uint32_t largest = 0;
    for (uint32_t index = space->packed; index <= space->count; index++) {
        uint32_t gap = gap_end(space, index) - gap_begin(space, index);
        largest = gap > largest ? gap : largest;
    }
    return largest;
}

void lane_space_shrink(struct lane_space *space, uint32_t at, uint32_t bytes)
{
    uint32_t index = find(space, at);
    uint64_t kept = round_up(bytes);
    assert(kept <= space->pieces[index].bytes);
    if (kept == 0) {
        erase(space, index);
        return;
    }
    space->pieces[index].bytes = (uint32_t)kept;
    if (index + 1 < space->packed) {
        space->packed = index + 1;
    }
}

void lane_space_free(struct lane_space *space, uint32_t at)
{
    erase(space, find(space, at));
}
