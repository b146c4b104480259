/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_BUILDER_H
#define PROTOTYPE_BUILDER_H

/*
 * Builder: the tables of one plan while it grows, then its bytes. One builder makes all plans of an
 * interface, one after the other. Functions return CORDON_PLAN_NONE once the unit is refused.
 */

#include "cordon/plan.h"
#include "prototype/unit.h"

struct builder_table {
    unsigned char *bytes;
    uint32_t used;
    uint32_t room;
};

/* Open addressing over what is in a table already, to store equal things once. */
struct builder_seen {
    uint32_t *slots; /* offset in the table + 1 */
    uint32_t room;
    uint32_t used;
};

struct builder {
    struct unit *unit;
    uint32_t at;          /* the declaration being compiled, for errors of size */
    uint32_t stamp;       /* of this plan, never 0 */
    uint64_t bytes_total; /* of all plans so far */
    struct builder_table functions, params, types, fields, enumerators, code, names;
    struct builder_table heights; /* a byte per type: how deep types nest below it */
    struct builder_seen types_seen, names_seen;
};

/* Start the plan of the declaration at @at. */
bool builder_begin(struct builder *builder, uint32_t at);

/* Offset of @text among the names; NULL and "" are 0. */
uint32_t builder_name(struct builder *builder, const char *text);

/* Index of a type like @type, whose target and fields are there already. */
uint32_t builder_type(struct builder *builder, const struct cordon_plan_type *type);

/* Byte offset in @table of a copy of @bytes. */
uint32_t builder_append(struct builder *builder, struct builder_table *table, const void *bytes,
                        size_t length);

/* The finished plan, in @pool, aligned to 16; NULL once refused. */
void *builder_finish(struct builder *builder, struct pool *pool, uint32_t root_type,
                     uint32_t *ret_bytes);

void builder_deinit(struct builder *builder);

/* FNV-1a 64 of @length bytes, going on from @hash. */
#define FNV64_START 14695981039346656037ull
uint64_t fnv64(uint64_t hash, const void *bytes, size_t length);

#endif
