/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/import.h"

#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>

/* The growing copy. Until it is complete, pointers inside are offsets, listed in fixups. */
struct copy {
    const struct import *import;
    uint8_t *bytes;
    size_t used;
    size_t room;
    size_t *fixups;
    size_t fixup_count;
    size_t fixup_room;
    uint64_t budget;
    uint32_t depth;
};

static int copy_grow(struct copy *copy, size_t bytes)
{
    size_t needed = copy->used + bytes;
    if (needed <= copy->room) {
        return 0;
    }
    size_t room = copy->room == 0 || needed > 2 * copy->room ? needed : 2 * copy->room;
    uint8_t *grown = realloc(copy->bytes, room);
    if (!grown) {
        return -ENOMEM;
    }
    copy->bytes = grown;
    copy->room = room;
    return 0;
}

static int add_fixup(struct copy *copy, size_t at)
{
    if (copy->fixup_count == copy->fixup_room) {
        size_t room = copy->fixup_room ? 2 * copy->fixup_room : 16;
        size_t *grown = realloc(copy->fixups, room * sizeof *grown);
        if (!grown) {
            return -ENOMEM;
        }
        copy->fixups = grown;
        copy->fixup_room = room;
    }
    copy->fixups[copy->fixup_count++] = at;
    return 0;
}

/* A text ends by a NUL, and a list of pointers by NULL: this many zeros stand behind all that is copied. */
#define ENDING sizeof(void *)

/* @bytes of the reply at @word's offset, and their ending; @ret_at is where in the copy. */
static int take_bytes(struct copy *copy, uint64_t word, uint64_t bytes, size_t *ret_at)
{
    const struct import *import = copy->import;
    uint64_t at = (uint32_t)word;
    if (!import->reply || at < import->reply_start || at > import->reply_bytes_max ||
        bytes > import->reply_bytes_max - at) {
        return -EBADMSG;
    }
    /* Nested words may all name the same bytes: the whole copy stays in proportion to the reply. */
    uint64_t cost = bytes + FRAME_ALIGN;
    if (cost > copy->budget) {
        return -EBADMSG;
    }
    copy->budget -= cost;
    size_t start = (copy->used + FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
    int r = copy_grow(copy, start - copy->used + bytes + ENDING);
    if (r < 0) {
        return r;
    }
    copy_out(copy->bytes + start, import->reply + at, bytes);
    /* It grew by that at least. NOLINTNEXTLINE(clang-analyzer-*) */
    memset(copy->bytes + start + bytes, 0, ENDING);
    copy->used = start + bytes + ENDING;
    *ret_at = start;
    return 0;
}

static int take_pointer(struct copy *copy, const struct cordon_plan_type *type, uint64_t word,
                        size_t *ret_at);

struct image_import {
    struct copy *copy;
    size_t at;
    struct image_walk walk;
};

static int import_spot(void *context, const struct frame_spot *spot)
{
    struct image_import *image = context;
    struct copy *copy = image->copy;
    size_t at = image->at + spot->at;
    uint64_t word = word_at(copy->bytes + at);
    size_t target = 0;
    int r = 0;
    if ((spot->type->kind == CORDON_PLAN_POINTER || spot->type->kind == CORDON_PLAN_STRING) &&
        word != 0) {
        r = take_pointer(copy, spot->type, word, &target);
        r = r < 0 ? r : add_fixup(copy, at);
        put_word(copy->bytes + at, target);
        image->walk.image = image->walk.clean = copy->bytes + image->at; /* which may have moved */
    } else if (spot->type->kind == CORDON_PLAN_HANDLE) {
        void *object;
        r = word_to_object(copy->import->hooks, copy->import->plan, spot->type, word, &object,
                           NULL);
        put_word(copy->bytes + at, (uint64_t)(uintptr_t)object);
    } else {
        put_word(copy->bytes + at, 0);
    }
    return r;
}

static int take_elements(struct copy *copy, const struct cordon_plan_type *target, uint64_t word,
                         size_t *ret_at)
{
    uint64_t count = word >> 32;
    int r = take_bytes(copy, word, count * element_bytes(target), ret_at);
    if (r == 0 && image_is_plain(copy->import->plan, target)) {
        image_tidy(copy->import->plan, target, count, copy->bytes + *ret_at);
        return 0;
    }
    if (r < 0) {
        return r;
    }
    if (copy->depth >= FRAME_DEPTH_MAX) {
        return -EBADMSG;
    }
    copy->depth++;
    for (uint64_t i = 0; i < count && r == 0; i++) {
        struct image_import image = {.copy = copy, .at = *ret_at + (size_t)i * target->size};
        image.walk = (struct image_walk){
            .plan = copy->import->plan,
            .visit = import_spot,
            .context = &image,
            .image = copy->bytes + image.at,
            .clean = copy->bytes + image.at,
        };
        r = image_walk(&image.walk, target);
    }
    copy->depth--;
    return r;
}

static int take_pointer(struct copy *copy, const struct cordon_plan_type *type, uint64_t word,
                        size_t *ret_at)
{
    uint64_t count = word >> 32;
    if (type->kind == CORDON_PLAN_STRING) {
        if (count > LIMIT_STRING_BYTES) {
            return -EBADMSG;
        }
        int r = take_bytes(copy, word, count, ret_at);
        return r < 0 ? r : strlen((const char *)copy->bytes + *ret_at) != count ? -EBADMSG : 0;
    }
    if (type->code == CORDON_PLAN_NONE && scope_length_code(type) == CORDON_PLAN_NONE &&
        !(type->flags & CORDON_PLAN_NULL_ENDED) && count != 1) {
        return -EBADMSG;
    }
    return take_elements(copy, pointer_target(copy->import->plan, type), word, ret_at);
}

static int finish_copy(struct copy *copy, int r, void **ret_memory)
{
    for (size_t i = 0; r == 0 && i < copy->fixup_count; i++) {
        uint8_t *member = copy->bytes + copy->fixups[i];
        put_word(member, (uint64_t)(uintptr_t)(copy->bytes + word_at(member)));
    }
    free(copy->fixups);
    if (r < 0) {
        free(copy->bytes);
        return r;
    }
    *ret_memory = copy->bytes;
    return 0;
}

static struct copy copy_of(const struct import *import)
{
    return (struct copy){.import = import,
                         .budget = 4ull * import->reply_bytes_max + 2ull * FRAME_ALIGN};
}

int import_pointer(const struct import *import, const struct cordon_plan_type *type, uint64_t word,
                   void **ret_memory, uint64_t *ret_count)
{
    *ret_memory = NULL;
    *ret_count = 0;
    if (word == 0) {
        return 0;
    }
    struct copy copy = copy_of(import);
    size_t at;
    int r = finish_copy(&copy, take_pointer(&copy, type, word, &at), ret_memory);
    *ret_count = r < 0 ? 0 : word >> 32;
    return r;
}

int import_object(const struct import *import, const struct cordon_plan_type *type, uint64_t word,
                  void **ret_memory)
{
    struct copy copy = copy_of(import);
    size_t at;
    if (word >> 32 != 1) {
        return -EBADMSG;
    }
    return finish_copy(&copy, take_elements(&copy, type, word, &at), ret_memory);
}
