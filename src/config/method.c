/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"
#include "config/work.h"
#include "config/opening_call.h"

/* ---- Functions of an interface ----------------------------------------------------------------- */

static const struct plan_view *plan_at(const struct cordon_interface *interface, size_t index)
{
    size_t bytes;
    return cordon_interface_plan(interface, index, &bytes);
}

static const char *function_name(const struct plan_view *plan)
{
    return view_name(plan, view_function(plan)->name);
}

static const struct plan_view *find_function(const struct cordon_interface *interface,
                                             const char *name)
{
    for (size_t i = 0; i < cordon_interface_function_count(interface); i++) {
        if (strcmp(function_name(plan_at(interface, i)), name) == 0) {
            return plan_at(interface, i);
        }
    }
    return NULL;
}

static void say_no_function(struct config_work *work, const struct cordon_interface *interface,
                            const char *name, struct config_field field)
{
    struct value_guess guess = value_guess_start(name);
    for (size_t i = 0; i < cordon_interface_function_count(interface); i++) {
        value_guess_consider(&guess, function_name(plan_at(interface, i)));
    }
    const char *meant = value_guess_found(&guess);
    config_say(work, FINDING_ERROR, field, "the interface declares no function '%.64s'%s%s%s", name,
               meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

/* ---- Encodings --------------------------------------------------------------------------------- */

/* Whether somewhere in @type there are bytes that are no text: to these an encoding says something. */
static bool holds_bytes(const struct plan_view *plan, const struct cordon_plan_type *type,
                        uint32_t depth)
{
    bool points = type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_ARRAY;
    if (depth > CORDON_PLAN_DEPTH_MAX) {
        return false;
    }
    if (points && view_is_bytes(plan, type)) {
        return (type->flags & CORDON_PLAN_TEXT) == 0;
    }
    if (type->kind == CORDON_PLAN_STRUCT || type->kind == CORDON_PLAN_UNION) {
        for (uint32_t i = 0; i < type->count; i++) {
            const struct cordon_plan_field *field = view_field(plan, type, i);
            if (holds_bytes(plan, view_type(plan, field->type), depth + 1)) {
                return true;
            }
        }
        return false;
    }
    return points && holds_bytes(plan, view_target(plan, type), depth + 1);
}

static bool gives_bytes(const struct json_method *method)
{
    const struct plan_view *plan = method->plan;
    bool all = method->result == JSON_RESULT_ALL;
    bool gives = (all || method->result == JSON_RESULT_RETURN) &&
                 holds_bytes(plan, view_type(plan, view_function(plan)->result.type), 0);
    for (uint32_t i = 0; i < method->count; i++) {
        if (method->parameters[i].comes_back && (all || method->result == i)) {
            gives = gives || holds_bytes(plan, view_type(plan, view_param(plan, i)->type), 0);
        }
    }
    return gives;
}

/* ---- One method -------------------------------------------------------------------------------- */

/* Which key a sentence of json_method_init() is about: it begins with the key's name. */
static const char *key_of(const char *sentence)
{
    return strncmp(sentence, "fixed", 5) == 0    ? "fixed"
           : strncmp(sentence, "result", 6) == 0 ? "result"
                                                 : "function";
}

/* As house_open() will do it. */
static void try_method(struct config_work *work, const struct plan_view *plan, size_t cell,
                       size_t index, const struct method_settings *settings)
{
    struct json_method method;
    struct message why;
    struct json_method_options options = {
        .plan = plan,
        .fixed = settings->fixed,
        .fixed_length = settings->fixed ? strlen(settings->fixed) : 0,
        .result = settings->result,
        .encoding = settings->encoding,
    };
    struct config_field encoding = config_field("cells[%zu].methods[%zu].encoding", cell, index);
    int r = json_method_init(&method, &options, &why);
    if (r == -ENOMEM) {
        work->no_memory = true;
    } else if (r != 0) {
        config_say(work, FINDING_ERROR,
                   config_field("cells[%zu].methods[%zu].%s", cell, index, key_of(why.text)), "%s",
                   why.text);
    }
    if (r != 0) {
        return;
    }
    if (config_has(work, encoding) && !gives_bytes(&method)) {
        config_say(work, FINDING_ERROR, encoding,
                   "an encoding is for bytes that come back, and of %s none do: leave it out",
                   function_name(plan));
    }
    json_method_deinit(&method);
}

static void judge_method_name(struct config_work *work, const char *name, size_t cell, size_t index)
{
    if (name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")]) {
        config_say(work, FINDING_ERROR, config_field("cells[%zu].methods[%zu].name", cell, index),
                   "'%.64s' is no name for a method: letters, digits, '_' and '-' are possible",
                   name);
    }
}

static void make_method(struct config_work *work, const struct config_methods *from, size_t cell,
                        size_t index, const struct cordon_interface *interface,
                        struct method_settings *to)
{
    const char *name = from->name ? from->name : "";
    const char *function = from->function ? from->function : name;
    const char *key = from->function ? "function" : "name";
    *to = (struct method_settings){
        .name = config_keep(work, name),
        .function = config_keep(work, function),
        .fixed = config_keep(work, from->fixed),
        .result = config_keep(work, from->result),
        .encoding = (enum json_encoding)from->encoding,
        .pinned = from->pinned,
        .tells_errno = from->tells_errno,
        .deadline_ms = from->deadline_ms,
    };
    judge_method_name(work, name, cell, index);
    if (!interface || !function[0]) {
        return;
    }
    const struct plan_view *plan = find_function(interface, function);
    if (plan) {
        try_method(work, plan, cell, index, to);
    } else {
        say_no_function(work, interface, function,
                        config_field("cells[%zu].methods[%zu].%s", cell, index, key));
    }
}

/* ---- Calls that workers begin with ------------------------------------------------------------- */

static void try_start(struct config_work *work, const struct plan_view *plan,
                      const struct start_settings *settings, size_t cell, size_t index)
{
    struct opening_call opening;
    struct message why;
    int r = opening_call_init(&opening, plan, settings, &why);
    opening_call_deinit(&opening);
    if (r == -ENOMEM) {
        work->no_memory = true;
    } else if (r != 0) {
        config_say(work, FINDING_ERROR,
                   config_field("cells[%zu].on_start[%zu].%s", cell, index,
                                r == -ENOTSUP ? "function" : "arguments"),
                   "%s", why.text);
    }
}

static void make_starts(struct config_work *work, const struct config_cells *from, size_t index,
                        const struct cordon_interface *interface, struct cell_settings *to)
{
    to->starts = calloc(from->on_start_count + 1u, sizeof *to->starts);
    if (!to->starts) {
        work->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < from->on_start_count; i++) {
        struct start_settings *start = &to->starts[to->start_count++];
        start->function = config_keep(work, from->on_start[i].function);
        start->arguments = config_keep(work, from->on_start[i].arguments);
        if (!interface || !start->function) {
            continue;
        }
        const struct plan_view *plan = find_function(interface, start->function);
        if (plan) {
            try_start(work, plan, start, index, i);
        } else {
            say_no_function(work, interface, start->function,
                            config_field("cells[%zu].on_start[%u].function", index, i));
        }
    }
}

void config_methods(struct config_work *work, const struct config_cells *from, size_t index,
                    const struct cordon_interface *interface, struct cell_settings *to)
{
    make_starts(work, from, index, interface, to);
    to->every_function = from->functions;
    to->methods = calloc(from->methods_count + 1u, sizeof *to->methods);
    if (!to->methods) {
        work->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < from->methods_count; i++) {
        to->method_count++;
        make_method(work, &from->methods[i], index, i, interface, &to->methods[i]);
    }
    if (from->methods_count == 0 && !from->functions &&
        !config_has(work, config_field("cells[%zu].methods[0]", index))) {
        config_say(work, FINDING_ERROR, config_field("cells[%zu].functions", index),
                   "this cell offers nothing: list methods, or say functions: all");
    }
}

/* ---- Names of all methods ---------------------------------------------------------------------- */

struct offer {
    const char *name;
    size_t cell;
    size_t method; /* in its cell's list; SIZE_MAX: it is one of all functions */
};

struct offers {
    struct offer *list;
    size_t count;
};

static bool add_offer(struct offers *offers, const char *name, size_t cell, size_t method)
{
    if ((offers->count & (offers->count - 1)) == 0) { /* as many as a power of two: double it */
        size_t room = offers->count > 0 ? 2 * offers->count : 1;
        struct offer *list = realloc(offers->list, room * sizeof *list);
        if (!list) {
            return false;
        }
        offers->list = list;
    }
    offers->list[offers->count++] = (struct offer){name, cell, method};
    return true;
}

/* A function that JSON clients cannot call is left out by house_open(). */
static bool can_be_called(const struct plan_view *plan)
{
    struct json_method method;
    struct message why;
    struct json_method_options options = {.plan = plan};
    int r = json_method_init(&method, &options, &why);
    if (r == 0) {
        json_method_deinit(&method);
    }
    return r == 0;
}

static bool has_method_for(const struct cell_settings *settings, const char *function)
{
    for (size_t i = 0; i < settings->method_count; i++) {
        if (settings->methods[i].function && strcmp(settings->methods[i].function, function) == 0) {
            return true;
        }
    }
    return false;
}

static bool offer_cell(struct offers *offers, const struct cell_settings *settings, size_t cell,
                       const struct cordon_interface *interface)
{
    bool room = true;
    for (size_t i = 0; room && i < settings->method_count; i++) {
        const char *name = settings->methods[i].name;
        room = !name || !name[0] || add_offer(offers, name, cell, i);
    }
    size_t count =
        settings->every_function && interface ? cordon_interface_function_count(interface) : 0;
    for (size_t i = 0; room && i < count; i++) {
        const struct plan_view *plan = plan_at(interface, i);
        if (!has_method_for(settings, function_name(plan)) && can_be_called(plan)) {
            room = add_offer(offers, function_name(plan), cell, SIZE_MAX);
        }
    }
    return room;
}

static int compare_offers(const void *a, const void *b)
{
    const struct offer *left = a;
    const struct offer *right = b;
    int r = strcmp(left->name, right->name);
    r = r != 0 ? r : (left->cell > right->cell) - (left->cell < right->cell);
    return r != 0 ? r : (left->method > right->method) - (left->method < right->method);
}

static void say_twice(struct config_work *work, const struct offer *first,
                      const struct offer *second, const struct settings *settings)
{
    struct config_field field =
        second->method == SIZE_MAX
            ? config_field("cells[%zu].functions", second->cell)
            : config_field("cells[%zu].methods[%zu].name", second->cell, second->method);
    if (first->cell == second->cell) {
        config_say(work, FINDING_ERROR, field, "this cell offers a method '%s' already",
                   first->name);
    } else {
        config_say(work, FINDING_ERROR, field,
                   "the cell '%s' offers a method '%s' already: clients could not tell which one "
                   "they call",
                   settings->cells[first->cell].name, first->name);
    }
}

void config_judge_names(struct config_work *work, const struct settings *settings,
                        struct cordon_interface *const *interfaces)
{
    struct offers offers = {0};
    for (size_t i = 0; i < settings->cell_count; i++) {
        if (!offer_cell(&offers, &settings->cells[i], i, interfaces[i])) {
            work->no_memory = true;
        }
    }
    if (offers.count > 1) {
        qsort(offers.list, offers.count, sizeof *offers.list, compare_offers);
    }
    for (size_t i = 1; i < offers.count; i++) {
        if (strcmp(offers.list[i - 1].name, offers.list[i].name) == 0) {
            say_twice(work, &offers.list[i - 1], &offers.list[i], settings);
        }
    }
    free(offers.list);
}
