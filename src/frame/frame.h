/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_FRAME_H
#define FRAME_FRAME_H

/*
 * Frame: one call, marshalled.
 *
 * How it works. A call has a sender and a receiver, and both directions use the same four steps:
 *
 *   sender    frame_encode()   values -> request words + request bytes; reserves the reply's places
 *   receiver  frame_accept()   request -> native arguments (what C passes in registers)
 *   receiver  frame_answer()   native result and outputs -> reply words + reply bytes
 *   sender    frame_decode()   reply -> the caller's memory, result
 *
 * For a call the host sends and the worker receives; for a callback the worker sends and the host
 * receives: frame_values() turns native arguments into values (before encoding, and for the host's
 * callback function). The receiver trusts nothing of a request, the sender nothing of a reply: every
 * word is judged against the plan. Memory that the other side can still write is copied before it is
 * judged: frame_accept() wants request bytes that cannot change; frame_decode() reads each reply byte
 * at most once, from memory that may.
 *
 * A request in memory is frame_header, then word_count words, then bytes; offsets in words count from
 * the header's first byte, so 0 is never a place. Requests of only words (CORDON_PLAN_MAILBOX) need no
 * memory. A reply in memory: out_words words when there are more than six, then buffers at the offsets
 * that the request gave, then DYNAMIC parts up to reply_bytes_max. Everything is aligned to 16.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "cordon/value.h"
#include "prototype/plan.h"

#define FRAME_MAGIC     0x4d524643u /* "CFRM" */
#define FRAME_VERSION   1u
#define FRAME_ALIGN     16u
#define FRAME_IN_ARENA  (1ull << 63)
#define FRAME_DEPTH_MAX 64u /* pointers inside pointers, e.g. the elements of a linked list */

/* In the type of a `...` argument (CORDON_TYPE_POINTER): its word is a handle's, not a token. */
#define FRAME_VARIADIC_HANDLE (1ull << 32)

/* At the start of every request that has bytes. 48 bytes. */
struct frame_header {
    uint32_t magic;
    uint16_t version;
    uint16_t word_count;
    uint32_t frame_bytes; /* header, words and bytes */
    uint32_t function_id; /* of the lane: which binding; in a callback: the callback's id */
    uint64_t layout_hash; /* of the plan that this frame was made by */
    uint32_t function;    /* index of the function in the plan: 0, or a callback's shape */
    uint32_t reply_fixed; /* bytes of the reply that the sender laid out */
    uint32_t reply_bytes_max;
    uint32_t reserved[3];
};

/* The session's arena, the same address on both sides; bytes 0: none. */
struct frame_arena {
    uintptr_t base;
    size_t bytes;
};

/* What one side knows of handles and callbacks. Each returns 0 or a negative errno with @why. */
struct frame_hooks {
    void *context;
    /* Native object <-> word, as seen by the side that holds objects (worker). Host: NULL. */
    int (*object_to_word)(void *context, const struct plan *plan,
                          const struct cordon_plan_type *type, void *object, uint64_t *ret_word);
    int (*word_to_object)(void *context, const struct plan *plan,
                          const struct cordon_plan_type *type, uint64_t word, void **ret_object,
                          struct message *why);
    /* Handle value <-> word, host side. Worker: NULL. -ESTALE: its worker is gone. */
    int (*handle_to_word)(void *context, const struct cordon_plan_type *type,
                          struct cordon_handle handle, uint64_t *ret_word, struct message *why);
    int (*word_to_handle)(void *context, const struct cordon_plan_type *type, uint64_t word,
                          struct cordon_handle *ret_handle);
    /* Callback value -> id (host, sending), id -> native code pointer (worker, receiving). */
    int (*callback_to_word)(void *context, const struct plan *plan, uint32_t function,
                            const struct cordon_value *value, uint64_t *ret_word,
                            struct message *why);
    int (*word_to_code)(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                        uint64_t word, void **ret_code, struct message *why);
    /* Memory with the lifetime that @type says (CORDON_PLAN_KEPT), or of this call. Worker. */
    void *(*keep)(void *context, const struct plan *plan, const struct cordon_plan_type *type,
                  uint32_t param, size_t bytes);
    /* Free OWNED memory by the function that the plan names. Worker. Other sides, which have no such
     * hook, leave what they own to free(). */
    int (*free_owned)(void *context, const char *releaser, void *memory);
    /* plan_scope.call. Worker. */
    int (*call)(void *context, const char *function, const int64_t *args, uint32_t count,
                int64_t *ret_value);
};

/* Outer call's words and plan for callbacks whose lengths name its parameters; plan NULL: none. */
struct frame_outer {
    const struct plan *plan;
    uint32_t function;
    const uint64_t *words;
    const uint8_t *request; /* for OUTER_DEREF of BYTES parameters; may be NULL */
    uint32_t request_bytes;
};

/* Where a sender may put a request, and how much reply it may ask for. */
struct frame_space {
    uint8_t *request; /* aligned to 16; may be NULL when only words are expected: then -ENOBUFS */
    uint32_t request_bytes;
    uint32_t reply_bytes; /* most that the reply may take */
    struct frame_arena arena;
    struct frame_outer outer;
};

/* A call as its sender keeps it until the reply is decoded. Sender's private memory. */
struct frame_request {
    uint32_t word_count;
    uint32_t frame_bytes; /* 0: only words */
    uint32_t reply_fixed; /* laid out bytes, reply words in memory included */
    uint32_t
        reply_bytes_max; /* what the receiver may fill: fixed + room for DYNAMIC; 0: only words */
    uint64_t words[CORDON_PLAN_WORDS_MAX];
    /* Where the caller's memory lies, in sums by depth: see given.h. */
    uint32_t given_depth; /* how many there are; 0: no memory was given */
    uint64_t given[FRAME_DEPTH_MAX + 2];
};

