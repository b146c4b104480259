/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors/vectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame/plain.h"

#define SHORT_WORDS_MAX 5u /* a mail's six, less the place */

/* One call by JSON, as it goes on. */
struct play {
    struct scene *scene;
    const struct vectors_case *one;
    size_t index;
    const struct plan *plan;
    const struct cordon_plan_function *function;
    struct json_method method;
    struct json_call call;
    struct document document;
    struct cordon_value hand[CORDON_PLAN_PARAMS_MAX];
    const struct cordon_value *args;
    size_t count;
    struct frame_request sent;
    struct engine_reply reply;
    struct frame_result result;
};

/* Handles are strings here: "h:", the generation, a point, the index. */
static int take_handle(void *context, const char *text, size_t length, uint32_t tag,
                       struct cordon_handle *ret_handle, struct message *why)
{
    uint32_t generation;
    uint32_t index;
    (void)context, (void)length;
    if (sscanf(text, "h:%u.%u", &generation, &index) != 2) {
        return message_set(why, -EINVAL, "'%s' is no handle", text);
    }
    *ret_handle = (struct cordon_handle){1, generation, index, tag};
    return 0;
}

static void give_handle(void *context, struct cordon_handle handle, const char *type_name,
                        struct json_out *out)
{
    char text[32];
    (void)context, (void)type_name;
    snprintf(text, sizeof text, "h:%u.%u", handle.generation, handle.index);
    json_out_string(out, text);
}

static const struct json_hooks json_hooks = {.take = take_handle, .give = give_handle};

static void make_values(struct play *play)
{
    struct scene *scene = play->scene;
    struct json_value params;
    size_t length = strlen(play->one->arguments);
    if (document_parse(&play->document, play->one->arguments, length, length, 16, &params,
                       &scene->why) < 0) {
        vectors_fail("%s: %s", play->one->arguments, scene->why.text);
    }
    if (play->one->by_hand) {
        play->count = play->one->by_hand->values(scene, play->hand);
        play->args = play->hand;
        return;
    }
    const struct json_method_options options = {.plan = (const void *)play->plan};
    json_call_init(&play->call);
    if (json_method_init(&play->method, &options, &scene->why) < 0 ||
        json_call_named(&play->call, &play->method, params, NULL, &json_hooks, &scene->why) < 0) {
        vectors_fail("%s %s: %s", play->one->function, play->one->arguments, scene->why.text);
    }
    play->args = play->call.args;
    play->count = play->call.arg_count;
}

static void run(struct play *play)
{
    struct scene *scene = play->scene;
    const struct frame_space space = {
        .request = scene->request, .request_bytes = VECTORS_ROOM, .reply_bytes = VECTORS_ROOM};
    memset(scene->request, 0, VECTORS_ROOM);
    memset(scene->reply, 0, VECTORS_ROOM);
    if (frame_encode(play->plan, 0, (uint32_t)play->index, play->args, play->count, &scene->hooks,
                     &space, &play->sent, &scene->why) < 0) {
        vectors_fail("%s %s: %s", play->one->function, play->one->arguments, scene->why.text);
    }
    scene->plan = play->plan;
    scene->sent = &play->sent;
    const struct engine_request request = {
        .function_id = (uint32_t)play->index,
        .word_count = play->sent.word_count,
        .words = play->sent.words,
        .bytes = play->sent.frame_bytes ? scene->request : NULL,
        .byte_count = play->sent.frame_bytes,
        .reply = play->sent.reply_bytes_max ? scene->reply : NULL,
        .reply_fixed = play->sent.reply_fixed,
        .reply_bytes_max = play->sent.reply_bytes_max,
    };
    engine_execute(scene->engine, &request, &play->reply);
    if (play->reply.status < 0) {
        vectors_fail("%s %s: status %d", play->one->function, play->one->arguments,
                     play->reply.status);
    }
    if (frame_decode(play->plan, 0, play->args, play->count, &scene->hooks, &space, &play->sent,
                     play->reply.words, play->sent.reply_bytes_max ? scene->reply : NULL,
                     &play->result, &scene->why) < 0) {
        vectors_fail("%s: %s", play->one->function, scene->why.text);
    }
}

static void write_result(struct play *play, FILE *file)
{
    struct json_out out = {0};
    const struct cordon_result result = {.value = play->result.value, .owned = play->result.owned};
    if (play->one->by_hand) {
        play->one->by_hand->result(&play->result, &out);
    } else {
        json_call_result(&play->call, &result, &json_hooks, &out);
    }
    fprintf(file, ",\"result\":%s", json_out_text(&out));
    json_out_deinit(&out);
}

