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
