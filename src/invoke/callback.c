/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/callback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "invoke/state.h"

/* Where a result of @type is narrower than libffi's: fill the rest by its sign. */
static void widen_result(const struct cordon_plan_type *type, void *result)
{
    ffi_arg wide;
    switch (type->kind) {
    case CORDON_PLAN_BOOL:
    case CORDON_PLAN_U8:
        wide = *(uint8_t *)result;
        break;
    case CORDON_PLAN_I8:
        wide = (ffi_arg)(ffi_sarg) * (int8_t *)result;
        break;
    case CORDON_PLAN_U16:
        wide = *(uint16_t *)result;
        break;
    case CORDON_PLAN_I16:
        wide = (ffi_arg)(ffi_sarg) * (int16_t *)result;
        break;
    case CORDON_PLAN_U32:
        wide = *(uint32_t *)result;
        break;
    case CORDON_PLAN_I32:
        wide = (ffi_arg)(ffi_sarg) * (int32_t *)result;
        break;
    default:
        return;
    }
    memcpy(result, &wide, sizeof wide);
}

/* The declared failure value in native form. */
static void failure_result(const struct cordon_plan_type *type, int64_t fails, void *result)
{
    float narrow = (float)fails;
    double wide = (double)fails;
    switch (type->kind) {
    case CORDON_PLAN_VOID:
        break;
    case CORDON_PLAN_F32:
        memcpy(result, &narrow, sizeof narrow);
        break;
    case CORDON_PLAN_F64:
        memcpy(result, &wide, sizeof wide);
        break;
    case CORDON_PLAN_STRUCT:
        memset(result, 0, type->size);
        break;
    default:
        memcpy(result, &fails, sizeof fails);
        break;
    }
}

/* One callback on its way: what lives as long as it does. */
struct errand {
    struct engine *engine;
    struct closure *closure;
    struct engine_exchange exchange;
    struct frame_space space;
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    uint32_t value_count;
    struct message why;
};

static int encode(struct errand *errand, void **arguments)
{
    struct engine *engine = errand->engine;
    const struct closure *closure = errand->closure;
    const struct plan *plan = closure->binding->plan;
    struct engine_exchange *exchange = &errand->exchange;
    errand->value_count = plan_function(plan, closure->function)->passed_count;
    errand->space = (struct frame_space){
        .request = exchange->frame,
        .request_bytes = exchange->frame_space,
        .reply_bytes = exchange->reply_space,
        .arena = engine->config.arena,
        .outer = closure->outer,
    };
    int r = frame_values(plan, closure->function, arguments, &engine->hooks, &closure->outer,
                         errand->values, &errand->why);
    if (r < 0) {
        return r;
    }
    return frame_encode(plan, closure->function, closure->callback_id, errand->values,
                        errand->value_count, &engine->hooks, &errand->space, &exchange->request,
                        &errand->why);
}

static int decode(struct errand *errand, void *ret_value)
{
    struct engine *engine = errand->engine;
    const struct closure *closure = errand->closure;
    const struct plan *plan = closure->binding->plan;
    const struct cordon_plan_function *function = plan_function(plan, closure->function);
    struct frame_result result = {0};
    if (!errand->exchange.reply && errand->exchange.request.reply_fixed <= FRAME_ALIGN) {
        errand->exchange.request.reply_bytes_max = 0; /* nothing was laid out: words are enough */
    }
    int r =
        frame_decode(plan, closure->function, errand->values, errand->value_count, &engine->hooks,
                     &errand->space, &errand->exchange.request, errand->exchange.reply_words,
                     errand->exchange.reply, &result, &errand->why);
    const struct cordon_plan_type *type = plan_type(plan, function->result.type);
    if (r == 0 && type->kind != CORDON_PLAN_VOID) {
        r = frame_native_result(plan, closure->function, &result.value, &engine->hooks, ret_value,
                                &errand->why);
    }
    free(result.owned); /* of a struct by value: shape.c admits no pointers */
    return r;
}

/* Calls that the host makes meanwhile report their own callbacks' failures, not this call's. */
static int ask(struct engine *engine, struct engine_exchange *exchange)
{
    int status = engine->callback_status;
    struct message why;
    if (status < 0) {
        why = engine->callback_why;
        engine->callback_status = 0;
    }
    engine->depth++;
    int r = engine->config.transport.ask(engine->config.transport.context, exchange);
    engine->depth--;
    if (status < 0) {
        engine->callback_status = status;
        engine->callback_why = why;
    }
    return r;
}

