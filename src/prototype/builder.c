/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/builder.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#if defined(__aarch64__)
#define PLAN_ABI CORDON_PLAN_ABI_AARCH64
#elif defined(__x86_64__)
#define PLAN_ABI CORDON_PLAN_ABI_X86_64_SYSV
#else
#error "Cordon knows the ABIs of x86-64 and arm64"
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plans are little-endian");

uint64_t fnv64(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ byte[i]) * 1099511628211ull;
    }
    return hash;
}

static bool table_grow(struct builder *builder, struct builder_table *table, size_t length)
{
    if (table->used + length > CORDON_PLAN_BYTES_MAX) {
        return !unit_refuse(builder->unit, builder->at, -E2BIG,
                            "this plan is larger than CORDON_PLAN_BYTES_MAX (%u)",
                            CORDON_PLAN_BYTES_MAX);
    }
    uint32_t room = table->room ? table->room : 512;
    while (room < table->used + length) {
        room *= 2;
    }
    if (room == table->room) {
        return true;
    }
    unsigned char *bytes = realloc(table->bytes, room);
    if (!bytes) {
        return !unit_refuse(builder->unit, builder->at, -ENOMEM, "not enough memory");
    }
    table->bytes = bytes;
    table->room = room;
    return true;
}

uint32_t builder_append(struct builder *builder, struct builder_table *table, const void *bytes,
                        size_t length)
{
    if (builder->unit->error || !table_grow(builder, table, length)) {
        return CORDON_PLAN_NONE;
    }
    uint32_t at = table->used;
    if (length > 0) {
        memcpy(table->bytes + at, bytes, length);
    }
    table->used += (uint32_t)length;
    return at;
}

/* Room for one more, slots emptied and filled anew by @hash_of when they grow. */
static bool seen_reserve(struct builder *builder, struct builder_seen *seen,
                         const struct builder_table *table,
                         uint64_t (*hash_of)(const struct builder_table *, uint32_t at))
{
    if (seen->used < seen->room / 2) {
        return true;
    }
    uint32_t room = seen->room ? seen->room * 2 : 64;
    uint32_t *slots = calloc(room, sizeof *slots);
    if (!slots) {
        return !unit_refuse(builder->unit, builder->at, -ENOMEM, "not enough memory");
    }
    for (uint32_t i = 0; i < seen->room; i++) {
        if (seen->slots[i]) {
            uint32_t j = (uint32_t)hash_of(table, seen->slots[i] - 1) & (room - 1);
            while (slots[j]) {
                j = (j + 1) & (room - 1);
            }
            slots[j] = seen->slots[i];
        }
    }
    free(seen->slots);
    seen->slots = slots;
    seen->room = room;
    return true;
}

static void seen_clear(struct builder_seen *seen)
{
    if (seen->slots) {
        memset(seen->slots, 0, seen->room * sizeof *seen->slots);
    }
    seen->used = 0;
}

static uint64_t name_hash_at(const struct builder_table *names, uint32_t at)
{
    const char *name = (const char *)names->bytes + at;
    return fnv64(FNV64_START, name, strlen(name));
}

static uint64_t type_hash_at(const struct builder_table *types, uint32_t at)
{
    return fnv64(FNV64_START, types->bytes + at, sizeof(struct cordon_plan_type));
}

bool builder_begin(struct builder *builder, uint32_t at)
{
    struct builder_table *tables[] = {&builder->functions,   &builder->params, &builder->types,
                                      &builder->fields,      &builder->code,   &builder->names,
                                      &builder->enumerators, &builder->heights};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        tables[i]->used = 0;
    }
    seen_clear(&builder->types_seen);
    seen_clear(&builder->names_seen);
    builder->at = at;
    builder->stamp++;
    return builder_append(builder, &builder->names, "", 1) != CORDON_PLAN_NONE;
}

uint32_t builder_name(struct builder *builder, const char *text)
{
    if (!text || !*text) {
        return 0;
    }
    struct builder_seen *seen = &builder->names_seen;
    if (!seen_reserve(builder, seen, &builder->names, name_hash_at)) {
        return CORDON_PLAN_NONE;
    }
    uint32_t i = (uint32_t)fnv64(FNV64_START, text, strlen(text)) & (seen->room - 1);
    for (; seen->slots[i]; i = (i + 1) & (seen->room - 1)) {
        if (strcmp((const char *)builder->names.bytes + seen->slots[i] - 1, text) == 0) {
            return seen->slots[i] - 1;
        }
    }
    uint32_t at = builder_append(builder, &builder->names, text, strlen(text) + 1);
    if (at != CORDON_PLAN_NONE) {
        seen->slots[i] = at + 1;
        seen->used++;
    }
    return at;
}

static uint8_t height_of(const struct builder *builder, uint32_t type)
{
    return builder->heights.bytes[type];
}

static uint32_t height_above(const struct builder *builder, const struct cordon_plan_type *type)
{
    uint32_t below = 0;
    if (type->kind == CORDON_PLAN_STRUCT || type->kind == CORDON_PLAN_UNION) {
        const struct cordon_plan_field *fields =
            (const struct cordon_plan_field *)(const void *)builder->fields.bytes + type->first;
        for (uint32_t i = 0; i < type->count; i++) {
            uint32_t height = height_of(builder, fields[i].type);
            below = height > below ? height : below;
        }
    } else if (type->kind != CORDON_PLAN_CALLBACK && type->target != CORDON_PLAN_NONE) {
        below = height_of(builder, type->target);
    }
    return below + 1;
}

