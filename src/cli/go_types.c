/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/go_types.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const scalar_names[] = {
    [CORDON_PLAN_BOOL] = "bool",   [CORDON_PLAN_I8] = "int8",     [CORDON_PLAN_U8] = "uint8",
    [CORDON_PLAN_I16] = "int16",   [CORDON_PLAN_U16] = "uint16",  [CORDON_PLAN_I32] = "int32",
    [CORDON_PLAN_U32] = "uint32",  [CORDON_PLAN_I64] = "int64",   [CORDON_PLAN_U64] = "uint64",
    [CORDON_PLAN_F32] = "float32", [CORDON_PLAN_F64] = "float64",
};

static void set(struct go_type *type, const char *prefix, const char *text)
{
    size_t length = (size_t)snprintf(type->text, sizeof type->text, "%s%s", prefix, text);
    if (length >= sizeof type->text) { /* slices of slices of ... */
        memcpy(type->text, "any", sizeof "any");
    }
}

static const char *name_of(struct go_types *types, char kind, const char *of, bool *ret_new)
{
    const char *go = "_";
    if (go_names_give(&types->names, kind, of, true, &go, ret_new) < 0) {
        types->failed = true;
        *ret_new = false;
    }
    return go;
}

static const char *untagged(const char *name)
{
    const char *space = strrchr(name, ' ');
    return space ? space + 1 : name;
}

static size_t width_of(const char *rows, unsigned column)
{
    size_t widest = 0;
    for (const char *row = rows; *row;) {
        const char *cell = row;
        size_t end = strcspn(row, "\n");
        for (unsigned i = 0; i < column; i++) {
            cell += strcspn(cell, "\t") + 1;
        }
        size_t width = strcspn(cell, "\t\n");
        widest = width > widest ? width : widest;
        row += end + 1;
    }
    return widest;
}

void go_aligned(FILE *out, const char *rows)
{
    for (const char *row = rows; *row;) {
        fputc('\t', out);
        for (unsigned column = 0;; column++) {
            size_t width = strcspn(row, "\t\n");
            fprintf(out, "%.*s", (int)width, row);
            row += width;
            if (*row++ == '\n') {
                break;
            }
            fprintf(out, "%*s", (int)(width_of(rows, column) - width + 1), "");
        }
        fputc('\n', out);
    }
}

static void take_enumerators(struct go_types *types, const struct plan_view *plan,
                             const struct cordon_plan_type *type)
{
    for (uint32_t i = 0; type->flags & CORDON_PLAN_ENUM && i < type->count; i++) {
        const struct cordon_plan_enumerator *one = view_enumerator(plan, type, i);
        bool new = false;
        const char *go = name_of(types, 'e', view_name(plan, one->name), &new);
        if (new) {
            fprintf(types->constants, "%s\t= %" PRId64 "\n", go, one->value);
        }
    }
}

/* A struct that has a name, as have its members; others are maps. */
static bool is_sayable(const struct plan_view *plan, const struct cordon_plan_type *record)
{
    bool named = *view_name(plan, record->name) != '\0';
    for (uint32_t i = 0; i < record->count && named; i++) {
        named = *view_name(plan, view_field(plan, record, i)->name) != '\0';
    }
    return named;
}

static void declare_struct(struct go_types *types, const struct plan_view *plan,
                           const struct cordon_plan_type *record, const char *go)
{
    char own[GO_NAME_BYTES];
    snprintf(own, sizeof own, "%s", go); /* names move as more are given */
    struct go_names fields = {0};
    char *rows = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&rows, &length);
    if (!out) {
        types->failed = true;
        return;
    }
    for (uint32_t i = 0; i < record->count; i++) {
        const struct cordon_plan_field *field = view_field(plan, record, i);
        const char *name = view_name(plan, field->name);
        const char *field_go = NULL;
        struct go_type type;
        if (field->flags & CORDON_PLAN_FIELD_FILLED) {
            continue;
        }
        go_types_find(types, plan, view_type(plan, field->type), GO_INSIDE, own, name, &type);
        if (go_names_give(&fields, 'f', name, true, &field_go, NULL) < 0) {
            types->failed = true;
            break;
        }
        fprintf(out, "%s\t%s\t`cordon:\"%s\"`\n", field_go, type.text, name);
    }
    if (fclose(out) == 0) {
        fprintf(types->declared, "// %s is C's struct %s.\ntype %s struct {\n", own,
                untagged(view_name(plan, record->name)), own);
        go_aligned(types->declared, rows);
        fprintf(types->declared, "}\n\n");
    }
    free(rows);
    go_names_deinit(&fields);
}

