/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_TEST_FORGE_H
#define FRAME_TEST_FORGE_H

/* Forge: requests as a hostile worker sends them with callbacks, each refused by its own sentence. */
#include "frame/test_trip.h"

#include <errno.h>
#include <string.h>

static inline void check_refused(struct trip *trip, int r, const char *sentence)
{
    assert_int_equal(r, -EBADMSG);
    assert_string_equal(trip->why.text, sentence);
}

/* The host's side, which believes nothing. */
static inline void host_refuses(struct trip *trip, const char *sentence)
{
    check_refused(trip, trip_accept_by(trip, &trip->host), sentence);
}

/* With @word forged for once. */
static inline void host_refuses_word(struct trip *trip, size_t word, uint64_t forged,
                                     const char *sentence)
{
    uint64_t good = trip->sent.words[word];
    trip->sent.words[word] = forged;
    host_refuses(trip, sentence);
    trip->sent.words[word] = good;
}

static inline uint64_t in_arena(const struct trip *trip, size_t at)
{
    return FRAME_IN_ARENA | ((uintptr_t)trip->arena + at);
}

/* What request word @index leads to. */
static inline uint8_t *request_of(const struct trip *trip, size_t index)
{
    return trip->request + (trip->sent.words[index] & 0x7fffffff);
}

static inline void put(void *memory, uint64_t word)
{
    memcpy(memory, &word, sizeof word);
}

#endif
