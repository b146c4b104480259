/* SPDX-License-Identifier: Apache-2.0 */
#include "report/arguments.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame/frame.h"
#include "frame/plain.h"
#include "frame/scalar.h"
#include "report/base64.h"
#include "report/sha256.h"

#define RECORD_WORDS       6u
#define REPLY_BYTES_MAX    (256u << 20)
#define ELEMENTS_WHOLE_MAX 65536u

/* A request under way: native arguments as a worker would pass them. */
struct reader {
    const struct plan *plan;
    const struct cordon_plan_function *function;
    enum report_detail detail;
    struct frame_call call;
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    uint64_t handles; /* WORD objects stand for their own words */
    struct message *why;
};

/* The struct whose members a length names. */
struct owner {
    struct reader *reader;
    const struct cordon_plan_type *type;
    const uint8_t *memory;
};

static json_t *describe(struct reader *reader, const struct cordon_plan_type *type,
                        const uint8_t *memory, const struct owner *owner, uint32_t depth);

/* ---- Types ------------------------------------------------------------------------------------- */

static const struct cordon_plan_type *target_of(const struct plan *plan,
                                                const struct cordon_plan_type *type)
{
    return plan_type(plan, type->target);
}

const char *report_type_text(const struct plan *plan, const struct cordon_plan_type *type,
                             char *text, size_t size)
{
    char inner[96];
    const char *name = plan_name(plan, type->name);
    if (*name && type->kind != CORDON_PLAN_POINTER && type->kind != CORDON_PLAN_STRING) {
        (void)snprintf(text, size, "%s%s",
                       type->kind == CORDON_PLAN_STRUCT && !strchr(name, ' ') ? "struct " : "",
                       name);
        return text;
    }
    switch (type->kind) {
    case CORDON_PLAN_VOID:
        (void)snprintf(text, size, "void");
        break;
    case CORDON_PLAN_STRUCT:
        (void)snprintf(text, size, "struct");
        break;
    case CORDON_PLAN_ARRAY:
        report_type_text(plan, target_of(plan, type), inner, sizeof inner);
        (void)snprintf(text, size, "%s[%u]", inner, type->count);
        break;
    case CORDON_PLAN_POINTER:
        report_type_text(plan, target_of(plan, type), inner, sizeof inner);
        (void)snprintf(text, size, "%s *", inner);
        break;
    case CORDON_PLAN_STRING:
        (void)snprintf(text, size, "char *");
        break;
    case CORDON_PLAN_HANDLE:
        (void)snprintf(text, size, "handle");
        break;
    case CORDON_PLAN_CALLBACK:
        (void)snprintf(text, size, "callback");
        break;
    case CORDON_PLAN_TOKEN:
    case CORDON_PLAN_WITHIN:
        (void)snprintf(text, size, "void *");
        break;
    case CORDON_PLAN_VARARGS:
        (void)snprintf(text, size, "...");
        break;
    case CORDON_PLAN_UNION:
        (void)snprintf(text, size, "union");
        break;
    default:
        (void)snprintf(text, size, "%s", scalar_name(type->kind));
        break;
    }
    return text;
}

bool report_has_secrets(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan_header(plan)->type_count; i++) {
        if (plan_type(plan, i)->flags & CORDON_PLAN_SECRET) {
            return true;
        }
    }
    return false;
}

/* ---- Values ------------------------------------------------------------------------------------ */

static json_t *number(const struct plan *plan, const struct cordon_plan_type *type, uint64_t word,
                      enum report_detail detail)
{
    struct cordon_value value;
    char text[64];
    if (type->kind == CORDON_PLAN_BOOL) {
        return json_boolean(word != 0);
    }
    scalar_to_value(type->kind, word, &value);
    if (value.kind == CORDON_VALUE_FLOAT) {
        if (isfinite(value.f)) {
            return json_real(value.f);
        }
        (void)snprintf(text, sizeof text, "%s",
                       isnan(value.f) ? "nan"
                       : value.f < 0  ? "-inf"
                                      : "inf");
        return json_string(text);
    }
    for (uint32_t i = 0; (type->flags & CORDON_PLAN_ENUM) && i < type->count; i++) {
        const struct cordon_plan_enumerator *enumerator = plan_enumerator(plan, type->first + i);
        if (detail != REPORT_WHOLE && (uint64_t)enumerator->value == word) {
            return json_string(plan_name(plan, enumerator->name));
        }
    }
    if (value.kind == CORDON_VALUE_UINT && value.u > INT64_MAX) {
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value.u);
        return json_string(text);
    }
    return json_integer((json_int_t)value.u);
}