static int converse(struct errand *errand, void **arguments, void *ret_value)
{
    struct engine *engine = errand->engine;
    struct engine_transport *transport = &engine->config.transport;
    struct callback_scope scope = {0};
    if (engine->depth >= LIMIT_DEPTH) {
        return message_set(&errand->why, -E2BIG,
                           "more than %u callbacks inside each other (LIMIT_DEPTH)", LIMIT_DEPTH);
    }
    int r = transport->open(transport->context, &errand->exchange);
    if (r < 0) {
        return message_set(&errand->why, r, "no room for a callback's frame");
    }
    struct callback_scope *outer_scope = engine->scope;
    struct message *outer_why = engine->why;
    engine->scope = &scope;
    engine->why = &errand->why;
    r = encode(errand, arguments);
    engine->scope = outer_scope;
    if (r == 0) {
        /* A call from inside may pass the same kept callback: its scope ends with it. */
        struct closure *closure = errand->closure;
        struct frame_outer outer = closure->outer;
        uint64_t outer_words[CORDON_PLAN_WORDS_MAX];
        memcpy(outer_words, closure->outer_words, sizeof outer_words);
        r = ask(engine, &errand->exchange);
        closure->outer = outer;
        memcpy(closure->outer_words, outer_words, sizeof outer_words);
    }
    if (r == 0) {
        r = decode(errand, ret_value);
    }
    engine->why = outer_why;
    if (scope.owner) {
        (void)handles_end(engine->handles, scope.owner);
    }
    transport->close(transport->context, &errand->exchange);
    return r;
}

static void fail(const struct closure *closure, void *ret_value, int error,
                 const struct message *why)
{
    struct engine *engine = closure->engine;
    const struct plan *plan = closure->binding->plan;
    const struct cordon_plan_function *function = plan_function(plan, closure->function);
    if (!(function->flags & CORDON_PLAN_FAILS)) {
        engine->config.transport.abandon(engine->config.transport.context);
    }
    if (error != -ECANCELED && engine->callback_status == 0) {
        engine->callback_status = error;
        (void)message_set(&engine->callback_why, error, "callback '%s': %s",
                          plan_name(plan, function->name), why->text);
    }
    failure_result(plan_type(plan, function->result.type), function->fails, ret_value);
}

static void answer(struct closure *closure, void *ret_value, void **arguments)
{
    struct engine *engine = closure->engine;
    const struct plan *plan = closure->binding->plan;
    const struct cordon_plan_function *function = plan_function(plan, closure->function);
    struct errand errand;
    errand.engine = engine;
    errand.closure = closure;
    errand.exchange.callback_id = closure->callback_id;
    errand.exchange.reply = NULL;
    errand.exchange.reply_bytes = 0;
    errand.why.text[0] = '\0';
    closure->references++; /* the host may end what the closure is kept for */
    int r = converse(&errand, arguments, ret_value);
    if (r < 0) {
        fail(closure, ret_value, r, &errand.why);
    }
    closures_release(engine->closures, closure);
    widen_result(plan_type(plan, function->result.type), ret_value);
}

static void tell_queued(const struct engine *engine, int change)
{
    const struct engine_transport *transport = &engine->config.transport;
    if (transport->queued) {
        transport->queued(transport->context, change);
    }
}

void callback_came(void *engine)
{
    tell_queued(engine, 1);
}

/*
 * On a thread of the library. The engine may end while it waits (levels thread and inline): what it needs
 * afterwards is copied before.
 */
static void enter_queued(struct closure *closure, void *ret_value, void **arguments)
{
    struct engine *engine = closure->engine;
    const struct plan *plan = closure->binding->plan;
    const struct cordon_plan_function *function = plan_function(plan, closure->function);
    const struct cordon_plan_type type = *plan_type(plan, function->result.type);
    int64_t fails = function->fails;
    struct queue *queue = engine->queue;
    struct queued queued = {.closure = closure, .ret_value = ret_value, .arguments = arguments};
    int r = queue_push(queue, &queued);
    if (r == 0) {
        r = queue_await(queue, &queued, clock_after_ns(LIMIT_QUEUED_MS * CLOCK_MS_NS));
    }
    if (r < 0) {
        failure_result(&type, fails, ret_value);
        widen_result(&type, ret_value);
    }
}

bool callback_dispatch(struct engine *engine)
{
    struct queued *queued = queue_take(engine->queue);
    if (!queued) {
        return false;
    }
    tell_queued(engine, -1);
    if (queued->closure->references == 0) {
        engine->config.transport.abandon(engine->config.transport.context);
    }
    answer(queued->closure, queued->ret_value, queued->arguments);
    queue_answer(queued);
    return true;
}

void callback_enter(ffi_cif *cif, void *ret_value, void **arguments, void *user)
{
    struct closure *closure = user;
    struct engine *engine = closure->engine;
    int saved_errno = errno;
    (void)cif;
    pthread_t thread = atomic_load_explicit(&engine->thread, memory_order_relaxed);
    bool own = pthread_equal(thread, pthread_self());
    const struct cordon_plan_function *function =
        plan_function(closure->binding->plan, closure->function);
    /* Another thread's callback is looked at, and its closure's life judged, where it is dispatched. */
    bool answered = own ? closure->references > 0 && !(function->flags & CORDON_PLAN_NORETURN)
                        : (function->flags & CORDON_PLAN_ANYTHREAD) != 0;
    if (!answered) {
        engine->config.transport.abandon(engine->config.transport.context);
    }
    if (own) {
        answer(closure, ret_value, arguments);
    } else {
        enter_queued(closure, ret_value, arguments);
    }
    errno = saved_errno;
}
