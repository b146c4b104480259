/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_ACCEPT_H
#define FRAME_ACCEPT_H

/* Acceptor: one frame_accept() under way. Private to src/frame. */

#include "frame/scratch.h"

struct acceptor {
    struct frame_call *call;
    const struct cordon_plan_function *function;
    struct frame_scratch *scratch;
    struct frame_scope scope;
    uint32_t param;
    struct message *why;
};

/* -EBADMSG with a sentence that names the parameter. */
int accept_refuse(const struct acceptor *acceptor, const char *sentence);

/* Whether the sender is trusted: a worker believes its host, a host nothing that a worker sends. */
bool accept_is_worker(const struct acceptor *acceptor);

/* Elements of what a pointer points to, by @scope or up to its NULL. */
int accept_count(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place,
                 const struct frame_scope *scope, uint64_t *ret_count);

/* ---- accept_place.c ---------------------------------------------------------------------------- */

/* A place taken apart and judged; each half is only set if its direction is there. */
struct accept_place {
    uint8_t *arena;
    const uint8_t *request;
    uint8_t *reply;
    uint32_t reply_at;
};

int accept_judge(struct acceptor *acceptor, uint64_t word, uint8_t direction, uint64_t in_bytes,
                 uint64_t out_bytes, struct accept_place *ret_place);

/*
 * Every byte looked at or copied is paid for: a small request whose pointers all name the same
 * bytes cannot cause more work than its size allows.
 */
int accept_charge(struct acceptor *acceptor, uint64_t bytes);

/* Private memory for a copy, paid for: with the lifetime that @type says, or of this call. */
int accept_copy(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t bytes,
                void **ret_copy);

/* Have @block's memory copied to its place in the reply after the call. */
int accept_remember(struct acceptor *acceptor, const struct frame_block *block);

/* Bytes without pointers inside. */
int accept_plain(struct acceptor *acceptor, const struct cordon_plan_type *type,
                 const struct accept_place *place, uint64_t in_bytes, uint64_t out_bytes,
                 void **ret_native);

/* ---- What is accepted -------------------------------------------------------------------------- */

/* The place of a POINTER as a native pointer; @ret_bytes is what it points to. Follows pointers. */
int accept_pointer(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place,
                   const struct frame_scope *scope, void **ret_native, uint64_t *ret_bytes);

int accept_string(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place,
                  const struct frame_scope *scope, void **ret_native, uint64_t *ret_bytes);

/* A struct by value. */
int accept_struct(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place,
                  void **ret_native);

int accept_callback(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t word,
                    void **ret_code);

int accept_variadic(struct acceptor *acceptor, const struct cordon_plan_type *type, uint64_t place);

#endif
