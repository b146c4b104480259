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
#include "props.h"
#include "rewriter.h"

#include "base/clock.h"
#include "base/limits.h"
#include "lane/host.h"
#include "lane/keeper.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LANE_BYTES  (16u * LANE_PAGE)
#define ROOM_BYTES  4096u
#define FLIGHTS     3u
#define STEPS_MAX   200
#define RACE_ROUNDS 64
#define GUARD_BYTES (4u * LANE_PAGE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void hostile_errand(struct input *input); /* fuzz_hostile_errand.c */

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
    struct flight flights[FLIGHTS];
    struct input input;
    bool over; /* a verdict was seen */
    bool rewriting;
};

static const struct frame_hooks hooks = {.callback_to_word = props_callback_word,
                                         .keep = props_keep};

static uint8_t take_byte(struct play *play)
{
    uint8_t byte;
    props_take(&play->input, &byte, 1);
    return byte;
}

static uint64_t take_word(struct play *play)
{
    uint64_t word;
    props_take(&play->input, &word, sizeof word);
    return word;
}

/* A word that is an edge of something, or any. */
static uint64_t take_edge(struct play *play)
{
    const uint32_t share = lane_callback_at(LANE_BYTES);
    const uint64_t edges[] = {
        0,
        UINT64_MAX,
        1,
        64,
        ROOM_BYTES,
        ROOM_BYTES + 1,
        2ull << 32,
        4ull << 32,
        5ull << 32,
        LANE_BYTES + 1,
        0x6161616161616161u,
        lane_place(share, 64),
        lane_place(share, 512),
        lane_place(share - 64, 64),
        lane_place(share, LANE_BYTES - share),
        lane_place(share, LANE_BYTES - share + 1),
        lane_place(LANE_BYTES - 64, 64),
        lane_place(LANE_BYTES - 64, 2 * LANE_PAGE),
        lane_place(LANE_BYTES, 1),
        lane_place(share, UINT32_MAX),
    };
    uint8_t which = take_byte(play) % (sizeof edges / sizeof edges[0] + 1);
    return which < sizeof edges / sizeof edges[0] ? edges[which] : take_word(play);
}

/* The one that the input names; it may not be in use. */
static struct flight *take_flight(struct play *play)
{
    return &play->flights[take_byte(play) % FLIGHTS];
}

static struct lane_mail *mail_of(const struct play *play, const struct flight *flight)
{
    return &play->w->mail[flight->used ? lane_slot_of(flight->seq) : 0];
}

/* ---- The host's side --------------------------------------------------------------------------- */

static void submit_call(struct play *play, struct flight *flight, const struct plan *plan)
{
    struct message why;
    struct lane_message message = {.verb = LANE_CALL, .tag = 1};
    if (flight->used || play->over ||
        lane_room_new(play->lane, ROOM_BYTES, ROOM_BYTES, &flight->room) != 0) {
        return;
    }
    flight->plan = plan;
    flight->function = plan_function(plan, 0);
    flight->depth = flight->nested = 0;
    props_fill(&flight->props, plan, flight->function, flight->args);
    flight->space = (struct frame_space){.request = lane_room_h(play->lane, &flight->room),
                                         .request_bytes = ROOM_BYTES,
                                         .reply_bytes = ROOM_BYTES};
    if (frame_encode(plan, 0, 1, flight->args, flight->function->passed_count, &hooks,
                     &flight->space, &flight->request, &why) < 0) {
        abort();
    }
    if (flight->request.frame_bytes > 0) {
        message.verb = LANE_CALL_BYTES;
        message.word_count = 2;
        message.words[0] = lane_place(flight->room.h_at, flight->request.frame_bytes);
        message.words[1] = lane_place(flight->room.w_at, flight->request.reply_bytes_max);
    }
    uint64_t deadline_ns = take_byte(play) % 2 ? CLOCK_NEVER : clock_now_ns();
    if (lane_submit(play->lane, &message, deadline_ns, take_byte(play) % 2, &flight->seq) == 0) {
        flight->used = true;
    } else {
        props_free_dynamic(plan, flight->function, &flight->props);
        lane_room_free(play->lane, &flight->room);
    }
}

static void submit(struct play *play)
{
    struct flight *flight = take_flight(play);
    submit_call(play, flight, props_plan(take_byte(play)));
}

static void give_up(struct play *play, struct flight *flight)
{
    lane_collect(play->lane, flight->seq);
    lane_room_free(play->lane, &flight->room);
    props_free_dynamic(flight->plan, flight->function, &flight->props);
    flight->used = false;
}

