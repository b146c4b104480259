/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_IMAGE_H
#define JSON_IMAGE_H

/*
 * Image: the memory of one call in C layout, made from JSON. It owns every piece that an argument points
 * to, nested ones too, and knows their sizes: what comes back is never followed beyond them.
 *
 * Pieces are cut from few large chunks, and all go at once. image_reset() keeps the first chunk: a
 * small call that follows another allocates nothing.
 */

#include "base/message.h"
#include "cordon/value.h"
#include "json/document.h"
#include "json/length.h"
#include "json/plan_view.h"

#define IMAGE_KEPT_BYTES (16u << 10) /* most that image_reset() keeps */

struct image_chunk;
struct image_piece;

/*
 * What is being converted, for refusals: "parameter 'points'[3].x". Lies on the stack. The outermost one is
 * an argument: its name after image->noun, or, without a noun, all of its text.
 */
struct image_step {
    const struct image_step *outer;
    const char *text; /* a member's name; NULL: an element */
    size_t index;     /* of an element */
};

/* How handles, which are strings, become numbers. */
struct image_handles {
    void *context;
    int (*take)(void *context, const char *text, size_t length, uint32_t tag,
                struct cordon_handle *ret_handle, struct message *why);
    const char *refusal; /* why there are none, when @take is NULL */
};

struct image {
    const struct plan_view *plan;
    const struct length_scope *scope; /* of the call: its arguments as far as they are known */
    struct message *why;
    const struct image_handles *handles;
    const char *noun; /* "parameter", or NULL */
    const struct image_step *step;
    size_t bytes;
    size_t bytes_max;
    struct image_chunk *chunks; /* the newest first */
    struct image_piece *pieces; /* in the order they were taken, hence by address in each chunk */
    size_t piece_count;
    size_t piece_room;
};

/* All zero is a fine start for image_deinit() and image_begin(). */
void image_deinit(struct image *image);

/* Forget all pieces and begin anew, for another call. @handles may be NULL. All is borrowed. */
void image_begin(struct image *image, const struct plan_view *plan,
                 const struct length_scope *scope, size_t bytes_max,
                 const struct image_handles *handles, struct message *why);
void image_reset(struct image *image);

/*
 * Remember what all pieces hold, and put it back: calls change what they write to, and the next one
 * shall begin with the same arguments. Returns 0, -ENOMEM.
 */
int image_save(struct image *image);
void image_restore(struct image *image);

/* "<what is being converted>: sentence" to image->why. Returns @error. */
int image_refuse(struct image *image, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "its length comes out negative" */
int image_refuse_length(struct image *image, int error);

/* @count elements of @bytes each, zeroed, aligned to 16; NULL: refused, beyond bytes_max or memory. */
void *image_take(struct image *image, uint64_t count, size_t bytes);

/* The piece taken last has only @bytes, no more than it had. What is behind them must be zero. */
void image_trim(struct image *image, size_t bytes);

/* Bytes from @pointer to the end of the piece that it points into; 0: it points into none. */
size_t image_room(const struct image *image, const void *pointer);

/*
 * Store @json as an object of @type at @memory. Pointers get pieces of their own.
 *
 * Returns 0, -EINVAL, -E2BIG, what handles->take returned.
 */
int image_store(struct image *image, const struct cordon_plan_type *type, struct json_value json,
                void *memory);

/*
 * The elements that a POINTER or STRING of @type names, from @json, in a piece with @capacity elements
 * at least. @ret_count is how many were given. Returns as image_store().
 */
int image_elements(struct image *image, const struct cordon_plan_type *type, struct json_value json,
                   uint64_t capacity, void **ret_memory, size_t *ret_count);

/* @json as the argument for a parameter of @type, of any kind but `...`. Returns as image_store(). */
int image_value(struct image *image, const struct cordon_plan_type *type, struct json_value json,
                struct cordon_value *ret_value);

/* @json as one of `...`: an integer is int, long or unsigned long, as it fits. */
int image_variadic(struct image *image, struct json_value json, struct cordon_value *ret_value);

/* Room for a parameter of @type that only comes back, as its length says. */
int image_room_for(struct image *image, const struct cordon_plan_type *type,
                   struct cordon_value *ret_value);

/*
 * A piece of @capacity elements at least that begins with @count elements at @bytes, and ends with a
 * NUL beyond them.
 */
void *image_copy(struct image *image, const struct cordon_plan_type *type, const void *bytes,
                 size_t count, uint64_t capacity);

/* Elements that @type has by other parameters if it comes back; 0 where that is not known. */
int image_capacity(struct image *image, const struct cordon_plan_type *type,
                   uint64_t *ret_capacity);

/*
 * @memory as a value. What comes back may be longer than what was given: text is given room up to its
 * capacity, arrays of anything else must have all their elements.
 */
struct cordon_value image_memory_value(const struct cordon_plan_type *type, void *memory,
                                       size_t count, uint64_t capacity);

#endif
