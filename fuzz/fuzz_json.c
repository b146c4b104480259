/* SPDX-License-Identifier: Apache-2.0 */
/* Aims at document_parse(), json_call_named(), json_call_positional() and json_call_result(). */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cordon/interface.h"
#include "json/call.h"
#include "json/fault.h"

/*
 * The first byte chooses the function and, by bit 7, whether the text has its padding. The rest is the text. What the
 * function "did" is made of the text as well: outputs and results of any value.
 */

#define NESTING_MAX 24u
#define BYTES_MAX   (1u << 20)
#define OUT_MAX     (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *prototype;
    const char *fixed;
    const char *result;
} functions[] = {
    {"uint32_t f(uint32_t crc, const uint8_t buf[len], uint32_t len)", NULL, NULL},
    {"void f(const uint8_t d[n], size_t n, out uint8_t md[32])", NULL, "md"},
    {"int f(out uint8_t d[*n], inout size_t *n, const char s[m], int m)", NULL, NULL},
    {"double f(bool b, int8_t i, int16_t j, int64_t k, uint64_t l, float g, double h)", NULL, NULL},
    {"enum e { A, B = 7, C = -1 }; enum e f(enum e x, const enum e y[n], int n)", NULL, NULL},
    {"const char *f(const char *a, nullable const char *b, out char s[cap], int cap)", NULL, NULL},
    {"struct p { int x; double y[3]; char n[8]; uint8_t raw[4]; }; "
     "struct p f(struct p a, const struct p b[n], int n, inout struct p *c, out struct p *d)",
     NULL, NULL},
    {"struct v { out void base[len]; size_t len; }; long f(int fd, const struct v v[n], int n)",
     NULL, NULL},
    {"struct v { const void base[len]; uint8_t len; }; long f(const struct v v[n], int n)", NULL,
     NULL},
    {"struct t { const char *s; const int a[n]; int n; struct { short u; } in; }; "
     "int f(inout struct t *t)",
     NULL, NULL},
    {"void f(const char *const names[null], int a[n], int n)", NULL, NULL},
    {"struct db; int f(struct db *db, struct db *const more[n], int n, out struct db **next, "
     "release struct db *old)",
     NULL, NULL},
    {"int f(out owned(free) char **s, inout owned(free) char **t, int (*cb)(int), void *context)",
     NULL, NULL},
    {"within(s) char *f(const char *s, out within(s) char **end, int base)", NULL, NULL},
    {"int f(out char s[n], size_t n, const char *format, ...)", "{\"n\":64}", NULL},
    {"int f(int w, int h, out uint32_t px[w * h], nullable inout int *k)", "{\"h\":3}", NULL},
};
#define FUNCTION_COUNT (sizeof functions / sizeof functions[0])

static struct json_method methods[FUNCTION_COUNT];
static struct cordon_interface *interfaces[FUNCTION_COUNT]; /* of the methods' plans */

static void make_methods(void)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        struct message why;
        size_t bytes;
        int r = cordon_interface_parse("fuzz", functions[i].prototype,
                                       strlen(functions[i].prototype), &interfaces[i], NULL);
        assert(r == 0);
        const struct json_method_options options = {
            .plan = cordon_interface_plan(interfaces[i], 0, &bytes),
            .fixed = functions[i].fixed,
            .fixed_length = functions[i].fixed ? strlen(functions[i].fixed) : 0,
            .result = functions[i].result,
            .encoding = (enum json_encoding)(i % 3),
            .bytes_max = BYTES_MAX,
        };
        r = json_method_init(&methods[i], &options, &why);
        assert(r == 0);
    }
}

static int take(void *context, const char *text, size_t length, uint32_t tag,
                struct cordon_handle *ret_handle, struct message *why)
{
    (void)context;
    if (length == 0 || text[length] != '\0') {
        return message_set(why, -ESTALE, "no handle");
    }
    *ret_handle = (struct cordon_handle){.worker = 1, .generation = 1, .index = 1, .tag = tag};
    return 0;
}

static void give(void *context, struct cordon_handle handle, const char *type_name,
                 struct json_out *out)
{
    (void)context;
    assert(handle.generation != 0 || handle.index != 0 || handle.worker != 0);
    json_out_string(out, type_name);
}

