/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"
#include "rewriter.h"

#include <string.h>

#define RACE_ROUNDS 64

void enemy_write_mail(struct play *play)
{
    struct lane_mail *mail = play_take_byte(play) % 8 == 0
                                 ? &play->w->mail[play_take_byte(play) % LANE_SLOTS]
                                 : play_mail_of(play, play_take_flight(play));
    uint8_t field = play_take_byte(play) % 8;
    uint64_t word = play_take_edge(play);
    if (field < LANE_WORDS) {
        atomic_store(&mail->words[field], word);
    } else if (field == LANE_WORDS) {
        atomic_store(&mail->tag, (uint32_t)word);
    } else {
        atomic_store(&mail->status_bytes, word);
    }
}

static void publish(struct lane_mail *mail, uint32_t steps, enum lane_verb verb)
{
    uint32_t step = lane_turn_step(atomic_load(&mail->turn)) + steps;
    atomic_store(&mail->turn, lane_turn(step & 0x0fffffffu, verb));
}

void enemy_write_turn(struct play *play)
{
    struct lane_mail *mail = play_mail_of(play, play_take_flight(play));
    uint8_t how = play_take_byte(play);
    publish(mail, how < 0xe0 ? 1 : how, (enum lane_verb)(how & 15));
}

void enemy_write_bytes(struct play *play)
{
    const struct flight *flight = play_take_flight(play);
    uint32_t at = play_take_byte(play) * 8u;
    uint32_t count = play_take_byte(play);
    uint32_t begin =
        flight->used && at + count <= PLAY_ROOM_BYTES ? flight->room.w_at : LANE_W_BYTES_AT;
    props_take(&play->input, (uint8_t *)play->w + begin + at, count);
}

void enemy_write_reply(struct play *play)
{
    struct lane_mail *mail = play_mail_of(play, play_take_flight(play));
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        atomic_store(&mail->words[i], play_take_byte(play));
    }
    atomic_store(&mail->status_bytes, 0);
    publish(mail, 1, LANE_RETURN);
}

/* A callback whose frame is sound but for what the input puts behind its header. */
void enemy_write_callback(struct play *play)
{
    const struct flight *flight = play_take_flight(play);
    struct lane_mail *mail = play_mail_of(play, flight);
    uint32_t bytes = 64u + play_take_byte(play) * 4u;
    uint8_t *share = (uint8_t *)play->w + lane_callback_at(PLAY_LANE_BYTES);
    if (!flight->used) {
        return;
    }
    uint32_t index = plan_header(flight->plan)->function_count - 1;
    const struct frame_header header = {
        .magic = FRAME_MAGIC,
        .version = FRAME_VERSION,
        .word_count = plan_function(flight->plan, index)->in_words,
        .frame_bytes = bytes,
        .layout_hash = plan_header(flight->plan)->layout_hash,
        .function = index,
    };
    props_take(&play->input, share, bytes);
    if (play_take_byte(play) % 8 != 0) {
        memcpy(share, &header, sizeof header);
    }
    atomic_store(&mail->words[0], play_take_byte(play) % 8 == 0
                                      ? 0
                                      : lane_place(lane_callback_at(PLAY_LANE_BYTES), bytes));
    atomic_store(&mail->words[1], (uint64_t)(play_take_byte(play) % 6) << 32);
    publish(mail, 1, LANE_CALLBACK);
}

void enemy_write_states(struct play *play)
{
    atomic_store(&play->w->worker_state, play_take_byte(play) % 4);
    atomic_store(&play->w->worker_cpu, play_take_byte(play));
    atomic_store(&play->w->queued, play_take_byte(play));
}

/* Two values that take turns, in a mail's words or where a reply or a callback lies. */
void enemy_begin_rewriting(struct play *play)
{
    const struct flight *flight = play_take_flight(play);
    struct lane_mail *mail = play_mail_of(play, flight);
    uint8_t where = play_take_byte(play);
    _Atomic uint64_t *place =
        where % 3 == 0 ? &mail->words[where / 3 % LANE_WORDS]
        : where % 3 == 1
            ? &mail->status_bytes
            : (_Atomic uint64_t *)(void *)((uint8_t *)play->w +
                                           (where & 0x80 ? lane_callback_at(PLAY_LANE_BYTES)
                                                         : flight->room.w_at) +
                                           (where & 0x7c) * 2u);
    uint64_t first = play_take_edge(play);
    uint64_t second = play_take_edge(play);
    if (flight->used) {
        rewriter_begin(place, first, second);
        play->rewriting = true;
    }
}

void enemy_stop_rewriting(struct play *play)
{
    if (play->rewriting) {
        rewriter_end();
        play->rewriting = false;
    }
}

/*
 * The same call again and again, answered soundly but for the place that is rewritten: what is read twice
 * is caught in the act only rarely.
 */
void enemy_race(struct play *play)
{
    struct flight *flight = &play->flights[0];
    const struct plan *plan = props_plan(play_take_byte(play));
    enum lane_verb verb = play_take_byte(play) % 2 ? LANE_RETURN : LANE_CALLBACK;
    enemy_stop_rewriting(play);
    for (int round = 0; round < RACE_ROUNDS && !play->over; round++) {
        if (!flight->used) {
            host_submit_call(play, flight, plan);
        }
        if (!flight->used) {
            return;
        }
        struct lane_mail *mail = play_mail_of(play, flight);
        if (!play->rewriting) {
            enemy_begin_rewriting(play);
        }
        for (uint32_t i = verb == LANE_CALLBACK ? 1 : 0; i < LANE_WORDS; i++) {
            atomic_store(&mail->words[i], 0);
        }
        atomic_store(&mail->status_bytes, 0);
        publish(mail, 1, verb);
        host_await(play, flight);
    }
    enemy_stop_rewriting(play);
}
