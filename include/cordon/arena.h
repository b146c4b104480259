/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_ARENA_H
#define CORDON_ARENA_H

/*
 * Arena: memory of one session, mapped at the same address here and in its worker. Arguments and
 * pointers inside structs that lie in it are passed as they are: nothing is copied. Whatever is read
 * from it may have been written by the library at any moment: copy, then judge, then use.
 *
 * The cell's `arena_bytes` says how large it is. Contents and addresses survive a crash of the worker.
 */

#include "cordon/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* @bytes of the arena, aligned to 64; NULL when it is full, or the cell has none. Threads: any. */
CORDON_API void *cordon_arena_alloc(struct cordon_session *session, size_t bytes);

/* Give it back. NULL is fine; an address that was not allocated is ignored. */
CORDON_API void cordon_arena_free(struct cordon_session *session, void *memory);

/*
 * True if @bytes at @pointer lie in the session's arena: the way to follow a pointer read from it.
 */
CORDON_API bool cordon_arena_check(const struct cordon_session *session, const void *pointer,
                                   size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