static json_t *address(const char *what, uint64_t word)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s0x%llx", what, (unsigned long long)word);
    return json_string(text);
}

static json_t *whole_bytes(const void *memory, uint64_t bytes, bool text)
{
    json_t *string = text ? json_stringn(memory, bytes) : NULL;
    if (string) {
        return string;
    }
    char *base64 = base64_new(memory, bytes);
    json_t *json = base64 ? json_pack("{s:s}", "base64", base64) : NULL;
    free(base64);
    return json;
}

/* What is left out, so that it can be told apart. */
static json_t *outline(const struct reader *reader, const void *memory, uint64_t count,
                       uint64_t bytes)
{
    char hash[SHA256_TEXT_BYTES];
    sha256_text(memory, bytes, hash);
    json_t *json = json_pack("{s:I, s:I, s:s}", "count", (json_int_t)count, "bytes",
                             (json_int_t)bytes, "sha256", hash);
    if (json && reader->detail == REPORT_BYTES && bytes > 0) {
        char hex[2 * REPORT_FIRST_BYTES + 1];
        for (uint32_t i = 0; i < REPORT_FIRST_BYTES && i < bytes; i++) {
            (void)snprintf(hex + (size_t)2 * i, 3, "%02x", ((const uint8_t *)memory)[i]);
        }
        (void)json_object_set_new(json, "first", json_string(hex));
    }
    return json;
}

static json_t *refuse(struct reader *reader, const char *sentence)
{
    (void)message_set(reader->why, -ENOTSUP, "%s", sentence);
    return NULL;
}

static int owner_field(void *context, uint32_t field, int64_t *ret_value)
{
    const struct owner *owner = context;
    if (!owner->type || field >= owner->type->count) {
        return -ENODATA;
    }
    const struct plan *plan = owner->reader->plan;
    const struct cordon_plan_field *member = plan_field(plan, owner->type->first + field);
    const struct cordon_plan_type *type = plan_type(plan, member->type);
    if (!scalar_is_integer(type->kind)) {
        return -ENODATA;
    }
    *ret_value = (int64_t)scalar_load(type->kind, owner->memory + member->offset);
    return 0;
}

static int owner_param(void *context, uint32_t param, int64_t *ret_value)
{
    const struct owner *owner = context;
    const struct reader *reader = owner->reader;
    if (param >= reader->function->param_count || !reader->call.arguments[param]) {
        return -ENODATA;
    }
    const struct cordon_plan_type *type =
        plan_type(reader->plan, plan_function_param(reader->plan, reader->function, param)->type);
    if (!scalar_is_integer(type->kind)) {
        return -ENODATA;
    }
    *ret_value = (int64_t)scalar_load(type->kind, reader->call.arguments[param]);
    return 0;
}

/* Elements behind a pointer inside a struct or array: the request was judged by the same code. */
static bool element_count(struct reader *reader, const struct cordon_plan_type *type,
                          const uint8_t *memory, const struct owner *owner, uint64_t *ret_count)
{
    struct owner nobody = {.reader = reader};
    struct plan_scope scope = {.context = (void *)(uintptr_t)(owner ? owner : &nobody),
                               .param = owner_param,
                               .field = owner_field};
    *ret_count = 1;
    if (type->kind == CORDON_PLAN_STRING) {
        *ret_count = strlen((const char *)memory);
        return true;
    }
    if (type->flags & CORDON_PLAN_NULL_ENDED) {
        uint64_t word;
        for (*ret_count = 0;; (*ret_count)++) {
            memcpy(&word, memory + *ret_count * sizeof word, sizeof word);
            if (word == 0) {
                return true;
            }
        }
    }
    return type->code == CORDON_PLAN_NONE ||
           plan_evaluate(reader->plan, type->code, &scope, ret_count) == 0;
}

