/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/prototype.h"

#include "prototype/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "prototype/compile.h"
#include "prototype/parser.h"

struct interface_entry {
    const char *name;
    const void *plan;
    uint32_t plan_bytes;
};

struct interface {
    struct pool pool; /* entries, names and plans */
    const char *library;
    struct interface_entry *functions;
    size_t function_count;
    struct interface_entry *types;
    size_t type_count;
    uint32_t *slots; /* hash of function names: index + 1 */
    uint32_t slot_count;
};

static uint32_t hash_name(const char *name)
{
    return (uint32_t)fnv64(FNV64_START, name, strlen(name));
}

static const char *keep_text(struct unit *unit, struct interface *interface, const char *text)
{
    const char *kept = pool_text(&interface->pool, text, strlen(text));
    if (!kept) {
        (void)unit_refuse(unit, 0, -ENOMEM, "not enough memory");
    }
    return kept;
}

static void *keep_room(struct unit *unit, struct interface *interface, size_t bytes)
{
    void *room = pool_take(&interface->pool, bytes);
    if (!room) {
        (void)unit_refuse(unit, 0, -ENOMEM, "not enough memory");
    }
    return room;
}

/* False: no memory. */
static bool index_functions(struct interface *interface)
{
    interface->slot_count = 2;
    while (interface->slot_count < 2 * interface->function_count) {
        interface->slot_count *= 2;
    }
    interface->slots =
        pool_take(&interface->pool, interface->slot_count * sizeof *interface->slots);
    for (size_t i = 0; interface->slots && i < interface->function_count; i++) {
        uint32_t slot = hash_name(interface->functions[i].name) & (interface->slot_count - 1);
        while (interface->slots[slot]) {
            slot = (slot + 1) & (interface->slot_count - 1);
        }
        interface->slots[slot] = (uint32_t)i + 1;
    }
    return interface->slots != NULL;
}

/* Whether what was just compiled is left out; the compiler is as before it then. */
static bool forgive(struct compiler *compiler, const char *name)
{
    if (!unit_forgive(compiler->unit, name)) {
        return false;
    }
    compiler->scope = NULL;
    compiler->depth = 0;
    compiler->callbacks = 0;
    return true;
}

static bool compile_functions(struct compiler *compiler, struct interface *interface)
{
    struct unit *unit = compiler->unit;
    size_t room = unit->function_count * sizeof *interface->functions;
    interface->functions = keep_room(unit, interface, room);
    for (const struct function *f = unit->functions; f && !unit->error; f = f->next) {
        struct interface_entry *entry = &interface->functions[interface->function_count];
        entry->name = keep_text(unit, interface, f->name);
        entry->plan = compile_function(compiler, f, &interface->pool, &entry->plan_bytes);
        if (!forgive(compiler, f->name)) {
            interface->function_count++;
        }
    }
    if (!unit->error && !index_functions(interface)) {
        (void)unit_refuse(unit, 0, -ENOMEM, "not enough memory");
    }
    return !unit->error;
}

/* Only what has a size has a plan of its own: structs, enums, names of numbers. */
static bool has_plan(const struct named_type *named)
{
    return named->type->shape == SHAPE_SCALAR ||
           (named->type->shape == SHAPE_RECORD && named->type->record->defined &&
            !named->type->record->is_union);
}

static bool compile_types(struct compiler *compiler, struct interface *interface)
{
    struct unit *unit = compiler->unit;
    size_t count = 0;
    for (const struct named_type *n = unit->named_types; n; n = n->next) {
        count += has_plan(n) ? 1 : 0;
    }
    interface->types = keep_room(unit, interface, count * sizeof *interface->types);
    for (const struct named_type *n = unit->named_types; n && !unit->error; n = n->next) {
        if (has_plan(n)) {
            struct interface_entry *entry = &interface->types[interface->type_count];
            entry->name = keep_text(unit, interface, n->name);
            entry->plan = compile_named_type(compiler, n, &interface->pool, &entry->plan_bytes);
            if (!forgive(compiler, n->name)) {
                interface->type_count++;
            } else if (n->type->shape == SHAPE_RECORD) {
                n->type->record->opaque = true;
            }
        }
    }
    return !unit->error;
}

static int compile_unit(struct unit *unit, struct interface *interface)
{
    struct compiler compiler = {.unit = unit, .builder = {.unit = unit}};
    /* Pointers to structs that cannot be copied are handles, where that may be guessed. */
    bool compiled =
        unit->tolerant
            ? compile_types(&compiler, interface) && compile_functions(&compiler, interface)
            : compile_functions(&compiler, interface) && compile_types(&compiler, interface);
    if (compiled && unit->library) {
        interface->library = keep_text(unit, interface, unit->library);
    }
    builder_deinit(&compiler.builder);
    return unit->error;
}

/* Whose pool and error are still empty. */
static int parse_unit(struct unit *unit, struct interface **ret_interface)
{
    struct interface *interface = calloc(1, sizeof *interface);
    if (!interface) {
        return message_set(unit->why, -ENOMEM, "%.100s: not enough memory", unit->name);
    }
    struct pool pool = {0};
    unit->pool = &pool;
    if (lexer_run(unit) == 0 && parse_text(unit)) {
        (void)compile_unit(unit, interface);
    }
    int r = unit->error;
    pool_deinit(&pool);
    if (r < 0) {
        interface_free(interface);
        return r;
    }
    *ret_interface = interface;
    return 0;
}

int interface_parse(const char *name, const char *text, size_t length,
                    struct interface **ret_interface, struct message *why)
{
    if (length > LIMIT_PROTOTYPE_BYTES) {
        return message_set(why, -E2BIG, "%.100s: longer than LIMIT_PROTOTYPE_BYTES (%u)", name,
                           LIMIT_PROTOTYPE_BYTES);
    }
    struct unit unit = {.name = name, .text = text, .length = (uint32_t)length, .why = why};
    return parse_unit(&unit, ret_interface);
}

