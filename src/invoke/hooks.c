/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/hooks.h"

#include <errno.h>

#include "invoke/state.h"

/* A callback's word with this bit is a constant, its other bits a small signed number (SIG_IGN). */
#define CONSTANT_BIT  (1ull << 63)
#define CONSTANT_BITS 62

typedef int64_t word_function(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t);
typedef void free_function(void *);

static const char *type_name(const struct plan *plan, const struct cordon_plan_type *type)
{
    if (type->target != CORDON_PLAN_NONE) {
        type = plan_type(plan, type->target);
    }
    return plan_name(plan, type->name);
}

/* The handle that the running call was given as parameter @param; 0: none. */
static uint64_t handle_given(const struct engine *engine, const struct plan *plan, uint32_t param)
{
    const struct activation *activation = engine->activation;
    if (!activation || activation->binding->plan != plan || param == CORDON_PLAN_NONE) {
        return 0;
    }
    const struct cordon_plan_function *function = plan_function(plan, 0);
    if (param >= function->param_count) {
        return 0;
    }
    const struct cordon_plan_param *given = plan_function_param(plan, function, param);
    bool has_word = given->in_word != CORDON_PLAN_NO_WORD &&
                    plan_type(plan, given->type)->kind == CORDON_PLAN_HANDLE;
    return has_word ? activation->call->words[given->in_word] : 0;
}

/* Objects that a callback shows: known ones by their handle, others for as long as it lasts. */
static int scoped_owner(struct engine *engine, uint64_t *ret_owner)
{
    struct callback_scope *scope = engine->scope;
    if (!scope->owner) {
        struct handle_object self = {.object = scope, .name = "callback"};
        int r = handles_add(engine->handles, &self, &scope->owner, engine->why);
        if (r < 0) {
            return r;
        }
    }
    *ret_owner = scope->owner;
    return 0;
}

static int object_to_word(void *context, const struct plan *plan,
                          const struct cordon_plan_type *type, void *object, uint64_t *ret_word)
{
    struct engine *engine = context;
    struct handle_object what = {.object = object, .name = type_name(plan, type), .tag = type->tag};
    uint64_t known = 0;
    if (type->flags & CORDON_PLAN_RESIDENT && type->target != CORDON_PLAN_NONE) {
        what.plan = plan;
        what.type = plan_type(plan, type->target);
    }
    if (!object) {
        *ret_word = 0;
        return 0;
    }
    if (engine->scope || (type->flags & CORDON_PLAN_STATIC)) {
        known = handles_find(engine->handles, object, type->tag, NULL);
    } else if (type->flags & CORDON_PLAN_BORROWED) {
        what.owner = handle_given(engine, plan, type->within);
        known = handles_find(engine->handles, object, type->tag, &what.owner);
    }
    if (known) {
        *ret_word = known;
        return 0;
    }
    if (engine->scope && !(type->flags & CORDON_PLAN_STATIC)) {
        int r = scoped_owner(engine, &what.owner);
        if (r < 0) {
            return r;
        }
    }
    return handles_add(engine->handles, &what, ret_word, engine->why);
}

static int word_to_object(void *context, const struct plan *plan,
                          const struct cordon_plan_type *type, uint64_t word, void **ret_object,
                          struct message *why)
{
    const struct engine *engine = context;
    if (word == 0) {
        *ret_object = NULL;
        return 0;
    }
    const struct handle_object *what;
    int r = handles_get(engine->handles, word, type->tag, type_name(plan, type), &what, why);
    if (r == 0) {
        *ret_object = what->object;
    }
    return r;
}

static enum cordon_plan_keep keep_of(const struct cordon_plan_type *type)
{
    return (type->flags & CORDON_PLAN_KEPT) ? type->keep : CORDON_PLAN_KEEP_CALL;
}

/* "The same handle" of `until next`: the one that is named, else the first that is taken. */
static uint64_t keeper_of(const struct engine *engine, const struct plan *plan,
                          const struct cordon_plan_type *type)
{
    if (type->within != CORDON_PLAN_NONE || type->keep != CORDON_PLAN_KEEP_NEXT) {
        return type->keep == CORDON_PLAN_KEEP_SESSION ? 0
                                                      : handle_given(engine, plan, type->within);
    }
    const struct cordon_plan_function *function = plan_function(plan, 0);
    for (uint32_t i = 0; i < function->param_count; i++) {
        uint32_t param_type = plan_function_param(plan, function, i)->type;
        if (plan_type(plan, param_type)->kind == CORDON_PLAN_HANDLE) {
            return handle_given(engine, plan, i);
        }
    }
    return 0;
}

static int keep_item(struct engine *engine, const struct plan *plan,
                     const struct cordon_plan_type *type, uint32_t param, size_t bytes,
                     struct kept_item **ret_item, struct message *why)
{
    if (!engine->activation) {
        return message_set(why, -EINVAL, "no call is running that memory could be kept for");
    }
    struct kept_key key = {.place = plan, .param = param, .owner = keeper_of(engine, plan, type)};
    return kept_add(&engine->kept, &engine->activation->fresh, &key, keep_of(type), bytes, ret_item,
                    why);
}

