/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors/vectors.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void vectors_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("vectors: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, VECTORS_ROOM);
    if (!file || !text || fread(text, 1, VECTORS_ROOM - 1, file) == 0) {
        vectors_fail("cannot read %s", path);
    }
    fclose(file);
    return text;
}

static void *resolve(void *context, const char *symbol)
{
    const struct scene *scene = context;
    void *code = dlsym(scene->library, symbol);
    return code ? code : dlsym(RTLD_DEFAULT, symbol);
}

/* The worker's side of a conversation. */

static int open_exchange(void *context, struct engine_exchange *exchange)
{
    (void)context;
    exchange->frame = calloc(1, VECTORS_ROOM);
    exchange->frame_space = VECTORS_ROOM;
    exchange->reply_space = VECTORS_ROOM;
    exchange->reply = NULL;
    return exchange->frame ? 0 : -ENOMEM;
}

static void close_exchange(void *context, struct engine_exchange *exchange)
{
    (void)context;
    free(exchange->frame);
    free((void *)(uintptr_t)exchange->reply);
}

static void tell_asked(struct scene *scene, const struct cordon_callback *callback,
                       const struct engine_exchange *exchange)
{
    const struct frame_request *request = &exchange->request;
    fprintf(scene->steps, "%s{\"from\":\"worker\",\"callback\":%u,\"function\":%u,\"words\":",
            scene->step_count++ ? "," : "", exchange->callback_id, callback->shape);
    write_words(scene->steps, request->words, request->word_count);
    fputs(",\"bytes\":", scene->steps);
    write_bytes(scene->steps, request->frame_bytes ? exchange->frame : NULL, request->frame_bytes);
    fprintf(scene->steps, ",\"reply_bytes_max\":%u}", request->reply_bytes_max);
}

static void tell_answered(struct scene *scene, const struct cordon_callback *callback, int r,
                          const struct engine_exchange *exchange)
{
    fputs(",{\"from\":\"host\"", scene->steps);
    if (r < 0) {
        fputs(",\"failed\":true}", scene->steps);
        return;
    }
    fputs(",\"words\":", scene->steps);
    write_words(scene->steps, exchange->reply_words,
                plan_function(callback->plan, callback->shape)->out_words);
    fputs(",\"bytes\":", scene->steps);
    write_bytes(scene->steps, exchange->reply, exchange->reply_bytes);
    fputc('}', scene->steps);
}

/* The host's: accept, run, answer. */
static int answer(struct cordon_callback *callback, struct engine_exchange *exchange)
{
    struct scene *scene = callback->scene;
    const struct frame_request *request = &exchange->request;
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    struct cordon_value result = cordon_null();
    uint64_t native[16] = {0};
    uint8_t *reply = aligned_alloc(FRAME_ALIGN, VECTORS_ROOM);
    struct frame_call call = {
        .plan = callback->plan,
        .function = callback->shape,
        .hooks = &scene->hooks,
        .outer = {.plan = scene->plan, .words = scene->sent->words, .request = scene->request},
        .words = request->words,
        .request = request->frame_bytes ? exchange->frame : NULL,
        .request_bytes = request->frame_bytes,
        .reply = reply,
        .reply_fixed = request->reply_fixed,
        .reply_bytes_max = request->reply_bytes_max,
    };
    if (!reply) {
        vectors_fail("no memory");
    }
    memset(reply, 0, VECTORS_ROOM);
    if (frame_accept(&call, &scene->why) < 0 ||
        frame_values(call.plan, call.function, call.arguments, &scene->hooks, &call.outer, values,
                     &scene->why) < 0) {
        vectors_fail("a callback was not accepted: %s", scene->why.text);
    }
    int r = callback->host(callback->context, values, &result);
    if (r < 0) {
        r = -ECANCELED;
    } else if (frame_native_result(call.plan, call.function, &result, &scene->hooks, native,
                                   &scene->why) < 0 ||
               frame_answer(&call, native, exchange->reply_words, &exchange->reply_bytes,
                            &scene->why) < 0) {
        vectors_fail("a callback was not answered: %s", scene->why.text);
    }
    frame_finish(&call);
    if (r == 0 && exchange->reply_bytes > FRAME_ALIGN) {
        exchange->reply = reply;
    } else {
        exchange->reply_bytes = 0;
        free(reply);
    }
    return r;
}

static int ask(void *context, struct engine_exchange *exchange)
{
    struct scene *scene = context;
    struct cordon_callback *callback = &scene->callbacks[exchange->callback_id - 1];
    tell_asked(scene, callback, exchange);
    int r = answer(callback, exchange);
    tell_answered(scene, callback, r, exchange);
    return r;
}

