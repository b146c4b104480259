/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/generate.h"
#include "json/plan_view.h"

/*
 * How it works: a module that opens the interface, and tells type checkers what its functions are. For them there is a
 * class whose methods they are; while a program runs it is cordon.Cell itself. Methods are written to a memory of their own, and
 * while that is done the named tuples that they give are declared in another one.
 */

enum { NAME_BYTES = 128, TYPE_BYTES = 320, DECLARED_MAX = 256 };

struct module {
    const struct generation *from;
    FILE *declared;
    FILE *methods;
    char *names[DECLARED_MAX]; /* of what is declared: owned */
    size_t count;
    bool failed; /* no memory, or too many */
};

struct passed {
    char name[NAME_BYTES];
    char type[TYPE_BYTES];
    bool optional;
    bool variadic;
};

/* ---- Names -------------------------------------------------------------------------------------- */

static bool is_keyword(const char *name)
{
    static const char *const keywords[] = {
        "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
        "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
        "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
        "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield",
    };
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (strcmp(keywords[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* As the package names members and classes (cordon._classes). */
static void fit_name(const char *name, char *fit)
{
    const char *last = strrchr(name, ' ');
    name = last ? last + 1 : name;
    name += strspn(name, "_");
    (void)snprintf(fit, NAME_BYTES - 1, "%s", *name ? name : "unnamed");
    if (is_keyword(fit)) {
        strcat(fit, "_");
    }
}

/* False: it was declared before. */
static bool declare(struct module *module, const char *name)
{
    for (size_t i = 0; i < module->count; i++) {
        if (strcmp(module->names[i], name) == 0) {
            return false;
        }
    }
    char *copy = module->count < DECLARED_MAX ? strdup(name) : NULL;
    module->failed = module->failed || !copy;
    if (copy) {
        module->names[module->count++] = copy;
    }
    return copy != NULL;
}

/* ---- Types -------------------------------------------------------------------------------------- */

enum use { GIVEN, GOT };

static void name_type(struct module *module, const struct plan_view *plan,
                      const struct cordon_plan_type *type, enum use use, char *text);

/* A named tuple; its name. */
static void name_record(struct module *module, const struct plan_view *plan,
                        const struct cordon_plan_type *record, char *name)
{
    const char *own = view_name(plan, record->name);
    fit_name(*own ? own : "struct", name);
    if (!declare(module, name)) {
        return;
    }
    char *text = NULL;
    size_t length = 0;
    FILE *members = open_memstream(&text, &length);
    if (!members) {
        module->failed = true;
        return;
    }
    for (uint32_t i = 0; i < record->count; i++) {
        const struct cordon_plan_field *field = view_field(plan, record, i);
        char member[NAME_BYTES];
        char type[TYPE_BYTES];
        fit_name(view_name(plan, field->name), member);
        name_type(module, plan, view_type(plan, field->type), GOT, type);
        fprintf(members, "    %s: %s\n", member, type);
    }
    module->failed = fclose(members) != 0 || module->failed;
    fprintf(module->declared, "class %s(NamedTuple):\n%s\n\n", name, text);
    free(text);
}

static void name_elements(struct module *module, const struct plan_view *plan,
                          const struct cordon_plan_type *type, enum use use, char *text)
{
    char inner[TYPE_BYTES - 48];
    char whole[TYPE_BYTES];
    if (view_is_bytes(plan, type) &&
        (view_target(plan, type)->kind != CORDON_PLAN_I8 || type->flags & CORDON_PLAN_TEXT)) {
        bool is_text = type->flags & CORDON_PLAN_TEXT;
        (void)snprintf(text, TYPE_BYTES, "%s",
                       use == GOT ? (is_text ? "str" : "bytes")
                                  : (is_text ? "str | Bytes" : "Bytes"));
        return;
    }
    name_type(module, plan, view_target(plan, type), use, whole);
    (void)snprintf(inner, sizeof inner, "%.*s", (int)sizeof inner - 1, whole);
    (void)snprintf(text, TYPE_BYTES, use == GOT ? "list[%s]" : "Sequence[%s]", inner);
}

static bool is_single(const struct cordon_plan_type *type)
{
    return type->kind == CORDON_PLAN_POINTER && type->code == CORDON_PLAN_NONE &&
           type->length_code == CORDON_PLAN_NONE && !(type->flags & CORDON_PLAN_NULL_ENDED);
}

static const char *scalar_name(const struct cordon_plan_type *type, enum use use)
{
    if (type->kind == CORDON_PLAN_BOOL) {
        return "bool";
    }
    if (type->kind == CORDON_PLAN_F32 || type->kind == CORDON_PLAN_F64) {
        return "float";
    }
    return type->flags & CORDON_PLAN_ENUM && use == GIVEN ? "int | str" : "int";
}

/* Without None: name_type() adds it. */
static void name_bare(struct module *module, const struct plan_view *plan,
                      const struct cordon_plan_type *type, enum use use, char *text)
{
    char name[NAME_BYTES];
    if (view_is_scalar(type)) {
        (void)snprintf(text, TYPE_BYTES, "%s", scalar_name(type, use));
        return;
    }
    switch (type->kind) {
    case CORDON_PLAN_STRING:
        (void)snprintf(text, TYPE_BYTES, "%s", use == GOT ? "str" : "str | Bytes");
        break;
    case CORDON_PLAN_STRUCT:
        name_record(module, plan, type, name);
        (void)snprintf(text, TYPE_BYTES, use == GOT ? "%s" : "%s | Struct", name);
        break;
    case CORDON_PLAN_POINTER:
        if (is_single(type)) {
            name_bare(module, plan, view_target(plan, type), use, text);
            break;
        }
        name_elements(module, plan, type, use, text);
        break;
    case CORDON_PLAN_ARRAY:
        name_elements(module, plan, type, use, text);
        break;
    case CORDON_PLAN_HANDLE:
        (void)snprintf(text, TYPE_BYTES, "%s",
                       use == GIVEN && type->flags & CORDON_PLAN_RESIDENT
                           ? "cordon.Object | cordon.Handle"
                           : "cordon.Handle");
        break;
    case CORDON_PLAN_CALLBACK:
        (void)snprintf(text, TYPE_BYTES, "%s", use == GIVEN ? "Callable[..., Any] | int" : "int");
        break;
    case CORDON_PLAN_TOKEN:
    case CORDON_PLAN_WITHIN:
        (void)snprintf(text, TYPE_BYTES, "int");
        break;
    default:
        (void)snprintf(text, TYPE_BYTES, "Any");
        break;
    }
}

static bool may_be_none(const struct cordon_plan_type *type, enum use use)
{
    bool pointer = view_is_memory(type) || type->kind == CORDON_PLAN_HANDLE ||
                   type->kind == CORDON_PLAN_CALLBACK || type->kind == CORDON_PLAN_TOKEN ||
                   type->kind == CORDON_PLAN_WITHIN;
    bool token = type->kind == CORDON_PLAN_TOKEN || type->kind == CORDON_PLAN_CALLBACK;
    return pointer && (use == GOT || token || type->flags & CORDON_PLAN_NULLABLE);
}

static void name_type(struct module *module, const struct plan_view *plan,
                      const struct cordon_plan_type *type, enum use use, char *text)
{
    name_bare(module, plan, type, use, text);
    if (may_be_none(type, use) && strlen(text) < TYPE_BYTES - 8) {
        strcat(text, " | None");
    }
}

/* ---- Functions ---------------------------------------------------------------------------------- */

/* Whether something behind an object of @type comes back: as the package asks it. */
static bool comes_back(const struct plan_view *plan, const struct cordon_plan_type *type,
                       uint32_t depth)
{
    if (depth > CORDON_PLAN_DEPTH_MAX) {
        return false;
    }
    if (view_is_memory(type) && type->direction != CORDON_PLAN_IN) {
        return true;
    }
    for (uint32_t i = 0; type->kind == CORDON_PLAN_STRUCT && i < type->count; i++) {
        if (comes_back(plan, view_type(plan, view_field(plan, type, i)->type), depth + 1)) {
            return true;
        }
    }
    return (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_ARRAY) &&
           comes_back(plan, view_target(plan, type), depth + 1);
}

/* What comes back in a parameter: a view of what was given, if that could be written to in place. */
static void name_output(struct module *module, const struct plan_view *plan,
                        const struct cordon_plan_type *type, char *text)
{
    if (is_single(type) || type->kind != CORDON_PLAN_POINTER) {
        name_type(module, plan, is_single(type) ? view_target(plan, type) : type, GOT, text);
        return;
    }
    name_bare(module, plan, type, GOT, text);
    if (type->flags & CORDON_PLAN_NULLABLE) {
        strcat(text, " | None");
    }
}

/* The type of what the function gives; a named tuple of several is declared. */
static void name_result(struct module *module, const struct plan_view *plan, char *text)
{
    const struct cordon_plan_function *function = view_function(plan);
    const struct cordon_plan_type *result = view_type(plan, function->result.type);
    char rows[CORDON_PLAN_PARAMS_MAX + 1][NAME_BYTES + TYPE_BYTES];
    uint32_t count = 0;
    (void)snprintf(text, TYPE_BYTES, "None");
    if (result->kind != CORDON_PLAN_VOID) {
        name_type(module, plan, result, GOT, text);
        (void)snprintf(rows[count++], sizeof rows[0], "result: %s", text);
    }
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        const struct cordon_plan_type *type = view_type(plan, param->type);
        if (param->position >= function->passed_count || !comes_back(plan, type, 0)) {
            continue;
        }
        char name[NAME_BYTES];
        fit_name(view_name(plan, param->name), name);
        if (strcmp(name, "result") == 0 && result->kind != CORDON_PLAN_VOID) {
            strcat(name, "_");
        }
        name_output(module, plan, type, text);
        (void)snprintf(rows[count++], sizeof rows[0], "%s: %s", name, text);
    }
    if (count < 2) {
        return;
    }
    (void)snprintf(text, TYPE_BYTES, "%.100s_result", view_name(plan, function->name));
    if (declare(module, text)) {
        fprintf(module->declared, "class %s(NamedTuple):\n", text);
        for (uint32_t i = 0; i < count; i++) {
            fprintf(module->declared, "    %s\n", rows[i]);
        }
        fprintf(module->declared, "\n\n");
    }
}

/* Parameters as callers pass them. Returns how many; @ret_places: those before are by position alone. */
static uint32_t list_passed(struct module *module, const struct plan_view *plan,
                            struct passed *passed, uint32_t *ret_places)
{
    const struct cordon_plan_function *function = view_function(plan);
    uint32_t count = 0;
    *ret_places = 0;
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        const struct cordon_plan_type *type = view_type(plan, param->type);
        struct passed *one = &passed[count];
        if (param->position >= function->passed_count || view_only_out(type)) {
            continue;
        }
        const char *name = view_name(plan, param->name);
        one->variadic = type->kind == CORDON_PLAN_VARARGS;
        one->optional = (type->flags & CORDON_PLAN_NULLABLE) != 0;
        (void)snprintf(one->name, sizeof one->name - 1, "%s", name);
        if (is_keyword(name) || strcmp(name, "self") == 0 || *name == '\0') {
            (void)snprintf(one->name, sizeof one->name, "%.100s_%s", name, *name ? "" : "unnamed");
            *ret_places = count + 1;
        }
        name_type(module, plan, type, GIVEN, one->type);
        count++;
    }
    for (uint32_t i = count, last = 1; i-- > 0;) { /* only the last ones can have a default */
        last = last && (passed[i].optional || passed[i].variadic);
        passed[i].optional = last && !passed[i].variadic;
    }
    return count;
}

/* Comments may say anything: quotes and backslashes are escaped. */
static void put_comment(FILE *out, const char *indent, const char *text)
{
    fprintf(out, "%s\"\"\"", indent);
    for (const char *at = text; *at; at++) {
        if (*at == '\\' || *at == '"') {
            fputc('\\', out);
        }
        fputc(*at, out);
        if (*at == '\n') {
            fputs(indent, out);
        }
    }
    fputs("\"\"\"\n", out);
}

/* Methods of cordon.Cell: a function that is called so comes before it. */
static bool is_cells_own(const char *name)
{
    static const char *const names[] = {"name",   "isolation", "policy",    "closed", "close",
                                        "bind",   "constants", "session",   "batch",  "alloc",
                                        "object", "stats",     "worker_pid"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void put_method(struct module *module, const struct plan_view *plan)
{
    const struct cordon_plan_function *function = view_function(plan);
    struct passed passed[CORDON_PLAN_PARAMS_MAX];
    char result[TYPE_BYTES];
    uint32_t places;
    uint32_t count = list_passed(module, plan, passed, &places);
    bool starred = false;
    name_result(module, plan, result);
    if (is_keyword(view_name(plan, function->name))) {
        return; /* getattr(cell, "raise"): no method can be called so */
    }
    fprintf(module->methods, "        def %s(self", view_name(plan, function->name));
    for (uint32_t i = 0; i < count; i++) {
        if (passed[i].variadic) {
            fprintf(module->methods, ", *args: Any");
            starred = true;
        } else {
            fprintf(module->methods, ", %s: %s%s", passed[i].name, passed[i].type,
                    passed[i].optional ? " = None" : "");
        }
        if (i + 1 == places) {
            fprintf(module->methods, ", /");
        }
    }
    fprintf(module->methods, ", %stimeout: float | None = ...) -> %s:%s\n", starred ? "" : "*, ",
            result,
            is_cells_own(view_name(plan, function->name)) ? "  # type: ignore[override]" : "");
    if (function->comment != 0) {
        put_comment(module->methods, "            ", view_name(plan, function->comment));
    }
    fprintf(module->methods, "            ...\n\n");
}

/* ---- The module --------------------------------------------------------------------------------- */

static void put_all(struct module *module, const char *declared, const char *methods)
{
    FILE *out = module->from->out;
    const char *library = cordon_interface_library(module->from->interface_);
    fprintf(out, "# Written by `cordon generate python`: what is changed here is lost with the "
                 "next time.\n");
    fprintf(out, "\"\"\"Functions of %s in isolation: ``%s.open()`` gives a cell.\"\"\"\n\n",
            library ? library : "a library", module->from->name);
    fprintf(out, "from __future__ import annotations\n\n"
                 "from collections.abc import Callable, Mapping, Sequence\n"
                 "from typing import TYPE_CHECKING, Any, NamedTuple, Union\n\n"
                 "import cordon\n\n"
                 "Bytes = Union[bytes, bytearray, memoryview, cordon.Buffer, Sequence[int]]\n"
                 "Struct = Union[Mapping[str, Any], Any]\n\n\n");
    fputs(declared, out);
    fprintf(out, "if TYPE_CHECKING:\n\n    class Cell(cordon.Cell):\n%s", methods);
    fprintf(out, "%s\nelse:\n    Cell = cordon.Cell\n\n", *methods ? "" : "        pass\n");
    fprintf(out, "INTERFACE = \"\"\"\\\n");
    for (const char *at = module->from->text; *at; at++) {
        if (*at == '\\' || *at == '"') {
            fputc('\\', out);
        }
        fputc(*at, out);
    }
    fprintf(
        out,
        "\"\"\"\n\n\ndef open(library: str | None = None, **options: Any) -> Cell:\n"
        "    \"\"\"Open the library in isolation: options are those of cordon.open().\"\"\"\n"
        "    return cordon.open(library, INTERFACE, **options)  # type: ignore[return-value]\n");
}

static int write_python(const struct generation *generation, struct message *why)
{
    struct module module = {.from = generation};
    char *declared = NULL;
    char *methods = NULL;
    size_t lengths[2] = {0, 0};
    module.declared = open_memstream(&declared, &lengths[0]);
    module.methods = open_memstream(&methods, &lengths[1]);
    size_t count = cordon_interface_function_count(generation->interface_);
    for (size_t i = 0; module.declared && module.methods && i < count; i++) {
        size_t bytes;
        put_method(&module, cordon_interface_plan(generation->interface_, i, &bytes));
    }
    module.failed = !module.declared || fclose(module.declared) != 0 || module.failed;
    module.failed = !module.methods || fclose(module.methods) != 0 || module.failed;
    if (!module.failed) {
        put_all(&module, declared, methods);
    }
    free(declared);
    free(methods);
    while (module.count > 0) {
        free(module.names[--module.count]);
    }
    return module.failed
               ? message_set(why, -ENOMEM, "no memory, or more than %d types", DECLARED_MAX)
               : 0;
}

const struct generator python_generator = {.language = "python", .write = write_python};
