/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "prototype/compile.h"

/*
 * How it works. A C pointer says little of what it means. Its annotations, its target and the place
 * where it stands decide, in this order: a function, `within`, a length, a pointer to a pointer, a
 * struct (handle or one value), void (token), char (string), a scalar (one value). What stays open is
 * refused by a sentence that says what to write.
 */

struct pointing {
    struct compiler *compiler;
    const struct ctype *target;
    const struct length *length;
    const struct notes *notes;
    enum place place;
    const char *name;
    uint32_t at;
};

/* @sentence with the declaration's name in place of '$'. */
static uint32_t refuse(const struct pointing *p, const char *sentence)
{
    int before = (int)strcspn(sentence, "$");
    const char *after = sentence[before] ? sentence + before + 1 : "";
    const char *name = sentence[before] && p->name ? p->name : "";
    (void)unit_refuse(p->compiler->unit, p->at, -ENOTSUP, "%.*s%.64s%s", before, sentence, name,
                      after);
    return CORDON_PLAN_NONE;
}

/* Does the library give the pointer, rather than the caller? */
static bool is_given(const struct pointing *p)
{
    return p->place == PLACE_RESULT || p->place == PLACE_GIVEN;
}

/* `const` of an array is that of its elements. */
static bool target_is_const(const struct pointing *p)
{
    const struct ctype *target = p->target;
    while (target->shape == SHAPE_ARRAY) {
        target = target->target;
    }
    return target->is_const;
}

static enum cordon_plan_direction direction_of(const struct pointing *p)
{
    if (is_given(p)) {
        return CORDON_PLAN_OUT;
    }
    if (p->notes->in || p->notes->out) {
        return (enum cordon_plan_direction)((p->notes->in ? CORDON_PLAN_IN : 0) |
                                            (p->notes->out ? CORDON_PLAN_OUT : 0));
    }
    return target_is_const(p) ? CORDON_PLAN_IN : CORDON_PLAN_INOUT;
}

/* What every pointer has: flags, keeping, the releasing function. */
static bool pointer_common(const struct pointing *p, struct cordon_plan_type *type)
{
    const struct notes *notes = p->notes;
    /* Callers can leave members and elements NULL; libraries can give NULL. */
    bool nullable = notes->nullable || p->place != PLACE_PARAM;
    type->direction = (uint8_t)direction_of(p);
    type->flags |= (nullable ? CORDON_PLAN_NULLABLE : 0u) |
                   (notes->secret ? CORDON_PLAN_SECRET : 0u) |
                   (target_is_const(p) ? CORDON_PLAN_CONST : 0u);
    if (notes->kept) {
        static const enum cordon_plan_keep keeps[] = {
            [KEEP_WITH_NEXT] = CORDON_PLAN_KEEP_NEXT,
            [KEEP_WITH_RELEASE] = CORDON_PLAN_KEEP_RELEASE,
            [KEEP_WITH_CLOSE] = CORDON_PLAN_KEEP_SESSION,
        };
        type->flags |= CORDON_PLAN_KEPT;
        type->keep = (uint8_t)keeps[notes->keep_with];
        if (notes->keep_handle &&
            !compile_parameter_index(p->compiler, notes->keep_handle, notes->within_at, "`kept`",
                                     &type->within)) {
            return false;
        }
    }
    if (notes->owned) {
        if (!is_given(p)) {
            (void)refuse(p, "`owned` is for memory that the library gives: a result, or `out` and "
                            "`inout` pointers to pointers");
            return false;
        }
        type->flags |= CORDON_PLAN_OWNED;
        type->releaser = builder_name(&p->compiler->builder, notes->owned);
    }
    return !p->compiler->unit->error;
}

static uint32_t pointer_done(const struct pointing *p, const struct cordon_plan_type *type)
{
    return p->compiler->unit->error ? CORDON_PLAN_NONE : builder_type(&p->compiler->builder, type);
}

