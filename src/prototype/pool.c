/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define POOL_BLOCK_BYTES ((size_t)16 * 1024)
#define POOL_ALIGN       ((size_t)16)

struct pool_block {
    struct pool_block *next;
    size_t used;
    size_t room;
    size_t unused; /* keeps bytes[] aligned to 16 */
    unsigned char bytes[];
};

static struct pool_block *pool_grow(struct pool *pool, size_t bytes)
{
    size_t room = bytes > POOL_BLOCK_BYTES ? bytes : POOL_BLOCK_BYTES;
    struct pool_block *block = malloc(sizeof *block + room);
    if (!block) {
        return NULL;
    }
    block->next = pool->blocks;
    block->used = 0;
    block->room = room;
    pool->blocks = block;
    return block;
}

void *pool_take(struct pool *pool, size_t bytes)
{
    if (bytes > SIZE_MAX / 4) {
        return NULL;
    }
    bytes = (bytes + POOL_ALIGN - 1) & ~(POOL_ALIGN - 1);
    struct pool_block *block = pool->blocks;
    if (!block || block->room - block->used < bytes) {
        block = pool_grow(pool, bytes);
        if (!block) {
            return NULL;
        }
    }
    void *taken = block->bytes + block->used;
    block->used += bytes;
    memset(taken, 0, bytes);
    return taken;
}

char *pool_text(struct pool *pool, const char *text, size_t length)
{
    char *copy = pool_take(pool, length + 1);
    if (copy) {
        memcpy(copy, text, length);
    }
    return copy;
}

void pool_deinit(struct pool *pool)
{
    while (pool->blocks) {
        struct pool_block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
}