static void *keep(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                  uint32_t param, size_t bytes)
{
    struct engine *engine = context;
    struct kept_item *item = NULL;
    int r = keep_item(engine, plan, type, param, bytes, &item, engine->why);
    if (r == -E2BIG) {
        engine->activation->refused_bytes = bytes;
    }
    return r < 0 ? NULL : item->memory;
}

/* Lengths in a callback may name parameters of the call that passed it. */
static void remember_outer(const struct engine *engine, struct closure *closure)
{
    const struct plan *plan = closure->binding->plan;
    const struct activation *activation = engine->activation;
    uint32_t outer = plan_function(plan, closure->function)->outer;
    if (outer != 0 || !activation || activation->binding->plan != plan) {
        return;
    }
    const struct frame_call *call = activation->call;
    for (uint32_t i = 0; i < plan_function(plan, outer)->in_words; i++) {
        closure->outer_words[i] = call->words[i];
    }
    closure->outer =
        (struct frame_outer){.plan = plan,
                             .function = outer,
                             .words = closure->outer_words,
                             .request = closure->is_kept ? NULL : call->request,
                             .request_bytes = closure->is_kept ? 0 : call->request_bytes};
}

static int take_closure(struct engine *engine, const struct plan *plan,
                        const struct cordon_plan_type *type, uint32_t callback_id,
                        struct closure **ret_closure, struct message *why)
{
    const struct activation *activation = engine->activation;
    struct binding *binding = activation && activation->binding->plan == plan
                                  ? activation->binding
                                  : bindings_of_plan(&engine->bindings, plan);
    bool is_kept = keep_of(type) != CORDON_PLAN_KEEP_CALL;
    struct closure *closure =
        is_kept ? closures_find_kept(engine->closures, binding, type->target, callback_id) : NULL;
    if (closure) {
        closure->references++;
    } else {
        int r = closures_take(engine->closures, binding, type->target, callback_id, &closure, why);
        if (r < 0) {
            return r;
        }
        closure->is_kept = is_kept;
    }
    remember_outer(engine, closure);
    *ret_closure = closure;
    return 0;
}

static int word_to_code(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                        uint64_t word, void **ret_code, struct message *why)
{
    struct engine *engine = context;
    if (word == 0) {
        *ret_code = NULL;
        return 0;
    }
    if (word & CONSTANT_BIT) {
        int64_t constant = (int64_t)(word << (64 - CONSTANT_BITS)) >> (64 - CONSTANT_BITS);
        *ret_code = (void *)(intptr_t)constant;
        return 0;
    }
    if (word > UINT32_MAX) {
        return message_set(why, -EBADMSG, "callback ids have 32 bits");
    }
    struct kept_item *item = NULL;
    /* Keyed by the shape: callbacks of one call do not replace each other. */
    int r = keep_item(engine, plan, type, CORDON_PLAN_PARAMS_MAX + type->target, 0, &item, why);
    if (r < 0) {
        return r;
    }
    r = take_closure(engine, plan, type, (uint32_t)word, &item->closure, why);
    if (r == 0) {
        *ret_code = item->closure->code;
    }
    return r;
}

static int free_owned(void *context, const char *releaser, void *memory)
{
    const struct engine *engine = context;
    free_function *release = (free_function *)symbols_code(&engine->symbols, releaser);
    if (!release) {
        return message_set(engine->why, -ENOENT, "no function '%s' in the library", releaser);
    }
    release(memory);
    return 0;
}

/*
 * A length that another function of the library knows. Its type is not known here; it is taken as
 * int, which also reads the lower half of a size_t: longer results fit no frame.
 */
static int call_library(void *context, const char *function, const int64_t *args, uint32_t count,
                        int64_t *ret_value)
{
    const struct engine *engine = context;
    int64_t a[DIRECT_ARGUMENTS_MAX] = {0};
    if (count > DIRECT_ARGUMENTS_MAX) {
        return message_set(engine->why, -E2BIG, "%s() is given %u arguments, %u are the most",
                           function, count, DIRECT_ARGUMENTS_MAX);
    }
    for (uint32_t i = 0; i < count; i++) {
        a[i] = args[i];
    }
    word_function *code = (word_function *)symbols_code(&engine->symbols, function);
    if (!code) {
        return message_set(engine->why, -ENOENT, "no function '%s' in the library", function);
    }
    *ret_value = (int32_t)code(a[0], a[1], a[2], a[3], a[4], a[5]);
    return 0;
}

struct frame_hooks hooks_of_engine(struct engine *engine)
{
    return (struct frame_hooks){
        .context = engine,
        .object_to_word = object_to_word,
        .word_to_object = word_to_object,
        .word_to_code = word_to_code,
        .keep = keep,
        .free_owned = free_owned,
        .call = call_library,
    };
}

void hooks_release(struct engine *engine, const struct frame_call *call)
{
    const struct cordon_plan_function *function = plan_function(call->plan, call->function);
    for (uint32_t i = 0; i < function->param_count; i++) {
        const struct cordon_plan_param *param = plan_function_param(call->plan, function, i);
        if ((plan_type(call->plan, param->type)->flags & CORDON_PLAN_RELEASE) &&
            param->in_word != CORDON_PLAN_NO_WORD && call->words[param->in_word]) {
            /* -ESTALE: a callback or another parameter of this call has ended it already. */
            (void)handles_end(engine->handles, call->words[param->in_word]);
        }
    }
}
