/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/test_rig.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "prototype/prototype.h"

#define REQUEST_ROOM (256u * 1024u)
#define REPLY_ROOM   (256u * 1024u)
#define VERB_ROOM    4096u

static void *resolve(void *context, const char *symbol)
{
    (void)context;
    return dlsym(RTLD_DEFAULT, symbol);
}

static int open_exchange(void *context, struct engine_exchange *exchange)
{
    const struct rig *rig = context;
    exchange->frame = calloc(1, REQUEST_ROOM);
    exchange->frame_space = rig->callback_room ? rig->callback_room : REQUEST_ROOM;
    exchange->reply_space = REPLY_ROOM;
    exchange->reply = NULL;
    return exchange->frame ? 0 : -ENOMEM;
}

static void close_exchange(void *context, struct engine_exchange *exchange)
{
    (void)context;
    free(exchange->frame);
    free((void *)(uintptr_t)exchange->reply);
}

/* The host's side of a callback: accept, run, answer. */
static int answer_exchange(struct cordon_callback *callback, struct engine_exchange *exchange)
{
    struct rig *rig = callback->rig;
    const struct frame_request *request = &exchange->request;
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    struct cordon_value result = cordon_null();
    uint8_t *reply = calloc(1, request->reply_bytes_max ? request->reply_bytes_max : 1);
    struct frame_call call = {
        .plan = callback->plan,
        .function = callback->shape,
        .hooks = &rig->hooks,
        .outer = callback->outer,
        .words = request->words,
        .request = request->frame_bytes ? exchange->frame : NULL,
        .request_bytes = request->frame_bytes,
        .reply = request->reply_bytes_max ? reply : NULL,
        .reply_fixed = request->reply_fixed,
        .reply_bytes_max = request->reply_bytes_max,
    };
    uint64_t native[8] = {0};
    exchange->reply = reply;
    int r = frame_accept(&call, &rig->why);
    if (r == 0) {
        r = frame_values(call.plan, call.function, call.arguments, &rig->hooks, &callback->outer,
                         values, &rig->why);
    }
    assert_int_equal(r, 0);
    r = callback->function(callback->context, values, &result);
    if (r == 0) {
        r = frame_native_result(call.plan, call.function, &result, &rig->hooks, native, &rig->why);
        r = r < 0 ? r
                  : frame_answer(&call, native, exchange->reply_words, &exchange->reply_bytes,
                                 &rig->why);
        assert_int_equal(r, 0);
    } else {
        r = -ECANCELED;
    }
    frame_finish(&call);
    if (exchange->reply_bytes <= FRAME_ALIGN) {
        free(reply); /* only words go back */
        exchange->reply = NULL;
    }
    return r;
}

static int ask(void *context, struct engine_exchange *exchange)
{
    struct rig *rig = context;
    assert_true(exchange->callback_id < rig->callback_count);
    return answer_exchange(&rig->callbacks[exchange->callback_id], exchange);
}

static __attribute__((noreturn)) void abandon(void *context)
{
    (void)context;
    _exit(RIG_ABANDONED);
}

static int callback_to_word(void *context, const struct plan *plan, uint32_t function,
                            const struct cordon_value *value, uint64_t *ret_word,
                            struct message *why)
{
    struct rig *rig = context;
    struct cordon_callback *callback = value->callback;
    (void)why;
    callback->plan = plan;
    callback->shape = function;
    callback->outer = (struct frame_outer){.plan = plan,
                                           .function = 0,
                                           .words = rig->sending->words,
                                           .request = rig->sending_bytes,
                                           .request_bytes = REQUEST_ROOM};
    *ret_word = callback->word;
    return 0;
}

struct rig *rig_new(const char *library, uint32_t closures, uint32_t handles, size_t kept_bytes)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    if (library && !dlopen(library, RTLD_NOW | RTLD_GLOBAL)) {
        free(rig);
        return NULL;
    }
    (void)dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL);
    rig->config = (struct engine_config){
        .resolve = resolve,
        .transport = {.context = rig,
                      .open = open_exchange,
                      .ask = ask,
                      .close = close_exchange,
                      .abandon = abandon},
        .closures_max = closures,
        .handles_max = handles,
        .kept_bytes_max = kept_bytes,
    };
    rig->hooks = (struct frame_hooks){.context = rig, .callback_to_word = callback_to_word};
    rig->callback_count = 1; /* 0 is NULL */
    assert_int_equal(engine_new(&rig->config, &rig->engine, &rig->why), 0);
    return rig;
}

void rig_free(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->function_count; i++) {
        interface_free(rig->functions[i].interface);
    }
    engine_free(rig->engine);
    free(rig);
}

int rig_verb(struct rig *rig, enum engine_verb verb, const uint64_t *words, uint32_t word_count,
             const void *bytes, uint32_t byte_count, uint8_t *reply, struct engine_reply *ret_reply)
{
    uint8_t own[VERB_ROOM];
    struct engine_request request = {
        .function_id = (uint32_t)verb,
        .word_count = word_count,
        .words = words,
        .bytes = bytes,
        .byte_count = byte_count,
        .reply = reply ? reply : own,
        .reply_bytes_max = VERB_ROOM,
    };
    engine_execute(rig->engine, &request, ret_reply);
    if (ret_reply->status < 0) {
        message_set_foreign(&rig->why, (const char *)request.reply, ret_reply->reply_bytes);
    }
    return ret_reply->status;
}

