/* SPDX-License-Identifier: Apache-2.0 */
#include "json/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES_MIN 4096u
#define CHUNK_BYTES_MAX (1u << 20) /* unless one piece needs more */
#define PIECES_MIN      16u
#define PIECES_KEPT     256u
#define PIECE_ALIGN     16u

/* Behind each piece lies as much that is zero: a NUL fits behind every array. */
#define PIECE_TAIL 16u

struct image_piece {
    const uint8_t *memory;
    size_t bytes;
};

struct image_chunk {
    struct image_chunk *next; /* the one before it */
    void *saved;              /* its bytes as they were: image_save() */
    size_t first_piece;
    size_t room;
    size_t used;
    bool zeroed; /* what is not used is zero */
    _Alignas(PIECE_ALIGN) uint8_t memory[];
};

/* Free all chunks but the newest that may be kept: what one call needed, the next will need. */
static void keep_one_chunk(struct image *image)
{
    struct image_chunk *kept = NULL;
    for (struct image_chunk *chunk = image->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk->saved);
        chunk->saved = NULL;
        if (!kept && chunk->room <= IMAGE_KEPT_BYTES) {
            kept = chunk;
        } else {
            free(chunk);
        }
    }
    image->chunks = kept;
    if (kept) {
        kept->next = NULL;
        kept->first_piece = 0;
        kept->zeroed = kept->zeroed && kept->used == 0;
        kept->used = 0;
    }
}

void image_deinit(struct image *image)
{
    keep_one_chunk(image);
    free(image->chunks);
    free(image->pieces);
    *image = (struct image){0};
}

void image_reset(struct image *image)
{
    keep_one_chunk(image);
    if (image->piece_room > PIECES_KEPT) {
        free(image->pieces);
        image->pieces = NULL;
        image->piece_room = 0;
    }
    image->piece_count = 0;
    image->bytes = 0;
}

void image_begin(struct image *image, const struct plan_view *plan,
                 const struct length_scope *scope, size_t bytes_max,
                 const struct image_handles *handles, struct message *why)
{
    image_reset(image);
    image->plan = plan;
    image->scope = scope;
    image->bytes_max = bytes_max;
    image->handles = handles;
    image->why = why;
    image->noun = NULL;
    image->step = NULL;
}

int image_save(struct image *image)
{
    for (struct image_chunk *chunk = image->chunks; chunk; chunk = chunk->next) {
        chunk->saved = malloc(chunk->used + 1);
        if (!chunk->saved) {
            return message_set(image->why, -ENOMEM, "no memory for a copy of the arguments");
        }
        memcpy(chunk->saved, chunk->memory, chunk->used);
    }
    return 0;
}

void image_restore(struct image *image)
{
    for (struct image_chunk *chunk = image->chunks; chunk; chunk = chunk->next) {
        memcpy(chunk->memory, chunk->saved, chunk->used);
    }
}

/* "parameter 'points'[3].x", outermost step first. */
static void add_steps(const struct image *image, const struct image_step *step)
{
    if (step->outer) {
        add_steps(image, step->outer);
        if (step->text) {
            message_add(image->why, ".%s", step->text);
        } else {
            message_add(image->why, "[%zu]", step->index);
        }
    } else if (!image->noun) {
        message_add(image->why, "%s", step->text);
    } else {
        message_add(image->why, "%s '%s'", image->noun, step->text);
    }
}

int image_refuse(struct image *image, int error, const char *format, ...)
{
    char sentence[MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    /* Begun a line above. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    (void)message_set(image->why, error, "%s", "");
    if (image->step) {
        add_steps(image, image->step);
        message_add(image->why, ": ");
    }
    message_add(image->why, "%s", sentence);
    return error;
}

/* Fresh memory is zero already, and large ones' pages are not touched before they are needed. */
static struct image_chunk *add_chunk(struct image *image, size_t needed)
{
    size_t room = image->chunks ? image->chunks->room * 2 : CHUNK_BYTES_MIN;
    room = room > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : room;
    room = room > needed ? room : needed;
    struct image_chunk *chunk = calloc(1, sizeof *chunk + room);
    if (chunk) {
        chunk->room = room;
        chunk->zeroed = true;
        chunk->first_piece = image->piece_count;
        chunk->next = image->chunks;
        image->chunks = chunk;
    }
    return chunk;
}

static struct image_piece *add_piece(struct image *image)
{
    if (image->piece_count == image->piece_room) {
        size_t room = image->piece_room ? image->piece_room * 2 : PIECES_MIN;
        struct image_piece *pieces = realloc(image->pieces, room * sizeof *pieces);
        if (!pieces) {
            return NULL;
        }
        image->pieces = pieces;
        image->piece_room = room;
    }
    return &image->pieces[image->piece_count];
}

void *image_take(struct image *image, uint64_t count, size_t bytes)
{
    uint64_t needed;
    size_t free_bytes = image->bytes < image->bytes_max ? image->bytes_max - image->bytes : 0;
    if (__builtin_mul_overflow(count, bytes, &needed) || needed > free_bytes) {
        (void)image_refuse(image, -E2BIG, "needs %llu x %zu bytes; one call carries at most %zu",
                           (unsigned long long)count, bytes, image->bytes_max);
        return NULL;
    }
    size_t stride = ((size_t)needed + PIECE_TAIL + PIECE_ALIGN - 1) & ~(size_t)(PIECE_ALIGN - 1);
    struct image_piece *piece = add_piece(image);
    struct image_chunk *chunk = image->chunks;
    if (piece && (!chunk || stride > chunk->room - chunk->used)) {
        chunk = add_chunk(image, stride);
    }
    if (!piece || !chunk) {
        (void)image_refuse(image, -E2BIG, "no memory for %llu bytes", (unsigned long long)needed);
        return NULL;
    }
    uint8_t *memory = chunk->memory + chunk->used;
    if (!chunk->zeroed) {
        memset(memory, 0, stride);
    }
    chunk->used += stride;
    *piece = (struct image_piece){.memory = memory, .bytes = (size_t)needed};
    image->piece_count++;
    image->bytes += stride + sizeof *piece;
    return memory;
}

void image_trim(struct image *image, size_t bytes)
{
    struct image_piece *piece = &image->pieces[image->piece_count - 1];
    piece->bytes = bytes < piece->bytes ? bytes : piece->bytes;
}

/* The piece that @address lies in or behind, of those from @first to before @end; they stand in order. */
static const struct image_piece *piece_before(const struct image *image, size_t first, size_t end,
                                              uintptr_t address)
{
    while (end - first > 1) {
        size_t middle = first + (end - first) / 2;
        if ((uintptr_t)image->pieces[middle].memory <= address) {
            first = middle;
        } else {
            end = middle;
        }
    }
    return &image->pieces[first];
}

size_t image_room(const struct image *image, const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    size_t end = image->piece_count;
    for (const struct image_chunk *chunk = image->chunks; chunk; chunk = chunk->next) {
        uintptr_t start = (uintptr_t)chunk->memory;
        if (address >= start && address - start < chunk->used && end > chunk->first_piece) {
            const struct image_piece *piece = piece_before(image, chunk->first_piece, end, address);
            size_t offset = address - (uintptr_t)piece->memory;
            return offset < piece->bytes ? piece->bytes - offset : 0;
        }
        end = chunk->first_piece;
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
