/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/limits.h"
#include "frame/frame.h"

/*
 * How it works.
 *
 * A lane's conversation is a call stack, and so is this file: serve_run() executes a call, the native
 * function calls back, the engine comes to ask(), which sends the callback and takes messages until its
 * answer is among them. Calls that come first are nested ones and are executed right there, deeper in
 * the stack.
 *
 * Callback frames lie in W's callback share, which is a stack as well. How long a frame gets is known
 * only when it is encoded, so open() takes all that is left and ask() gives back what was not used,
 * before a nested callback can want it.
 */

/* Words that travel in the mailbox beside places in memory. */
#define WORDS_BESIDE_PLACES 4u

/* ---- Calls ------------------------------------------------------------------------------------- */

/* A frame's own account of its words and reply; the frame stays the host's until the answer. */
static int read_frame(const struct lane_order *order, struct engine_request *request)
{
    struct frame_header header;
    if (order->byte_count < sizeof(header)) {
        return -EBADMSG;
    }
    memcpy(&header, order->bytes, sizeof(header));
    if (header.word_count > CORDON_PLAN_WORDS_MAX ||
        order->byte_count - sizeof(header) < header.word_count * sizeof(uint64_t)) {
        return -EBADMSG;
    }
    request->words = (const uint64_t *)(const void *)(order->bytes + sizeof(header));
    request->word_count = header.word_count;
    request->reply_fixed = header.reply_fixed;
    if (header.reply_bytes_max < request->reply_bytes_max) {
        request->reply_bytes_max = header.reply_bytes_max;
    }
    return request->reply_fixed > request->reply_bytes_max ? -EBADMSG : 0;
}

/* A verb's words beside its places: four in the mail, a fifth of 32 bits as the message's status. */
static void read_verb(const struct lane_order *order, struct engine_request *request,
                      uint64_t words[static WORDS_BESIDE_PLACES + 1])
{
    memcpy(words, order->words + (LANE_WORDS - WORDS_BESIDE_PLACES),
           WORDS_BESIDE_PLACES * sizeof(uint64_t));
    words[WORDS_BESIDE_PLACES] = (uint32_t)order->status;
    request->words = words;
    request->word_count = WORDS_BESIDE_PLACES + 1;
}

/* @verb_words  room that @ret_request may point to. */
static int read_order(const struct serve *serve, const struct lane_order *order,
                      uint64_t verb_words[static WORDS_BESIDE_PLACES + 1],
                      struct engine_request *ret_request)
{
    *ret_request = (struct engine_request){
        .function_id = order->tag,
        .words = order->words,
        .word_count = LANE_WORDS,
        .bytes = order->bytes,
        .byte_count = order->byte_count,
        .reply = order->reply,
        .reply_bytes_max = order->reply_bytes_max,
        .read_only_bytes = serve->options.read_only_bytes,
    };
    if (order->verb == LANE_CALL) {
        return 0;
    }
    if (order->verb == LANE_CALL_SHORT) {
        return -EBADMSG; /* not what execute() took: such a call has no frame to read */
    }
    if (order->tag >= ENGINE_VERBS) {
        read_verb(order, ret_request, verb_words);
        return 0;
    }
    if (order->bytes != NULL) {
        return read_frame(order, ret_request);
    }
    ret_request->words = order->words + (LANE_WORDS - WORDS_BESIDE_PLACES);
    ret_request->word_count = WORDS_BESIDE_PLACES;
    return 0;
}

/* Execute one call and answer it, also when it could not be read. */
static __attribute__((noinline)) void serve_general(struct serve *serve,
                                                    const struct lane_order *order, bool outermost)
{
    uint64_t verb_words[WORDS_BESIDE_PLACES + 1];
    struct engine_request request;
    struct engine_reply reply; /* large: not cleared for each call */

    int r = read_order(serve, order, verb_words, &request);
    if (r < 0) {
        lane_end_return(serve->options.end, outermost, 0, r, NULL, 0, 0);
        return;
    }
    engine_execute(serve->engine, &request, &reply);
    /* What does not fit in the mail stands at the start of the reply's bytes. */
    uint32_t words = reply.word_count < LANE_WORDS ? reply.word_count : LANE_WORDS;
    lane_end_return(serve->options.end, outermost, reply.error_number, reply.status, reply.words,
                    words, reply.reply_bytes);
}

