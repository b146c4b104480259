/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cell/cell.h"

/*
 * How it works. The library calls back: the worker is the sender now, and this side accepts its frame as
 * the worker accepts a call's. The frame is a private copy; its words, places and lengths are judged
 * against the callback's shape, and only then the host's function runs.
 */

/* Judge a callback's request and turn it into values. */
static int accept(struct cordon_session *session, const struct callback_entry *entry,
                  const struct station_callback *callback, struct frame_call *frame,
                  struct cordon_value *ret_values, struct message *why)
{
    const struct cordon_plan_function *shape = plan_function(entry->plan, entry->function);
    frame->scratch = NULL;
    if (callback->word_count < shape->in_words) {
        return -EBADMSG;
    }
    frame->plan = entry->plan;
    frame->function = entry->function;
    frame->hooks = &session->hooks;
    frame->arena = (struct frame_arena){session->arena ? arena_base(session->arena) : 0,
                                        session->arena ? arena_bytes(session->arena) : 0};
    frame->outer =
        (struct frame_outer){.plan = entry->plan,
                             .function = shape->outer,
                             .words = shape->outer == CORDON_PLAN_NONE ? NULL : entry->outer_words};
    frame->words = callback->words;
    frame->request = callback->frame;
    frame->request_bytes = callback->frame_bytes;
    frame->reply = callback->reply;
    frame->reply_bytes_max = callback->reply_bytes_max;
    frame->reply_fixed = 0;
    frame->read_only_request = false;
    if (callback->frame) {
        struct frame_header header;
        memcpy(&header, callback->frame, sizeof header);
        if (header.reply_fixed > callback->reply_bytes_max) {
            return -EBADMSG;
        }
        frame->reply_fixed = header.reply_fixed;
    }
    int r = frame_accept(frame, why);
    return r != 0 ? r
                  : frame_values(entry->plan, entry->function, frame->arguments, &session->hooks,
                                 &frame->outer, ret_values, why);
}

/* What the host's function returned, put into the frame: as large as the shape's result is. */
static int answer(struct cordon_session *session, const struct cordon_plan_function *shape,
                  struct frame_call *frame, const struct cordon_value *value,
                  struct station_callback *callback, struct message *why)
{
    uint64_t small[16] = {0};
    uint32_t size = plan_type(frame->plan, shape->result.type)->size;
    void *native = size <= sizeof small ? small : calloc(1, size);
    int r = native ? frame_native_result(frame->plan, frame->function, value, &session->hooks,
                                         native, why)
                   : -ENOMEM;
    if (r == 0) {
        r = frame_answer(frame, native, callback->reply_words, &callback->reply_bytes, why);
        callback->reply_word_count = shape->out_words;
    }
    if (native != small) {
        free(native);
    }
    return r;
}

/* Run the host's function and put its answer into the frame. */
static int run(struct cordon_session *session, const struct callback_entry *entry,
               struct frame_call *frame, const struct cordon_value *values,
               struct station_callback *callback, struct message *why)
{
    const struct cordon_plan_function *shape = plan_function(entry->plan, entry->function);
    struct cordon_value value = cordon_null();
    struct cordon_callback *held = entry->callback;
    /* relaxed: the entry's reference is held meanwhile. */
    (void)atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
    int r = atomic_load_explicit(&held->freed, memory_order_acquire)
                ? -ECANCELED
                : held->function(held->context, session, values, shape->passed_count, &value);
    callback_release(held);
    return r == 0 ? answer(session, shape, frame, &value, callback, why) : r;
}

int call_answer(void *context, struct station_callback *callback)
{
    struct cordon_session *session = context;
    struct callback_entry *found = callback_table_find(&session->callbacks, callback->id);
    if (!found || !session->call) {
        return -ECONNABORTED; /* an invented number, or during no call: no library runs then */
    }
    struct callback_entry entry = *found; /* calls from inside may move the table */
    struct cordon_value values[CORDON_PLAN_PARAMS_MAX];
    struct frame_call frame;
    struct message why;
    frame.scratch = NULL;
    int r = callback->error != 0 ? callback->error
                                 : accept(session, &entry, callback, &frame, values, &why);
    if (r == 0) {
        r = run(session, &entry, &frame, values, callback, &why);
    }
    frame_finish(&frame);
    if (r == 0) {
        return 0;
    }
    if (session->callback_error == 0) {
        session->callback_error = r < 0 ? r : -ECANCELED;
    }
    bool declared = plan_function(entry.plan, entry.function)->flags & CORDON_PLAN_FAILS;
    return declared ? -ECANCELED : -ECONNABORTED;
}
