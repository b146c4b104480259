/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "prototype/compile.h"
#include "prototype/layout.h"

struct cordon_plan_type type_blank(enum cordon_plan_kind kind)
{
    return (struct cordon_plan_type){.kind = (uint8_t)kind,
                                     .direction = CORDON_PLAN_IN,
                                     .size = 8,
                                     .align = 8,
                                     .target = CORDON_PLAN_NONE,
                                     .code = CORDON_PLAN_NONE,
                                     .within = CORDON_PLAN_NONE,
                                     .length_code = CORDON_PLAN_NONE};
}

/* Enumerators of one enum stand in a plan once. */
static bool compile_enumerators(struct compiler *compiler, struct enumeration *enumeration)
{
    struct builder *builder = &compiler->builder;
    if (enumeration->compiled_stamp == builder->stamp) {
        return true;
    }
    enumeration->compiled_stamp = builder->stamp;
    enumeration->compiled_first =
        builder->enumerators.used / (uint32_t)sizeof(struct cordon_plan_enumerator);
    for (const struct enumerator *e = enumeration->enumerators; e; e = e->next) {
        struct cordon_plan_enumerator record = {.name = builder_name(builder, e->name),
                                                .value = e->value};
        if (builder_append(builder, &builder->enumerators, &record, sizeof record) ==
            CORDON_PLAN_NONE) {
            return false;
        }
    }
    return true;
}

static uint32_t compile_scalar(struct compiler *compiler, const struct ctype *type, uint32_t flags)
{
    struct cordon_plan_type record = type_blank((enum cordon_plan_kind)type->scalar);
    record.size = record.align = layout_scalar_bytes(type->scalar);
    record.name = builder_name(&compiler->builder, type->name);
    record.flags = flags;
    if (type->enumeration) {
        if (!compile_enumerators(compiler, type->enumeration)) {
            return CORDON_PLAN_NONE;
        }
        record.flags |= CORDON_PLAN_ENUM;
        record.first = type->enumeration->compiled_first;
        record.count = type->enumeration->count;
    }
    return builder_type(&compiler->builder, &record);
}

static uint32_t compile_nothing(struct compiler *compiler)
{
    struct cordon_plan_type nothing = type_blank(CORDON_PLAN_VOID);
    nothing.size = 0;
    nothing.align = 1;
    return builder_type(&compiler->builder, &nothing);
}

static bool compile_fields(struct compiler *compiler, const struct record *record,
                           struct cordon_plan_field *fields)
{
    uint32_t i = 0;
    for (const struct field *field = record->fields; field; field = field->next, i++) {
        const struct ctype *type = field->type;
        fields[i].name = builder_name(&compiler->builder, field->name);
        fields[i].offset = field->offset;
        if (record->is_union) {
            fields[i].flags = field->is_case ? CORDON_PLAN_FIELD_CASE : CORDON_PLAN_FIELD_DEFAULT;
            fields[i].filled_by = (uint32_t)field->value;
            fields[i].value_high = (uint32_t)((uint64_t)field->value >> 32);
        }
        fields[i].type =
            record->is_union && type->shape == SHAPE_VOID
                ? compile_nothing(compiler)
                : compile_type(compiler, type, &field->notes, PLACE_FIELD, field->name, field->at);
        if (fields[i].type == CORDON_PLAN_NONE) {
            return false;
        }
    }
    return true;
}

/* The member that @code names and nothing else, or NONE. */
static uint32_t plain_field(const struct builder *builder, uint32_t code)
{
    uint16_t index = 0;
    if (code == CORDON_PLAN_NONE || builder->code.bytes[code] != CORDON_PLAN_OP_FIELD) {
        return CORDON_PLAN_NONE;
    }
    const unsigned char *bytes = builder->code.bytes + code;
    memcpy(&index, bytes + 1, sizeof index);
    return bytes[3] == CORDON_PLAN_OP_END ? index : CORDON_PLAN_NONE;
}

/* Members that are the length of what goes in behind another one. */
static void mark_filled_fields(const struct builder *builder, struct cordon_plan_field *fields,
                               uint32_t count)
{
    const struct cordon_plan_type *types =
        (const struct cordon_plan_type *)(const void *)builder->types.bytes;
    for (uint32_t i = 0; i < count; i++) {
        const struct cordon_plan_type *type = &types[fields[i].type];
        uint32_t length =
            type->kind == CORDON_PLAN_POINTER ? plain_field(builder, type->code) : CORDON_PLAN_NONE;
        if (length != CORDON_PLAN_NONE && type->direction != CORDON_PLAN_OUT &&
            !(fields[length].flags & CORDON_PLAN_FIELD_FILLED)) {
            fields[length].flags |= CORDON_PLAN_FIELD_FILLED;
            fields[length].filled_by = i;
        }
    }
}