/* False: a call for serve_general(). */
static inline bool execute(struct serve *serve, const struct lane_order *order,
                           struct engine_answer *ret_answer)
{
    if (order->verb == LANE_CALL) {
        return engine_execute_words(serve->engine, order->tag, order->words, LANE_WORDS,
                                    ret_answer);
    }
    return order->verb == LANE_CALL_SHORT &&
           engine_execute_short(serve->engine, order->tag, order->words + 1, order->word_count - 1,
                                order->bytes, order->byte_count, ret_answer);
}

/*
 * A call of only words, or of words and plain arrays, goes straight to the function, with no request and
 * reply filled in between: 10-20 of 200 ns a call.
 */
static void serve_call(struct serve *serve, const struct lane_order *order, bool outermost)
{
    struct engine_answer answer;
    if (!execute(serve, order, &answer)) {
        serve_general(serve, order, outermost);
        return;
    }
    lane_end_return(serve->options.end, outermost, answer.error_number, answer.status, &answer.word,
                    answer.word_count, 0);
}

static bool is_call(const struct lane_order *order)
{
    return order->verb == LANE_CALL || order->verb == LANE_CALL_BYTES ||
           order->verb == LANE_CALL_SHORT;
}

int serve_run(struct serve *serve, struct engine *engine)
{
    serve->engine = engine;
    for (;;) {
        struct lane_order order;
        int r = lane_end_take(serve->options.end, false, &order);
        if (r < 0) {
            return r;
        }
        if (!is_call(&order)) {
            return -EBADMSG;
        }
        serve_call(serve, &order, true);
    }
}

int serve_one(struct serve *serve, struct engine *engine, bool nested)
{
    struct lane_order order;
    serve->engine = engine;
    if (!lane_end_has_order(serve->options.end)) {
        return 0;
    }
    int r = lane_end_take(serve->options.end, nested, &order);
    if (r < 0) {
        return r;
    }
    if (!is_call(&order)) {
        return -EBADMSG;
    }
    serve_call(serve, &order, !nested);
    return 0;
}

/* ---- Callbacks --------------------------------------------------------------------------------- */

/* Bytes of the callback share that a message of @bytes takes: whole lines, so that pops match pushes. */
static uint32_t share_bytes(uint32_t bytes)
{
    return (bytes + LANE_LINE - 1) & ~(LANE_LINE - 1);
}

static uint32_t share_left(const struct lane_end *end)
{
    uint32_t share = end->w_bytes - lane_callback_at(end->w_bytes);
    return (share - end->callback_used) & ~(LANE_LINE - 1);
}

static int open_callback(void *context, struct engine_exchange *exchange)
{
    struct serve *serve = context;
    struct lane_end *end = serve->options.end;

    if (serve->depth >= LIMIT_DEPTH) {
        return -E2BIG;
    }
    uint32_t space = share_left(end);
    uint8_t *frame = space > 0 ? lane_end_callback_push(end, space) : NULL;
    exchange->frame = frame;
    exchange->frame_space = frame != NULL ? space : 0;
    exchange->reply_space = end->h_bytes / LANE_CALLBACK_SHARE;
    return 0;
}

/* Words that do not fit beside the places, as a frame of nothing else. Returns its bytes, 0: no room. */
static uint32_t frame_words(struct engine_exchange *exchange)
{
    const struct frame_request *request = &exchange->request;
    uint32_t words_bytes = request->word_count * (uint32_t)sizeof(uint64_t);
    struct frame_header header = {
        .magic = FRAME_MAGIC,
        .version = FRAME_VERSION,
        .word_count = (uint16_t)request->word_count,
        .frame_bytes = (uint32_t)sizeof(header) + words_bytes,
        .function_id = exchange->callback_id,
    };
    if (header.frame_bytes > exchange->frame_space) {
        return 0;
    }
    memcpy(exchange->frame, &header, sizeof(header));
    memcpy(exchange->frame + sizeof(header), request->words, words_bytes);
    return header.frame_bytes;
}

/* Give back what the frame did not need. */
static void trim_frame(struct lane_end *end, struct engine_exchange *exchange, uint32_t frame_bytes)
{
    uint32_t kept = share_bytes(frame_bytes);
    assert(frame_bytes <= exchange->frame_space);
    if (exchange->frame_space > kept) {
        lane_end_callback_pop(end, exchange->frame_space - kept);
        exchange->frame_space = kept;
    }
}

