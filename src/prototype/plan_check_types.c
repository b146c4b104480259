/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/plan_check.h"

#include "prototype/layout.h"

/* Can a value of this type lie in memory? */
static bool is_object(const struct validator *v, uint32_t type)
{
    return v->types[type].kind != CORDON_PLAN_VOID && v->types[type].kind != CORDON_PLAN_VARARGS;
}

/* Is it a union, or are its elements? */
static bool is_union(const struct validator *v, uint32_t index)
{
    while (v->types[index].kind == CORDON_PLAN_ARRAY) {
        index = v->types[index].target;
    }
    return v->types[index].kind == CORDON_PLAN_UNION;
}

static const char *check_field_lengths(const struct validator *v,
                                       const struct cordon_plan_type *owner, uint32_t index);

/* What a union takes from the struct that it lies in. */
static const char *check_in_struct(const struct validator *v, const struct cordon_plan_type *owner,
                                   const struct cordon_plan_type *type)
{
    const char *wrong = NULL;
    if (type->within >= owner->count ||
        !is_integer(v, v->fields[owner->first + type->within].type)) {
        return "no integer member selects the union's";
    }
    for (uint32_t i = 0; i < type->count && !wrong; i++) {
        wrong = check_field_lengths(v, owner, v->fields[type->first + i].type);
    }
    return wrong;
}

/* Members named by lengths of pointers behind field @index, through pointers and arrays. */
static const char *check_field_lengths(const struct validator *v,
                                       const struct cordon_plan_type *owner, uint32_t index)
{
    while (index != CORDON_PLAN_NONE && v->types[index].kind != CORDON_PLAN_STRUCT) {
        const struct cordon_plan_type *type = &v->types[index];
        if (type->kind == CORDON_PLAN_UNION) {
            return check_in_struct(v, owner, type);
        }
        const uint32_t codes[] = {type->code, type->length_code};
        for (int i = 0; i < 2; i++) {
            uint32_t at = codes[i];
            uint16_t field = 0;
            while (at != CORDON_PLAN_NONE && code_next_field(v->code, &at, &field)) {
                if (field >= owner->count || !is_integer(v, v->fields[owner->first + field].type)) {
                    return "a length names no integer member";
                }
            }
        }
        bool through = type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_ARRAY;
        index = through ? type->target : CORDON_PLAN_NONE;
    }
    return NULL;
}

static bool uses_parameters(const struct code_uses *uses)
{
    return uses->values || uses->arguments || uses->derefs || uses->outer_values ||
           uses->outer_derefs || uses->within || uses->handles || uses->result || uses->call;
}

static const char *check_field(const struct validator *v, const struct cordon_plan_type *owner,
                               uint32_t self, const struct cordon_plan_field *field, uint64_t *used)
{
    if (!is_name(v, field->name) || field->value_high != 0 ||
        (field->flags & ~(uint32_t)CORDON_PLAN_FIELD_FILLED) != 0) {
        return "a field is malformed";
    }
    if (field->type >= self || !is_object(v, field->type)) {
        return "a field's type does not stand before it";
    }
    if (field->offset < *used ||
        (uint64_t)field->offset + v->types[field->type].size > owner->size) {
        return "fields overlap or lie outside";
    }
    *used = (uint64_t)field->offset + v->types[field->type].size;
    if (uses_parameters(&v->facts[field->type].uses)) {
        return "a member's length names a parameter";
    }
    if (field->flags & CORDON_PLAN_FIELD_FILLED
            ? field->filled_by >= owner->count || !is_integer(v, field->type)
            : field->filled_by != 0) {
        return "a field is filled by nothing";
    }
    return NULL;
}

static const char *check_struct(struct validator *v, uint32_t self)
{
    const struct cordon_plan_type *type = &v->types[self];
    const char *wrong = check_range(type->first, type->count, v->header.field_count);
    uint64_t used = 0;
    uint32_t below = 0;
    if (wrong || type->count == 0) {
        return wrong ? wrong : "a struct has no fields";
    }
    if (type->size % type->align != 0) {
        return "a struct's size is no multiple of its alignment";
    }
    for (uint32_t i = 0; i < type->count && !wrong; i++) {
        const struct cordon_plan_field *field = &v->fields[type->first + i];
        wrong = check_field(v, type, self, field, &used);
        if (!wrong && v->facts[field->type].height > below) {
            below = v->facts[field->type].height;
        }
    }
    /* Once all fields are known to be sound, since lengths name later ones too. */
    for (uint32_t i = 0; i < type->count && !wrong; i++) {
        wrong = check_field_lengths(v, type, v->fields[type->first + i].type);
    }
    v->facts[self].height = (uint8_t)(below + 1);
    return wrong;
}