static struct rig_bound *compile(struct rig *rig, const char *text)
{
    assert_true(rig->function_count < RIG_FUNCTIONS);
    struct rig_bound *bound = &rig->functions[rig->function_count];
    if (interface_parse("prototype", text, strlen(text), &bound->interface, &rig->why) != 0) {
        fail_msg("%s", rig->why.text);
    }
    rig->function_count++;
    return bound;
}

int rig_try_bind(struct rig *rig, uint32_t id, const char *prototype)
{
    struct rig_bound *bound = compile(rig, prototype);
    size_t bytes;
    const void *plan = interface_plan(bound->interface, 0, &bytes);
    uint64_t word = id;
    struct engine_reply reply;
    bound->plan = plan;
    bound->id = id;
    return rig_verb(rig, ENGINE_BIND, &word, 1, plan, (uint32_t)bytes, NULL, &reply);
}

uint32_t rig_bind(struct rig *rig, const char *prototype)
{
    uint32_t number = rig->function_count;
    if (rig_try_bind(rig, 7 * number, prototype) != 0) { /* sparse ids */
        fail_msg("%s", rig->why.text);
    }
    return number;
}

const void *rig_type_plan(struct rig *rig, const char *text, const char *type, size_t *ret_bytes)
{
    const void *plan = NULL;
    struct rig_bound *bound = compile(rig, text);
    assert_int_equal(interface_type_plan(bound->interface, type, &plan, ret_bytes), 0);
    return plan;
}

static int execute(struct rig *rig, const struct rig_bound *bound,
                   const struct frame_request *frame, const struct frame_space *space,
                   uint8_t *reply_bytes, struct engine_reply *ret_reply)
{
    struct engine_request request = {
        .function_id = bound->id,
        .word_count = frame->word_count,
        .words = frame->words,
        .bytes = frame->frame_bytes ? space->request : NULL,
        .byte_count = frame->frame_bytes,
        .reply = reply_bytes,
        .reply_fixed = frame->reply_fixed,
        .reply_bytes_max = frame->reply_bytes_max,
    };
    if (request.reply_bytes_max < MESSAGE_BYTES) {
        request.reply_bytes_max = MESSAGE_BYTES; /* room for a sentence */
    }
    engine_execute(rig->engine, &request, ret_reply);
    rig->error_number = ret_reply->error_number;
    if (ret_reply->status < 0) {
        message_set_foreign(&rig->why, (const char *)reply_bytes, ret_reply->reply_bytes);
    }
    return ret_reply->status;
}

int rig_call(struct rig *rig, uint32_t function, const struct cordon_value *args, size_t count,
             struct frame_result *ret_result)
{
    const struct rig_bound *bound = &rig->functions[function];
    uint32_t reply_room = rig->reply_room ? rig->reply_room : REPLY_ROOM;
    uint8_t *reply_bytes = calloc(1, reply_room + MESSAGE_BYTES);
    struct frame_space space = {.request = calloc(1, REQUEST_ROOM),
                                .request_bytes = REQUEST_ROOM,
                                .reply_bytes = reply_room,
                                .arena = rig->config.arena};
    struct frame_request frame;
    struct engine_reply reply;
    const struct frame_request *outer = rig->sending;
    const uint8_t *outer_bytes = rig->sending_bytes;
    struct cordon_callback callbacks[RIG_CALLBACKS];
    memcpy(callbacks, rig->callbacks, sizeof callbacks);
    memset(ret_result, 0, sizeof *ret_result);
    rig->sending = &frame;
    rig->sending_bytes = space.request;
    int r = frame_encode(bound->plan, 0, bound->id, args, count, &rig->hooks, &space, &frame,
                         &rig->why);
    if (r == 0) {
        r = execute(rig, bound, &frame, &space, reply_bytes, &reply);
    }
    if (r == 0) {
        r = frame_decode(bound->plan, 0, args, count, &rig->hooks, &space, &frame, reply.words,
                         reply_bytes, ret_result, &rig->why);
    }
    rig->sending = outer;
    rig->sending_bytes = outer_bytes;
    if (outer) {
        /* The outer call's callbacks are again what it passed. */
        memcpy(rig->callbacks, callbacks, sizeof callbacks);
    }
    free(space.request);
    free(reply_bytes);
    return r;
}

int64_t rig_number(struct rig *rig, uint32_t function, const struct cordon_value *args,
                   size_t count)
{
    struct frame_result result;
    if (rig_call(rig, function, args, count, &result) != 0) {
        fail_msg("%s", rig->why.text);
    }
    free(result.owned);
    return result.value.i;
}

struct cordon_value rig_callback(struct rig *rig, rig_function *function, void *context)
{
    assert_true(rig->callback_count < RIG_CALLBACKS);
    struct cordon_callback *callback = &rig->callbacks[rig->callback_count];
    *callback = (struct cordon_callback){
        .rig = rig, .function = function, .context = context, .word = rig->callback_count};
    rig->callback_count++;
    return cordon_function_pointer(callback);
}

struct cordon_value rig_constant(struct rig *rig, int64_t constant)
{
    struct cordon_value value = rig_callback(rig, NULL, NULL);
    value.callback->word = 1ull << 63 | ((uint64_t)constant & ((1ull << 62) - 1));
    return value;
}

int rig_in_child(void (*body)(struct rig *rig), struct rig *rig)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        body(rig);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