uint32_t compile_record(struct compiler *compiler, const struct ctype *type, uint32_t at)
{
    struct record *record = type->record;
    struct builder *builder = &compiler->builder;
    uint32_t size = 0;
    uint32_t align = 0;
    if (!layout_type(compiler->unit, type, at, &size, &align)) {
        return CORDON_PLAN_NONE;
    }
    if (record->compiled_stamp == builder->stamp) {
        return record->compiled_type;
    }
    struct cordon_plan_field *fields =
        unit_take(compiler->unit, record->field_count * sizeof *fields);
    if (!fields) {
        return CORDON_PLAN_NONE;
    }
    struct scope scope = {.record = record, .function = CORDON_PLAN_NONE};
    struct scope *outer = compiler->scope;
    record->open = true;
    compiler->scope = &scope;
    bool compiled = compile_fields(compiler, record, fields);
    compiler->scope = outer;
    record->open = false;
    if (!compiled) {
        return CORDON_PLAN_NONE;
    }
    mark_filled_fields(builder, fields, record->field_count);
    uint32_t first =
        builder_append(builder, &builder->fields, fields, record->field_count * sizeof *fields);
    struct cordon_plan_type plan = type_blank(CORDON_PLAN_STRUCT);
    plan.size = size;
    plan.align = align;
    plan.first = first / (uint32_t)sizeof *fields;
    plan.count = record->field_count;
    plan.name = builder_name(builder, record->tag);
    record->compiled_stamp = builder->stamp;
    record->compiled_type = builder_type(builder, &plan);
    return record->compiled_type;
}

/* Index of the integer member beside a union that tells which of its members is in use. */
static bool selector_index(struct compiler *compiler, const struct notes *notes, const char *name,
                           uint32_t at, uint32_t *ret_index)
{
    const struct record *record = compiler->scope ? compiler->scope->record : NULL;
    struct unit *unit = compiler->unit;
    if (!notes->selector) {
        return !unit_refuse(unit, at, -ENOTSUP,
                            "nothing says which member of the union '%.64s' is in use: write "
                            "`case VALUE:` before its members, and switch(MEMBER) behind '%.64s'",
                            name, name);
    }
    uint32_t index = 0;
    const struct field *field = record && !record->is_union ? record->fields : NULL;
    for (; field && strcmp(field->name, notes->selector) != 0; field = field->next) {
        index++;
    }
    if (!field) {
        return !unit_refuse(unit, notes->selector_at, -EINVAL,
                            "no member '%.64s' stands beside the union", notes->selector);
    }
    if (field->type->shape != SHAPE_SCALAR || field->type->scalar == CORDON_PLAN_F32 ||
        field->type->scalar == CORDON_PLAN_F64) {
        return !unit_refuse(unit, notes->selector_at, -EINVAL, "member '%.64s' is not an integer",
                            notes->selector);
    }
    *ret_index = index;
    return true;
}

/* A union inside a struct. What its members say of lengths is told by the struct's other members. */
static uint32_t compile_union(struct compiler *compiler, const struct ctype *type,
                              const struct notes *notes, enum place place, const char *name,
                              uint32_t at)
{
    struct record *record = type->record;
    struct builder *builder = &compiler->builder;
    struct cordon_plan_type plan = type_blank(CORDON_PLAN_UNION);
    if (place != PLACE_FIELD || !compiler->scope || !compiler->scope->record) {
        (void)unit_refuse(compiler->unit, at, -ENOTSUP,
                          "a union needs a struct around it, whose member says which of the "
                          "union's is in use");
        return CORDON_PLAN_NONE;
    }
    if (!layout_type(compiler->unit, type, at, &plan.size, &plan.align)) {
        return CORDON_PLAN_NONE;
    }
    if (notes->selector && !record->labelled) {
        (void)unit_refuse(compiler->unit, at, -EINVAL,
                          "the union of '%.64s' has no `case VALUE:` before its members", name);
        return CORDON_PLAN_NONE;
    }
    struct cordon_plan_field *fields =
        unit_take(compiler->unit, record->field_count * sizeof *fields);
    if (!fields || !selector_index(compiler, notes, name, at, &plan.within)) {
        return CORDON_PLAN_NONE;
    }
    bool open = record->open;
    record->open = true;
    bool compiled = compile_fields(compiler, record, fields);
    record->open = open;
    if (!compiled) {
        return CORDON_PLAN_NONE;
    }
    uint32_t first =
        builder_append(builder, &builder->fields, fields, record->field_count * sizeof *fields);
    plan.first = first / (uint32_t)sizeof *fields;
    plan.count = record->field_count;
    plan.name = builder_name(builder, record->tag);
    return builder_type(builder, &plan);
}

/* An array that lies inside a struct, or inside another array. */
static uint32_t compile_array(struct compiler *compiler, const struct ctype *type,
                              const struct notes *notes, const char *name, uint32_t at)
{
    struct cordon_plan_type array = type_blank(CORDON_PLAN_ARRAY);
    int64_t count = 0;
    if (!layout_type(compiler->unit, type, at, &array.size, &array.align) ||
        !expression_constant(compiler->unit, type->length->capacity, &count)) {
        return CORDON_PLAN_NONE;
    }
    array.target = type->target->shape == SHAPE_ARRAY
                       ? compile_array(compiler, type->target, notes, name, at)
                       : compile_type(compiler, type->target, notes, PLACE_FIELD, name, at);
    array.count = (uint32_t)count;
    array.flags =
        (type->target->is_text ? CORDON_PLAN_TEXT : 0u) | (notes->secret ? CORDON_PLAN_SECRET : 0u);
    return array.target == CORDON_PLAN_NONE ? CORDON_PLAN_NONE
                                            : builder_type(&compiler->builder, &array);
}