static uint32_t compile_code_pointer(const struct pointing *p)
{
    struct cordon_plan_type type = type_blank(CORDON_PLAN_CALLBACK);
    if (p->notes->noreturn && !p->notes->escape) {
        return refuse(p, "a callback that does not return cannot be called across processes; mark "
                         "'$' `escape` to have Cordon end the call there");
    }
    if (p->notes->out && p->place != PLACE_GIVEN) {
        return refuse(p, "`out` and `inout` need a pointer to the function pointer");
    }
    if (p->notes->anythread && (!p->notes->kept || p->notes->escape)) {
        return refuse(p, "an `anythread` callback is answered between calls: mark '$' `kept`, and "
                         "not `escape`");
    }
    if (p->notes->anythread && !p->notes->fails && p->target->target->shape != SHAPE_VOID) {
        return refuse(p, "an `anythread` callback that nobody dispatches in time returns what "
                         "`fails(...)` says: '$' declares none");
    }
    if (!pointer_common(p, &type)) {
        return CORDON_PLAN_NONE;
    }
    type.direction = CORDON_PLAN_IN;
    type.flags |= CORDON_PLAN_NULLABLE | (p->notes->escape ? CORDON_PLAN_ESCAPE : 0u);
    type.target = compile_callback(p->compiler, p->target, p->notes, p->name, p->at);
    return pointer_done(p, &type);
}

static uint32_t compile_within(const struct pointing *p)
{
    struct cordon_plan_type type = type_blank(CORDON_PLAN_WITHIN);
    if (!is_given(p)) {
        return refuse(p, "`within` is for pointers that the library gives back: a result, or an "
                         "`out` or `inout` pointer to a pointer");
    }
    type.flags = CORDON_PLAN_NULLABLE | (p->notes->secret ? CORDON_PLAN_SECRET : 0u);
    if (!compile_parameter_index(p->compiler, p->notes->within, p->notes->within_at, "`within`",
                                 &type.within)) {
        return CORDON_PLAN_NONE;
    }
    return pointer_done(p, &type);
}

static uint32_t compile_handle(const struct pointing *p, bool known_fields)
{
    const struct record *record = p->target->record;
    const struct notes *notes = p->notes;
    struct cordon_plan_type type = type_blank(CORDON_PLAN_HANDLE);
    const char *tag = record->tag ? record->tag : "";
    if (notes->resident && !known_fields) {
        return refuse(p, "`resident` needs to know the members of what '$' points to: define the "
                         "struct before it");
    }
    type.name = builder_name(&p->compiler->builder, tag);
    type.tag = 2166136261u;
    for (const char *c = tag; *c; c++) {
        type.tag = (type.tag ^ (unsigned char)*c) * 16777619u;
    }
    type.flags = (notes->release ? CORDON_PLAN_RELEASE : 0u) |
                 (notes->is_static ? CORDON_PLAN_STATIC : 0u) |
                 (notes->borrowed ? CORDON_PLAN_BORROWED : 0u);
    if (notes->borrowed && !compile_parameter_index(p->compiler, notes->borrowed, notes->within_at,
                                                    "`borrowed`", &type.within)) {
        return CORDON_PLAN_NONE;
    }
    if (!pointer_common(p, &type)) {
        return CORDON_PLAN_NONE;
    }
    type.direction = CORDON_PLAN_IN;
    if (known_fields) {
        type.flags |= CORDON_PLAN_RESIDENT;
        type.target = compile_record(p->compiler, p->target, p->at);
    }
    return pointer_done(p, &type);
}

static uint32_t compile_token(const struct pointing *p)
{
    struct cordon_plan_type type = type_blank(CORDON_PLAN_TOKEN);
    type.flags = CORDON_PLAN_NULLABLE | (p->notes->secret ? CORDON_PLAN_SECRET : 0u);
    return pointer_done(p, &type);
}

