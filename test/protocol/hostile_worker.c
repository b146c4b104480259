/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker program that is the enemy. It starts as cordon-worker does, greets and binds as one should,
 * and breaks the rules of a lane in the way that its library's name says: "MODE SEED".
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cordon/plan.h"
#include "frame/frame.h"
#include "invoke/engine.h"
#include "lane/identity.h"
#include "lane/layout.h"
#include "lane/start.h"
#include "protocol/speech.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static _Noreturn void wait_for_the_end(void)
{
    for (;;) {
        (void)pause();
    }
}

/* ---- Enmity: what the answer to a call is ------------------------------------------------------ */

static void play_honest(struct enemy *enemy)
{
    uint32_t bytes;
    uint8_t *room = speech_reply_room(enemy, &bytes);
    memset(room, 0, bytes);
    speech_answer(enemy, 0, bytes, NULL);
}

static void play_step_skipped(struct enemy *enemy)
{
    speech_fill(enemy, 0, 0, NULL);
    speech_publish(enemy, speech_step_next(enemy) + 1 + speech_below(enemy, 1000), LANE_RETURN);
}

static void play_step_again(struct enemy *enemy)
{
    speech_fill(enemy, 0, 0, NULL);
    speech_publish(enemy, lane_turn_step(enemy->turns[enemy->slot]), LANE_RETURN);
}

static void play_verb(struct enemy *enemy)
{
    static const uint32_t verbs[] = {
        LANE_NOTHING, LANE_CALL, LANE_CALL_BYTES, LANE_CALLBACK_RETURN, 6, 7, 15};
    speech_fill(enemy, 0, 0, NULL);
    speech_publish(enemy, speech_step_next(enemy), verbs[speech_below(enemy, COUNT(verbs))]);
}

static void play_long_reply(struct enemy *enemy)
{
    uint32_t bytes;
    (void)speech_reply_room(enemy, &bytes);
    speech_answer(enemy, 0, speech_below(enemy, 2) ? bytes + 1 : UINT32_MAX, NULL);
}

static void play_status(struct enemy *enemy)
{
    static const int32_t statuses[] = {INT32_MIN,     INT32_MAX, 1,          -4096,
                                       -4095,         -ETIME,    -ESTALE,    -EPIPE,
                                       -ECONNABORTED, -EBADMSG,  -ETIMEDOUT, -EAGAIN};
    uint32_t bytes;
    uint8_t *room = speech_reply_room(enemy, &bytes);
    memset(room, (int)speech_below(enemy, 256), bytes);
    uint64_t chosen = enemy->seed++ % (2 * COUNT(statuses));
    speech_answer(enemy, statuses[chosen / 2], chosen % 2 ? bytes : 0, NULL);
}

static void scribble(struct enemy *enemy, uint8_t *memory, uint32_t bytes)
{
    for (uint32_t at = 0; at + 8 <= bytes && at < 4096; at += 8) {
        uint64_t word = speech_edgy(enemy);
        memcpy(memory + at, &word, sizeof word);
    }
}

static void play_words(struct enemy *enemy)
{
    uint64_t words[LANE_WORDS];
    uint32_t bytes;
    uint8_t *room = speech_reply_room(enemy, &bytes);
    scribble(enemy, room, bytes);
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        words[i] = speech_edgy(enemy);
    }
    speech_answer(enemy, 0, speech_below(enemy, 4) ? bytes : speech_below(enemy, bytes + 1), words);
}

static void play_callback_invented(struct enemy *enemy)
{
    speech_call_back(enemy, 100 + (uint32_t)speech_edgy(enemy) % 1000000, 0, 2, 0);
}

static void play_callback_outside(struct enemy *enemy)
{
    uint32_t end = enemy->order.w_bytes;
    uint32_t begin = lane_callback_at(end);
    const uint64_t places[] = {lane_place(0, 64),         lane_place(begin - 64, 64),
                               lane_place(end - 32, 64),  lane_place(end, 1),
                               lane_place(begin, end),    lane_place(begin, UINT32_MAX),
                               lane_place(UINT32_MAX, 2), lane_place(begin, 0)};
    speech_call_back(enemy, 1, places[speech_below(enemy, COUNT(places))], 2, 0);
}

static void play_callback_counts(struct enemy *enemy)
{
    static const uint32_t counts[] = {5, 6, 66, 65535, UINT32_MAX};
    if (speech_below(enemy, 2)) {
        speech_call_back(enemy, 1, 0, counts[speech_below(enemy, COUNT(counts))], 0);
    } else {
        speech_call_back(enemy, 1, 0, 2, enemy->order.h_bytes + 1 + speech_below(enemy, 1000));
    }
}

/* Fewer words than the callback's shape has, and no frame. */
static void play_callback_few(struct enemy *enemy)
{
    speech_call_back(enemy, 1 + speech_below(enemy, 2), 0, speech_below(enemy, 2),
                     speech_below(enemy, 2) * 64);
}