static uint32_t compile_va_list(struct compiler *compiler, enum place place, uint32_t at)
{
    if (place != PLACE_PARAM) {
        (void)unit_refuse(compiler->unit, at, -ENOTSUP, "a va_list can only be a parameter");
        return CORDON_PLAN_NONE;
    }
    struct cordon_plan_type type = type_blank(CORDON_PLAN_VARARGS);
    type.flags = CORDON_PLAN_VA_LIST;
    type.name = builder_name(&compiler->builder, "va_list");
    return builder_type(&compiler->builder, &type);
}

static bool check_plain(struct compiler *compiler, const struct ctype *type,
                        const struct notes *notes, enum place place, uint32_t at)
{
    bool is_union = type->shape == SHAPE_RECORD && type->record->is_union;
    const char *word = notes->out                                  ? "`out`"
                       : notes->release                            ? "`release`"
                       : notes->resident                           ? "`resident`"
                       : notes->owned                              ? "`owned`"
                       : notes->within                             ? "`within`"
                       : notes->kept                               ? "`kept`"
                       : notes->count                              ? "`count`"
                       : notes->string                             ? "`string`"
                       : notes->nullable                           ? "`nullable`"
                       : notes->borrowed                           ? "`borrowed`"
                       : notes->fails && place != PLACE_RESULT     ? "`fails`"
                       : notes->escape && place != PLACE_RESULT    ? "`escape`"
                       : notes->anythread && place != PLACE_RESULT ? "`anythread`"
                                                                   : NULL;
    if (notes->is_static && place == PLACE_RESULT) {
        return !unit_refuse(compiler->unit, at, -ENOTSUP,
                            "a `static` function has no symbol in the library; the annotation "
                            "`static` is for results that are handles");
    }
    if (notes->selector && !is_union) {
        return !unit_refuse(compiler->unit, at, -EINVAL, "`switch` is for unions");
    }
    return !word || !unit_refuse(compiler->unit, at, -EINVAL,
                                 "%s says something of a pointer, and "
                                 "this is none",
                                 word);
}

static uint32_t compile_shape(struct compiler *compiler, const struct ctype *type,
                              const struct notes *notes, enum place place, const char *name,
                              uint32_t at)
{
    uint32_t secret = notes->secret ? CORDON_PLAN_SECRET : 0;
    switch (type->shape) {
    case SHAPE_POINTER:
        return compile_pointer(compiler, type->target, notes->count, notes, place, name, at);
    case SHAPE_FUNCTION:
        return compile_pointer(compiler, type, NULL, notes, place, name, at);
    case SHAPE_ARRAY:
        if (place == PLACE_FIELD && type->target->shape != SHAPE_VOID &&
            !type->length->null_ended && type->length->capacity &&
            expression_is_constant(compiler->unit, type->length->capacity)) {
            return compile_array(compiler, type, notes, name, at);
        }
        return compile_pointer(compiler, type->target, type->length, notes, place, name, at);
    case SHAPE_VA_LIST:
        return compile_va_list(compiler, place, at);
    default:
        break;
    }
    if (!check_plain(compiler, type, notes, place, at)) {
        return CORDON_PLAN_NONE;
    }
    if (type->shape == SHAPE_SCALAR) {
        return compile_scalar(compiler, type, secret);
    }
    if (type->shape == SHAPE_RECORD) {
        if (type->record->is_union) {
            return compile_union(compiler, type, notes, place, name, at);
        }
        if (type->record->has_union && (place == PLACE_PARAM || place == PLACE_RESULT)) {
            (void)unit_refuse(compiler->unit, at, -ENOTSUP,
                              "a struct with a union inside cannot be passed by value, only by "
                              "pointer");
            return CORDON_PLAN_NONE;
        }
        return compile_record(compiler, type, at);
    }
    if (place != PLACE_RESULT) {
        (void)unit_refuse(compiler->unit, at, -EINVAL, "'%.64s' cannot be void", name);
        return CORDON_PLAN_NONE;
    }
    return compile_nothing(compiler);
}

uint32_t compile_type(struct compiler *compiler, const struct ctype *type,
                      const struct notes *notes, enum place place, const char *name, uint32_t at)
{
    if (compiler->depth >= LIMIT_PROTOTYPE_DEPTH) {
        (void)unit_refuse(compiler->unit, at, -E2BIG,
                          "types nest deeper than LIMIT_PROTOTYPE_DEPTH (%u)",
                          LIMIT_PROTOTYPE_DEPTH);
        return CORDON_PLAN_NONE;
    }
    compiler->depth++;
    uint32_t index = compile_shape(compiler, type, notes, place, name, at);
    compiler->depth--;
    return index;
}
