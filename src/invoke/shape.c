/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/shape.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Structs larger than this go through memory under both ABIs, so that only their size and alignment
 * matter. Source: System V ABI x86-64 section 3.2.3 (two eightbytes), AAPCS64 section 6.8.2 (four
 * members of at most 16 bytes).
 */
#define CLASSIFIED_BYTES_MAX 64u

static ffi_type *scalar_type(const struct cordon_plan_type *type)
{
    switch (type->kind) {
    case CORDON_PLAN_VOID:
        return &ffi_type_void;
    case CORDON_PLAN_BOOL:
    case CORDON_PLAN_U8:
        return &ffi_type_uint8;
    case CORDON_PLAN_I8:
        return &ffi_type_sint8;
    case CORDON_PLAN_I16:
        return &ffi_type_sint16;
    case CORDON_PLAN_U16:
        return &ffi_type_uint16;
    case CORDON_PLAN_I32:
        return &ffi_type_sint32;
    case CORDON_PLAN_U32:
        return &ffi_type_uint32;
    case CORDON_PLAN_I64:
        return &ffi_type_sint64;
    case CORDON_PLAN_U64:
        return &ffi_type_uint64;
    case CORDON_PLAN_F32:
        return &ffi_type_float;
    case CORDON_PLAN_F64:
        return &ffi_type_double;
    default:
        return &ffi_type_pointer; /* every kind of pointer; va_list: see variadic.h */
    }
}

static int struct_type(struct shapes *shapes, const struct plan *plan, uint32_t index,
                       ffi_type **ret_type);

static int element_type(struct shapes *shapes, const struct plan *plan, uint32_t index,
                        ffi_type **ret_type)
{
    const struct cordon_plan_type *type = plan_type(plan, index);
    if (type->kind == CORDON_PLAN_STRUCT) {
        return struct_type(shapes, plan, index, ret_type);
    }
    if (type->kind == CORDON_PLAN_UNION) {
        return -ENOTSUP; /* libffi knows no classes of unions */
    }
    *ret_type = scalar_type(type);
    return 0;
}

/* The struct's members in a row, arrays as that many members. */
static int fill_elements(struct shapes *shapes, const struct plan *plan,
                         const struct cordon_plan_type *type, ffi_type **elements)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < type->count; i++) {
        uint32_t member = plan_field(plan, type->first + i)->type;
        uint64_t repeat = 1;
        while (plan_type(plan, member)->kind == CORDON_PLAN_ARRAY) {
            repeat *= plan_type(plan, member)->count;
            member = plan_type(plan, member)->target;
        }
        ffi_type *element;
        int r = element_type(shapes, plan, member, &element);
        if (r < 0) {
            return r;
        }
        for (; repeat; repeat--) {
            if (used == CLASSIFIED_BYTES_MAX) {
                return -ENOTSUP;
            }
            elements[used++] = element;
        }
    }
    elements[used] = NULL;
    return used ? 0 : -ENOTSUP;
}

static int struct_type(struct shapes *shapes, const struct plan *plan, uint32_t index,
                       ffi_type **ret_type)
{
    const struct cordon_plan_type *type = plan_type(plan, index);
    ffi_type *made = &shapes->structs[index];
    *ret_type = made;
    if (made->elements) {
        return 0;
    }
    made->elements = calloc(CLASSIFIED_BYTES_MAX + 1, sizeof(ffi_type *));
    if (!made->elements) {
        return -ENOMEM;
    }
    made->type = FFI_TYPE_STRUCT;
    if (type->size > CLASSIFIED_BYTES_MAX) {
        made->size = type->size;
        made->alignment = (unsigned short)type->align;
        made->elements[0] = &ffi_type_uint8;
        return 0;
    }
    int r = fill_elements(shapes, plan, type, made->elements);
    if (r < 0) {
        return r;
    }
    size_t no_offsets[CLASSIFIED_BYTES_MAX];
    if (ffi_get_struct_offsets(FFI_DEFAULT_ABI, made, no_offsets) != FFI_OK ||
        made->size != type->size || made->alignment != type->align) {
        return -ENOTSUP;
    }
    return 0;
}

static int passed_type(struct shapes *shapes, const struct plan *plan, uint32_t index,
                       ffi_type **ret_type, struct message *why)
{
    int r = element_type(shapes, plan, index, ret_type);
    if (r == -ENOTSUP) {
        return message_set(why, r, "libffi cannot pass %s by value",
                           plan_name(plan, plan_type(plan, index)->name));
    }
    return r;
}

static int shape_init(struct shapes *shapes, const struct plan *plan, uint32_t index,
                      struct message *why)
{
    struct shape *shape = &shapes->of[index];
    const struct cordon_plan_function *function = plan_function(plan, index);
    shape->is_variadic = function->flags & CORDON_PLAN_VARIADIC;
    shape->argument_count = function->param_count - (shape->is_variadic ? 1 : 0);
    int r = passed_type(shapes, plan, function->result.type, &shape->result, why);
    for (uint32_t i = 0; r == 0 && i < shape->argument_count; i++) {
        uint32_t type = plan_function_param(plan, function, i)->type;
        r = passed_type(shapes, plan, type, &shape->arguments[i], why);
    }
    if (r < 0 || (shape->is_variadic && index == 0)) {
        return r;
    }
    uint8_t result_kind = plan_type(plan, function->result.type)->kind;
    if (index != 0 && (result_kind == CORDON_PLAN_POINTER || result_kind == CORDON_PLAN_STRING)) {
        return message_set(why, -ENOTSUP,
                           "callback %s gives memory to the library, and nobody "
                           "could say how long it is needed",
                           plan_name(plan, function->name));
    }
    if (shape->is_variadic) {
        return message_set(why, -ENOTSUP, "callback %s takes `...`, which no trampoline can",
                           plan_name(plan, function->name));
    }
    if (ffi_prep_cif(&shape->cif, FFI_DEFAULT_ABI, shape->argument_count, shape->result,
                     shape->arguments) != FFI_OK) {
        return message_set(why, -ENOTSUP, "libffi cannot call %s", plan_name(plan, function->name));
    }
    return 0;
}

int shapes_new(const struct plan *plan, struct shapes **ret_shapes, struct message *why)
{
    uint32_t count = plan_header(plan)->function_count;
    uint32_t type_count = plan_header(plan)->type_count;
    struct shapes *shapes = calloc(1, sizeof *shapes + count * sizeof shapes->of[0]);
    if (!shapes) {
        return message_set(why, -ENOMEM, "no memory for the shapes of a plan");
    }
    shapes->count = count;
    shapes->struct_count = type_count;
    shapes->structs = calloc(type_count ? type_count : 1, sizeof(ffi_type));
    int r = shapes->structs ? 0 : -ENOMEM;
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        r = shape_init(shapes, plan, i, why);
    }
    if (r < 0) {
        shapes_free(shapes);
        return r == -ENOMEM ? message_set(why, r, "no memory for the shapes of a plan") : r;
    }
    *ret_shapes = shapes;
    return 0;
}

void shapes_free(struct shapes *shapes)
{
    if (!shapes) {
        return;
    }
    for (uint32_t i = 0; shapes->structs && i < shapes->struct_count; i++) {
        free(shapes->structs[i].elements);
    }
    free(shapes->structs);
    free(shapes);
}