static void find_struct(struct go_types *types, const struct plan_view *plan,
                        const struct cordon_plan_type *type, struct go_type *ret_type)
{
    if (!is_sayable(plan, type)) {
        set(ret_type, "", "any");
        return;
    }
    bool new = false;
    const char *go = name_of(types, 's', untagged(view_name(plan, type->name)), &new);
    set(ret_type, "", go);
    if (new) {
        declare_struct(types, plan, type, ret_type->text);
    }
}

static void find_handle(struct go_types *types, const struct plan_view *plan,
                        const struct cordon_plan_type *type, enum go_use use,
                        struct go_type *ret_type)
{
    const char *name = untagged(view_name(plan, type->name));
    if (*name == '\0' || *name == '*' || use == GO_INSIDE || use == GO_CALLED) {
        set(ret_type, "", "*cordon.Handle");
        return;
    }
    bool new = false;
    const char *go = name_of(types, 'h', name, &new);
    set(ret_type, "", go);
    ret_type->handle = true;
    if (new) {
        fprintf(types->declared,
                "// %s is an object of the library's, which stays in its worker. Its zero value is "
                "NULL.\n"
                "type %s struct{ *cordon.Handle }\n\n",
                go, go);
    }
}

static void find_elements(struct go_types *types, const struct plan_view *plan,
                          const struct cordon_plan_type *type, enum go_use use,
                          struct go_type *ret_type)
{
    const struct cordon_plan_type *target = view_target(plan, type);
    struct go_type element = {.plain = false};
    if (view_is_bytes(plan, type)) {
        bool text = type->flags & CORDON_PLAN_TEXT;
        set(ret_type, "", text ? "string" : "[]byte");
        ret_type->plain = !(text && type->flags & CORDON_PLAN_NULLABLE);
    } else {
        go_types_find(types, plan, target, GO_INSIDE, "", "", &element);
        set(ret_type, "[]", element.text);
        ret_type->plain = view_is_scalar(target) && target->kind != CORDON_PLAN_BOOL;
    }
    ret_type->in_place =
        use == GO_COMES && type->direction == CORDON_PLAN_INOUT && ret_type->text[0] == '[';
}

static void find_pointer(struct go_types *types, const struct plan_view *plan,
                         const struct cordon_plan_type *type, enum go_use use, const char *owner,
                         const char *name, struct go_type *ret_type)
{
    if (type->code != CORDON_PLAN_NONE || type->flags & CORDON_PLAN_NULL_ENDED) {
        find_elements(types, plan, type, use, ret_type);
        return;
    }
    struct go_type target;
    bool nullable = type->flags & CORDON_PLAN_NULLABLE && type->direction != CORDON_PLAN_OUT;
    bool written = use == GO_CALLED && type->direction != CORDON_PLAN_IN;
    enum go_use inner = use == GO_INSIDE || use == GO_CALLED ? GO_INSIDE : use;
    if (use == GO_RETURNS) {
        inner = GO_COMES;
    }
    go_types_find(types, plan, view_target(plan, type), inner, owner, name, &target);
    bool pointer = (nullable || written || use == GO_RETURNS || use == GO_INSIDE) &&
                   target.text[0] != '*' && target.text[0] != '[' && !target.handle &&
                   strcmp(target.text, "any") != 0;
    set(ret_type, pointer ? "*" : "", target.text);
    ret_type->handle = target.handle;
}

static void put_callback(struct go_types *types, const struct plan_view *plan,
                         const struct cordon_plan_function *shape, const char *owner,
                         const char *go)
{
    struct go_names locals = {0};
    struct go_type type;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length); /* types that are met inside come before it */
    if (!out) {
        types->failed = true;
        return;
    }
    fprintf(out, "// %s is called back by %s.\ntype %s func(ctx context.Context", go, owner, go);
    for (uint32_t i = 0; i < shape->param_count; i++) {
        const struct cordon_plan_param *param =
            VIEW_TABLE(plan, struct cordon_plan_param, params_at) + shape->first_param + i;
        const char *c_name = view_name(plan, param->name);
        const char *local = "_";
        if (param->flags & CORDON_PLAN_FILLED) {
            continue;
        }
        go_types_find(types, plan, view_type(plan, param->type), GO_CALLED, go, c_name, &type);
        if (go_names_give(&locals, 'l', *c_name ? c_name : "p", false, &local, NULL) < 0) {
            types->failed = true;
        }
        fprintf(out, ", %s %s", local, type.text);
    }
    if (shape->result.out_word != CORDON_PLAN_NO_WORD) {
        go_types_find(types, plan, view_type(plan, shape->result.type), GO_CALLED, go, "", &type);
        fprintf(out, ") (%s, error)\n\n", type.text);
    } else {
        fprintf(out, ") error\n\n");
    }
    if (fclose(out) == 0) {
        fputs(text, types->declared);
    }
    free(text);
    go_names_deinit(&locals);
}

