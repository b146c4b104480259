/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/call.h"

#include <errno.h>

#include "cell/cell.h"

/* Handles and callbacks as the host knows them: the hooks of a session's frames. Context: the session. */

/* A word that is no callback's number but a constant function pointer, such as SIG_IGN. */
#define CALLBACK_CONSTANT (1ull << 63)

static int handle_to_word(void *context, const struct cordon_plan_type *type,
                          struct cordon_handle handle, uint64_t *ret_word, struct message *why)
{
    struct cordon_session *session = context;
    if (handle.worker == 0) {
        if (type->flags & CORDON_PLAN_NULLABLE) {
            *ret_word = 0;
            return 0;
        }
        return message_set(why, -EINVAL, "is an empty handle");
    }
    if (handle.worker != station_number(session->station)) {
        return message_set(why, -ESTALE,
                           "is a handle of a worker that is gone, or of another session");
    }
    if (handle.tag != type->tag) {
        return message_set(why, -EINVAL, "is a handle of another type");
    }
    *ret_word = (uint64_t)handle.generation << 32 | handle.index;
    return 0;
}

static int word_to_handle(void *context, const struct cordon_plan_type *type, uint64_t word,
                          struct cordon_handle *ret_handle)
{
    struct cordon_session *session = context;
    if (word == 0) {
        *ret_handle = (struct cordon_handle){0};
        return 0;
    }
    *ret_handle = (struct cordon_handle){.worker = station_number(session->station),
                                         .generation = (uint32_t)(word >> 32),
                                         .index = (uint32_t)word,
                                         .tag = type->tag};
    return 0;
}

static int callback_to_word(void *context, const struct plan *plan, uint32_t function,
                            const struct cordon_value *value, uint64_t *ret_word,
                            struct message *why)
{
    struct cordon_session *session = context;
    struct call *call = session->call;
    if (value->kind == CORDON_VALUE_INT || value->kind == CORDON_VALUE_UINT) {
        /* A constant function pointer, such as SIG_IGN: bit 63, and the low 62 bits of its value. */
        *ret_word = CALLBACK_CONSTANT | (value->u & (CALLBACK_CONSTANT / 2 - 1));
        return 0;
    }
    if (value->kind != CORDON_VALUE_CALLBACK || !value->callback) {
        return message_set(why, -EINVAL, "must be a callback, a constant or NULL");
    }
    if (call->callback_count == CALL_CALLBACKS_MAX) {
        return message_set(why, -E2BIG, "more than %u callbacks in one call", CALL_CALLBACKS_MAX);
    }
    uint32_t id;
    int r = callback_table_add(&session->callbacks, value->callback, plan, function, &id, why);
    if (r != 0) {
        return r;
    }
    call->callback_ids[call->callback_count++] = id;
    *ret_word = id;
    return 0;
}

void call_hooks(struct cordon_session *session, struct frame_hooks *ret_hooks)
{
    *ret_hooks = (struct frame_hooks){.context = session,
                                      .handle_to_word = handle_to_word,
                                      .word_to_handle = word_to_handle,
                                      .callback_to_word = callback_to_word};
}