/* A frame whose header may lie, with words that mostly do. */
static void frame(struct enemy *enemy, bool lying)
{
    uint32_t bytes = 64 + speech_below(enemy, 64) * 16;
    uint32_t count = speech_below(enemy, 8);
    struct frame_header header = {
        .magic = FRAME_MAGIC,
        .version = FRAME_VERSION,
        .word_count = (uint16_t)count,
        .frame_bytes = bytes,
        .function_id = 1,
        .layout_hash = enemy->layout_hash,
        .function = 1,
        .reply_fixed = speech_below(enemy, 20) * 16,
        .reply_bytes_max = 4096,
    };
    if (lying) {
        header.word_count = (uint16_t)speech_edgy(enemy);
        header.frame_bytes = (uint32_t)speech_edgy(enemy);
        header.reply_fixed = (uint32_t)speech_edgy(enemy);
        header.function = speech_below(enemy, 3);
    }
    scribble(enemy, speech_share(enemy), bytes);
    memcpy(speech_share(enemy), &header, sizeof header);
    speech_call_back(enemy, 1 + speech_below(enemy, 2),
                     speech_share_place(enemy, lying ? speech_below(enemy, bytes) : bytes), 0,
                     speech_below(enemy, 4) * 128);
}

static void play_callback_header(struct enemy *enemy)
{
    frame(enemy, true);
}

static void play_callback_frame(struct enemy *enemy)
{
    frame(enemy, false);
}

static void play_callback_flood(struct enemy *enemy)
{
    /* The host may spin for us: it never has to sleep. */
    enemy->restless = true;
    atomic_store(&enemy->w->worker_state, LANE_WORKER_RUNNING);
    atomic_store(&enemy->w->worker_cpu, UINT32_MAX);
    uint64_t number = 0x7fffffff;
    memcpy(speech_share(enemy), &number, sizeof number);
    speech_call_back(enemy, 1, 0, 2, 0);
}

static void play_twice(struct enemy *enemy)
{
    play_honest(enemy);
    speech_publish(enemy, speech_step_next(enemy), LANE_RETURN);
}

static void play_wrong_slot(struct enemy *enemy)
{
    uint32_t mine = enemy->slot;
    enemy->slot = (mine + 1 + speech_below(enemy, LANE_SLOTS - 1)) % LANE_SLOTS;
    play_honest(enemy);
    enemy->slot = mine;
}

static void play_silent(struct enemy *enemy)
{
    (void)enemy;
    wait_for_the_end();
}

static void play_death(struct enemy *enemy)
{
    (void)enemy;
    _exit(3);
}

static void play_death_behind_callback(struct enemy *enemy)
{
    speech_call_back(enemy, 1, 0, 2, 0);
    _exit(3);
}

static void *rewrite(void *context)
{
    struct enemy enemy = *(struct enemy *)context;
    uint32_t share_at = lane_callback_at(enemy.order.w_bytes);
    for (;;) {
        for (uint32_t i = 0; i < LANE_SLOTS; i++) {
            atomic_store(&enemy.w->mail[i].words[speech_below(&enemy, LANE_WORDS)],
                         speech_edgy(&enemy));
        }
        scribble(&enemy, (uint8_t *)enemy.w + LANE_W_BYTES_AT, 2048);
        scribble(&enemy, (uint8_t *)enemy.w + share_at, 256);
    }
    return NULL;
}

static void play_rewriting(struct enemy *enemy)
{
    static bool begun;
    if (!begun) {
        pthread_t thread;
        begun = pthread_create(&thread, NULL, rewrite, enemy) == 0;
    }
    if (speech_below(enemy, 3) == 0) {
        play_callback_frame(enemy);
    } else {
        play_honest(enemy);
    }
}

static void play_random(struct enemy *enemy);

/* ---- The library's name ------------------------------------------------------------------------ */

enum when {
    AT_CALLS,       /* greets and binds as one should */
    AT_CALLS_LATER, /* is honest until it knows a callback that is kept */
    AT_BINDING,     /* greets only */
    AT_GREETING,
};

static const struct mode {
    const char *name;
    void (*play)(struct enemy *enemy);
    enum when when;
} modes[] = {
    {"honest", play_honest, AT_CALLS},
    {"step-skipped", play_step_skipped, AT_CALLS},
    {"step-again", play_step_again, AT_CALLS},
    {"verb", play_verb, AT_CALLS},
    {"long-reply", play_long_reply, AT_CALLS},
    {"status", play_status, AT_CALLS},
    {"words", play_words, AT_CALLS},
    {"callback-invented", play_callback_invented, AT_CALLS},
    {"callback-outside", play_callback_outside, AT_CALLS},
    {"callback-counts", play_callback_counts, AT_CALLS},
    {"callback-few", play_callback_few, AT_CALLS},
    {"callback-header", play_callback_header, AT_CALLS},
    {"callback-frame", play_callback_frame, AT_CALLS},
    {"callback-flood", play_callback_flood, AT_CALLS},
    {"twice", play_twice, AT_CALLS},
    {"wrong-slot", play_wrong_slot, AT_CALLS},
    {"rewriting", play_rewriting, AT_CALLS},
    {"death", play_death, AT_CALLS},
    {"death-behind-callback", play_death_behind_callback, AT_CALLS},
    {"silent", play_silent, AT_CALLS},
    {"random", play_random, AT_CALLS},
    {"late-callback", play_callback_flood, AT_CALLS_LATER},
    {"bind-status", play_status, AT_BINDING},
    {"bind-callback", play_callback_flood, AT_BINDING},
    {"bind-words", play_words, AT_BINDING},
    {"bind-silent", play_silent, AT_BINDING},
    {"hello-status", play_status, AT_GREETING},
    {"hello-words", play_words, AT_GREETING},
    {"hello-callback", play_callback_flood, AT_GREETING},
    {"hello-death", play_death, AT_GREETING},
};