static const char *check_case(const struct validator *v, const struct cordon_plan_type *owner,
                              uint32_t self, const struct cordon_plan_field *field)
{
    bool last = field == &v->fields[owner->first + owner->count - 1];
    bool is_default = field->flags == CORDON_PLAN_FIELD_DEFAULT;
    if (!is_name(v, field->name) || field->offset != 0 ||
        (is_default ? !last || field->filled_by != 0 || field->value_high != 0
                    : field->flags != CORDON_PLAN_FIELD_CASE)) {
        return "a case is malformed";
    }
    if (field->type >= self || v->types[field->type].kind == CORDON_PLAN_VARARGS ||
        v->types[field->type].size > owner->size) {
        return "a case's type does not fit";
    }
    return uses_parameters(&v->facts[field->type].uses) ? "a member's length names a parameter"
                                                        : NULL;
}

static const char *check_union(struct validator *v, uint32_t self)
{
    const struct cordon_plan_type *type = &v->types[self];
    const char *wrong = check_range(type->first, type->count, v->header.field_count);
    uint32_t below = 0;
    if (wrong || type->count == 0 || type->count > CORDON_PLAN_CASES_MAX ||
        type->size % type->align != 0) {
        return wrong ? wrong : "a union is malformed";
    }
    for (uint32_t i = 0; i < type->count && !wrong; i++) {
        const struct cordon_plan_field *field = &v->fields[type->first + i];
        wrong = check_case(v, type, self, field);
        if (!wrong && v->facts[field->type].height > below) {
            below = v->facts[field->type].height;
        }
    }
    v->facts[self].height = (uint8_t)(below + 1);
    return wrong;
}

static const char *check_codes(struct validator *v, uint32_t self)
{
    const struct cordon_plan_type *type = &v->types[self];
    bool sized = type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_STRING;
    const uint32_t codes[] = {type->code, type->length_code};
    if ((type->code != CORDON_PLAN_NONE && !sized) ||
        (type->length_code != CORDON_PLAN_NONE && type->code == CORDON_PLAN_NONE) ||
        ((type->flags & CORDON_PLAN_NULL_ENDED) && type->code != CORDON_PLAN_NONE)) {
        return "a length stands where none belongs";
    }
    for (int i = 0; i < 2; i++) {
        struct code_uses uses = {0};
        if (codes[i] == CORDON_PLAN_NONE) {
            continue;
        }
        const char *wrong =
            code_check(v->code, v->header.code_bytes, codes[i], v->header.names_bytes, &uses);
        if (wrong) {
            return wrong;
        }
        code_uses_join(&v->facts[self].uses, &uses);
    }
    return NULL;
}

static bool has_target(uint8_t kind)
{
    return kind == CORDON_PLAN_POINTER || kind == CORDON_PLAN_ARRAY;
}

/* POINTER, ARRAY, and HANDLE with known fields. */
static const char *check_target(struct validator *v, uint32_t self)
{
    const struct cordon_plan_type *type = &v->types[self];
    if (type->target == CORDON_PLAN_NONE && !has_target(type->kind)) {
        v->facts[self].height = 1;
        return type->flags & CORDON_PLAN_RESIDENT ? "a resident handle has no fields" : NULL;
    }
    if (type->target >= self) {
        return "a target does not stand before what points to it";
    }
    const struct cordon_plan_type *target = &v->types[type->target];
    if (type->kind == CORDON_PLAN_HANDLE && target->kind != CORDON_PLAN_STRUCT) {
        return "a handle's target is no struct";
    }
    if (type->kind != CORDON_PLAN_ARRAY && is_union(v, type->target)) {
        return "a union lies outside of a struct";
    }
    if (target->kind == CORDON_PLAN_VARARGS ||
        (target->kind == CORDON_PLAN_VOID &&
         (type->kind != CORDON_PLAN_POINTER || type->code == CORDON_PLAN_NONE))) {
        return "a target has no size";
    }
    if ((type->flags & CORDON_PLAN_NULL_ENDED) && target->size != 8) {
        return "only pointers can end with NULL";
    }
    if (type->kind == CORDON_PLAN_ARRAY) {
        uint64_t bytes = (uint64_t)type->count * target->size;
        if (type->count == 0 || bytes != type->size || type->align != target->align) {
            return "an array's size is not that of its elements";
        }
    }
    v->facts[self].height = (uint8_t)(v->facts[type->target].height + 1);
    code_uses_join(&v->facts[self].uses, &v->facts[type->target].uses);
    return NULL;
}

static const char *check_size(const struct cordon_plan_type *type)
{
    uint32_t size = 8;
    uint32_t align = 8;
    switch (type->kind) {
    case CORDON_PLAN_STRUCT:
    case CORDON_PLAN_UNION:
    case CORDON_PLAN_ARRAY:
        return type->size > 0 && type->size <= CORDON_PLAN_TYPE_SIZE_MAX && type->align > 0 &&
                       type->align <= 4096 && (type->align & (type->align - 1)) == 0
                   ? NULL
                   : "a size or an alignment is impossible";
    case CORDON_PLAN_VOID:
        size = 0;
        align = 1;
        break;
    default:
        if (type->kind <= CORDON_PLAN_F64) {
            size = align = layout_scalar_bytes(type->kind);
        }
    }
    return type->size == size && type->align == align ? NULL : "a size is not that of its kind";
}