int interface_parse_some(const char *name, const char *text, size_t length,
                         interface_skipped *skipped, void *context,
                         struct interface **ret_interface, struct message *why)
{
    struct message sentence = {{0}};
    if (length > LIMIT_HEADER_BYTES) {
        return message_set(why, -E2BIG, "%.100s: longer than LIMIT_HEADER_BYTES (%u)", name,
                           LIMIT_HEADER_BYTES);
    }
    struct unit unit = {.name = name,
                        .text = text,
                        .length = (uint32_t)length,
                        .why = &sentence,
                        .tolerant = true,
                        .skipped = skipped,
                        .skipped_context = context};
    int r = parse_unit(&unit, ret_interface);
    return r < 0 ? message_set(why, r, "%.100s: %s", name, sentence.text) : 0;
}

static int take_part(struct interface *interface, const struct interface_part *part,
                     struct message *why)
{
    const struct plan *plan;
    bool is_type = part->type_name != NULL;
    int r = plan_validate(part->plan, part->plan_bytes, &plan, why);
    if (r < 0) {
        return r;
    }
    const struct cordon_plan_header *header = plan_header(plan);
    if (is_type ? header->root_type >= header->type_count : header->function_count == 0) {
        return message_set(why, -EBADMSG, "a plan is not of the kind that was said");
    }
    const char *name = is_type ? part->type_name : plan_name(plan, plan_function(plan, 0)->name);
    struct interface_entry entry = {.name = pool_text(&interface->pool, name, strlen(name)),
                                    .plan_bytes = (uint32_t)part->plan_bytes};
    void *copy = pool_take(&interface->pool, part->plan_bytes);
    if (!entry.name || !copy) {
        return message_set(why, -ENOMEM, "not enough memory for an interface");
    }
    memcpy(copy, part->plan, part->plan_bytes);
    entry.plan = copy;
    if (is_type) {
        interface->types[interface->type_count++] = entry;
    } else {
        interface->functions[interface->function_count++] = entry;
    }
    return 0;
}

int interface_of_plans(const struct interface_part *parts, size_t count,
                       struct interface **ret_interface, struct message *why)
{
    struct interface *interface = calloc(1, sizeof *interface);
    if (!interface) {
        return message_set(why, -ENOMEM, "not enough memory for an interface");
    }
    size_t room = (count + 1) * sizeof *interface->functions;
    interface->functions = pool_take(&interface->pool, room);
    interface->types = pool_take(&interface->pool, room);
    int r = interface->functions && interface->types ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && r == 0; i++) {
        r = take_part(interface, &parts[i], why);
    }
    if (r == 0 && !index_functions(interface)) {
        r = message_set(why, -ENOMEM, "not enough memory for an interface");
    }
    if (r < 0) {
        interface_free(interface);
        return r;
    }
    *ret_interface = interface;
    return 0;
}

void interface_free(struct interface *interface)
{
    if (interface) {
        pool_deinit(&interface->pool);
        free(interface);
    }
}

const char *interface_library(const struct interface *interface)
{
    return interface->library;
}

size_t interface_function_count(const struct interface *interface)
{
    return interface->function_count;
}

const void *interface_plan(const struct interface *interface, size_t index, size_t *ret_bytes)
{
    *ret_bytes = interface->functions[index].plan_bytes;
    return interface->functions[index].plan;
}

int interface_find(const struct interface *interface, const char *name, size_t *ret_index)
{
    if (!name) {
        if (interface->function_count != 1) {
            return -ENOENT;
        }
        *ret_index = 0;
        return 0;
    }
    uint32_t slot = hash_name(name) & (interface->slot_count - 1);
    for (; interface->slots[slot]; slot = (slot + 1) & (interface->slot_count - 1)) {
        size_t index = interface->slots[slot] - 1;
        if (strcmp(interface->functions[index].name, name) == 0) {
            *ret_index = index;
            return 0;
        }
    }
    return -ENOENT;
}

int interface_type_plan(const struct interface *interface, const char *name, const void **ret_plan,
                        size_t *ret_bytes)
{
    for (size_t i = 0; i < interface->type_count; i++) {
        if (strcmp(interface->types[i].name, name) == 0) {
            *ret_plan = interface->types[i].plan;
            *ret_bytes = interface->types[i].plan_bytes;
            return 0;
        }
    }
    return -ENOENT;
}

size_t interface_type_count(const struct interface *interface)
{
    return interface->type_count;
}

const void *interface_type(const struct interface *interface, size_t index, const char **ret_name,
                           size_t *ret_bytes)
{
    *ret_name = interface->types[index].name;
    *ret_bytes = interface->types[index].plan_bytes;
    return interface->types[index].plan;
}

/* The tag that a handle of the type that @bytes describe carries: FNV-1a 32 of the struct's name. */
static uint32_t tag_of(const void *bytes)
{
    const struct plan *plan = bytes;
    uint32_t hash = 2166136261u;
    const char *name = plan_name(plan, plan_type(plan, plan_header(plan)->root_type)->name);
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

int interface_type_by_tag(const struct interface *interface, uint32_t tag, const void **ret_plan,
                          size_t *ret_bytes)
{
    for (size_t i = 0; i < interface->type_count; i++) {
        if (tag_of(interface->types[i].plan) == tag) {
            *ret_plan = interface->types[i].plan;
            *ret_bytes = interface->types[i].plan_bytes;
            return 0;
        }
    }
    return -ENOENT;
}
