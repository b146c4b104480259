/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aims at lane_await() and all that it judges, frame_decode(), frame_accept(), the keeper's look at a lane
 * (lane_ward_overdue(), lane_ward_unanswered()) and errand_letter_receive().
 *
 * How it works. An input is a program for the enemy: a byte says what is done next, more bytes with what. The
 * enemy writes W; the host's side in between submits, looks and answers, as a station does. A second thread
 * rewrites one place of W as fast as it can, between two values of the program's choice. What the host's side
 * hands out is checked against what it promises: a claim that was judged and then read again is found there.
 */
#include "play.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STEPS_MAX   200
#define GUARD_BYTES (4u * LANE_PAGE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void hostile_errand(struct input *input); /* fuzz_hostile_errand.c */

uint8_t play_take_byte(struct play *play)
{
    uint8_t byte;
    props_take(&play->input, &byte, 1);
    return byte;
}

uint64_t play_take_word(struct play *play)
{
    uint64_t word;
    props_take(&play->input, &word, sizeof word);
    return word;
}

/* A word that is an edge of something, or any. */
uint64_t play_take_edge(struct play *play)
{
    const uint32_t share = lane_callback_at(PLAY_LANE_BYTES);
    const uint64_t edges[] = {
        0,
        UINT64_MAX,
        1,
        64,
        PLAY_ROOM_BYTES,
        PLAY_ROOM_BYTES + 1,
        2ull << 32,
        4ull << 32,
        5ull << 32,
        PLAY_LANE_BYTES + 1,
        0x6161616161616161u,
        lane_place(share, 64),
        lane_place(share, 512),
        lane_place(share - 64, 64),
        lane_place(share, PLAY_LANE_BYTES - share),
        lane_place(share, PLAY_LANE_BYTES - share + 1),
        lane_place(PLAY_LANE_BYTES - 64, 64),
        lane_place(PLAY_LANE_BYTES - 64, 2 * LANE_PAGE),
        lane_place(PLAY_LANE_BYTES, 1),
        lane_place(share, UINT32_MAX),
    };
    uint8_t which = play_take_byte(play) % (sizeof edges / sizeof edges[0] + 1);
    return which < sizeof edges / sizeof edges[0] ? edges[which] : play_take_word(play);
}

/* The one that the input names; it may not be in use. */
struct flight *play_take_flight(struct play *play)
{
    return &play->flights[play_take_byte(play) % PLAY_FLIGHTS];
}

struct lane_mail *play_mail_of(const struct play *play, const struct flight *flight)
{
    return &play->w->mail[flight->used ? lane_slot_of(flight->seq) : 0];
}

/* ---- Playing ----------------------------------------------------------------------------------- */

static void (*const acts[])(struct play *play) = {
    host_submit,
    host_look,
    host_look_at_any,
    host_look_around,
    host_end_lane,
    host_keep_watch,
    enemy_write_mail,
    enemy_write_turn,
    enemy_write_bytes,
    enemy_write_reply,
    enemy_write_callback,
    enemy_write_states,
    enemy_begin_rewriting,
    enemy_stop_rewriting,
    enemy_race,
};

static void open_play(struct play *play)
{
    const struct lane_options options = {
        .h_bytes = PLAY_LANE_BYTES, .w_bytes = PLAY_LANE_BYTES, .private_memory = true};
    if (lane_open(&options, &play->lane) != 0) {
        abort();
    }
    play->h = lane_peek_h(play->lane);
    play->w = lane_peek_w(play->lane);
    /* What lies behind W must not be read: where nothing lies, nothing can be. */
    (void)mmap((uint8_t *)play->w + PLAY_LANE_BYTES, GUARD_BYTES, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static void close_play(struct play *play)
{
    enemy_stop_rewriting(play);
    for (uint32_t i = 0; i < PLAY_FLIGHTS; i++) {
        if (play->flights[i].used) {
            host_give_up(play, &play->flights[i]);
        }
    }
    lane_close(play->lane);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play play;
    if (size < 2) {
        return 0;
    }
    memset(&play, 0, sizeof play);
    play.input = (struct input){data + 1, size - 1};
    if (data[0] % 8 == 0) {
        hostile_errand(&play.input);
        return 0;
    }
    open_play(&play);
    for (int steps = 0; play.input.size > 0 && steps < STEPS_MAX; steps++) {
        acts[play_take_byte(&play) % (sizeof acts / sizeof acts[0])](&play);
    }
    close_play(&play);
    return 0;
}
