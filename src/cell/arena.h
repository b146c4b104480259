/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_ARENA_H
#define CELL_ARENA_H

/*
 * Arena: a session's memory at one address on both sides. What is allocated in it is known here alone,
 * in memory that the worker cannot see.
 *
 * Threads: any (locked inside); renewal and close by the session's holder.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* @shared: a memfd that a worker process can map; else anonymous memory of this process. */
int arena_open(size_t bytes, bool shared, struct arena **ret_arena);
void arena_close(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t bytes);
void arena_free(struct arena *arena, void *memory);
bool arena_check(const struct arena *arena, const void *pointer, size_t bytes);

uintptr_t arena_base(const struct arena *arena);
size_t arena_bytes(const struct arena *arena);
/* Borrowed; -1 if not shared. */
int arena_peek_fd(const struct arena *arena);

/*
 * Look at all memory that is allocated in it and was ever written, piece by piece; not 0 from @look ends it.
 * Nothing is allocated or freed meanwhile. Returns what @look did, 0, or a negative errno: level process alone
 * knows what was written.
 */
int arena_visit(const struct arena *arena, int (*look)(void *context, size_t at, size_t bytes),
                void *context);

/* An arena of @bytes at @base, or -EEXIST: something else is there. */
int arena_open_at(uintptr_t base, size_t bytes, bool shared, struct arena **ret_arena);

/*
 * Cut off whoever else may still write it: the contents move to new memory at the same address. After
 * a worker's death.
 */
int arena_renew(struct arena *arena);

#endif
