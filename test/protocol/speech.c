/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/speech.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/futex.h"
#include "frame/frame.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

uint64_t speech_next_random(struct enemy *enemy)
{
    enemy->random = enemy->random * 6364136223846793005u + 1442695040888963407u;
    return enemy->random >> 24 ^ enemy->random << 40;
}

uint32_t speech_below(struct enemy *enemy, uint32_t limit)
{
    return (uint32_t)(speech_next_random(enemy) >> 7) % limit;
}

uint64_t speech_edgy(struct enemy *enemy)
{
    static const uint64_t edges[] = {
        0,    1,    2,     3,         15,         16,         48,         64,         66,
        4095, 4096, 65535, INT32_MAX, UINT32_MAX, 1ull << 31, 1ull << 32, 1ull << 63, UINT64_MAX};
    uint64_t edge = edges[speech_below(enemy, COUNT(edges))];
    switch (speech_below(enemy, 6)) {
    case 0:
        return edge;
    case 1:
        return speech_next_random(enemy);
    case 2:
        return lane_place((uint32_t)edge, speech_below(enemy, 300));
    case 3:
        return speech_below(enemy, 2000) | (uint64_t)speech_below(enemy, 2000) << 32;
    case 4:
        return enemy->order.arena_base +
               speech_below(enemy, (uint32_t)enemy->order.arena_bytes + 32) + FRAME_IN_ARENA;
    default:
        return speech_below(enemy, 64) * 16ull | (uint64_t)(speech_below(enemy, 8) * 16) << 32;
    }
}

void speech_shout(struct enemy *enemy, uint32_t slot)
{
    uint64_t one = 1;
    futex_wake(&enemy->w->mail[slot].turn, 1);
    if (enemy->order.flags & ERRAND_HAS_EVENT) {
        (void)!write(START_FD_EVENT, &one, sizeof one);
    }
}

void speech_publish(struct enemy *enemy, uint32_t step, uint32_t verb)
{
    uint32_t turn = step << 4 | verb;
    enemy->turns[enemy->slot] = turn;
    atomic_store(&enemy->w->mail[enemy->slot].turn, turn);
    speech_shout(enemy, enemy->slot);
}

uint32_t speech_step_next(const struct enemy *enemy)
{
    return lane_step_next(lane_turn_step(enemy->turns[enemy->slot]));
}

void speech_fill(struct enemy *enemy, int32_t status, uint32_t bytes, const uint64_t *words)
{
    struct lane_mail *mail = &enemy->w->mail[enemy->slot];
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        atomic_store(&mail->words[i], words ? words[i] : 0);
    }
    atomic_store(&mail->tag, 0);
    atomic_store(&mail->status_bytes, (uint64_t)(uint32_t)status << 32 | bytes);
}

void speech_answer(struct enemy *enemy, int32_t status, uint32_t bytes, const uint64_t *words)
{
    speech_fill(enemy, status, bytes, words);
    speech_publish(enemy, speech_step_next(enemy), LANE_RETURN);
}

uint64_t speech_share_place(const struct enemy *enemy, uint32_t bytes)
{
    return lane_place(lane_callback_at(enemy->order.w_bytes), bytes);
}

uint8_t *speech_share(const struct enemy *enemy)
{
    return (uint8_t *)enemy->w + lane_callback_at(enemy->order.w_bytes);
}

void speech_call_back(struct enemy *enemy, uint32_t id, uint64_t place, uint32_t word_count,
                      uint32_t reply_bytes)
{
    uint64_t words[LANE_WORDS] = {place,
                                  (uint64_t)word_count << 32 | reply_bytes,
                                  (uint64_t)(uint32_t)speech_below(enemy, 100),
                                  7,
                                  speech_edgy(enemy),
                                  speech_edgy(enemy)};
    speech_fill(enemy, 0, 0, words);
    atomic_store(&enemy->w->mail[enemy->slot].tag, id);
    enemy->depth++;
    speech_publish(enemy, speech_step_next(enemy), LANE_CALLBACK);
}

bool speech_take(struct enemy *enemy)
{
    struct lane_mail *mail = &enemy->w->mail[enemy->slot];
    uint32_t seen = enemy->turns[enemy->slot];
    uint32_t turn;
    while ((turn = atomic_load(&mail->turn)) == seen) {
        if (atomic_load(&enemy->h->verdict) != LANE_ALIVE) {
            return false;
        }
        if (!enemy->restless) {
            (void)futex_wait(&mail->turn, seen, clock_after_ns(10 * CLOCK_MS_NS));
        }
    }
    enemy->turns[enemy->slot] = turn;
    enemy->verb = lane_turn_verb(turn);
    enemy->depth -= enemy->verb == LANE_CALLBACK_RETURN && enemy->depth > 0;
    enemy->tag = atomic_load(&mail->tag);
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        enemy->words[i] = atomic_load(&mail->words[i]);
    }
    return true;
}

uint8_t *speech_reply_room(const struct enemy *enemy, uint32_t *ret_bytes)
{
    *ret_bytes = enemy->verb == LANE_CALL_BYTES ? (uint32_t)(enemy->words[1] >> 32) : 0;
    return (uint8_t *)enemy->w + (*ret_bytes ? (uint32_t)enemy->words[1] : 0);
}
