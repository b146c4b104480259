/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/replay_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "frame/frame.h"
#include "invoke/engine.h"

/* ---- What is known ----------------------------------------------------------------------------- */

bool replay_words_bind(struct replay_words *words, const struct recording_part *call)
{
    const struct plan *plan;
    uint64_t id = call->entry.word_count > 0 ? call->words[0] : LIMIT_FUNCTIONS;
    if (id >= LIMIT_FUNCTIONS ||
        plan_validate(call->bytes, call->entry.byte_count, &plan, NULL) != 0 ||
        plan_header(plan)->function_count == 0) {
        return false;
    }
    words->plans[id] = plan;
    return true;
}

struct replay_shape replay_words_function(const struct replay_words *words, uint32_t id)
{
    return (struct replay_shape){.plan = id < LIMIT_FUNCTIONS ? words->plans[id] : NULL};
}

struct replay_shape replay_words_callback(const struct replay_words *words, uint32_t id)
{
    return id <= CALLBACKS_MAX ? words->callbacks[id] : (struct replay_shape){.plan = NULL};
}

const char *replay_words_name(const struct replay_words *words, uint32_t id)
{
    const struct plan *plan = replay_words_function(words, id).plan;
    return plan ? plan_name(plan, plan_function(plan, 0)->name) : "";
}

/* ---- Handles ----------------------------------------------------------------------------------- */

static struct replay_pair *find_pair(const struct replay_words *words, uint64_t then)
{
    for (uint32_t i = 0; i < words->pair_count; i++) {
        if (words->pairs[i].then == then) {
            return &words->pairs[i];
        }
    }
    return NULL;
}

static uint64_t handle_now(const struct replay_words *words, uint64_t then)
{
    const struct replay_pair *pair = find_pair(words, then);
    return pair ? pair->now : then;
}

/* Those that have the number that they had are not written down. */
static void learn(struct replay_words *words, uint64_t then, uint64_t now)
{
    struct replay_pair *pair = find_pair(words, then);
    if (pair) {
        pair->now = now;
    } else if (then != now) {
        if (!words->pairs) {
            words->pairs = calloc(REPLAY_HANDLES_MAX, sizeof *words->pairs);
        }
        words->has_lost = !words->pairs || words->pair_count == REPLAY_HANDLES_MAX;
        if (!words->has_lost) {
            words->pairs[words->pair_count++] = (struct replay_pair){.then = then, .now = now};
        }
    }
}

static bool is_handle(const struct plan *plan, const struct cordon_plan_param *param)
{
    const struct cordon_plan_type *type = plan_type(plan, param->type);
    bool pointed = type->kind == CORDON_PLAN_POINTER &&
                   plan_type(plan, type->target)->kind == CORDON_PLAN_HANDLE;
    return param->passing == CORDON_PLAN_PASS_WORD && (type->kind == CORDON_PLAN_HANDLE || pointed);
}

/* Verbs that are about an object, and that give one. */
static bool names_object(uint32_t verb)
{
    switch (verb) {
    case ENGINE_RESIDENT_READ:
    case ENGINE_RESIDENT_WRITE:
    case ENGINE_RESIDENT_POINT:
    case ENGINE_RESIDENT_FETCH:
    case ENGINE_RESIDENT_FOLLOW:
    case ENGINE_HANDLE_DROP:
        return true;
    default:
        return false;
    }
}

static bool gives_object(uint32_t verb)
{
    return verb == ENGINE_RESIDENT_NEW || verb == ENGINE_RESIDENT_FOLLOW;
}

/* ---- Requests ---------------------------------------------------------------------------------- */

/* Word @index of the request, and its second copy in the frame. */
static void put_word(const struct recording_part *call, uint64_t *to, uint8_t *frame,
                     uint32_t index, uint64_t word)
{
    size_t at = sizeof(struct frame_header) + (size_t)index * sizeof word;
    to[index] = word;
    if (frame && at + sizeof word <= call->entry.byte_count) {
        memcpy(frame + at, &word, sizeof word);
    }
}

static void note_callback(struct replay_words *words, const struct plan *plan,
                          const struct cordon_plan_param *param, uint64_t id)
{
    const struct cordon_plan_type *type = plan_type(plan, param->type);
    if (type->kind == CORDON_PLAN_CALLBACK && id <= CALLBACKS_MAX) {
        words->callbacks[id] = (struct replay_shape){.plan = plan, .function = type->target};
    }
}