/*
 * Marshal a call of @function (index in @plan).
 *
 * @args  one value per parameter that callers pass (function->passed_count), more only for `...`:
 *        then @count counts them all. Lengths, ranges, NULLs, enum and handle types are checked against
 *        the plan; shared lengths must agree.
 * @function_id  goes into the header.
 *
 * Returns 0 with @ret_request and the header, words and bytes written to @space (if any bytes travel),
 * -EINVAL (does not fit: @why names the parameter, what was given and what fits), -E2BIG (a limit,
 * named), -ERANGE, -EOVERFLOW (length arithmetic), -ESTALE from the hooks, -ENOBUFS (bytes travel and
 * the space has no memory: call again with some).
 */
int frame_encode(const struct plan *plan, uint32_t function, uint32_t function_id,
                 const struct cordon_value *args, size_t count, const struct frame_hooks *hooks,
                 const struct frame_space *space, struct frame_request *ret_request,
                 struct message *why);

/* What a decoded result owns and says. The caller frees `owned` when done with `value`. */
struct frame_result {
    struct cordon_value value; /* MEMORY points into owned or small */
    void *owned;               /* malloc'ed, or NULL */
    uint64_t small[8];         /* results by value up to 64 bytes live here */
};

/*
 * Unmarshal a reply into the memory that @args named and into @ret_result.
 *
 * @reply_words  private copy of request->..out_words words (the lane copied them).
 * @reply        the reply's memory, which its writer may still change; NULL if only words.
 * @request_memory  the request in memory, which the receiver cannot write; NULL if only words.
 *
 * Outputs are written only after all words have been judged. Lengths beyond a capacity are clamped,
 * values as they are. DYNAMIC data is copied to malloc'ed memory: a result's into @ret_result->owned,
 * a parameter's into the `char *`/pointer that the argument's memory is, which the caller frees with
 * free().
 *
 * Memory that changed since frame_encode() - a callback, or another thread, put another pointer into a struct, made
 * a length in it less, or used @args for something else - is neither written nor followed: then nothing is.
 *
 * Returns 0, -EBADMSG when the reply lies (@why says how), -EFAULT when memory changed, -ENOMEM.
 */
int frame_decode(const struct plan *plan, uint32_t function, const struct cordon_value *args,
                 size_t count, const struct frame_hooks *hooks, const struct frame_space *space,
                 const struct frame_request *request, const uint64_t *reply_words,
                 const volatile uint8_t *reply, struct frame_result *ret_result,
                 struct message *why);

/* A call as its receiver executes it. */
struct frame_call {
    const struct plan *plan;
    uint32_t function;
    const struct frame_hooks *hooks;
    struct frame_arena arena;
    struct frame_outer outer;
    const uint64_t *words;  /* request words, private or unchangeable */
    const uint8_t *request; /* NULL: only words */
    uint32_t request_bytes;
    uint8_t *reply; /* aligned to 16; receiver writes; NULL: only words */
    uint32_t reply_fixed;
    uint32_t reply_bytes_max;
    bool read_only_request; /* plain const arrays may be passed in place */

    /* Made by frame_accept(): */
    void
        *arguments[CORDON_PLAN_PARAMS_MAX]; /* address of each native argument, as ffi_call wants */
    uint64_t storage[CORDON_PLAN_PARAMS_MAX];  /* the scalars and pointers that they point to */
    uint64_t pointees[CORDON_PLAN_PARAMS_MAX]; /* objects of WORD-passed pointers (`out int *x`) */
    struct frame_variadic {
        uint32_t count;
        const uint64_t *pairs; /* (enum cordon_type, native value) */
    } variadic;
    struct frame_scratch *scratch; /* private copies; freed by frame_finish() */
};

/*
 * Build native arguments. Judges the request completely: offsets, alignment, terminators, counts by the
 * plan. `...` arguments are left in call->variadic as native values (strings as pointers).
 * Returns 0, -EBADMSG (@why), -ENOMEM, or what a hook returned. Call frame_finish() in any case.
 */
int frame_accept(struct frame_call *call, struct message *why);

/*
 * Collect result and outputs.
 *
 * @result  the native result as ffi_call left it: at least 8 bytes, integers widened to 64 bits (signed
 *          or unsigned by their type); a struct's bytes.
 * @ret_words  out_words words for the mailbox; more than six are also written to call->reply.
 * @ret_reply_bytes  how much of call->reply is filled.
 *
 * Returns 0, -ENOSPC (DYNAMIC data beyond reply_bytes_max: the limit is named), hooks' errors.
 */
int frame_answer(struct frame_call *call, const void *result, uint64_t *ret_words,
                 uint32_t *ret_reply_bytes, struct message *why);

void frame_finish(struct frame_call *call);

/*
 * Native arguments (pointers to them, as closures get and frame_accept() makes) -> values: scalars,
 * MEMORY with counts by the plan (strings by strlen), handles by hooks->object_to_word +
 * hooks->word_to_handle where there; in the worker the handle's (generation, index) only.
 * @ret_values  room for passed_count of @function. FILLED parameters are left out.
 */
int frame_values(const struct plan *plan, uint32_t function, void *const *arguments,
                 const struct frame_hooks *hooks, const struct frame_outer *outer,
                 struct cordon_value *ret_values, struct message *why);

/* A result value, checked against the plan, into native form (at least 8 bytes at @ret_native). */
int frame_native_result(const struct plan *plan, uint32_t function,
                        const struct cordon_value *value, const struct frame_hooks *hooks,
                        void *ret_native, struct message *why);

#endif