/* Anything, and with a good part of answers that let the host go on. */
static void play_random(struct enemy *enemy)
{
    uint32_t mode =
        speech_below(enemy, 2) ? speech_below(enemy, 7) : speech_below(enemy, COUNT(modes) - 11);
    if (modes[mode].play == play_random) {
        mode = 0;
    }
    modes[mode].play(enemy);
}

static const struct mode *mode_of(struct enemy *enemy)
{
    char name[64] = "";
    unsigned long long seed = 0;
    (void)sscanf(enemy->order.library, "%63s %llu", name, &seed);
    enemy->seed = seed;
    enemy->random = seed * 0x9e3779b97f4a7c15u + (uint64_t)getpid();
    for (size_t i = 0; i < COUNT(modes); i++) {
        if (strcmp(modes[i].name, name) == 0) {
            return &modes[i];
        }
    }
    _exit(START_EXIT_REFUSED);
}

static bool start(struct enemy *enemy)
{
    struct start_order *order = &enemy->order;
    ssize_t length = read(START_FD_SOCKET, order, sizeof *order);
    if (length <= (ssize_t)offsetof(struct start_order, library) || order->magic != START_MAGIC) {
        return false;
    }
    void *h = mmap(NULL, order->h_bytes, PROT_READ, MAP_SHARED, START_FD_H, 0);
    void *w = mmap(NULL, order->w_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, START_FD_W, 0);
    if (h == MAP_FAILED || w == MAP_FAILED) {
        return false;
    }
    enemy->h = h;
    enemy->w = w;
    if (order->flags & ERRAND_HAS_ARENA) {
        void *arena =
            mmap(NULL, order->arena_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, START_FD_ARENA, 0);
        if (arena != MAP_FAILED) {
            memset(arena, 0xff, order->arena_bytes); /* nothing in it ends */
        }
    }
    /* A lie that makes the host wake us each time. */
    atomic_store(&enemy->w->worker_state, LANE_WORKER_PARKED);
    char loaded = START_LOADED;
    return write(START_FD_SOCKET, &loaded, 1) == 1;
}

static void serve(struct enemy *enemy, const struct mode *mode)
{
    bool hello = enemy->tag == ENGINE_HELLO && mode->when != AT_GREETING;
    bool bind = enemy->tag == ENGINE_BIND && mode->when <= AT_CALLS_LATER;
    if (enemy->verb == LANE_CALL_BYTES && enemy->tag == ENGINE_BIND) {
        const uint8_t *plan = (const uint8_t *)enemy->h + (uint32_t)enemy->words[0];
        memcpy(&enemy->layout_hash, plan + offsetof(struct cordon_plan_header, layout_hash),
               sizeof enemy->layout_hash);
        if (memmem(plan, (uint32_t)(enemy->words[0] >> 32), "keep", sizeof "keep")) {
            enemy->keeper_id = (uint32_t)enemy->words[2];
        }
    } else if (enemy->verb != LANE_CALLBACK_RETURN && enemy->tag == enemy->keeper_id) {
        enemy->keeps = true;
    }
    bool later = mode->when == AT_CALLS_LATER;
    bind = bind && !(later && enemy->keeps);
    if (later && enemy->depth == 0 && enemy->verb != LANE_CALLBACK_RETURN &&
        enemy->tag < ENGINE_VERBS) {
        play_honest(enemy);
    } else if (enemy->verb != LANE_CALLBACK_RETURN && (hello || bind)) {
        const uint64_t words[LANE_WORDS] = {(uint64_t)lane_identity() << 32 | ENGINE_PROTOCOL, 0,
                                            (uint64_t)getpid()};
        speech_answer(enemy, 0, 0, words);
    } else {
        mode->play(enemy);
    }
}

int main(void)
{
    static struct enemy enemy;
    if (!start(&enemy)) {
        return START_EXIT_REFUSED;
    }
    const struct mode *mode = mode_of(&enemy);
    enemy.keeper_id = UINT32_MAX;
    while (speech_take(&enemy)) {
        serve(&enemy, mode);
        if (lane_turn_verb(enemy.turns[enemy.slot]) == LANE_RETURN && enemy.depth == 0) {
            enemy.slot = (enemy.slot + 1) % LANE_SLOTS;
        }
    }
    _exit(0);
}
