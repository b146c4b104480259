/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/probe.h"
#include "cell/cell.h"
#include "cell/session.h"
#include "library/library.h"

/* "crc32": the name of a function in the cell's interface, not a declaration. */
static bool is_name(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_') {
        return false;
    }
    while (isalnum((unsigned char)*text) || *text == '_') {
        text++;
    }
    return *text == '\0';
}

static bool type_is_flat(const struct plan *plan, uint32_t index, uint32_t depth)
{
    const struct cordon_plan_type *type = plan_type(plan, index);
    switch (type->kind) {
    case CORDON_PLAN_POINTER:
        return depth == 0 && !(type->flags & CORDON_PLAN_NULL_ENDED) &&
               type_is_flat(plan, type->target, 1);
    case CORDON_PLAN_STRING:
        return depth == 0;
    case CORDON_PLAN_ARRAY:
        return type_is_flat(plan, type->target, depth + 1);
    case CORDON_PLAN_STRUCT:
        for (uint32_t i = 0; i < type->count; i++) {
            if (!type_is_flat(plan, plan_field(plan, type->first + i)->type, depth + 1)) {
                return false;
            }
        }
        return true;
    case CORDON_PLAN_VARARGS:
        return false;
    default:
        return true;
    }
}

static void look_at(struct cordon_function *function)
{
    const struct cordon_plan_function *record = function->record;
    function->mailbox = (record->flags & CORDON_PLAN_MAILBOX) != 0;
    function->flat = true;
    function->dynamic = record->result.passing == CORDON_PLAN_PASS_DYNAMIC;
    for (uint32_t i = 0; i < record->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(function->plan, record, i);
        function->flat = function->flat && type_is_flat(function->plan, param->type, 0);
        function->dynamic = function->dynamic || param->passing == CORDON_PLAN_PASS_DYNAMIC ||
                            (param->passing == CORDON_PLAN_PASS_BYTES &&
                             (plan_type(function->plan, param->type)->flags & CORDON_PLAN_OWNED));
        const struct cordon_plan_type *type = plan_type(function->plan, param->type);
        function->has_handles = function->has_handles || type->kind == CORDON_PLAN_HANDLE;
    }
}

static int function_new(struct cordon_cell *cell, const void *bytes, size_t length,
                        struct cordon_function **ret_function, struct message *why)
{
    struct cordon_function *function = calloc(1, sizeof *function);
    void *copy = aligned_alloc(8, (length + 7u) & ~(size_t)7u);
    if (!function || !copy) {
        free(function);
        free(copy);
        return message_set(why, -ENOMEM, "not enough memory for a function");
    }
    memcpy(copy, bytes, length);
    int r = plan_validate(copy, length, &function->plan, why);
    if (r != 0) {
        free(function);
        free(copy);
        return r;
    }
    function->cell = cell;
    function->plan_bytes = length;
    function->record = plan_function(function->plan, 0);
    look_at(function);
    if (!cell->options.record) {
        quick_prepare(&function->quick, function->plan, function->record);
    }
    *ret_function = function;
    return 0;
}

/* The same declaration bound again is the same function. */
static struct cordon_function *find_bound(struct cordon_cell *cell, const void *bytes,
                                          size_t length)
{
    for (uint32_t i = 0; i < cell->function_count; i++) {
        struct cordon_function *function = cell->functions[i];
        if (function->plan_bytes == length && memcmp(function->plan, bytes, length) == 0) {
            return function;
        }
    }
    return NULL;
}

static int add_function(struct cordon_cell *cell, const void *bytes, size_t length,
                        struct cordon_function **ret_function, struct message *why)
{
    int r = 0;
    (void)pthread_mutex_lock(&cell->lock);
    struct cordon_function *function = find_bound(cell, bytes, length);
    if (!function && cell->function_count == LIMIT_FUNCTIONS) {
        r = message_set(why, -E2BIG, "more than %u functions in one cell (LIMIT_FUNCTIONS)",
                        LIMIT_FUNCTIONS);
    }
    if (!function && r == 0 && cell->attachment) {
        r = message_set(why, -EPERM,
                        "the daemon does not lend a function of exactly this declaration: bind it "
                        "by its name, or as its interface has it");
    }
    if (!function && r == 0) {
        r = function_new(cell, bytes, length, &function, why);
        if (r == 0) {
            function->id = cell->function_count;
            cell->functions[cell->function_count++] = function;
            reporting_add_function(&cell->reporting, function->id, function->plan,
                                   function->plan_bytes);
        }
    }
    (void)pthread_mutex_unlock(&cell->lock);
    if (r == 0) {
        *ret_function = function;
    }
    return r;
}

