/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/layout.h"

#include <errno.h>
#include <stddef.h>

#define POINTER_BYTES 8u

uint32_t layout_scalar_bytes(uint8_t kind)
{
    switch (kind) {
    case CORDON_PLAN_BOOL:
    case CORDON_PLAN_I8:
    case CORDON_PLAN_U8:
        return 1;
    case CORDON_PLAN_I16:
    case CORDON_PLAN_U16:
        return 2;
    case CORDON_PLAN_I32:
    case CORDON_PLAN_U32:
    case CORDON_PLAN_F32:
        return 4;
    default:
        return 8;
    }
}

static bool layout_array(struct unit *unit, const struct ctype *type, uint32_t at,
                         uint32_t *ret_size, uint32_t *ret_align)
{
    const struct length *length = type->length;
    int64_t count = 0;
    uint32_t size = 0;
    if (!length->capacity) {
        return !unit_refuse(unit, at, -ENOTSUP,
                            length->null_ended
                                ? "an array inside a struct has a constant length"
                                : "a flexible array member has no length that Cordon could know: "
                                  "leave it out, or give the array a length");
    }
    if (!expression_constant(unit, length->capacity, &count) || !unit_enter(unit)) {
        return false;
    }
    bool laid_out = layout_type(unit, type->target, at, &size, ret_align);
    unit_leave(unit);
    if (!laid_out) {
        return false;
    }
    if (count <= 0) {
        return !unit_refuse(unit, length->at, -EINVAL, "an array needs at least one element");
    }
    /* What is laid out has a size. NOLINTNEXTLINE(clang-analyzer-*) */
    if (count > CORDON_PLAN_TYPE_SIZE_MAX / size) {
        return !unit_refuse(unit, length->at, -E2BIG,
                            "this array is larger than CORDON_PLAN_TYPE_SIZE_MAX (%u bytes)",
                            CORDON_PLAN_TYPE_SIZE_MAX);
    }
    *ret_size = (uint32_t)count * size;
    return true;
}

bool layout_type(struct unit *unit, const struct ctype *type, uint32_t at, uint32_t *ret_size,
                 uint32_t *ret_align)
{
    switch (type->shape) {
    case SHAPE_SCALAR:
        *ret_size = *ret_align = layout_scalar_bytes(type->scalar);
        return true;
    case SHAPE_POINTER:
        *ret_size = *ret_align = POINTER_BYTES;
        return true;
    case SHAPE_ARRAY:
        return layout_array(unit, type, at, ret_size, ret_align);
    case SHAPE_RECORD:
        if (!type->record->defined) {
            return !unit_refuse(unit, at, -EINVAL,
                                "%s %s is not defined%s: only a pointer to it can be used",
                                type->record->is_union ? "union" : "struct", type->record->tag,
                                type->record->open ? " yet" : "");
        }
        *ret_size = type->record->size;
        *ret_align = type->record->align;
        return true;
    case SHAPE_VOID:
        return !unit_refuse(unit, at, -EINVAL, "void has no size");
    case SHAPE_FUNCTION:
        return !unit_refuse(unit, at, -EINVAL, "a function has no size; a pointer to it has");
    case SHAPE_VA_LIST:
        break;
    }
    return !unit_refuse(unit, at, -ENOTSUP, "a va_list can only be a parameter");
}

static uint64_t round_up(uint64_t value, uint32_t align)
{
    return (value + align - 1) & ~(uint64_t)(align - 1);
}

/* A member `T name[n]` whose n is no constant is a pointer to n elements. */
static bool field_in_place(const struct unit *unit, const struct field *field)
{
    const struct ctype *type = field->type;
    return type->shape == SHAPE_ARRAY && type->target->shape != SHAPE_VOID &&
           (!type->length->capacity || expression_is_constant(unit, type->length->capacity)) &&
           !type->length->null_ended;
}

static bool layout_field(struct unit *unit, struct field *field, bool packed, uint64_t *used,
                         uint32_t *record_align)
{
    uint32_t size = POINTER_BYTES;
    uint32_t align = POINTER_BYTES;
    field->in_place = field_in_place(unit, field);
    if (field->type->shape == SHAPE_VOID && (field->is_case || field->is_default)) {
        return true; /* a case that holds nothing */
    }
    if ((field->type->shape != SHAPE_ARRAY || field->in_place) &&
        !layout_type(unit, field->type, field->at, &size, &align)) {
        return false;
    }
    if (packed || field->notes.packed) {
        align = 1;
    }
    if (field->notes.align > align) {
        align = field->notes.align;
    }
    *used = round_up(*used, align);
    field->offset = (uint32_t)*used;
    *used += size;
    if (align > *record_align) {
        *record_align = align;
    }
    if (*used > CORDON_PLAN_TYPE_SIZE_MAX) {
        return !unit_refuse(unit, field->at, -E2BIG,
                            "this struct is larger than CORDON_PLAN_TYPE_SIZE_MAX (%u bytes)",
                            CORDON_PLAN_TYPE_SIZE_MAX);
    }
    return true;
}

/* Is a union in use by value somewhere in @type? */
static bool holds_union(const struct ctype *type)
{
    while (type->shape == SHAPE_ARRAY) {
        type = type->target;
    }
    return type->shape == SHAPE_RECORD && (type->record->is_union || type->record->has_union);
}

bool layout_record(struct unit *unit, struct record *record, const struct notes *notes)
{
    uint64_t used = 0;
    uint32_t align = 1;
    uint64_t largest = 0;
    for (struct field *field = record->fields; field; field = field->next) {
        if (!layout_field(unit, field, notes->packed, &used, &align)) {
            return false;
        }
        record->has_union = record->has_union || holds_union(field->type);
        largest = used > largest ? used : largest;
        used = record->is_union ? 0 : used;
    }
    if (largest == 0) {
        return !unit_refuse(unit, record->at, -EINVAL,
                            "a union needs a member that holds something");
    }
    used = largest;
    if (notes->align > align) {
        align = notes->align;
    }
    record->align = align;
    record->size = (uint32_t)round_up(used, align);
    return true;
}