static int send_callback(struct lane_end *end, struct engine_exchange *exchange)
{
    const struct frame_request *request = &exchange->request;
    bool words_fit = request->frame_bytes == 0 && request->word_count <= WORDS_BESIDE_PLACES;
    uint32_t bytes = request->frame_bytes;
    if (bytes == 0 && !words_fit) {
        bytes = frame_words(exchange);
        if (bytes == 0) {
            return -ENOBUFS;
        }
    }
    trim_frame(end, exchange, bytes);
    lane_end_callback(end, exchange->callback_id, words_fit ? NULL : exchange->frame, bytes,
                      request->words, words_fit ? request->word_count : 0,
                      request->reply_bytes_max);
    return 0;
}

static __attribute__((noreturn)) void leave(const struct serve *serve, enum serve_leave why)
{
    serve->options.leave(serve->options.leave_context, why);
}

/* The host runs on this thread; behind it the answer is there, or a verdict. */
static void relay(const struct serve *serve)
{
    if (serve->options.relay != NULL) {
        serve->options.relay(serve->options.relay_context);
        if (!lane_end_has_order(serve->options.end)) {
            leave(serve, SERVE_BROKEN);
        }
    }
}

/* Execute what arrives until it is the answer. */
static void take_answer(struct serve *serve, struct lane_order *ret_order)
{
    relay(serve);
    for (;;) {
        int r = lane_end_take(serve->options.end, true, ret_order);
        if (r < 0) {
            leave(serve, r == -ESHUTDOWN ? SERVE_SHUTDOWN : SERVE_BROKEN);
        }
        if (!is_call(ret_order)) {
            return;
        }
        serve_call(serve, ret_order, false);
    }
}

/*
 * Five words lie in the mail; more than LANE_WORDS are repeated at the start of the answer's bytes. With
 * bytes the mail's last word is their place, without it is a word like the others.
 */
static void read_answer(const struct lane_order *answer, struct engine_exchange *exchange)
{
    uint64_t *words = exchange->reply_words;
    exchange->reply = answer->bytes;
    exchange->reply_bytes = answer->byte_count;
    if (answer->bytes == NULL) {
        memcpy(words, answer->words, sizeof(answer->words));
        return;
    }
    size_t bytes = answer->byte_count < sizeof(exchange->reply_words)
                       ? answer->byte_count
                       : sizeof(exchange->reply_words);
    memcpy(words, answer->bytes, bytes);
    memcpy(words, answer->words, (LANE_WORDS - 1) * sizeof(uint64_t));
}

static int ask_host(void *context, struct engine_exchange *exchange)
{
    struct serve *serve = context;
    struct lane_order answer;

    int r = send_callback(serve->options.end, exchange);
    if (r < 0) {
        return r;
    }
    serve->depth++;
    take_answer(serve, &answer);
    serve->depth--;
    read_answer(&answer, exchange);
    return answer.status;
}

static void close_callback(void *context, struct engine_exchange *exchange)
{
    struct serve *serve = context;
    if (exchange->frame_space > 0) {
        lane_end_callback_pop(serve->options.end, exchange->frame_space);
        exchange->frame_space = 0;
    }
}

static __attribute__((noreturn)) void abandon(void *context)
{
    leave(context, SERVE_ABANDONED);
}

static void tell_queued(void *context, int change)
{
    const struct serve *serve = context;
    lane_end_queued(serve->options.end, change);
}

static int wait_for_word(void *context, const _Atomic uint32_t *word, uint32_t seen,
                         uint64_t until_ns)
{
    const struct serve *serve = context;
    return lane_end_wait(serve->options.end, word, seen, until_ns);
}

struct engine_transport serve_transport(struct serve *serve)
{
    return (struct engine_transport){
        .context = serve,
        .open = open_callback,
        .ask = ask_host,
        .close = close_callback,
        .abandon = abandon,
        .queued = tell_queued,
        .wait = wait_for_word,
    };
}

void serve_init(struct serve *serve, const struct serve_options *options)
{
    assert(options->end != NULL && options->leave != NULL);
    *serve = (struct serve){.options = *options};
}