/* Destructors and the like, which libraries also have constants for, are what the caller gives. */
static bool is_destructor(const struct plan_view *plan, const struct cordon_plan_function *shape)
{
    const struct cordon_plan_param *first =
        VIEW_TABLE(plan, struct cordon_plan_param, params_at) + shape->first_param;
    return shape->result.out_word == CORDON_PLAN_NO_WORD && shape->param_count == 1 &&
           view_type(plan, first->type)->kind == CORDON_PLAN_TOKEN;
}

static void find_callback(struct go_types *types, const struct plan_view *plan,
                          const struct cordon_plan_type *type, enum go_use use, const char *owner,
                          const char *name, struct go_type *ret_type)
{
    if (use != GO_PASSED || type->target == CORDON_PLAN_NONE || type->flags & CORDON_PLAN_ESCAPE) {
        set(ret_type, "", "any");
        return;
    }
    const struct cordon_plan_function *shape =
        VIEW_TABLE(plan, struct cordon_plan_function, functions_at) + type->target;
    if (is_destructor(plan, shape)) {
        set(ret_type, "", "any");
        return;
    }
    char of[2 * GO_NAME_BYTES];
    bool new = false;
    snprintf(of, sizeof of, "%s_%s", owner, name);
    of[GO_NAME_BYTES - 1] = '\0';
    set(ret_type, "", name_of(types, 'c', of, &new));
    if (new) {
        put_callback(types, plan, shape, owner, ret_type->text);
    }
}

void go_types_find(struct go_types *types, const struct plan_view *plan,
                   const struct cordon_plan_type *type, enum go_use use, const char *owner,
                   const char *name, struct go_type *ret_type)
{
    *ret_type = (struct go_type){0};
    bool nullable = type->flags & CORDON_PLAN_NULLABLE;
    switch (type->kind) {
    case CORDON_PLAN_STRING:
        ret_type->plain = !nullable || use == GO_RETURNS || use == GO_COMES;
        set(ret_type, ret_type->plain ? "" : "*", "string");
        break;
    case CORDON_PLAN_STRUCT:
        find_struct(types, plan, type, ret_type);
        break;
    case CORDON_PLAN_ARRAY:
        find_elements(types, plan, type, use, ret_type);
        break;
    case CORDON_PLAN_POINTER:
        find_pointer(types, plan, type, use, owner, name, ret_type);
        break;
    case CORDON_PLAN_HANDLE:
        find_handle(types, plan, type, use, ret_type);
        break;
    case CORDON_PLAN_CALLBACK:
        find_callback(types, plan, type, use, owner, name, ret_type);
        break;
    case CORDON_PLAN_TOKEN:
        set(ret_type, "", "uint64");
        break;
    case CORDON_PLAN_WITHIN:
        set(ret_type, "", use == GO_PASSED ? "any" : "int");
        break;
    default:
        if (!view_is_scalar(type)) {
            set(ret_type, "", "any");
            break;
        }
        take_enumerators(types, plan, type);
        set(ret_type, "", scalar_names[type->kind]);
        ret_type->plain = true;
    }
}

bool go_gives_back(const struct plan_view *plan, const struct cordon_plan_type *type)
{
    switch (type->kind) {
    case CORDON_PLAN_STRING:
        return type->direction & CORDON_PLAN_OUT;
    case CORDON_PLAN_POINTER:
        return type->direction & CORDON_PLAN_OUT || go_gives_back(plan, view_target(plan, type));
    case CORDON_PLAN_ARRAY:
        return go_gives_back(plan, view_target(plan, type));
    case CORDON_PLAN_STRUCT:
    case CORDON_PLAN_UNION:
        for (uint32_t i = 0; i < type->count; i++) {
            if (go_gives_back(plan, view_type(plan, view_field(plan, type, i)->type))) {
                return true;
            }
        }
        return false;
    default:
        return false;
    }
}
