/* SPDX-License-Identifier: Apache-2.0 */
#include "json/plan_view.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[CORDON_PLAN_KIND_COUNT] = {
    [CORDON_PLAN_VOID] = "void",
    [CORDON_PLAN_BOOL] = "bool",
    [CORDON_PLAN_I8] = "int8_t",
    [CORDON_PLAN_U8] = "uint8_t",
    [CORDON_PLAN_I16] = "int16_t",
    [CORDON_PLAN_U16] = "uint16_t",
    [CORDON_PLAN_I32] = "int32_t",
    [CORDON_PLAN_U32] = "uint32_t",
    [CORDON_PLAN_I64] = "int64_t",
    [CORDON_PLAN_U64] = "uint64_t",
    [CORDON_PLAN_F32] = "float",
    [CORDON_PLAN_F64] = "double",
    [CORDON_PLAN_UNION] = "union",
    [CORDON_PLAN_STRUCT] = "struct",
    [CORDON_PLAN_ARRAY] = "array",
    [CORDON_PLAN_POINTER] = "pointer",
    [CORDON_PLAN_STRING] = "string",
    [CORDON_PLAN_HANDLE] = "handle",
    [CORDON_PLAN_CALLBACK] = "callback",
    [CORDON_PLAN_TOKEN] = "void *",
    [CORDON_PLAN_WITHIN] = "pointer into an argument",
    [CORDON_PLAN_VARARGS] = "...",
};

const char *view_kind_name(uint8_t kind)
{
    return kind_names[kind];
}

const struct cordon_plan_type *view_target(const struct plan_view *plan,
                                           const struct cordon_plan_type *type)
{
    static const struct cordon_plan_type byte = {
        .kind = CORDON_PLAN_U8, .direction = CORDON_PLAN_IN, .size = 1, .align = 1};
    if (type->target == CORDON_PLAN_NONE) {
        return &byte;
    }
    const struct cordon_plan_type *target = view_type(plan, type->target);
    return target->kind == CORDON_PLAN_VOID ? &byte : target;
}

size_t view_element_bytes(const struct plan_view *plan, const struct cordon_plan_type *type)
{
    size_t size = view_target(plan, type)->size;
    return size == 0 ? 1 : size;
}

bool view_is_bytes(const struct plan_view *plan, const struct cordon_plan_type *type)
{
    const struct cordon_plan_type *target = view_target(plan, type);
    bool many = type->kind == CORDON_PLAN_ARRAY || type->code != CORDON_PLAN_NONE;
    return many && !(target->flags & CORDON_PLAN_ENUM) &&
           (target->kind == CORDON_PLAN_U8 || target->kind == CORDON_PLAN_I8);
}

const char *view_type_text(const struct plan_view *plan, const struct cordon_plan_type *type,
                           char *text, size_t size)
{
    char inner[128];
    const char *name = view_name(plan, type->name);
    if (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_ARRAY) {
        if (view_is_bytes(plan, type)) {
            snprintf(text, size, "%s", type->flags & CORDON_PLAN_TEXT ? "characters" : "bytes");
            return text;
        }
        bool many = type->kind == CORDON_PLAN_ARRAY || type->code != CORDON_PLAN_NONE ||
                    type->flags & CORDON_PLAN_NULL_ENDED;
        snprintf(text, size, "%s%s", many ? "array of " : "",
                 view_type_text(plan, view_target(plan, type), inner, sizeof inner));
        return text;
    }
    if (type->kind == CORDON_PLAN_STRING || *name == '\0') {
        snprintf(text, size, "%s", kind_names[type->kind]);
        return text;
    }
    bool tagged = type->kind == CORDON_PLAN_STRUCT && !strchr(name, ' ');
    snprintf(text, size, "%s%s%s", type->kind == CORDON_PLAN_HANDLE ? "handle of " : "",
             tagged ? "struct " : "", name);
    return text;
}