static uint32_t compile_void(const struct pointing *p)
{
    if (p->notes->token) {
        return compile_token(p);
    }
    if (is_given(p) && !(p->place == PLACE_RESULT && p->compiler->scope->outer)) {
        return refuse(p, "what is the `void *` that '$' gives? Write count(length) for memory "
                         "to copy, within(parameter) for a pointer into an argument, token for a "
                         "number that the caller gave before, or name a struct for a handle");
    }
    if (p->notes->out || p->notes->in || (p->target->is_const && p->place != PLACE_RESULT)) {
        return refuse(p, "how many bytes are at '$'? Write a length, as in `const void "
                         "data[size]`, or token if the library never follows it");
    }
    return compile_token(p);
}

static bool elements_are_text(const struct pointing *p)
{
    return p->target->is_text || (p->notes->string && p->target->is_byte);
}

static uint32_t compile_string(const struct pointing *p)
{
    struct cordon_plan_type type = type_blank(CORDON_PLAN_STRING);
    if (!pointer_common(p, &type)) {
        return CORDON_PLAN_NONE;
    }
    if (type.direction == CORDON_PLAN_OUT && !is_given(p)) {
        return refuse(p, "how long may the text be? Write `out char $[capacity]`, or `[1]` for "
                         "a single character");
    }
    type.name = builder_name(&p->compiler->builder, p->target->name);
    return pointer_done(p, &type);
}

/* `T *x` and nothing else: one value. */
static uint32_t compile_one(const struct pointing *p)
{
    struct cordon_plan_type type = type_blank(CORDON_PLAN_POINTER);
    if (p->target->is_wide && !p->notes->in && !p->notes->out) {
        return refuse(p, "is '$' a string of wide characters? Cordon knows no length for it: "
                         "write one between brackets, or `in` or `out` for a single character");
    }
    if (p->target->shape == SHAPE_SCALAR && is_given(p)) {
        return refuse(p, "how many values does '$' give? Write count(length) before the type, "
                         "or within(parameter) if it points into an argument");
    }
    if (p->target->is_byte && !p->notes->in && !p->notes->out) {
        return refuse(p, "how many bytes are at '$'? Write a length between brackets, `string` "
                         "if they end with a NUL, or `in`, `out` or `inout` for a single byte");
    }
    if (!pointer_common(p, &type)) {
        return CORDON_PLAN_NONE;
    }
    struct notes plain = {0};
    type.target = compile_type(p->compiler, p->target, &plain, PLACE_ELEMENT, p->name, p->at);
    return type.target == CORDON_PLAN_NONE ? CORDON_PLAN_NONE : pointer_done(p, &type);
}

/* Annotations of a pointer's target: all but those that the outer pointer took. */
static struct notes inner_notes(const struct notes *notes)
{
    struct notes inner = *notes;
    inner.in = inner.out = false;
    inner.nullable = false;
    inner.kept = false;
    inner.keep_handle = NULL;
    return inner;
}

/*
 * `inout owned(free) count(*n) char **line`: a string that goes in, in memory of so many bytes, since
 * the library goes by them when it decides to write or to grow.
 */
static uint32_t compile_grown_string(const struct pointing *p)
{
    struct cordon_plan_type type = type_blank(CORDON_PLAN_STRING);
    if (!pointer_common(p, &type) ||
        !compile_length(p->compiler, p->length, CORDON_PLAN_INOUT, false, &type)) {
        return CORDON_PLAN_NONE;
    }
    type.name = builder_name(&p->compiler->builder, p->target->name);
    return pointer_done(p, &type);
}