void replay_words_request(struct replay_words *words, const struct recording_part *call,
                          uint64_t *to, uint8_t *frame)
{
    uint32_t id = call->entry.function;
    const struct plan *plan = replay_words_function(words, id).plan;
    if (names_object(id) && call->entry.word_count > 0) {
        to[0] = handle_now(words, call->words[0]);
    }
    for (uint32_t i = 0; plan && i < plan_function(plan, 0)->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(plan, plan_function(plan, 0), i);
        if (param->in_word >= call->entry.word_count) {
            continue;
        }
        uint64_t word = call->words[param->in_word];
        note_callback(words, plan, param, word);
        if (is_handle(plan, param)) {
            put_word(call, to, frame, param->in_word, handle_now(words, word));
        }
    }
}

void replay_words_answer(const struct replay_words *words, struct replay_shape shape,
                         const struct recording_part *answer, uint64_t *to)
{
    const struct cordon_plan_function *function =
        shape.plan ? plan_function(shape.plan, shape.function) : NULL;
    for (uint32_t i = 0; function && i <= function->param_count; i++) {
        const struct cordon_plan_param *param = i < function->param_count
                                                    ? plan_function_param(shape.plan, function, i)
                                                    : &function->result;
        if (param->out_word < answer->entry.word_count && is_handle(shape.plan, param)) {
            to[param->out_word] = handle_now(words, answer->words[param->out_word]);
        }
    }
}

/* ---- Replies ----------------------------------------------------------------------------------- */

static bool differ(const struct plan *plan, const struct cordon_plan_param *param, uint64_t then,
                   uint64_t now, struct message *what)
{
    const struct cordon_plan_type *type = plan_type(plan, param->type);
    const char *name = plan_name(plan, param->name);
    bool is_signed = type->kind == CORDON_PLAN_I8 || type->kind == CORDON_PLAN_I16 ||
                     type->kind == CORDON_PLAN_I32 || type->kind == CORDON_PLAN_I64;
    if (then == now) {
        return false;
    }
    (void)message_set(what, 0, "%s%s%s is ", *name ? "'" : "", *name ? name : "what it returns",
                      *name ? "'" : "");
    if (is_signed) {
        message_add(what, "%" PRId64 ", and was %" PRId64, (int64_t)now, (int64_t)then);
    } else {
        message_add(what, "%#" PRIx64 ", and was %#" PRIx64, now, then);
    }
    return true;
}

/* Words of one direction; @count of both. */
static bool compare(struct replay_words *words, struct replay_shape shape, bool out,
                    const uint64_t *then, const uint64_t *now, uint32_t count, struct message *what)
{
    const struct cordon_plan_function *function = plan_function(shape.plan, shape.function);
    bool different = false;
    for (uint32_t i = 0; i < function->param_count + (out ? 1u : 0u); i++) {
        const struct cordon_plan_param *param = i < function->param_count
                                                    ? plan_function_param(shape.plan, function, i)
                                                    : &function->result;
        uint32_t at = out ? param->out_word : param->in_word;
        if (at >= count || param->passing == CORDON_PLAN_PASS_NOTHING) {
            continue;
        }
        if (!is_handle(shape.plan, param)) {
            different = different || differ(shape.plan, param, then[at], now[at], what);
        } else if ((then[at] == 0) != (now[at] == 0)) {
            different = different || differ(shape.plan, param, then[at], now[at], what);
        } else {
            learn(words, then[at], now[at]);
        }
    }
    return different;
}

bool replay_words_differ_reply(struct replay_words *words, const struct recording_part *call,
                               const struct recording_part *reply, const uint64_t *now,
                               struct message *what)
{
    uint32_t count = reply->entry.word_count;
    struct replay_shape shape = replay_words_function(words, call->entry.function);
    if (gives_object(call->entry.function) && count > 0) {
        learn(words, reply->words[0], now[0]);
    }
    return shape.plan && compare(words, shape, true, reply->words, now, count, what);
}

bool replay_words_differ_callback(struct replay_words *words, const struct recording_part *then,
                                  const uint64_t *now, uint32_t now_count, struct message *what)
{
    struct replay_shape shape = replay_words_callback(words, then->entry.function);
    uint32_t count = then->entry.word_count;
    if (now_count != count) {
        (void)message_set(what, 0, "a callback has %u words, and had %u", now_count, count);
        return true;
    }
    if (shape.plan) {
        struct message which;
        bool different = compare(words, shape, false, then->words, now, count, &which);
        return different ? (message_set(what, 0, "of a callback, %s", which.text), true) : false;
    }
    if (count > 0 && memcmp(then->words, now, count * sizeof *now) != 0) {
        (void)message_set(what, 0, "a callback has other arguments");
        return true;
    }
    return false;
}