/* The words of CALL_SHORT, if the function is one for it; arrays go to @bytes. */
static bool shorten(const struct play *play, uint64_t *ret_words, uint8_t *bytes,
                    uint32_t *ret_count)
{
    struct frame_plain plain;
    uint32_t at = 0;
    bool any = false;
    for (uint32_t i = 0; i < play->function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(play->plan, play->function, i);
        const struct cordon_value *value = &play->args[param->position];
        if (i >= SHORT_WORDS_MAX || param->out_word != CORDON_PLAN_NO_WORD) {
            return false;
        }
        ret_words[i] = play->sent.words[param->in_word];
        if (param->passing == CORDON_PLAN_PASS_WORD) {
            continue;
        }
        if (!frame_plain_array(play->plan, play->function, i, &plain) ||
            value->kind != CORDON_VALUE_MEMORY || value->count == 0) {
            return false;
        }
        any = true;
        at = (at + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
        memcpy(bytes + at, value->memory, value->count * plain.element_bytes);
        ret_words[i] = at;
        at += (uint32_t)(value->count * plain.element_bytes);
    }
    *ret_count = at;
    return any && play->function->out_words <= 1 &&
           play->function->result.passing != CORDON_PLAN_PASS_DYNAMIC;
}

/* The same call without a frame around its arrays; its reply must be the same. */
static void write_short(struct play *play, FILE *file)
{
    uint64_t words[SHORT_WORDS_MAX];
    uint8_t *bytes = aligned_alloc(FRAME_ALIGN, VECTORS_ROOM);
    uint32_t count = 0;
    struct engine_answer answer;
    if (!bytes) {
        vectors_fail("no memory");
    }
    memset(bytes, 0, VECTORS_ROOM);
    if (shorten(play, words, bytes, &count)) {
        if (!engine_execute_short(play->scene->engine, (uint32_t)play->index, words,
                                  play->function->param_count, bytes, count, &answer) ||
            answer.status != 0 || answer.word != play->reply.words[0]) {
            vectors_fail("%s: the short call says otherwise", play->one->function);
        }
        fputs(",\"short\":{\"words\":", file);
        write_words(file, words, play->function->param_count);
        fputs(",\"bytes\":", file);
        write_bytes(file, bytes, count);
        fputc('}', file);
    }
    free(bytes);
}

static void write_case(struct play *play, FILE *file)
{
    const struct scene *scene = play->scene;
    const struct frame_request *sent = &play->sent;
    fputs("{\"function\":", file);
    write_text(file, play->one->function);
    fprintf(file, ",\"arguments\":%s", play->one->arguments);
    if (play->one->note) {
        fputs(",\"note\":", file);
        write_text(file, play->one->note);
    }
    fputs(",\"request\":{\"words\":", file);
    write_words(file, sent->words, sent->word_count);
    fputs(",\"bytes\":", file);
    write_bytes(file, sent->frame_bytes ? scene->request : NULL, sent->frame_bytes);
    fprintf(file, ",\"reply_fixed\":%u,\"reply_bytes_max\":%u}", sent->reply_fixed,
            sent->reply_bytes_max);
    write_short(play, file);
}

static void write_reply(const struct play *play, FILE *file)
{
    const struct engine_reply *reply = &play->reply;
    fputs(",\"reply\":{\"words\":", file);
    write_words(file, reply->words, play->function->out_words);
    fputs(",\"bytes\":", file);
    write_bytes(file, play->sent.reply_bytes_max ? play->scene->reply : NULL, reply->reply_bytes);
    fprintf(file, ",\"errno\":%d}", reply->error_number);
}

void scene_play(struct scene *scene, const struct vectors_case *one, FILE *file)
{
    size_t bytes;
    char *steps = NULL;
    size_t steps_bytes = 0;
    struct play *play = calloc(1, sizeof *play);
    if (!play || !(scene->steps = open_memstream(&steps, &steps_bytes))) {
        vectors_fail("no memory");
    }
    scene->step_count = 0;
    scene->callback_count = 0;
    play->scene = scene;
    play->one = one;
    play->index = scene_find(scene, one->function);
    play->plan = scene_plan(scene, play->index, &bytes);
    play->function = plan_function(play->plan, 0);
    make_values(play);
    run(play);
    fclose(scene->steps);
    write_case(play, file);
    if (scene->step_count) {
        fprintf(file, ",\"conversation\":[%s]", steps);
    }
    write_reply(play, file);
    write_result(play, file);
    fputc('}', file);
    json_call_deinit(&play->call);
    json_method_deinit(&play->method);
    document_deinit(&play->document);
    free(play->result.owned);
    free(play);
    free(steps);
}
