/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/callback.h"
#include "invoke/hooks.h"
#include "invoke/state.h"
#include "invoke/variadic.h"
#include "invoke/verbs.h"

/* Results by value up to this size need no malloc(). */
#define RESULT_WORDS 16u

static void handle_ended(void *context, uint64_t word, void *resident)
{
    struct engine *engine = context;
    kept_end(&engine->kept, word);
    if (resident) {
        struct resident *ended = resident;
        ended->next = engine->ended_residents;
        engine->ended_residents = ended;
    }
}

static void release_closure(void *context, struct closure *closure)
{
    struct engine *engine = context;
    closures_release(engine->closures, closure);
}

int engine_new(const struct engine_config *config, struct engine **ret_engine, struct message *why)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        return message_set(why, -ENOMEM, "no memory for an engine");
    }
    engine->config = *config;
    engine->symbols = (struct symbols){config->resolve_context, config->resolve, config->explain};
    engine->hooks = hooks_of_engine(engine);
    engine->kept.bytes_max = config->kept_bytes_max;
    engine->kept.release = release_closure;
    engine->kept.context = engine;
    int r = handles_new(config->handles_max, handle_ended, engine, &engine->handles);
    if (r < 0) {
        engine_free(engine);
        return message_set(why, r, "no memory for a table of handles");
    }
    r = queue_new(callback_came, engine, &engine->queue);
    if (r < 0) {
        engine_free(engine);
        return message_set(why, r, "no memory for a queue of callbacks");
    }
    r = closures_new(engine, config->closures_max, callback_enter, &engine->closures, why);
    if (r < 0) {
        engine_free(engine);
        return r;
    }
    *ret_engine = engine;
    return 0;
}

static void free_ended(struct engine *engine)
{
    kept_reap(&engine->kept);
    while (engine->ended_residents) {
        struct resident *resident = engine->ended_residents;
        engine->ended_residents = resident->next;
        resident_free(resident);
    }
}

/*
 * Those that ended while a thread of the library was in a callback, which may call again whenever it likes (levels thread and
 * inline: it runs in this process): their trampolines stay, and answer with the failure value.
 */
static _Atomic(struct engine *) haunted;

