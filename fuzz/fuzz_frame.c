/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aims at frame_accept(), frame_values(), frame_answer() and frame_decode():
 * foreign words and bytes.
 */
#include "props.h"

#include <stdlib.h>
#include <string.h>

/*
 * An input is: plan, mode, then words and bytes. Modes with bit 0 judge a
 * request (words, then the request's bytes behind a sound header unless bit 1
 * is set), the others a reply to a sound request (reply words, then what the
 * reply's memory holds).
 */

#define SPACE_BYTES 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_request(const struct plan *plan, uint8_t mode, struct input *input)
{
    const struct frame_hooks hooks = {.keep = props_keep};
    uint32_t index = plan_header(plan)->function_count - 1; /* the callback where there is one */
    const struct cordon_plan_function *function = plan_function(plan, index);
    uint64_t words[CORDON_PLAN_WORDS_MAX];
    uint64_t outer_words[CORDON_PLAN_WORDS_MAX] = {16, 4, 4, 4};
    props_take(input, words, function->in_words * 8u);
    uint32_t bytes = (uint32_t)(input->size < SPACE_BYTES ? input->size : SPACE_BYTES);
    uint8_t *request = malloc(bytes ? bytes : 1);
    uint8_t *reply = calloc(1, SPACE_BYTES);
    if (!request || !reply) {
        abort();
    }
    props_take(input, request, bytes);
    if (!(mode & 2) && bytes >= sizeof(struct frame_header)) {
        const struct frame_header header = {
            .magic = FRAME_MAGIC,
            .version = FRAME_VERSION,
            .word_count = function->in_words,
            .frame_bytes = bytes,
            .layout_hash = plan_header(plan)->layout_hash,
            .function = index,
        };
        memcpy(request, &header, sizeof header);
    }
    struct frame_call call = {
        .plan = plan,
        .function = index,
        .hooks = &hooks,
        .outer = {.plan = index ? plan : NULL, .words = outer_words},
        .words = words,
        .request = request,
        .request_bytes = bytes,
        .reply = reply,
        .reply_fixed = SPACE_BYTES / 2,
        .reply_bytes_max = SPACE_BYTES,
        .read_only_request = mode & 4,
    };
    struct message why;
    if (frame_accept(&call, &why) == 0) {
        struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
        uint64_t result[16] = {0};
        uint64_t reply_words[CORDON_PLAN_WORDS_MAX];
        uint32_t reply_bytes;
        if (frame_values(plan, index, call.arguments, &hooks, &call.outer, values, &why) == 0) {
            for (uint32_t i = 0; i < function->passed_count; i++) {
                props_touch(&values[i]);
            }
        }
        (void)frame_answer(&call, result, reply_words, &reply_bytes, &why);
    }
    frame_finish(&call);
    free(request);
    free(reply);
}

static void judge_reply(const struct plan *plan, struct input *input)
{
    static struct props props;
    static uint8_t request_memory[SPACE_BYTES] __attribute__((aligned(16)));
    const struct frame_hooks hooks = {.callback_to_word = props_callback_word};
    const struct cordon_plan_function *function = plan_function(plan, 0);
    struct cordon_value args[CORDON_PLAN_PARAMS_MAX];
    props_fill(&props, plan, function, args);
    const struct frame_space space = {
        .request = request_memory, .request_bytes = SPACE_BYTES, .reply_bytes = SPACE_BYTES};
    struct frame_request request;
    struct message why;
    if (frame_encode(plan, 0, 1, args, function->passed_count, &hooks, &space, &request, &why) <
        0) {
        abort();
    }
    uint64_t words[CORDON_PLAN_WORDS_MAX];
    uint8_t *reply = malloc(request.reply_bytes_max ? request.reply_bytes_max : 1);
    if (!reply) {
        abort();
    }
    props_take(input, words, function->out_words * 8u);
    props_take(input, reply, request.reply_bytes_max);
    struct frame_result result;
    if (frame_decode(plan, 0, args, function->passed_count, &hooks, &space, &request, words,
                     request.reply_bytes_max ? reply : NULL, &result, &why) == 0) {
        props_touch(&result.value);
        free(result.owned);
    }
    props_free_dynamic(plan, function, &props);
    free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    const struct plan *plan = props_plan(data[0]);
    struct input input = {data + 2, size - 2};
    if (data[1] & 1) {
        judge_request(plan, data[1], &input);
    } else {
        judge_reply(plan, &input);
    }
    return 0;
}