static uint32_t type_append(struct builder *builder, const struct cordon_plan_type *type)
{
    uint32_t height = height_above(builder, type);
    if (height > CORDON_PLAN_DEPTH_MAX) {
        (void)unit_refuse(builder->unit, builder->at, -E2BIG,
                          "types nest deeper than CORDON_PLAN_DEPTH_MAX (%u)",
                          CORDON_PLAN_DEPTH_MAX);
        return CORDON_PLAN_NONE;
    }
    uint8_t byte = (uint8_t)height;
    return builder_append(builder, &builder->heights, &byte, 1) == CORDON_PLAN_NONE
               ? CORDON_PLAN_NONE
               : builder_append(builder, &builder->types, type, sizeof *type);
}

uint32_t builder_type(struct builder *builder, const struct cordon_plan_type *type)
{
    struct builder_seen *seen = &builder->types_seen;
    if (builder->unit->error || !seen_reserve(builder, seen, &builder->types, type_hash_at)) {
        return CORDON_PLAN_NONE;
    }
    uint32_t i = (uint32_t)fnv64(FNV64_START, type, sizeof *type) & (seen->room - 1);
    for (; seen->slots[i]; i = (i + 1) & (seen->room - 1)) {
        if (memcmp(builder->types.bytes + seen->slots[i] - 1, type, sizeof *type) == 0) {
            return (seen->slots[i] - 1) / (uint32_t)sizeof *type;
        }
    }
    uint32_t at = type_append(builder, type);
    if (at == CORDON_PLAN_NONE) {
        return CORDON_PLAN_NONE;
    }
    seen->slots[i] = at + 1;
    seen->used++;
    return at / (uint32_t)sizeof *type;
}

static uint32_t place(uint64_t *total, const struct builder_table *table)
{
    uint32_t at = (uint32_t)*total;
    *total = (*total + table->used + 7) & ~7ull;
    return at;
}

/* Tables in the order of the header, each aligned to 8. */
static uint64_t header_fill(const struct builder *builder, struct cordon_plan_header *header)
{
    uint64_t total = sizeof *header;
    header->functions_at = place(&total, &builder->functions);
    header->function_count = builder->functions.used / sizeof(struct cordon_plan_function);
    header->params_at = place(&total, &builder->params);
    header->param_count = builder->params.used / sizeof(struct cordon_plan_param);
    header->types_at = place(&total, &builder->types);
    header->type_count = builder->types.used / sizeof(struct cordon_plan_type);
    header->fields_at = place(&total, &builder->fields);
    header->field_count = builder->fields.used / sizeof(struct cordon_plan_field);
    header->enumerators_at = place(&total, &builder->enumerators);
    header->enumerator_count = builder->enumerators.used / sizeof(struct cordon_plan_enumerator);
    header->code_at = place(&total, &builder->code);
    header->code_bytes = builder->code.used;
    header->names_at = place(&total, &builder->names);
    header->names_bytes = builder->names.used;
    return total;
}

static void table_copy(unsigned char *plan, uint32_t at, const struct builder_table *table)
{
    if (table->used > 0) {
        memcpy(plan + at, table->bytes, table->used);
    }
}

void *builder_finish(struct builder *builder, struct pool *pool, uint32_t root_type,
                     uint32_t *ret_bytes)
{
    struct cordon_plan_header header = {.magic = CORDON_PLAN_MAGIC,
                                        .version = CORDON_PLAN_VERSION,
                                        .abi = PLAN_ABI,
                                        .root_type = root_type};
    uint64_t total = header_fill(builder, &header);
    builder->bytes_total += total;
    if (total > CORDON_PLAN_BYTES_MAX || builder->bytes_total > LIMIT_INTERFACE_BYTES) {
        (void)unit_refuse(builder->unit, builder->at, -E2BIG, "this plan is larger than %s (%u)",
                          total > CORDON_PLAN_BYTES_MAX ? "CORDON_PLAN_BYTES_MAX"
                                                        : "LIMIT_INTERFACE_BYTES leaves room for",
                          total > CORDON_PLAN_BYTES_MAX ? CORDON_PLAN_BYTES_MAX
                                                        : LIMIT_INTERFACE_BYTES);
    }
    unsigned char *plan = builder->unit->error ? NULL : pool_take(pool, total);
    if (!plan) {
        (void)unit_refuse(builder->unit, builder->at, -ENOMEM, "not enough memory");
        return NULL;
    }
    header.plan_bytes = (uint32_t)total;
    table_copy(plan, header.functions_at, &builder->functions);
    table_copy(plan, header.params_at, &builder->params);
    table_copy(plan, header.types_at, &builder->types);
    table_copy(plan, header.fields_at, &builder->fields);
    table_copy(plan, header.enumerators_at, &builder->enumerators);
    table_copy(plan, header.code_at, &builder->code);
    table_copy(plan, header.names_at, &builder->names);
    memcpy(plan, &header, sizeof header);
    header.layout_hash = fnv64(FNV64_START, plan, total);
    memcpy(plan, &header, sizeof header);
    *ret_bytes = (uint32_t)total;
    return plan;
}

void builder_deinit(struct builder *builder)
{
    struct builder_table *tables[] = {&builder->functions,   &builder->params, &builder->types,
                                      &builder->fields,      &builder->code,   &builder->names,
                                      &builder->enumerators, &builder->heights};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        free(tables[i]->bytes);
        tables[i]->bytes = NULL;
    }
    free(builder->types_seen.slots);
    free(builder->names_seen.slots);
}