static void keep_haunted(struct engine *engine)
{
    (void)queue_close(engine->queue);
    /* Relaxed: whatever thread comes, it is not the one that executed. */
    atomic_store_explicit(&engine->thread, (pthread_t)0, memory_order_relaxed);
    engine->next_haunted = atomic_load_explicit(&haunted, memory_order_relaxed);
    /* Relaxed: nobody reads the list; it says that the memory is not lost. */
    while (!atomic_compare_exchange_weak_explicit(&haunted, &engine->next_haunted, engine,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void engine_free(struct engine *engine)
{
    if (!engine) {
        return;
    }
    if (queue_has_guests(engine->queue)) {
        if (engine->handles) {
            handles_end_all(engine->handles);
        }
        free_ended(engine);
        keep_haunted(engine);
        return;
    }
    queue_free(engine->queue);
    if (engine->handles) {
        handles_end_all(engine->handles);
    }
    free_ended(engine);
    kept_deinit(&engine->kept);
    closures_free(engine->closures);
    handles_free(engine->handles);
    bindings_deinit(&engine->bindings);
    seal_deinit(&engine->seal);
    free(engine);
}

static const struct binding *running_begin(struct engine *engine, const struct binding *binding)
{
    const struct binding *outer = atomic_load_explicit(&engine->running, memory_order_relaxed);
    /* Read by handlers of signals in this thread alone: program order is all the order it needs. */
    atomic_store_explicit(&engine->running, binding, memory_order_relaxed);
    return outer;
}

static void running_end(struct engine *engine, const struct binding *outer)
{
    atomic_store_explicit(&engine->running, outer, memory_order_relaxed);
}

const char *engine_running(const struct engine *engine, uint32_t *ret_function_id)
{
    const struct binding *binding = atomic_load_explicit(&engine->running, memory_order_relaxed);
    if (!binding) {
        return NULL;
    }
    *ret_function_id = binding->id;
    return binding->name;
}

/* The request's words, wherever they are; NULL with @why if there are too few. */
static const uint64_t *words_of(const struct engine_request *request, const struct binding *binding,
                                struct message *why)
{
    uint32_t needed = plan_function(binding->plan, 0)->in_words;
    if (request->word_count >= needed) {
        return request->words;
    }
    size_t bytes = sizeof(struct frame_header) + needed * sizeof(uint64_t);
    if (request->bytes && request->byte_count >= bytes) {
        return (const uint64_t *)(const void *)(request->bytes + sizeof(struct frame_header));
    }
    (void)message_set(why, -EBADMSG, "'%s' takes %u words, %u were given", binding->name, needed,
                      request->word_count);
    return NULL;
}

static int call_native(struct binding *binding, struct frame_call *call, void *result,
                       int32_t *ret_errno, struct message *why)
{
    struct shape *shape = &binding->shapes->of[0];
    if (binding->direct.is_integer) {
        uint64_t word =
            direct_call_integers(&binding->direct, binding->code, call->storage, ret_errno);
        memcpy(result, &word, sizeof word);
        return 0;
    }
    if (!shape->is_variadic) {
        errno = 0;
        ffi_call(&shape->cif, binding->code, result, call->arguments);
        *ret_errno = errno;
        return 0;
    }
    struct variadic_call variadic;
    int r = variadic_prepare(shape, call, &variadic, why);
    if (r < 0) {
        return r;
    }
    errno = 0;
    ffi_call(&variadic.cif, binding->code, result, variadic.arguments);
    *ret_errno = errno;
    return 0;
}

/* From accepted arguments to an answer. What native code was given to keep is kept from then on. */
static int run(struct engine *engine, struct activation *activation, struct frame_call *call,
               struct engine_reply *ret_reply, struct message *why)
{
    struct binding *binding = activation->binding;
    uint64_t small[RESULT_WORDS] = {0};
    void *large = NULL;
    if (binding->result_bytes > sizeof small) {
        large = calloc(1, binding->result_bytes);
        if (!large) {
            return message_set(why, -ENOMEM, "no memory for the result of '%s'", binding->name);
        }
    }
    activation->result = large;
    void *result = large ? large : small;
    int r = call_native(binding, call, result, &ret_reply->error_number, why);
    if (r == 0) {
        if (binding->releases) {
            hooks_release(engine, call);
        }
        r = frame_answer(call, result, ret_reply->words, &ret_reply->reply_bytes, why);
        kept_commit(&engine->kept, &activation->fresh, ++engine->calls);
    }
    if (r == 0) {
        ret_reply->word_count = plan_function(binding->plan, 0)->out_words;
    }
    free(large);
    return r;
}

static int accept_and_run(struct engine *engine, struct activation *activation,
                          struct frame_call *call, struct engine_reply *ret_reply,
                          struct message *why)
{
    struct variadic_list list;
    int r = frame_accept(call, why);
    if (r == 0 && activation->binding->takes_list) {
        r = variadic_pass_list(call, &list, why);
    }
    if (r < 0 && activation->refused_bytes) {
        /* To the frame, hooks->keep had no memory; this is why. */
        r = kept_refuse(&engine->kept, activation->refused_bytes, why);
    }
    return r < 0 ? r : run(engine, activation, call, ret_reply, why);
}

static int execute_framed(struct engine *engine, struct binding *binding,
                          const struct engine_request *request, struct engine_reply *ret_reply,
                          struct message *why)
{
    struct frame_call call; /* large: what frame_accept() makes is not cleared first */
    call.plan = binding->plan;
    call.function = 0;
    call.hooks = &engine->hooks;
    call.arena = engine->config.arena;
    call.outer = (struct frame_outer){0};
    call.words = words_of(request, binding, why);
    call.request = request->bytes;
    call.request_bytes = request->bytes ? request->byte_count : 0;
    call.reply = request->reply;
    call.reply_fixed = request->reply_fixed;
    call.reply_bytes_max = request->reply_bytes_max;
    call.read_only_request = request->read_only_bytes;
    if (!call.words) {
        return -EBADMSG;
    }
    struct activation activation = {.outer = engine->activation, .binding = binding, .call = &call};
    struct message *outer_why = engine->why;
    engine->activation = &activation;
    engine->why = why;
    int r = accept_and_run(engine, &activation, &call, ret_reply, why);
    kept_drop(&engine->kept, &activation.fresh);
    frame_finish(&call);
    engine->why = outer_why;
    engine->activation = activation.outer;
    return r;
}

/* What is no direct call, or one that a callback's failure has spoiled. */
static int execute_any(struct engine *engine, struct binding *binding,
                       const struct engine_request *request, struct engine_reply *ret_reply,
                       struct message *why)
{
    if (request->function_id >= ENGINE_VERBS) {
        return verbs_execute(engine, request, ret_reply, why);
    }
    if (!binding) {
        return message_set(why, -ENOENT, "no function is bound to id %u", request->function_id);
    }
    const struct binding *outer = running_begin(engine, binding);
    int r = execute_framed(engine, binding, request, ret_reply, why);
    running_end(engine, outer);
    return r;
}

static void refuse(const struct engine_request *request, int status, const struct message *why,
                   struct engine_reply *ret_reply)
{
    size_t length = strlen(why->text);
    ret_reply->status = status;
    ret_reply->word_count = 0;
    ret_reply->reply_bytes = 0;
    if (request->reply) {
        length = length < request->reply_bytes_max ? length : request->reply_bytes_max;
        memcpy(request->reply, why->text, length);
        ret_reply->reply_bytes = (uint32_t)length;
    }
}

static void refuse_for_callback(struct engine *engine, const struct engine_request *request,
                                struct engine_reply *ret_reply)
{
    refuse(request, engine->callback_status, &engine->callback_why, ret_reply);
    engine->callback_status = 0;
}

static __attribute__((noinline)) void execute_slowly(struct engine *engine, struct binding *binding,
                                                     const struct engine_request *request,
                                                     struct engine_reply *ret_reply)
{
    struct message why;
    why.text[0] = '\0';
    int r = execute_any(engine, binding, request, ret_reply, &why);
    if (engine->depth == 0) {
        free_ended(engine);
    }
    if (r < 0) {
        refuse(request, r, &why, ret_reply);
    } else if (engine->callback_status < 0) {
        refuse_for_callback(engine, request, ret_reply);
    }
}

/* Outputs stay as they are if this is no direct call. */
static inline bool run_directly(struct engine *engine, struct binding *binding,
                                const uint64_t *words, uint32_t word_count, uint64_t *ret_word,
                                int32_t *ret_errno)
{
    if (!binding || !binding->direct.is_ready || word_count < binding->direct.in_words) {
        return false;
    }
    const struct binding *outer = running_begin(engine, binding);
    *ret_word =
        direct_call(&binding->direct, &binding->shapes->of[0], binding->code, words, ret_errno);
    running_end(engine, outer);
    return true;
}

static inline void answer_directly(struct engine *engine, const struct binding *binding,
                                   struct engine_answer *ret_answer)
{
    ret_answer->word_count = binding->direct.out_words;
    ret_answer->status = 0;
    if (engine->callback_status < 0) {
        ret_answer->status = engine->callback_status;
        ret_answer->word_count = 0;
        engine->callback_status = 0;
    }
}

const void *engine_mark(const struct engine *engine)
{
    return engine->activation;
}

void engine_drop_calls(struct engine *engine, const void *mark)
{
    while (engine->activation != mark) {
        struct activation *activation = engine->activation;
        engine->activation = activation->outer;
        kept_drop(&engine->kept, &activation->fresh);
        frame_finish(activation->call);
        free(activation->result);
    }
}

bool engine_execute_words(struct engine *engine, uint32_t function_id, const uint64_t *words,
                          uint32_t word_count, struct engine_answer *ret_answer)
{
    atomic_store_explicit(&engine->thread, pthread_self(), memory_order_relaxed);
    struct binding *binding = bindings_find(&engine->bindings, function_id);
    if (!run_directly(engine, binding, words, word_count, &ret_answer->word,
                      &ret_answer->error_number)) {
        return false;
    }
    answer_directly(engine, binding, ret_answer);
    return true;
}

bool engine_execute_short(struct engine *engine, uint32_t function_id, const uint64_t *words,
                          uint32_t word_count, const uint8_t *bytes, uint32_t byte_count,
                          struct engine_answer *ret_answer)
{
    atomic_store_explicit(&engine->thread, pthread_self(), memory_order_relaxed);
    struct binding *binding = bindings_find(&engine->bindings, function_id);
    if (!binding || !binding->direct.is_short || word_count < binding->direct.in_words) {
        return false;
    }
    const struct binding *outer = running_begin(engine, binding);
    int r = direct_call_short(&binding->direct, &binding->shapes->of[0], binding->code, words,
                              bytes, byte_count, &ret_answer->word, &ret_answer->error_number);
    running_end(engine, outer);
    if (r < 0) {
        return false;
    }
    answer_directly(engine, binding, ret_answer);
    return true;
}

void engine_execute(struct engine *engine, const struct engine_request *request,
                    struct engine_reply *ret_reply)
{
    ret_reply->status = 0;
    ret_reply->error_number = 0;
    ret_reply->word_count = 0;
    ret_reply->reply_bytes = 0;
    atomic_store_explicit(&engine->thread, pthread_self(), memory_order_relaxed);
    struct binding *binding = bindings_find(&engine->bindings, request->function_id);
    if (!run_directly(engine, binding, request->words, request->word_count, &ret_reply->words[0],
                      &ret_reply->error_number)) {
        execute_slowly(engine, binding, request, ret_reply);
        return;
    }
    ret_reply->word_count = binding->direct.out_words;
    if (engine->callback_status < 0) {
        refuse_for_callback(engine, request, ret_reply);
    }
}
