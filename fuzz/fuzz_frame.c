/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aims at frame_accept(), frame_values(), frame_answer() and frame_decode(): foreign words and
 * bytes.
 */
#include "frame/frame.h"

#include "prototype/prototype.h"

#include <stdlib.h>
#include <string.h>

/*
 * An input is: plan, mode, then words and bytes. Modes with bit 0 judge a request (words, then the
 * request's bytes behind a sound header unless bit 1 is set), the others a reply to a sound request
 * (reply words, then what the reply's memory holds).
 */

#define SPACE_BYTES 4096u

static const char *const prototypes[] = {
    "int compress(out uint8_t dest[*n], inout unsigned long *n, const uint8_t src[m], size_t m)",
    "nullable const char *name(const char *s, out char t[cap], size_t cap, inout char *u)",
    "struct iovec { inout count(length) uint8_t *base; size_t length; };"
    "ssize_t readv(inout struct iovec iov[count], int count)",
    "struct box { const char *label; int weight; };"
    "struct box weigh(inout struct box *b, const char *words[null])",
    "int give(out owned(free) char **m, inout owned(free) char **line, out within(s) char **end,"
    " const char *s)",
    "int print(const char *format, ...)",
    "void sort(void base[count * size], size_t count, size_t size,"
    " int (*compare)(inout uint8_t a[size], const char *b, bool c))",
    "struct db *db_open(out struct db **x, kept const uint8_t d[n], int n, float f)",
    "struct part { int n; count(n) const uint8_t *data; const char *text; };"
    "struct whole { int n; count(n) const struct part *parts; };"
    "count(1) const struct whole *whole(int unused)",
    "struct value { int kind; unsigned n; union { case 0: ; case 1: long i; case 2: const char *s;"
    " case 3: count(n) uint8_t *b; case 4: struct db *db; default: char text[12]; } u[2]"
    " switch(kind); };"
    "count(2) const struct value *values(inout struct value *v, const struct value w[count],"
    " int count)",
};
#define PLAN_COUNT (sizeof prototypes / sizeof prototypes[0])

static struct interface *interfaces[PLAN_COUNT]; /* own the plans, as long as the process lives */
static const struct plan *plans[PLAN_COUNT];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_plans(void)
{
    for (size_t i = 0; i < PLAN_COUNT; i++) {
        size_t bytes;
        const char *text = prototypes[i];
        if (interface_parse("fuzz", text, strlen(text), &interfaces[i], NULL) < 0) {
            abort();
        }
        const void *plan = interface_plan(interfaces[i], 0, &bytes);
        if (plan_validate(plan, bytes, &plans[i], NULL) < 0) {
            abort();
        }
    }
}

/* A cursor over the input; what is missing reads as zero. */
struct input {
    const uint8_t *data;
    size_t size;
};

static void take(struct input *input, void *to, size_t bytes)
{
    size_t there = bytes < input->size ? bytes : input->size;
    memset(to, 0, bytes);
    if (there > 0) {
        memcpy(to, input->data, there);
    }
    input->data += there;
    input->size -= there;
}

/* Read all that a value names: what was accepted must be there. */
static void touch(const struct cordon_value *value)
{
    volatile uint8_t sink = 0;
    for (size_t i = 0; value->kind == CORDON_VALUE_MEMORY && i < value->count; i++) {
        sink ^= ((const uint8_t *)value->memory)[i];
    }
    (void)sink;
}

static void *keep(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                  uint32_t param, size_t bytes)
{
    static uint8_t kept[1u << 16];
    (void)context, (void)plan, (void)type, (void)param;
    return bytes <= sizeof kept ? kept : NULL;
}

static void judge_request(const struct plan *plan, uint8_t mode, struct input *input)
{
    const struct frame_hooks hooks = {.keep = keep};
    uint32_t index = plan_header(plan)->function_count - 1; /* the callback where there is one */
    const struct cordon_plan_function *function = plan_function(plan, index);
    uint64_t words[CORDON_PLAN_WORDS_MAX];
    uint64_t outer_words[CORDON_PLAN_WORDS_MAX] = {16, 4, 4, 4};
    take(input, words, function->in_words * 8u);
    uint32_t bytes = (uint32_t)(input->size < SPACE_BYTES ? input->size : SPACE_BYTES);
    uint8_t *request = malloc(bytes ? bytes : 1);
    uint8_t *reply = calloc(1, SPACE_BYTES);
    if (!request || !reply) {
        abort();
    }
    take(input, request, bytes);
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
                touch(&values[i]);
            }
        }
        (void)frame_answer(&call, result, reply_words, &reply_bytes, &why);
    }
    frame_finish(&call);
    free(request);
    free(reply);
}

