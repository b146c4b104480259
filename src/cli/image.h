/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_IMAGE_H
#define CLI_IMAGE_H

/*
 * Image: the memory of one call in C layout, made from what a person typed. It owns every block that an
 * argument points to, nested ones too, and knows their sizes: what comes back is never followed beyond
 * them.
 */

#include <jansson.h>

#include "base/message.h"
#include "cli/length.h"
#include "cli/plan_view.h"

#define IMAGE_PATH_BYTES 192

struct image_block;

struct image {
    const struct plan_view *plan;
    const struct length_scope *scope; /* of the call: its arguments as far as they are known */
    struct message *why;
    size_t bytes;
    size_t bytes_max;
    struct image_block *blocks;
    char path[IMAGE_PATH_BYTES]; /* what is being converted: "argument 2 'points'[3].x" */
};

void image_init(struct image *image, const struct plan_view *plan, const struct length_scope *scope,
                size_t bytes_max, struct message *why);
void image_deinit(struct image *image);

/*
 * Remember what all blocks hold, and put it back: calls change what they write to, and the next one
 * shall begin with the same arguments. Returns 0, -ENOMEM.
 */
int image_save(struct image *image);
void image_restore(struct image *image);

/* "<path>: sentence" to image->why. Returns @error. */
int image_refuse(struct image *image, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* @count elements of @bytes each, zeroed, aligned to 16; NULL: refused, beyond bytes_max or memory. */
void *image_take(struct image *image, uint64_t count, size_t bytes);

/* Bytes from @pointer to the end of the block that it points into; 0: it points into none. */
size_t image_room(const struct image *image, const void *pointer);

/*
 * Store @json as an object of @type at @memory. Pointers get blocks of their own.
 *
 * Returns 0, -EINVAL, -E2BIG.
 */
int image_store(struct image *image, const struct cordon_plan_type *type, const json_t *json,
                void *memory);

/*
 * The elements that a POINTER or STRING of @type names, from @json, in a block with @capacity elements
 * at least. @ret_count is how many were given. Returns as image_store().
 */
int image_elements(struct image *image, const struct cordon_plan_type *type, const json_t *json,
                   uint64_t capacity, void **ret_memory, size_t *ret_count);

/* The bytes of a byte array given in JSON: a string, {"base64":...}, {"hex":...}; malloc'ed. */
int image_json_bytes(struct image *image, const json_t *json, void **ret_bytes, size_t *ret_length);

/*
 * A block of @capacity elements at least that begins with @count elements at @bytes, and ends with a NUL
 * beyond them.
 */
void *image_copy(struct image *image, const struct cordon_plan_type *type, const void *bytes,
                 size_t count, uint64_t capacity);

#endif