static const struct json_hooks hooks = {.take = take, .give = give};

/* Text that we wrote must be JSON, and read back as itself. */
static void check_written(const struct json_out *out)
{
    struct document document = {0};
    struct json_value root;
    int r;
    if (out->failed) {
        return; /* beyond OUT_MAX */
    }
    r = document_parse(&document, out->text, out->length, out->length, 4096, &root, NULL);
    assert(r == 0);
    document_deinit(&document);
}

static void write_back(struct json_value root)
{
    struct json_out out = {.length_max = OUT_MAX};
    json_out_value(&out, root);
    check_written(&out);
    json_out_deinit(&out);
}

/* What a function may have left in the memory that it was given: anything. */
static void scribble(struct json_call *call, const uint8_t *data, size_t size)
{
    const struct plan_view *plan = call->method->plan;
    for (uint32_t i = 0; i < call->method->count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        const struct cordon_plan_type *type = view_type(plan, param->type);
        if (param->position == CORDON_PLAN_NO_WORD || param->position >= call->values.count ||
            !view_is_memory(type) || type->direction == CORDON_PLAN_IN) {
            continue;
        }
        struct cordon_value *value = &call->values.values[param->position];
        if (value->kind != CORDON_VALUE_MEMORY) {
            continue;
        }
        if (param->passing == CORDON_PLAN_PASS_DYNAMIC) {
            char *owned = strndup((const char *)data, size);
            memcpy(value->memory, &owned, sizeof owned);
            continue;
        }
        size_t room = image_room(&call->values.image, value->memory);
        for (size_t at = 0; at < room && size > 0; at += size) {
            memcpy((uint8_t *)value->memory + at, data, room - at < size ? room - at : size);
        }
    }
}

static void answer(struct json_call *call, const uint8_t *data, size_t size)
{
    struct json_out out = {.length_max = OUT_MAX};
    struct cordon_result result;
    const struct cordon_plan_type *type =
        view_type(call->method->plan, view_function(call->method->plan)->result.type);
    uint8_t memory[256] = {0};
    memset(&result, 0, sizeof result);
    memcpy(&result.value.u, data, size < 8 ? size : 8);
    result.value.kind = type->kind == CORDON_PLAN_F64 ? CORDON_VALUE_FLOAT : CORDON_VALUE_UINT;
    if (type->kind == CORDON_PLAN_STRUCT || type->kind == CORDON_PLAN_STRING) {
        memcpy(memory, data, size < sizeof memory - 1 ? size : sizeof memory - 1);
        result.value =
            cordon_in(memory, type->kind == CORDON_PLAN_STRUCT ? 1 : strlen((char *)memory));
    }
    json_call_result(call, &result, &hooks, &out);
    check_written(&out);
    json_out_deinit(&out);
}

static void convert(const struct json_method *method, struct json_value root, const uint8_t *data,
                    size_t size)
{
    static struct json_call call; /* reused, as in a daemon */
    struct message why = {""};
    int r = json_value_kind(root) == JSON_KIND_ARRAY
                ? json_call_positional(&call, method, root, &hooks, &why)
                : json_call_named(&call, method, root, NULL, &hooks, &why);
    assert(r == 0 || why.text[0]);
    if (r == 0) {
        scribble(&call, data, size);
        answer(&call, data, size);
    }
    json_call_reset(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct document document;
    struct json_value root;
    struct message why = {""};
    size_t at;
    if (!methods[0].plan) {
        make_methods();
    }
    if (size < 1) {
        return 0;
    }
    size_t length = size - 1;
    size_t room = length + (data[0] & 0x80 ? DOCUMENT_PADDING : 0);
    char *text = malloc(room + 1);
    memset(text, '0', room); /* padding that would go on with a number */
    memcpy(text, data + 1, length);
    int r = document_parse(&document, text, length, room, NESTING_MAX, &root, &why);
    assert(r == -E2BIG || (r != 0) == (fault_find(text, length, NESTING_MAX, &at) != NULL));
    if (r == 0) {
        assert(json_value_duplicate(root, NULL) >= 0);
        write_back(root);
        convert(&methods[(data[0] & 0x7f) % FUNCTION_COUNT], root, data + 1, length);
    }
    free(text);
    return 0;
}