static bool is_bytes(const struct cordon_plan_type *target)
{
    return target->kind == CORDON_PLAN_VOID || target->kind == CORDON_PLAN_U8 ||
           target->kind == CORDON_PLAN_I8;
}

static json_t *elements(struct reader *reader, const struct cordon_plan_type *target,
                        const uint8_t *memory, uint64_t count, const struct owner *owner,
                        uint32_t depth)
{
    uint64_t most = reader->detail == REPORT_WHOLE ? ELEMENTS_WHOLE_MAX : REPORT_ELEMENTS_SHOWN;
    if (reader->detail == REPORT_WHOLE && count > most) {
        return refuse(reader, "an array has too many elements to be replayed");
    }
    json_t *array = json_array();
    for (uint64_t i = 0; i < count && i < most; i++) {
        json_t *element = describe(reader, target, memory + i * target->size, owner, depth);
        if (!element) {
            json_decref(array);
            return NULL;
        }
        (void)json_array_append_new(array, element);
    }
    return array;
}

/* Memory of the call: @count elements. */
static json_t *memory_value(struct reader *reader, const struct cordon_plan_type *type,
                            const uint8_t *memory, uint64_t count, const struct owner *owner,
                            uint32_t depth)
{
    bool in = type->direction & CORDON_PLAN_IN;
    bool string = type->kind == CORDON_PLAN_STRING;
    const struct cordon_plan_type *target = string ? NULL : target_of(reader->plan, type);
    bool bytes = string || is_bytes(target);
    uint64_t each = string || target->size == 0 ? 1 : target->size;
    if (!in) {
        return json_pack("{s:I}", "room", (json_int_t)count);
    }
    if (string) {
        count = strlen((const char *)memory);
    }
    if (reader->detail == REPORT_WHOLE && bytes) {
        return whole_bytes(memory, count, string || (type->flags & CORDON_PLAN_TEXT));
    }
    if (reader->detail == REPORT_WHOLE) {
        bool one = type->code == CORDON_PLAN_NONE && !(type->flags & CORDON_PLAN_NULL_ENDED);
        return one ? describe(reader, target, memory, owner, depth + 1)
                   : elements(reader, target, memory, count, owner, depth + 1);
    }
    if (bytes || scalar_is(target->kind)) {
        return count == 1 && !bytes ? describe(reader, target, memory, owner, depth + 1)
                                    : outline(reader, memory, count, count * each);
    }
    json_t *array = elements(reader, target, memory, count, owner, depth + 1);
    return array ? json_pack("{s:I, s:o}", "count", (json_int_t)count, "elements", array) : NULL;
}

static json_t *record(struct reader *reader, const struct cordon_plan_type *type,
                      const uint8_t *memory, uint32_t depth)
{
    struct owner owner = {.reader = reader, .type = type, .memory = memory};
    json_t *object = json_object();
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = plan_field(reader->plan, type->first + i);
        const struct cordon_plan_type *member = plan_type(reader->plan, field->type);
        if ((field->flags & CORDON_PLAN_FIELD_FILLED) && reader->detail == REPORT_WHOLE) {
            continue;
        }
        json_t *value = member->flags & CORDON_PLAN_SECRET
                            ? json_string("secret")
                            : describe(reader, member, memory + field->offset, &owner, depth + 1);
        if (!value) {
            json_decref(object);
            return NULL;
        }
        (void)json_object_set_new(object, plan_name(reader->plan, field->name), value);
    }
    return object;
}

/* The member in use, as the selector in the same struct tells. */
static json_t *union_value(struct reader *reader, const struct cordon_plan_type *type,
                           const uint8_t *memory, const struct owner *owner, uint32_t depth)
{
    int64_t selector;
    if (!owner || owner_field((void *)(uintptr_t)owner, type->within, &selector) < 0) {
        return json_null();
    }
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = plan_field(reader->plan, type->first + i);
        uint64_t value = (uint64_t)field->value_high << 32 | field->filled_by;
        if (!(field->flags & CORDON_PLAN_FIELD_DEFAULT) && value != (uint64_t)selector) {
            continue;
        }
        const struct cordon_plan_type *member = plan_type(reader->plan, field->type);
        if (member->kind == CORDON_PLAN_VOID) {
            return json_null();
        }
        json_t *inner = describe(reader, member, memory + field->offset, owner, depth + 1);
        return inner ? json_pack("{s:o}", plan_name(reader->plan, field->name), inner) : NULL;
    }
    return json_null();
}

