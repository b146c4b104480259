/* SPDX-License-Identifier: Apache-2.0 */
#include "report/arguments.h"

#include <stdio.h>
#include <string.h>

#include "frame/scalar.h"

const char *report_type_text(const struct plan *plan, const struct cordon_plan_type *type,
                             char *text, size_t size)
{
    char inner[96];
    const char *name = plan_name(plan, type->name);
    if (*name && type->kind != CORDON_PLAN_POINTER && type->kind != CORDON_PLAN_STRING) {
        (void)snprintf(text, size, "%s%s",
                       type->kind == CORDON_PLAN_STRUCT && !strchr(name, ' ') ? "struct " : "",
                       name);
        return text;
    }
    switch (type->kind) {
    case CORDON_PLAN_VOID:
        (void)snprintf(text, size, "void");
        break;
    case CORDON_PLAN_STRUCT:
        (void)snprintf(text, size, "struct");
        break;
    case CORDON_PLAN_ARRAY:
        report_type_text(plan, plan_type(plan, type->target), inner, sizeof inner);
        (void)snprintf(text, size, "%s[%u]", inner, type->count);
        break;
    case CORDON_PLAN_POINTER:
        report_type_text(plan, plan_type(plan, type->target), inner, sizeof inner);
        (void)snprintf(text, size, "%s *", inner);
        break;
    case CORDON_PLAN_STRING:
        (void)snprintf(text, size, "char *");
        break;
    case CORDON_PLAN_HANDLE:
        (void)snprintf(text, size, "handle");
        break;
    case CORDON_PLAN_CALLBACK:
        (void)snprintf(text, size, "callback");
        break;
    case CORDON_PLAN_TOKEN:
    case CORDON_PLAN_WITHIN:
        (void)snprintf(text, size, "void *");
        break;
    case CORDON_PLAN_VARARGS:
        (void)snprintf(text, size, "...");
        break;
    case CORDON_PLAN_UNION:
        (void)snprintf(text, size, "union");
        break;
    default:
        (void)snprintf(text, size, "%s", scalar_name(type->kind));
        break;
    }
    return text;
}