/* Memory that arguments of all shapes find enough of: numbers say 4, pointers lead to text. */
struct props {
    uint64_t memory[CORDON_PLAN_PARAMS_MAX][16];
    char text[CORDON_PLAN_PARAMS_MAX][64];
};

static void fill_struct(const struct plan *plan, const struct cordon_plan_type *type,
                        uint8_t *image, char *text)
{
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = plan_field(plan, type->first + i);
        const struct cordon_plan_type *member = plan_type(plan, field->type);
        if (member->kind == CORDON_PLAN_POINTER || member->kind == CORDON_PLAN_STRING) {
            memcpy(image + field->offset, &text, sizeof text);
        } else {
            image[field->offset] = 4;
        }
    }
}

static struct cordon_value make_argument(const struct plan *plan,
                                         const struct cordon_plan_type *type, uint64_t *memory,
                                         char *text)
{
    const struct cordon_plan_type *target =
        type->target == CORDON_PLAN_NONE || type->kind != CORDON_PLAN_POINTER
            ? NULL
            : plan_type(plan, type->target);
    strcpy(text, "some text");
    if (type->kind == CORDON_PLAN_STRING) {
        return cordon_in(text, type->direction == CORDON_PLAN_OUT ? 64 : strlen(text));
    }
    if (target && target->kind == CORDON_PLAN_STRUCT) {
        for (size_t i = 0; i < 4; i++) {
            fill_struct(plan, target, (uint8_t *)memory + i * target->size, text);
        }
        return cordon_out(memory, 4);
    }
    if (target && target->kind == CORDON_PLAN_STRING) {
        memcpy(memory, &text, sizeof text);
        return cordon_out(memory, 2);
    }
    if (target) {
        memory[0] = 4;
        return cordon_out(memory, 16);
    }
    return type->kind == CORDON_PLAN_CALLBACK ? cordon_int(1) : cordon_int(4);
}

static int callback_word(void *context, const struct plan *plan, uint32_t function,
                         const struct cordon_value *value, uint64_t *ret_word, struct message *why)
{
    (void)context, (void)plan, (void)function, (void)value, (void)why;
    *ret_word = 1;
    return 0;
}

/* What the decoder made of `owned` parameters belongs to the caller, and is no longer the text. */
static void free_dynamic(const struct plan *plan, const struct cordon_plan_function *function,
                         struct props *props)
{
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, function, i);
        if (param->passing == CORDON_PLAN_PASS_DYNAMIC) {
            void *memory;
            memcpy(&memory, props->memory[i], sizeof memory);
            if (memory != props->text[i]) {
                free(memory);
            }
        }
    }
}

static void judge_reply(const struct plan *plan, struct input *input)
{
    static struct props props;
    static uint8_t request_memory[SPACE_BYTES] __attribute__((aligned(16)));
    const struct frame_hooks hooks = {.callback_to_word = callback_word};
    const struct cordon_plan_function *function = plan_function(plan, 0);
    struct cordon_value args[CORDON_PLAN_PARAMS_MAX];
    memset(&props, 0, sizeof props);
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, function, i);
        if (param->position != CORDON_PLAN_NO_WORD) {
            args[param->position] =
                make_argument(plan, plan_type(plan, param->type), props.memory[i], props.text[i]);
        }
    }
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
    take(input, words, function->out_words * 8u);
    take(input, reply, request.reply_bytes_max);
    struct frame_result result;
    if (frame_decode(plan, 0, args, function->passed_count, &hooks, &space, &request, words,
                     request.reply_bytes_max ? reply : NULL, &result, &why) == 0) {
        touch(&result.value);
        free(result.owned);
    }
    free_dynamic(plan, function, &props);
    free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    if (!plans[0]) {
        make_plans();
    }
    const struct plan *plan = plans[data[0] % PLAN_COUNT];
    struct input input = {data + 2, size - 2};
    if (data[1] & 1) {
        judge_request(plan, data[1], &input);
    } else {
        judge_reply(plan, &input);
    }
    return 0;
}