static void decode(struct play *play, struct flight *flight, const struct lane_event *event)
{
    uint64_t words[CORDON_PLAN_WORDS_MAX] = {0};
    const volatile uint8_t *reply = lane_room_w(play->lane, &flight->room);
    memcpy(words, event->words, sizeof event->words);
    if (flight->function->out_words > LANE_WORDS) {
        for (uint32_t i = 0; i < flight->function->out_words * sizeof words[0]; i++) {
            ((uint8_t *)words)[i] = reply[i];
        }
    }
    struct frame_result result;
    struct message why;
    if (frame_decode(flight->plan, 0, flight->args, flight->function->passed_count, &hooks,
                     &flight->space, &flight->request, words,
                     flight->request.reply_bytes_max ? reply : NULL, &result, &why) == 0) {
        props_touch(&result.value);
        free(result.owned);
    }
}

/* As a station copies a callback's frame. NULL: it lies. */
static uint8_t *copy_frame(const struct play *play, const struct lane_event *event)
{
    uint32_t bytes = (uint32_t)(event->words[0] >> 32);
    struct lane_room place = {.w_at = (uint32_t)event->words[0], .w_bytes = bytes};
    const volatile uint8_t *source = lane_room_w(play->lane, &place);
    struct frame_header header;
    uint8_t *copy = bytes >= sizeof header ? malloc(bytes) : NULL;
    for (uint32_t i = 0; copy && i < bytes; i++) {
        copy[i] = source[i];
    }
    if (copy) {
        memcpy(&header, copy, sizeof header);
        if (header.word_count > CORDON_PLAN_WORDS_MAX ||
            sizeof header + header.word_count * sizeof(uint64_t) > bytes) {
            free(copy);
            copy = NULL;
        }
    }
    return copy;
}

static void execute(const struct flight *flight, struct frame_call *call, uint64_t *ret_words)
{
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    const struct cordon_plan_function *function = plan_function(flight->plan, call->function);
    uint64_t result[16] = {0};
    uint32_t reply_bytes;
    struct message why;
    if (frame_accept(call, &why) == 0) {
        if (frame_values(flight->plan, call->function, call->arguments, &hooks, &call->outer,
                         values, &why) == 0) {
            for (uint32_t i = 0; i < function->passed_count; i++) {
                props_touch(&values[i]);
            }
        }
        (void)frame_answer(call, result, ret_words, &reply_bytes, &why);
    }
    frame_finish(call);
}

static void answer_callback(struct play *play, struct flight *flight,
                            const struct lane_event *event)
{
    uint32_t count = plan_header(flight->plan)->function_count;
    uint32_t bytes = (uint32_t)(event->words[0] >> 32);
    uint8_t *copy = bytes > 0 ? copy_frame(play, event) : NULL;
    struct lane_message message = {.verb = LANE_CALLBACK_RETURN, .word_count = LANE_WORDS};
    uint64_t words[CORDON_PLAN_WORDS_MAX] = {0};
    if ((bytes > 0 && !copy) || count < 2) {
        (void)lane_condemn(play->lane, copy ? LANE_FAILED : LANE_LIED, flight->seq);
        free(copy);
        return;
    }
    /* Words alone: as many as the callback's shape wants, or the engine refuses. */
    if (copy || plan_function(flight->plan, count - 1)->in_words <= LANE_WORDS - 2) {
        static uint8_t reply[ROOM_BYTES] __attribute__((aligned(16)));
        memset(reply, 0, sizeof reply);
        struct frame_call call = {
            .plan = flight->plan,
            .function = count - 1,
            .hooks = &hooks,
            .outer = {.plan = flight->plan, .words = flight->request.words},
            .words = copy ? (const uint64_t *)(const void *)(copy + sizeof(struct frame_header))
                          : event->words + 2,
            .request = copy,
            .request_bytes = bytes,
            .reply = reply,
            .reply_fixed = ROOM_BYTES / 2,
            .reply_bytes_max = ROOM_BYTES,
        };
        execute(flight, &call, words);
    }
    memcpy(message.words, words, sizeof message.words);
    free(copy);
    flight->depth--;
    (void)lane_continue(play->lane, flight->seq, &message);
}

/* What lane_await() promises of an event, of which nothing may depend on who writes W meanwhile. */
static void check_event(const struct flight *flight, const struct lane_event *event)
{
    uint32_t at = (uint32_t)event->words[0];
    uint32_t bytes = (uint32_t)(event->words[0] >> 32);
    if (event->verb == LANE_RETURN) {
        uint32_t reply_max = flight->nested                ? 0
                             : flight->request.frame_bytes ? flight->request.reply_bytes_max
                                                           : 0;
        if (event->reply_bytes > reply_max) {
            abort();
        }
    } else if (event->verb != LANE_CALLBACK || flight->depth >= LIMIT_DEPTH ||
               (event->words[1] >> 32) > LANE_WORDS - 2 || (uint32_t)event->words[1] > LANE_BYTES ||
               (bytes > 0 && (at < lane_callback_at(LANE_BYTES) || at > LANE_BYTES ||
                              bytes > LANE_BYTES - at))) {
        abort();
    }
}

