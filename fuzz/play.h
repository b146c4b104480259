/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_PLAY_H
#define FUZZ_PLAY_H

/*
 * Play: one lane, with the host's side (play_host.c) and the enemy who writes W (play_enemy.c). Both do what the
 * input says, a byte for the act and more bytes for what it is done with.
 */

#include "props.h"

#include "lane/host.h"

#include <stdbool.h>

#define PLAY_LANE_BYTES (16u * LANE_PAGE)
#define PLAY_ROOM_BYTES 4096u
#define PLAY_FLIGHTS    3u

/* A call under way. */
struct flight {
    bool used;
    uint32_t seq;
    uint32_t depth;  /* callbacks of it that are open */
    uint32_t nested; /* depth at which a call of ours waits for its answer; 0: none */
    const struct plan *plan;
    const struct cordon_plan_function *function;
    struct cordon_value args[CORDON_PLAN_PARAMS_MAX];
    struct frame_request request;
    struct frame_space space;
    struct lane_room room;
    struct props props;
};

struct play {
    struct lane *lane;
    struct lane_host_page *h;
    struct lane_worker_page *w;
    struct flight flights[PLAY_FLIGHTS];
    struct input input;
    bool over; /* a verdict was seen */
    bool rewriting;
};

/* What the input says next; what is missing is 0. */
uint8_t play_take_byte(struct play *play);
uint64_t play_take_word(struct play *play);
uint64_t play_take_edge(struct play *play); /* a word that is an edge of something, or any */

/* The flight that the input names; it may not be in use. */
struct flight *play_take_flight(struct play *play);
struct lane_mail *play_mail_of(const struct play *play, const struct flight *flight);

/* ---- play_host.c: as a station does, and the keeper ---------------------------------------------- */

void host_submit_call(struct play *play, struct flight *flight, const struct plan *plan);
void host_await(struct play *play, struct flight *flight);
void host_give_up(struct play *play, struct flight *flight);

void host_submit(struct play *play);
void host_look(struct play *play);
void host_look_at_any(struct play *play);
void host_look_around(struct play *play);
void host_end_lane(struct play *play);
void host_keep_watch(struct play *play);

/* ---- play_enemy.c -------------------------------------------------------------------------------- */

void enemy_write_mail(struct play *play);
void enemy_write_turn(struct play *play);
void enemy_write_bytes(struct play *play);
void enemy_write_reply(struct play *play);
void enemy_write_callback(struct play *play);
void enemy_write_states(struct play *play);
void enemy_begin_rewriting(struct play *play);
void enemy_stop_rewriting(struct play *play);
void enemy_race(struct play *play);

#endif
