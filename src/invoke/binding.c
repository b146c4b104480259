/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/binding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

void (*symbols_code(const struct symbols *symbols, const char *name))(void)
{
    void *symbol = symbols->resolve(symbols->context, name);
    void (*code)(void);
    _Static_assert(sizeof code == sizeof symbol, "POSIX: dlsym() gives functions as well");
    memcpy(&code, &symbol, sizeof code);
    return code;
}

static void binding_free(struct binding *binding)
{
    if (binding) {
        shapes_free(binding->shapes);
        free((void *)(uintptr_t)binding->plan);
        free(binding);
    }
}

static int copy_plan(struct binding *binding, const void *bytes, size_t length, struct message *why)
{
    void *copy = malloc(length ? length : 1);
    if (!copy) {
        return message_set(why, -ENOMEM, "no memory for a plan of %zu bytes", length);
    }
    memcpy(copy, bytes, length);
    int r = plan_validate(copy, length, &binding->plan, why);
    if (r < 0) {
        free(copy);
        return r;
    }
    /* The binding owns the copy. NOLINTNEXTLINE(clang-analyzer-*) */
    binding->plan_bytes = length;
    if (plan_header(binding->plan)->function_count == 0) {
        return message_set(why, -EINVAL, "the plan describes a type, not a function");
    }
    return 0;
}

/* What the library gives away must be freed by a function that is there. */
static int check_releasers(const struct binding *binding, const struct symbols *symbols,
                           struct message *why)
{
    for (uint32_t i = 0; i < plan_header(binding->plan)->type_count; i++) {
        const struct cordon_plan_type *type = plan_type(binding->plan, i);
        if (!(type->flags & CORDON_PLAN_OWNED)) {
            continue;
        }
        const char *releaser = plan_name(binding->plan, type->releaser);
        if (!symbols_code(symbols, releaser)) {
            return message_set(why, -ENOENT,
                               "no function '%s' in the library to free what '%s' gives", releaser,
                               binding->name);
        }
    }
    return 0;
}

static void note_params(struct binding *binding)
{
    const struct cordon_plan_function *function = plan_function(binding->plan, 0);
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(binding->plan, function, i);
        uint32_t flags = plan_type(binding->plan, param->type)->flags;
        binding->releases = binding->releases || (flags & CORDON_PLAN_RELEASE);
        binding->takes_list = binding->takes_list || (flags & CORDON_PLAN_VA_LIST);
    }
}

static int binding_init(struct binding *binding, const void *bytes, size_t length,
                        const struct symbols *symbols, struct message *why)
{
    int r = copy_plan(binding, bytes, length, why);
    if (r < 0) {
        return r;
    }
    const struct cordon_plan_function *function = plan_function(binding->plan, 0);
    binding->name = plan_name(binding->plan, function->name);
    const char *symbol = plan_name(binding->plan, function->symbol);
    binding->code = symbols_code(symbols, symbol);
    if (!binding->code) {
        (void)message_set(why, -ENOENT, "no function '%s' in the library", symbol);
        if (symbols->explain) {
            symbols->explain(symbols->context, symbol, why);
        }
        return -ENOENT;
    }
    r = check_releasers(binding, symbols, why);
    if (r < 0) {
        return r;
    }
    r = shapes_new(binding->plan, &binding->shapes, why);
    if (r < 0) {
        return r;
    }
    size_t size = plan_type(binding->plan, function->result.type)->size;
    binding->result_bytes = size > sizeof(ffi_arg) ? size : sizeof(ffi_arg);
    note_params(binding);
    direct_init(&binding->direct, binding->plan);
    return 0;
}

static int make_room(struct bindings *bindings, uint32_t id)
{
    if (id < bindings->count) {
        return 0;
    }
    uint32_t count = bindings->count ? bindings->count : 16;
    while (count <= id) {
        count *= 2;
    }
    struct binding **by_id = realloc(bindings->by_id, count * sizeof(struct binding *));
    if (!by_id) {
        return -ENOMEM;
    }
    for (uint32_t i = bindings->count; i < count; i++) {
        by_id[i] = NULL;
    }
    bindings->by_id = by_id;
    bindings->count = count;
    return 0;
}

int bindings_add(struct bindings *bindings, uint32_t id, const void *bytes, size_t length,
                 const struct symbols *symbols, struct message *why)
{
    if (id >= LIMIT_FUNCTIONS) {
        return message_set(why, -E2BIG, "function id %u, but ids are below %u (LIMIT_FUNCTIONS)",
                           id, LIMIT_FUNCTIONS);
    }
    const struct binding *known = bindings_find(bindings, id);
    if (known) {
        bool same = known->plan_bytes == length && memcmp(known->plan, bytes, length) == 0;
        return same ? 0
                    : message_set(why, -EEXIST, "function id %u is bound to another plan, of '%s'",
                                  id, known->name);
    }
    struct binding *binding = calloc(1, sizeof *binding);
    if (!binding || make_room(bindings, id) < 0) {
        free(binding);
        return message_set(why, -ENOMEM, "no memory for another binding");
    }
    binding->id = id;
    int r = binding_init(binding, bytes, length, symbols, why);
    if (r < 0) {
        binding_free(binding);
        return r;
    }
    bindings->by_id[id] = binding;
    return 0;
}

struct binding *bindings_of_plan(const struct bindings *bindings, const struct plan *plan)
{
    for (uint32_t i = 0; i < bindings->count; i++) {
        if (bindings->by_id[i] && bindings->by_id[i]->plan == plan) {
            return bindings->by_id[i];
        }
    }
    return NULL;
}

void bindings_deinit(struct bindings *bindings)
{
    for (uint32_t i = 0; i < bindings->count; i++) {
        binding_free(bindings->by_id[i]);
    }
    free(bindings->by_id);
    *bindings = (struct bindings){0};
}
