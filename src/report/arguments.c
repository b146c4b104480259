/* SPDX-License-Identifier: Apache-2.0 */
#include "report/arguments.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frame/plain.h"
#include "report/native_json.h"

#define RECORD_WORDS    6u
#define REPLY_BYTES_MAX (256u << 20)

/* ---- Parameters -------------------------------------------------------------------------------- */

/* `...`: the accepted values carry their types. */
static json_t *variadic(struct reader *reader)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < reader->call.variadic.count; i++) {
        uint64_t type = reader->call.variadic.pairs[(size_t)2 * i];
        uint64_t word = reader->call.variadic.pairs[(size_t)2 * i + 1];
        double real;
        json_t *value;
        switch ((enum cordon_type)(type & UINT32_MAX)) {
        case CORDON_TYPE_DOUBLE:
            memcpy(&real, &word, sizeof real);
            value = json_real(isfinite(real) ? real : 0);
            break;
        case CORDON_TYPE_STRING: {
            const char *text = (const char *)(uintptr_t)word;
            value = !text ? json_null() : native_json_text(reader, text);
            break;
        }
        case CORDON_TYPE_POINTER:
            value = native_json_address("", word);
            break;
        default:
            value = json_integer((json_int_t)word);
            break;
        }
        if (!value) {
            json_decref(array);
            return NULL;
        }
        (void)json_array_append_new(array, value);
    }
    return array;
}

static json_t *parameter_value(struct reader *reader, uint32_t index)
{
    const struct cordon_plan_param *param =
        plan_function_param(reader->plan, reader->function, index);
    const struct cordon_plan_type *type = plan_type(reader->plan, param->type);
    const uint8_t *native = reader->call.arguments[index];
    if (type->kind == CORDON_PLAN_VARARGS) {
        return variadic(reader);
    }
    if (type->flags & CORDON_PLAN_SECRET) {
        return native_json(reader, type, native, NULL, 0);
    }
    if (param->passing == CORDON_PLAN_PASS_WORD && type->kind == CORDON_PLAN_POINTER) {
        const struct cordon_plan_type *target = plan_type(reader->plan, type->target);
        return type->direction & CORDON_PLAN_IN
                   ? native_json(reader, target, (const uint8_t *)&reader->call.pointees[index],
                                 NULL, 1)
                   : json_object();
    }
    if (type->kind == CORDON_PLAN_WITHIN && param->position != CORDON_PLAN_NO_WORD) {
        const struct cordon_value *value = &reader->values[param->position];
        return value->kind == CORDON_VALUE_NULL ? json_null() : json_integer((json_int_t)value->u);
    }
    if (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING) {
        struct cordon_value value = param->position != CORDON_PLAN_NO_WORD
                                        ? reader->values[param->position]
                                        : cordon_null();
        return value.kind == CORDON_VALUE_MEMORY
                   ? native_json_memory(reader, type, value.memory, value.count, NULL, 0)
                   : json_null();
    }
    return native ? native_json(reader, type, native, NULL, 0) : json_null();
}

static json_t *brief(struct reader *reader)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < reader->function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(reader->plan, reader->function, i);
        const struct cordon_plan_type *type = plan_type(reader->plan, param->type);
        char text[160];
        json_t *value = parameter_value(reader, i);
        (void)json_array_append_new(
            array,
            json_pack("{s:s, s:s, s:s, s:o}", "name", plan_name(reader->plan, param->name), "type",
                      report_type_text(reader->plan, type, text, sizeof text), "direction",
                      type->direction == CORDON_PLAN_OUT     ? "out"
                      : type->direction == CORDON_PLAN_INOUT ? "inout"
                                                             : "in",
                      "value", value ? value : json_null()));
    }
    return array;
}

/* In the order of `cordon call`: what only comes back is not given, `...` is several. */
static json_t *whole(struct reader *reader)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < reader->function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(reader->plan, reader->function, i);
        const struct cordon_plan_type *type = plan_type(reader->plan, param->type);
        bool memory = type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING;
        if (param->position == CORDON_PLAN_NO_WORD ||
            (memory && type->direction == CORDON_PLAN_OUT)) {
            continue;
        }
        json_t *value = parameter_value(reader, i);
        if (!value) {
            json_decref(array);
            return NULL;
        }
        if (type->kind == CORDON_PLAN_VARARGS) {
            (void)json_array_extend(array, value);
            json_decref(value);
        } else {
            (void)json_array_append_new(array, value);
        }
    }
    return array;
}

/* ---- The request ------------------------------------------------------------------------------- */

/* Callbacks are shown by their numbers. */
static int code_of_word(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                        uint64_t word, void **ret_code, struct message *why)
{
    (void)context;
    (void)plan;
    (void)type;
    (void)why;
    *ret_code = (void *)(uintptr_t)word;
    return 0;
}

static const struct frame_hooks hooks = {.word_to_code = code_of_word};

static bool has_header(const struct report_request *request)
{
    struct frame_header header;
    if (!request->memory || request->memory_bytes < sizeof header) {
        return false;
    }
    memcpy(&header, request->memory, sizeof header);
    return header.magic == FRAME_MAGIC && header.version == FRAME_VERSION &&
           header.function_id == request->function_id &&
           header.layout_hash == plan_header(request->plan)->layout_hash &&
           header.word_count == plan_function(request->plan, 0)->in_words &&
           header.frame_bytes <= request->memory_bytes &&
           sizeof header + header.word_count * sizeof(uint64_t) <= request->memory_bytes;
}

