/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct image_block {
    struct image_block *next;
    void *saved; /* its bytes as they were: image_save() */
    size_t bytes;
    _Alignas(16) uint8_t memory[];
};

void image_init(struct image *image, const struct plan_view *plan, const struct length_scope *scope,
                size_t bytes_max, struct message *why)
{
    *image = (struct image){.plan = plan, .scope = scope, .bytes_max = bytes_max, .why = why};
}

void image_deinit(struct image *image)
{
    while (image->blocks) {
        struct image_block *block = image->blocks;
        image->blocks = block->next;
        free(block->saved);
        free(block);
    }
    image->bytes = 0;
}

int image_save(struct image *image)
{
    for (struct image_block *block = image->blocks; block; block = block->next) {
        block->saved = malloc(block->bytes + 1);
        if (!block->saved) {
            return message_set(image->why, -ENOMEM, "no memory for a copy of the arguments");
        }
        memcpy(block->saved, block->memory, block->bytes);
    }
    return 0;
}

void image_restore(struct image *image)
{
    for (struct image_block *block = image->blocks; block; block = block->next) {
        memcpy(block->memory, block->saved, block->bytes);
    }
}

int image_refuse(struct image *image, int error, const char *format, ...)
{
    char sentence[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    return message_set(image->why, error, "%s: %s", image->path, sentence);
}

void *image_take(struct image *image, uint64_t count, size_t bytes)
{
    uint64_t needed;
    if (__builtin_mul_overflow(count, bytes, &needed) || needed > image->bytes_max - image->bytes) {
        (void)image_refuse(image, -E2BIG, "needs %llu x %zu bytes; one call carries at most %zu",
                           (unsigned long long)count, bytes, image->bytes_max);
        return NULL;
    }
    /* One block never ends where nothing is: a NUL fits behind every array. */
    struct image_block *block = calloc(1, sizeof *block + needed + 16);
    if (!block) {
        (void)image_refuse(image, -E2BIG, "no memory for %llu bytes", (unsigned long long)needed);
        return NULL;
    }
    block->bytes = (size_t)needed;
    block->next = image->blocks;
    image->blocks = block;
    image->bytes += (size_t)needed;
    return block->memory;
}

size_t image_room(const struct image *image, const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    for (const struct image_block *block = image->blocks; block; block = block->next) {
        uintptr_t start = (uintptr_t)block->memory;
        if (address >= start && address - start < block->bytes) {
            return block->bytes - (address - start);
        }
    }
    return 0;
}

void *image_copy(struct image *image, const struct cordon_plan_type *type, const void *bytes,
                 size_t count, uint64_t capacity)
{
    size_t each = type->kind == CORDON_PLAN_STRING ? 1 : view_element_bytes(image->plan, type);
    size_t extra = type->kind == CORDON_PLAN_STRING || type->flags & CORDON_PLAN_NULL_ENDED ? 1 : 0;
    uint64_t room = count + extra > capacity ? count + extra : capacity;
    void *memory = image_take(image, room, each);
    if (memory && count > 0) {
        memcpy(memory, bytes, count * each);
    }
    return memory;
}