static __attribute__((noreturn)) void abandon(void *context)
{
    (void)context;
    vectors_fail("the engine gave a call up");
}

/* What frames hold of handles and callbacks. */

static int handle_to_word(void *context, const struct cordon_plan_type *type,
                          struct cordon_handle handle, uint64_t *ret_word, struct message *why)
{
    (void)context, (void)type, (void)why;
    *ret_word = (uint64_t)handle.generation << 32 | handle.index;
    return 0;
}

static int word_to_handle(void *context, const struct cordon_plan_type *type, uint64_t word,
                          struct cordon_handle *ret_handle)
{
    (void)context;
    *ret_handle = (struct cordon_handle){1, (uint32_t)(word >> 32), (uint32_t)word, type->tag};
    return 0;
}

static int callback_to_word(void *context, const struct plan *plan, uint32_t function,
                            const struct cordon_value *value, uint64_t *ret_word,
                            struct message *why)
{
    (void)context, (void)why;
    value->callback->plan = plan;
    value->callback->shape = function;
    *ret_word = value->callback->word;
    return 0;
}

struct cordon_value scene_callback(struct scene *scene, vectors_host *host, void *context)
{
    if (scene->callback_count == VECTORS_CALLBACKS) {
        vectors_fail("more than %u callbacks", VECTORS_CALLBACKS);
    }
    struct cordon_callback *callback = &scene->callbacks[scene->callback_count++];
    *callback = (struct cordon_callback){
        .scene = scene, .host = host, .context = context, .word = scene->callback_count};
    return cordon_function_pointer(callback);
}

static void bind(struct scene *scene, size_t index)
{
    size_t bytes;
    uint64_t id = index;
    char sentence[MESSAGE_BYTES] = "";
    const struct engine_request request = {
        .function_id = ENGINE_BIND,
        .word_count = 1,
        .words = &id,
        .bytes = interface_plan(scene->interface, index, &bytes),
        .byte_count = (uint32_t)bytes,
        .reply = (uint8_t *)sentence,
        .reply_bytes_max = sizeof sentence - 1,
    };
    struct engine_reply reply;
    engine_execute(scene->engine, &request, &reply);
    if (reply.status < 0) {
        vectors_fail("function %zu is not bound: %s", index, sentence);
    }
}

void scene_open(struct scene *scene, const char *interface_path, const char *library_path)
{
    memset(scene, 0, sizeof *scene);
    char *text = read_file(interface_path);
    if (interface_parse(interface_path, text, strlen(text), &scene->interface, &scene->why) < 0) {
        vectors_fail("%s", scene->why.text);
    }
    free(text);
    scene->library = dlopen(library_path, RTLD_NOW);
    scene->request = aligned_alloc(FRAME_ALIGN, VECTORS_ROOM);
    scene->reply = aligned_alloc(FRAME_ALIGN, VECTORS_ROOM);
    if (!scene->library || !scene->request || !scene->reply) {
        vectors_fail("%s is not loaded", library_path);
    }
    const struct engine_config config = {
        .resolve_context = scene,
        .resolve = resolve,
        .transport = {.context = scene,
                      .open = open_exchange,
                      .ask = ask,
                      .close = close_exchange,
                      .abandon = abandon},
        .closures_max = 8,
        .handles_max = 64,
        .kept_bytes_max = VECTORS_ROOM,
    };
    if (engine_new(&config, &scene->engine, &scene->why) < 0) {
        vectors_fail("%s", scene->why.text);
    }
    scene->hooks = (struct frame_hooks){.context = scene,
                                        .handle_to_word = handle_to_word,
                                        .word_to_handle = word_to_handle,
                                        .callback_to_word = callback_to_word};
    for (size_t i = 0; i < interface_function_count(scene->interface); i++) {
        bind(scene, i);
    }
}

void scene_close(struct scene *scene)
{
    engine_free(scene->engine);
    interface_free(scene->interface);
    free(scene->request);
    free(scene->reply);
    dlclose(scene->library);
}

size_t scene_find(const struct scene *scene, const char *function)
{
    size_t index;
    if (interface_find(scene->interface, function, &index) < 0) {
        vectors_fail("the interface does not declare %s", function);
    }
    return index;
}

const struct plan *scene_plan(const struct scene *scene, size_t index, size_t *ret_bytes)
{
    const struct plan *plan;
    struct message why;
    const void *bytes = interface_plan(scene->interface, index, ret_bytes);
    if (plan_validate(bytes, *ret_bytes, &plan, &why) < 0) {
        vectors_fail("plan %zu: %s", index, why.text);
    }
    return plan;
}