/* Ask the library for the symbol now, not at the first call. */
static int check_symbol(struct cordon_cell *cell, struct cordon_function *function,
                        struct message *why)
{
    struct cordon_session *session;
    int r = cell_session(cell, &session, why);
    if (r != 0) {
        return r;
    }
    int entered = session_enter_looking(session, CLOCK_NEVER);
    if (entered < 0) {
        return session_busy(session, entered, NULL, why);
    }
    r = session_station(session, why);
    if (r == 0) {
        session->unbegun = false;
        r = session_bind(session, function, why);
        if (r != 0 && session->unbegun && session->depth == 0) {
            r = session_station(session,
                                why); /* it had died before: once more, by a fresh worker */
            r = r == 0 ? session_bind(session, function, why) : r;
        }
    }
    session_leave(session);
    r = outcome_errno(r);
    if (r == -ENOENT && cell->library) {
        library_explain(cell->library, plan_name(function->plan, function->record->symbol), why);
    }
    return r;
}

static int bind_plan(struct cordon_cell *cell, const struct interface *interface, const char *name,
                     struct cordon_function **ret_function, struct message *why)
{
    size_t index;
    int r = interface_find(interface, name, &index);
    if (r != 0) {
        return message_set(why, r,
                           name ? "no function '%s' in the interface"
                                : "the prototype must declare one function%s",
                           name ? name : "");
    }
    size_t length;
    const void *bytes = interface_plan(interface, index, &length);
    return add_function(cell, bytes, length, ret_function, why);
}

int cell_add_interface(struct cordon_cell *cell, struct message *why)
{
    size_t count = cell->interface ? interface_function_count(cell->interface) : 0;
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        struct cordon_function *function;
        size_t length;
        const void *bytes = interface_plan(cell->interface, i, &length);
        r = add_function(cell, bytes, length, &function, why);
    }
    return r;
}

int cell_bind_plan(struct cordon_cell *cell, const void *plan, size_t plan_bytes, uint32_t require,
                   struct cordon_function **ret_function, struct message *why)
{
    struct cordon_function *function;
    int r = outcome_errno(cell_usable(cell, why));
    r = r == 0 ? isolation_require(cell->isolation, require, why) : r;
    r = r == 0 ? add_function(cell, plan, plan_bytes, &function, why) : r;
    r = r == 0 ? check_symbol(cell, function, why) : r;
    if (r == 0) {
        *ret_function = function;
    }
    return r;
}

int cell_bind(struct cordon_cell *cell, const char *prototype, uint32_t require,
              struct cordon_function **ret_function, struct message *why)
{
    int r = outcome_errno(cell_usable(cell, why));
    if (r == 0) {
        r = isolation_require(cell->isolation, require, why);
    }
    if (r != 0) {
        return r;
    }
    struct cordon_function *function;
    if (is_name(prototype)) {
        if (!cell->interface) {
            return message_set(why, -EINVAL,
                               "'%s' is a name, but the cell has no interface: give a declaration",
                               prototype);
        }
        r = bind_plan(cell, cell->interface, prototype, &function, why);
    } else {
        struct interface *interface;
        r = interface_parse("prototype", prototype, strlen(prototype), &interface, why);
        if (r == 0) {
            r = bind_plan(cell, interface, NULL, &function, why);
            interface_free(interface);
        }
    }
    if (r == 0) {
        r = check_symbol(cell, function, why);
    }
    if (r != 0) {
        return r;
    }
    PROBE2(bind, function->id, plan_name(function->plan, function->record->name));
    *ret_function = function;
    return 0;
}