/* A call of the host's from inside a callback, before its answer. */
static bool nest(struct play *play, struct flight *flight)
{
    struct lane_message message = {.verb = LANE_CALL, .tag = 2};
    if (flight->nested || take_byte(play) % 4 != 0) {
        return false;
    }
    flight->nested = flight->depth;
    (void)lane_continue(play->lane, flight->seq, &message);
    return true;
}

static void answer_pending(struct play *play, struct flight *flight)
{
    const struct lane_event nothing = {.verb = LANE_CALLBACK};
    flight->nested = 0;
    answer_callback(play, flight, &nothing);
}

static void await(struct play *play, struct flight *flight)
{
    struct lane_event event;
    uint64_t until_ns = take_byte(play) % 8 == 0 ? clock_after_ns(20000) : 0;
    int r = lane_await(play->lane, flight->seq, until_ns, NULL, NULL, &event);
    if (r == LANE_EXPIRED) {
        return;
    }
    if (r != LANE_CAME) {
        play->over = true;
        give_up(play, flight);
        return;
    }
    check_event(flight, &event);
    if (event.verb == LANE_CALLBACK) {
        flight->depth++;
        if (!nest(play, flight)) {
            answer_callback(play, flight, &event);
        }
    } else if (flight->depth > 0) {
        answer_pending(play, flight);
    } else {
        decode(play, flight, &event);
        give_up(play, flight);
    }
}

static void look(struct play *play)
{
    struct flight *flight = take_flight(play);
    if (flight->used) {
        await(play, flight);
    }
}

static void look_at_any(struct play *play)
{
    uint32_t seq;
    if (lane_any(play->lane, &seq) == 0) {
        for (uint32_t i = 0; i < FLIGHTS; i++) {
            if (play->flights[i].used && play->flights[i].seq == seq) {
                await(play, &play->flights[i]);
                return;
            }
        }
    }
}

static void look_around(struct play *play)
{
    const struct flight *flight = take_flight(play);
    struct lane_death death;
    uint32_t seq;
    lane_ring(play->lane);
    (void)lane_verdict(play->lane, &seq, &death);
    (void)lane_needs_watch(play->lane, take_word(play));
    (void)lane_peek_counts(play->lane);
    (void)lane_await_gone(play->lane, 1);
    if (flight->used) {
        (void)lane_unbegun(play->lane, flight->seq);
    }
}

static void end_lane(struct play *play)
{
    const struct flight *flight = take_flight(play);
    uint8_t verdict = take_byte(play);
    (void)lane_condemn(play->lane, (enum lane_verdict)(1 + verdict % 8),
                       verdict & 0x80 ? 0 : flight->seq + (verdict >> 4 & 3));
}

/* ---- The keeper's side ------------------------------------------------------------------------- */

static void keep_watch(struct play *play)
{
    struct lane_ward ward = {
        .h = play->h, .w = play->w, .h_bytes = LANE_BYTES, .w_bytes = LANE_BYTES, .bell_fd = -1};
    uint64_t next_ns;
    uint32_t seq = lane_ward_unanswered(&ward);
    if (seq - atomic_load(&play->h->collected) - 1 > LANE_SLOTS) {
        abort();
    }
    if (lane_ward_overdue(&ward, clock_now_ns(), &seq, &next_ns) && take_byte(play) % 4 == 0) {
        const struct lane_death death = {.code = 1, .status = 2};
        (void)lane_ward_condemn(&ward, LANE_DEADLINE, seq, &death);
    }
}

/* ---- The enemy's ------------------------------------------------------------------------------- */

static void write_mail(struct play *play)
{
    struct lane_mail *mail = take_byte(play) % 8 == 0 ? &play->w->mail[take_byte(play) % LANE_SLOTS]
                                                      : mail_of(play, take_flight(play));
    uint8_t field = take_byte(play) % 8;
    uint64_t word = take_edge(play);
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

static void write_turn(struct play *play)
{
    struct lane_mail *mail = mail_of(play, take_flight(play));
    uint8_t how = take_byte(play);
    publish(mail, how < 0xe0 ? 1 : how, (enum lane_verb)(how & 15));
}

static void write_bytes(struct play *play)
{
    const struct flight *flight = take_flight(play);
    uint32_t at = take_byte(play) * 8u;
    uint32_t count = take_byte(play);
    uint32_t begin = flight->used && at + count <= ROOM_BYTES ? flight->room.w_at : LANE_W_BYTES_AT;
    props_take(&play->input, (uint8_t *)play->w + begin + at, count);
}

static void write_reply(struct play *play)
{
    struct lane_mail *mail = mail_of(play, take_flight(play));
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        atomic_store(&mail->words[i], take_byte(play));
    }
    atomic_store(&mail->status_bytes, 0);
    publish(mail, 1, LANE_RETURN);
}

