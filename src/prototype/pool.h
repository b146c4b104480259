/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_POOL_H
#define PROTOTYPE_POOL_H

/*
 * Pool: memory that is given out piece by piece and freed all at once. What a parse makes lives in
 * one pool, so that an error anywhere leaks nothing.
 */

#include <stddef.h>

struct pool_block;

struct pool {
    struct pool_block *blocks; /* the newest first; an all-zero pool is empty */
};

/* Zeroed memory aligned to 16, or NULL. */
void *pool_take(struct pool *pool, size_t bytes);

/* NUL-terminated copy of @length bytes, or NULL. */
char *pool_text(struct pool *pool, const char *text, size_t length);

void pool_deinit(struct pool *pool);

#endif