static json_t *pointer(struct reader *reader, const struct cordon_plan_type *type, uint64_t word,
                       const struct owner *owner, uint32_t depth)
{
    uint64_t count;
    const uint8_t *memory = (const uint8_t *)(uintptr_t)word;
    if (!memory) {
        return json_null();
    }
    if (!(type->direction & CORDON_PLAN_IN)) {
        return json_object();
    }
    if (!element_count(reader, type, memory, owner, &count)) {
        return json_string("of unknown length");
    }
    return memory_value(reader, type, memory, count, owner, depth);
}

/* An object of @type at @memory, in C layout. */
static json_t *describe(struct reader *reader, const struct cordon_plan_type *type,
                        const uint8_t *memory, const struct owner *owner, uint32_t depth)
{
    uint64_t word = 0;
    if (depth > REPORT_DEPTH_MAX) {
        return reader->detail == REPORT_WHOLE ? refuse(reader, "an argument is too deeply nested")
                                              : json_string("...");
    }
    if (type->flags & CORDON_PLAN_SECRET) {
        return reader->detail == REPORT_WHOLE ? refuse(reader, "an argument is secret")
                                              : json_string("secret");
    }
    if (scalar_is(type->kind)) {
        return number(reader->plan, type, scalar_load(type->kind, memory), reader->detail);
    }
    if (type->kind == CORDON_PLAN_STRUCT) {
        return record(reader, type, memory, depth);
    }
    if (type->kind == CORDON_PLAN_UNION) {
        return union_value(reader, type, memory, owner, depth);
    }
    if (type->kind == CORDON_PLAN_ARRAY) {
        const struct cordon_plan_type *target = target_of(reader->plan, type);
        if (is_bytes(target)) {
            return reader->detail == REPORT_WHOLE
                       ? whole_bytes(memory, type->count, false)
                       : outline(reader, memory, type->count, type->count);
        }
        return elements(reader, target, memory, type->count, owner, depth + 1);
    }
    if (type->kind == CORDON_PLAN_VOID || type->kind == CORDON_PLAN_VARARGS) {
        return json_null();
    }
    memcpy(&word, memory, sizeof word);
    if (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING) {
        return pointer(reader, type, word, owner, depth);
    }
    if (word == 0) {
        return json_null();
    }
    if (type->kind == CORDON_PLAN_HANDLE) {
        return reader->detail == REPORT_WHOLE ? refuse(reader, "an argument is a handle")
                                              : address("handle ", word);
    }
    if (type->kind == CORDON_PLAN_CALLBACK) {
        return reader->detail == REPORT_WHOLE && !(word >> 63)
                   ? refuse(reader, "an argument is a callback")
                   : address("callback ", word);
    }
    return reader->detail == REPORT_WHOLE ? json_integer((json_int_t)word) : address("", word);
}

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
            value = !text ? json_null()
                    : reader->detail == REPORT_WHOLE
                        ? whole_bytes(text, strlen(text), true)
                        : outline(reader, text, strlen(text), strlen(text));
            break;
        }
        case CORDON_TYPE_POINTER:
            value = address("", word);
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
        return describe(reader, type, native, NULL, 0);
    }
    if (param->passing == CORDON_PLAN_PASS_WORD && type->kind == CORDON_PLAN_POINTER) {
        const struct cordon_plan_type *target = target_of(reader->plan, type);
        return type->direction & CORDON_PLAN_IN
                   ? describe(reader, target, (const uint8_t *)&reader->call.pointees[index], NULL,
                              1)
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
                   ? memory_value(reader, type, value.memory, value.count, NULL, 0)
                   : json_null();
    }
    return native ? describe(reader, type, native, NULL, 0) : json_null();
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
        struct owner nobody = {.reader = reader};
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
            element_count(reader, &sized, (const uint8_t *)(uintptr_t)word, &nobody, &count)) {
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