/* A callback whose frame is sound but for what the input puts behind its header. */
static void write_callback(struct play *play)
{
    const struct flight *flight = take_flight(play);
    struct lane_mail *mail = mail_of(play, flight);
    uint32_t bytes = 64u + take_byte(play) * 4u;
    uint8_t *share = (uint8_t *)play->w + lane_callback_at(LANE_BYTES);
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
    if (take_byte(play) % 8 != 0) {
        memcpy(share, &header, sizeof header);
    }
    atomic_store(&mail->words[0],
                 take_byte(play) % 8 == 0 ? 0 : lane_place(lane_callback_at(LANE_BYTES), bytes));
    atomic_store(&mail->words[1], (uint64_t)(take_byte(play) % 6) << 32);
    publish(mail, 1, LANE_CALLBACK);
}

static void write_states(struct play *play)
{
    atomic_store(&play->w->worker_state, take_byte(play) % 4);
    atomic_store(&play->w->worker_cpu, take_byte(play));
    atomic_store(&play->w->queued, take_byte(play));
}

/* Two values that take turns, in a mail's words or where a reply or a callback lies. */
static void begin_rewriting(struct play *play)
{
    const struct flight *flight = take_flight(play);
    struct lane_mail *mail = mail_of(play, flight);
    uint8_t where = take_byte(play);
    _Atomic uint64_t *place =
        where % 3 == 0   ? &mail->words[where / 3 % LANE_WORDS]
        : where % 3 == 1 ? &mail->status_bytes
                         : (_Atomic uint64_t *)(void *)((uint8_t *)play->w +
                                                        (where & 0x80 ? lane_callback_at(LANE_BYTES)
                                                                      : flight->room.w_at) +
                                                        (where & 0x7c) * 2u);
    uint64_t first = take_edge(play);
    uint64_t second = take_edge(play);
    if (flight->used) {
        rewriter_begin(place, first, second);
        play->rewriting = true;
    }
}

static void stop_rewriting(struct play *play)
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
static void race(struct play *play)
{
    struct flight *flight = &play->flights[0];
    const struct plan *plan = props_plan(take_byte(play));
    enum lane_verb verb = take_byte(play) % 2 ? LANE_RETURN : LANE_CALLBACK;
    stop_rewriting(play);
    for (int round = 0; round < RACE_ROUNDS && !play->over; round++) {
        if (!flight->used) {
            submit_call(play, flight, plan);
        }
        if (!flight->used) {
            return;
        }
        struct lane_mail *mail = mail_of(play, flight);
        if (!play->rewriting) {
            begin_rewriting(play);
        }
        for (uint32_t i = verb == LANE_CALLBACK ? 1 : 0; i < LANE_WORDS; i++) {
            atomic_store(&mail->words[i], 0);
        }
        atomic_store(&mail->status_bytes, 0);
        publish(mail, 1, verb);
        await(play, flight);
    }
    stop_rewriting(play);
}

/* ---- Playing ----------------------------------------------------------------------------------- */

static void (*const acts[])(struct play *play) = {
    submit,         look,         look_at_any,     look_around,    end_lane,
    keep_watch,     write_mail,   write_turn,      write_bytes,    write_reply,
    write_callback, write_states, begin_rewriting, stop_rewriting, race,
};

static void open_play(struct play *play)
{
    const struct lane_options options = {
        .h_bytes = LANE_BYTES, .w_bytes = LANE_BYTES, .private_memory = true};
    if (lane_open(&options, &play->lane) != 0) {
        abort();
    }
    play->h = lane_peek_h(play->lane);
    play->w = lane_peek_w(play->lane);
    /* What lies behind W must not be read: where nothing lies, nothing can be. */
    (void)mmap((uint8_t *)play->w + LANE_BYTES, GUARD_BYTES, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static void close_play(struct play *play)
{
    stop_rewriting(play);
    for (uint32_t i = 0; i < FLIGHTS; i++) {
        if (play->flights[i].used) {
            give_up(play, &play->flights[i]);
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
        acts[take_byte(&play) % (sizeof acts / sizeof acts[0])](&play);
    }
    close_play(&play);
    return 0;
}