/* `out T **x`, `inout T **x`, `in T **x`. */
static uint32_t compile_pointer_to_pointer(const struct pointing *p)
{
    struct cordon_plan_type type = type_blank(CORDON_PLAN_POINTER);
    if (p->place == PLACE_RESULT || p->place == PLACE_GIVEN) {
        return refuse(p, "pointers to pointers that the library gives are not supported: name a "
                         "struct to have a handle");
    }
    if (!p->notes->out && !p->notes->in && !p->target->is_const) {
        return refuse(p, "what does '$' point to? Write `out` or `inout` for one pointer that "
                         "comes back, or an array of pointers: [length] or [null]");
    }
    struct pointing outer = *p;
    struct notes plain = *p->notes;
    plain.owned = NULL;
    outer.notes = &plain;
    if (!pointer_common(&outer, &type)) {
        return CORDON_PLAN_NONE;
    }
    struct notes inner = inner_notes(p->notes);
    enum place place = type.direction & CORDON_PLAN_OUT ? PLACE_GIVEN : PLACE_ELEMENT;
    const struct pointing grown = {.compiler = p->compiler,
                                   .target = p->target->target,
                                   .length = inner.count,
                                   .notes = &inner,
                                   .place = place,
                                   .name = p->name,
                                   .at = p->at};
    if (type.direction == CORDON_PLAN_INOUT && inner.owned && inner.count &&
        elements_are_text(&grown)) {
        type.target = compile_grown_string(&grown);
        return type.target == CORDON_PLAN_NONE ? CORDON_PLAN_NONE : pointer_done(p, &type);
    }
    type.target = compile_type(p->compiler, p->target, &inner, place, p->name, p->at);
    return type.target == CORDON_PLAN_NONE ? CORDON_PLAN_NONE : pointer_done(p, &type);
}

/* A union of a header, about whose members nothing is known: it stays where it is. */
static bool is_bare_union(const struct ctype *target)
{
    return target->record->is_union && !target->record->labelled;
}

static bool has_known_fields(const struct record *record)
{
    return record->defined && !record->open && !record->opaque && !record->is_union;
}

static bool is_handle_target(const struct ctype *target, const struct notes *notes)
{
    return target->shape == SHAPE_RECORD &&
           (!target->record->defined || target->record->open || target->record->opaque ||
            is_bare_union(target) || notes->resident || notes->release || notes->is_static ||
            notes->borrowed);
}

static bool set_length(const struct pointing *p, struct cordon_plan_type *type)
{
    if (p->length->null_ended) {
        if (p->target->shape != SHAPE_POINTER) {
            (void)refuse(p, "only pointers can end with NULL");
            return false;
        }
        type->flags |= CORDON_PLAN_NULL_ENDED;
        return true;
    }
    return compile_length(p->compiler, p->length, (enum cordon_plan_direction)type->direction,
                          is_given(p), type);
}

/* `T *a[n]`: the array goes in; a direction is that of what its elements point to, but of handles. */
static uint32_t compile_pointer_array(const struct pointing *p)
{
    struct cordon_plan_type type = type_blank(CORDON_PLAN_POINTER);
    const struct ctype *target = p->target->target;
    bool handles = target->shape == SHAPE_RECORD && is_handle_target(target, p->notes);
    struct notes inner = inner_notes(p->notes);
    if (is_given(p)) {
        return refuse(p, "arrays of pointers that the library gives are not supported");
    }
    if (!pointer_common(p, &type)) {
        return CORDON_PLAN_NONE;
    }
    inner.count = p->notes->count == p->length ? NULL : p->notes->count;
    if (!handles) {
        inner.in = p->notes->in;
        inner.out = p->notes->out;
    }
    if (!handles || (!p->notes->in && !p->notes->out)) {
        type.direction = CORDON_PLAN_IN;
    }
    if (!set_length(p, &type)) {
        return CORDON_PLAN_NONE;
    }
    type.target = compile_type(p->compiler, p->target, &inner, PLACE_ELEMENT, p->name, p->at);
    return type.target == CORDON_PLAN_NONE ? CORDON_PLAN_NONE : pointer_done(p, &type);
}

static uint32_t compile_element(const struct pointing *p)
{
    struct cordon_plan_type nothing = type_blank(CORDON_PLAN_VOID);
    struct notes plain = {0};
    if (p->target->shape == SHAPE_VOID) {
        nothing.size = 0;
        nothing.align = 1;
        return builder_type(&p->compiler->builder, &nothing);
    }
    enum place place = p->target->shape == SHAPE_ARRAY ? PLACE_FIELD : PLACE_ELEMENT;
    return compile_type(p->compiler, p->target, &plain, place, p->name, p->at);
}