#define TYPE_FLAGS_ALL ((CORDON_PLAN_ESCAPE << 1) - 1u)

static const char *check_shape(const struct validator *v, const struct cordon_plan_type *type)
{
    if (type->kind >= CORDON_PLAN_KIND_COUNT || type->direction < CORDON_PLAN_IN ||
        type->direction > CORDON_PLAN_INOUT || type->keep > CORDON_PLAN_KEEP_SESSION ||
        type->pad != 0 || type->fails != 0 || (type->flags & ~TYPE_FLAGS_ALL) != 0) {
        return "a byte has an impossible value";
    }
    if (!is_name(v, type->name) || !is_name(v, type->releaser)) {
        return "a name lies outside";
    }
    bool kept = (type->flags & CORDON_PLAN_KEPT) != 0;
    bool owned = (type->flags & CORDON_PLAN_OWNED) != 0;
    if (kept != (type->keep != CORDON_PLAN_KEEP_CALL) || owned != (type->releaser != 0)) {
        return "its flags contradict it";
    }
    if ((type->flags & CORDON_PLAN_ENUM) &&
        (type->kind < CORDON_PLAN_I8 || type->kind > CORDON_PLAN_U64)) {
        return "an enum is no integer";
    }
    if ((type->flags & CORDON_PLAN_NULL_ENDED) && type->kind != CORDON_PLAN_POINTER) {
        return "its flags contradict it";
    }
    return check_size(type);
}

/* Parameters that a type names outside of lengths. */
static const char *note_within(struct validator *v, uint32_t self)
{
    const struct cordon_plan_type *type = &v->types[self];
    bool within = type->kind == CORDON_PLAN_WITHIN;
    bool handle = (type->flags & CORDON_PLAN_BORROWED) || type->keep == CORDON_PLAN_KEEP_RELEASE;
    if (type->kind == CORDON_PLAN_UNION && !handle) {
        return NULL; /* names a field: judged with the struct */
    }
    if (!within && !handle) {
        return type->within == CORDON_PLAN_NONE ? NULL : "it names a parameter for nothing";
    }
    if (type->within >= CORDON_PLAN_PARAMS_MAX) {
        return "it names no parameter";
    }
    uint64_t bit = 1ull << type->within;
    v->facts[self].uses.within |= within ? bit : 0;
    v->facts[self].uses.handles |= handle && !within ? bit : 0;
    return NULL;
}

/* Function 0 is the plan's own, except in a plan that only describes a type. */
static uint32_t first_shape(const struct validator *v)
{
    return v->header.root_type == CORDON_PLAN_NONE ? 1 : 0;
}

static const char *check_type(struct validator *v, uint32_t self)
{
    const struct cordon_plan_type *type = &v->types[self];
    const char *wrong = check_shape(v, type);
    v->facts[self].height = 1;
    wrong = wrong ? wrong : check_codes(v, self);
    wrong = wrong ? wrong : note_within(v, self);
    if (wrong) {
        return wrong;
    }
    if (type->flags & CORDON_PLAN_ENUM) {
        wrong = check_range(type->first, type->count, v->header.enumerator_count);
    }
    switch (type->kind) {
    case CORDON_PLAN_STRUCT:
        wrong = check_struct(v, self);
        break;
    case CORDON_PLAN_UNION:
        wrong = type->target != CORDON_PLAN_NONE ? "it has a target, and needs none"
                                                 : check_union(v, self);
        break;
    case CORDON_PLAN_POINTER:
    case CORDON_PLAN_ARRAY:
    case CORDON_PLAN_HANDLE:
        wrong = check_target(v, self);
        break;
    case CORDON_PLAN_CALLBACK:
        wrong = type->target < first_shape(v) || type->target >= v->header.function_count
                    ? "a callback has no shape"
                    : wrong;
        break;
    default:
        wrong = type->target != CORDON_PLAN_NONE ? "it has a target, and needs none" : wrong;
    }
    return !wrong && v->facts[self].height > CORDON_PLAN_DEPTH_MAX
               ? "types nest deeper than CORDON_PLAN_DEPTH_MAX"
               : wrong;
}

int plan_check_types(struct validator *v)
{
    for (uint32_t i = 0; i < v->header.type_count; i++) {
        const char *wrong = check_type(v, i);
        if (wrong) {
            return plan_bad_at(v, "type", i, wrong);
        }
    }
    for (uint32_t i = 0; i < v->header.enumerator_count; i++) {
        if (!is_name(v, plan_enumerator(v->plan, i)->name)) {
            return plan_bad_at(v, "enumerator", i, "a name lies outside");
        }
    }
    if (v->header.root_type != CORDON_PLAN_NONE) {
        const struct code_uses *uses = &v->facts[v->header.root_type].uses;
        if (is_union(v, v->header.root_type)) {
            return plan_bad_at(v, "type", v->header.root_type, "a union lies outside of a struct");
        }
        if (uses_parameters(uses) || uses->field) {
            return plan_bad_at(v, "type", v->header.root_type,
                               "it stands alone and names parameters");
        }
    }
    return 0;
}