/* A call of plain arrays without a frame: words behind the place, arrays in the memory. */
static int accept_short(struct reader *reader, const struct report_request *request)
{
    const struct cordon_plan_function *function = reader->function;
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(reader->plan, function, i);
        struct frame_plain plain;
        if (param->in_word >= RECORD_WORDS - 1) {
            return message_set(reader->why, -EBADMSG, "the call's record is not of this function");
        }
        uint64_t word = request->words[1 + param->in_word];
        reader->call.arguments[i] = &reader->call.storage[i];
        reader->call.storage[i] = word;
        if (!frame_plain_array(reader->plan, function, i, &plain)) {
            continue;
        }
        const struct cordon_plan_param *by =
            plan_function_param(reader->plan, function, plain.length_param);
        uint64_t count = by->in_word < RECORD_WORDS - 1 ? request->words[1 + by->in_word] : 0;
        if (word > request->memory_bytes ||
            count > (request->memory_bytes - word) / plain.element_bytes) {
            return message_set(reader->why, -EBADMSG, "the call's arrays are not to be had");
        }
        reader->call.storage[i] = (uint64_t)(uintptr_t)(request->memory + word);
    }
    return frame_values(reader->plan, 0, reader->call.arguments, &hooks, NULL, reader->values,
                        reader->why);
}

static int accept_frame(struct reader *reader, const struct report_request *request, bool mailbox,
                        uint8_t **ret_reply)
{
    struct frame_call *call = &reader->call;
    call->plan = reader->plan;
    call->hooks = &hooks;
    call->words = request->words;
    if (!mailbox) {
        struct frame_header header;
        memcpy(&header, request->memory, sizeof header);
        call->words = (const uint64_t *)(const void *)(request->memory + sizeof header);
        call->request = request->memory;
        call->request_bytes = header.frame_bytes;
        call->reply_fixed = header.reply_fixed;
        call->reply_bytes_max = header.reply_bytes_max;
        if (header.reply_fixed > header.reply_bytes_max ||
            header.reply_bytes_max > REPLY_BYTES_MAX) {
            return message_set(reader->why, -EBADMSG, "the frame's reply is too large");
        }
        /* Pages that are not touched cost nothing. */
        *ret_reply = aligned_alloc(64, ((size_t)header.reply_bytes_max + 127) & ~(size_t)63);
        call->reply = *ret_reply;
        if (!*ret_reply) {
            return -ENOMEM;
        }
    }
    int r = frame_accept(call, reader->why);
    for (uint32_t i = 0; r == 0 && i < reader->function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(reader->plan, reader->function, i);
        if (plan_type(reader->plan, param->type)->kind == CORDON_PLAN_VARARGS) {
            return 0; /* frame_values() is for callbacks, which have none: see values_before_variadic() */
        }
    }
    return r == 0 ? frame_values(reader->plan, 0, call->arguments, &hooks, NULL, reader->values,
                                 reader->why)
                  : r;
}

/* What stands before `...`: strings and single objects, as in printf(). */
static void values_before_variadic(struct reader *reader)
{
    for (uint32_t i = 0; i < reader->function->param_count; i++) {
        const struct cordon_plan_param *param =
            plan_function_param(reader->plan, reader->function, i);
        const struct cordon_plan_type *type = plan_type(reader->plan, param->type);
        uint64_t word = 0;
        uint64_t count = 0;
        if ((type->kind != CORDON_PLAN_POINTER && type->kind != CORDON_PLAN_STRING) ||
            param->position == CORDON_PLAN_NO_WORD || !reader->call.arguments[i]) {
            continue;
        }
        memcpy(&word, reader->call.arguments[i], sizeof word);
        bool out = type->direction == CORDON_PLAN_OUT;
        struct cordon_plan_type sized = *type;
        if (out && type->kind == CORDON_PLAN_STRING) {
            sized.kind = CORDON_PLAN_POINTER;
        }
        if (word != 0 &&
            native_json_count(reader, &sized, (const uint8_t *)(uintptr_t)word, NULL, &count)) {
            reader->values[param->position] = cordon_out((void *)(uintptr_t)word, count);
        }
    }
}

static bool in_arena(const struct report_request *request)
{
    const struct cordon_plan_function *function = plan_function(request->plan, 0);
    struct frame_header header;
    memcpy(&header, request->memory, sizeof header);
    const uint64_t *words = (const uint64_t *)(const void *)(request->memory + sizeof header);
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(request->plan, function, i);
        if (param->passing == CORDON_PLAN_PASS_BYTES && param->in_word < function->in_words &&
            (words[param->in_word] & FRAME_IN_ARENA)) {
            return true;
        }
    }
    return false;
}

int report_arguments(const struct report_request *request, enum report_detail detail,
                     json_t **ret_json, struct message *why)
{
    struct reader *reader = calloc(1, sizeof *reader);
    uint8_t *reply = NULL;
    if (!reader) {
        return -ENOMEM;
    }
    reader->plan = request->plan;
    reader->function = plan_function(request->plan, 0);
    reader->detail = detail;
    reader->why = why;
    bool mailbox = reader->function->flags & CORDON_PLAN_MAILBOX;
    bool framed = !mailbox && has_header(request);
    int r;
    if (framed && in_arena(request)) {
        r = message_set(why, -ENOTSUP, "an argument lies in the session's arena");
    } else if (mailbox || framed) {
        r = accept_frame(reader, request, mailbox, &reply);
    } else if (request->memory) {
        r = accept_short(reader, request);
    } else {
        r = message_set(why, -EBADMSG, "the call's bytes are not to be had");
    }
    if (r == 0 && reader->function->flags & CORDON_PLAN_VARIADIC) {
        values_before_variadic(reader);
    }
    if (r == 0) {
        json_t *json = detail == REPORT_WHOLE ? whole(reader) : brief(reader);
        r = json ? 0 : -ENOTSUP;
        *ret_json = json;
    }
    frame_finish(&reader->call);
    free(reply);
    free(reader);
    return r;
}