/* Memory with a length. */
static uint32_t compile_sized(const struct pointing *p)
{
    bool text = elements_are_text(p);
    if (p->target->shape == SHAPE_POINTER) {
        return compile_pointer_array(p);
    }
    bool string = text && direction_of(p) == CORDON_PLAN_OUT && !is_given(p) && !p->length->after &&
                  !p->length->all;
    struct cordon_plan_type type = type_blank(string ? CORDON_PLAN_STRING : CORDON_PLAN_POINTER);
    if (!pointer_common(p, &type) || !set_length(p, &type)) {
        return CORDON_PLAN_NONE;
    }
    if (string) {
        type.name = builder_name(&p->compiler->builder, p->target->name);
        return pointer_done(p, &type);
    }
    type.flags |= text ? CORDON_PLAN_TEXT : 0u;
    type.target = compile_element(p);
    return type.target == CORDON_PLAN_NONE ? CORDON_PLAN_NONE : pointer_done(p, &type);
}

static uint32_t compile_by_target(const struct pointing *p)
{
    switch (p->target->shape) {
    case SHAPE_FUNCTION:
        return compile_code_pointer(p);
    case SHAPE_POINTER:
        return compile_pointer_to_pointer(p);
    case SHAPE_RECORD:
        return is_handle_target(p->target, p->notes)
                   ? compile_handle(p, has_known_fields(p->target->record))
                   : compile_one(p);
    case SHAPE_VOID:
        return compile_void(p);
    case SHAPE_VA_LIST:
        return refuse(p, "a pointer to va_list is not supported");
    case SHAPE_ARRAY: {
        /* T (*m)[3]: one array, or with count(n) n of them; the element is laid out in place. */
        struct pointing one = *p;
        one.length = NULL;
        return compile_one(&one);
    }
    case SHAPE_SCALAR:
        break;
    }
    return elements_are_text(p) && !(p->notes->count) ? compile_string(p) : compile_one(p);
}

static uint32_t check_leftover(const struct pointing *p, uint32_t index)
{
    const struct notes *notes = p->notes;
    bool handle = p->target->shape == SHAPE_RECORD ||
                  (p->target->shape == SHAPE_POINTER && p->target->target->shape == SHAPE_RECORD);
    bool code = p->target->shape == SHAPE_FUNCTION ||
                (p->target->shape == SHAPE_POINTER && p->target->target->shape == SHAPE_FUNCTION);
    if (index == CORDON_PLAN_NONE) {
        return index;
    }
    if (!handle && (notes->release || notes->resident || notes->borrowed)) {
        return refuse(p, "`release`, `resident` and `borrowed` are for pointers to structs, and "
                         "'$' is none");
    }
    if (notes->is_static && p->place == PLACE_RESULT && !handle) {
        return refuse(p, "a `static` function has no symbol in the library; the annotation "
                         "`static` is for results that are handles");
    }
    if (!code && p->place != PLACE_RESULT && (notes->fails || notes->escape || notes->anythread)) {
        return refuse(p, "`fails`, `escape` and `anythread` are for callbacks, and '$' is none");
    }
    return index;
}

uint32_t compile_pointer(struct compiler *compiler, const struct ctype *target,
                         const struct length *length, const struct notes *notes, enum place place,
                         const char *name, uint32_t at)
{
    struct pointing p = {.compiler = compiler,
                         .target = target,
                         .length = length,
                         .notes = notes,
                         .place = place,
                         .name = name,
                         .at = at};
    bool outer_of_two = target->shape == SHAPE_POINTER && length == notes->count;
    uint32_t index;
    if (target->shape == SHAPE_FUNCTION) {
        index = compile_code_pointer(&p);
    } else if (outer_of_two) {
        p.length = NULL; /* count(n) of `T **` tells of the inner pointer */
        index = compile_pointer_to_pointer(&p);
    } else if (notes->within && !length) {
        index = compile_within(&p);
    } else if (length) {
        index = compile_sized(&p);
    } else {
        index = compile_by_target(&p);
    }
    return check_leftover(&p, index);
}
