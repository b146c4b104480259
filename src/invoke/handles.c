/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/handles.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * How it works. Slots stand in one array that doubles. A live slot is in the chain of its object's
 * bucket (there are as many buckets as slots) and, if it is borrowed, in the list of its owner's
 * borrowers; a free one is in the free list. Links are indices: NO_SLOT ends a list.
 */

#define NO_SLOT       UINT32_MAX
#define SLOTS_INITIAL 16u

struct slot {
    struct handle_object what;
    uint32_t generation; /* of the live handle, or of the next one */
    bool live;
    uint32_t next; /* in the bucket, or in the free list */
    uint32_t first_borrower;
    uint32_t next_borrower;
    uint32_t previous_borrower;
};

struct handles {
    uint32_t max;
    uint32_t capacity; /* slots, and buckets: a power of two */
    uint32_t first_free;
    struct slot *slots;
    uint32_t *buckets;
    handles_ended *ended;
    void *context;
};

static uint32_t word_index(uint64_t word)
{
    return (uint32_t)word;
}

static uint64_t slot_word(const struct handles *handles, uint32_t index)
{
    return (uint64_t)handles->slots[index].generation << 32 | index;
}

static uint32_t *bucket_of(const struct handles *handles, const void *object)
{
    uint64_t hash = (uint64_t)(uintptr_t)object * 0x9e3779b97f4a7c15ull;
    return &handles->buckets[(uint32_t)(hash >> 32) & (handles->capacity - 1)];
}

static void bucket_insert(struct handles *handles, uint32_t index)
{
    uint32_t *bucket = bucket_of(handles, handles->slots[index].what.object);
    handles->slots[index].next = *bucket;
    *bucket = index;
}

static void bucket_remove(struct handles *handles, uint32_t index)
{
    uint32_t *link = bucket_of(handles, handles->slots[index].what.object);
    while (*link != index) {
        link = &handles->slots[*link].next;
    }
    *link = handles->slots[index].next;
}

static void borrower_insert(struct handles *handles, uint32_t owner, uint32_t index)
{
    struct slot *slot = &handles->slots[index];
    slot->previous_borrower = NO_SLOT;
    slot->next_borrower = handles->slots[owner].first_borrower;
    if (slot->next_borrower != NO_SLOT) {
        handles->slots[slot->next_borrower].previous_borrower = index;
    }
    handles->slots[owner].first_borrower = index;
}

static void borrower_remove(struct handles *handles, uint32_t owner, uint32_t index)
{
    struct slot *slot = &handles->slots[index];
    if (slot->next_borrower != NO_SLOT) {
        handles->slots[slot->next_borrower].previous_borrower = slot->previous_borrower;
    }
    if (slot->previous_borrower != NO_SLOT) {
        handles->slots[slot->previous_borrower].next_borrower = slot->next_borrower;
    } else {
        handles->slots[owner].first_borrower = slot->next_borrower;
    }
}

static int grow(struct handles *handles)
{
    uint32_t capacity = handles->capacity ? handles->capacity * 2 : SLOTS_INITIAL;
    struct slot *slots = realloc(handles->slots, capacity * sizeof *slots);
    if (!slots) {
        return -ENOMEM;
    }
    handles->slots = slots;
    uint32_t *buckets = malloc(capacity * sizeof *buckets);
    if (!buckets) {
        return -ENOMEM;
    }
    free(handles->buckets);
    handles->buckets = buckets;
    for (uint32_t i = 0; i < capacity; i++) {
        buckets[i] = NO_SLOT;
    }
    uint32_t old = handles->capacity;
    handles->capacity = capacity;
    for (uint32_t i = 0; i < old; i++) {
        if (slots[i].live) {
            bucket_insert(handles, i);
        }
    }
    for (uint32_t i = capacity; i-- > old;) {
        slots[i] = (struct slot){.generation = 1, .next = handles->first_free};
        handles->first_free = i;
    }
    return 0;
}

int handles_new(uint32_t max, handles_ended *ended, void *context, struct handles **ret_handles)
{
    struct handles *handles = malloc(sizeof *handles);
    if (!handles) {
        return -ENOMEM;
    }
    *handles =
        (struct handles){.max = max, .first_free = NO_SLOT, .ended = ended, .context = context};
    *ret_handles = handles;
    return 0;
}

void handles_free(struct handles *handles)
{
    if (handles) {
        free(handles->slots);
        free(handles->buckets);
        free(handles);
    }
}

static struct slot *live_slot(const struct handles *handles, uint64_t word)
{
    uint32_t index = word_index(word);
    if (index >= handles->capacity || !handles->slots[index].live ||
        slot_word(handles, index) != word) {
        return NULL;
    }
    return &handles->slots[index];
}

/* A free index below the limit, or NO_SLOT with the reason. */
static int take_index(struct handles *handles, uint32_t *ret_index, struct message *why)
{
    if (handles->first_free == NO_SLOT && handles->capacity < handles->max) {
        if (grow(handles) < 0) {
            return message_set(why, -ENOMEM, "no memory for another handle");
        }
    }
    uint32_t index = handles->first_free;
    if (index == NO_SLOT || index >= handles->max) {
        return message_set(why, -E2BIG, "more than %u live handles (LIMIT_HANDLES)", handles->max);
    }
    handles->first_free = handles->slots[index].next;
    *ret_index = index;
    return 0;
}

int handles_add(struct handles *handles, const struct handle_object *what, uint64_t *ret_word,
                struct message *why)
{
    if (what->owner && !live_slot(handles, what->owner)) {
        return message_set(why, -ESTALE, "the handle that a %s is borrowed from has ended",
                           what->name);
    }
    uint32_t index = NO_SLOT;
    int r = take_index(handles, &index, why);
    if (r < 0) {
        return r;
    }
    struct slot *slot = &handles->slots[index];
    slot->what = *what;
    slot->live = true;
    slot->first_borrower = NO_SLOT;
    bucket_insert(handles, index);
    if (what->owner) {
        borrower_insert(handles, word_index(what->owner), index);
    }
    *ret_word = slot_word(handles, index);
    return 0;
}

uint64_t handles_find(const struct handles *handles, const void *object, uint32_t tag,
                      const uint64_t *owner)
{
    if (!handles->capacity) {
        return 0;
    }
    uint32_t index = *bucket_of(handles, object);
    while (index != NO_SLOT) {
        const struct slot *slot = &handles->slots[index];
        if (slot->what.object == object && slot->what.tag == tag &&
            (!owner || slot->what.owner == *owner)) {
            return slot_word(handles, index);
        }
        index = slot->next;
    }
    return 0;
}

int handles_get(const struct handles *handles, uint64_t word, uint32_t tag, const char *name,
                const struct handle_object **ret_what, struct message *why)
{
    const struct slot *slot = live_slot(handles, word);
    if (!slot) {
        return message_set(why, -ESTALE,
                           "the handle given as %s has ended: it was released, or ended with its "
                           "owner",
                           name);
    }
    if (slot->what.tag != tag) {
        return message_set(why, -EINVAL, "a handle of type %s was given where %s is wanted",
                           slot->what.name, name);
    }
    *ret_what = &slot->what;
    return 0;
}

/* End one handle that has no borrowers any more. */
static void end_one(struct handles *handles, uint32_t index)
{
    struct slot *slot = &handles->slots[index];
    if (handles->ended) {
        handles->ended(handles->context, slot_word(handles, index), slot->what.resident);
    }
    if (slot->what.owner) {
        borrower_remove(handles, word_index(slot->what.owner), index);
    }
    bucket_remove(handles, index);
    slot->live = false;
    slot->generation = slot->generation == UINT32_MAX ? 1 : slot->generation + 1;
    slot->next = handles->first_free;
    handles->first_free = index;
}

/* Borrowers of borrowers first, without recursion: their depth is the library's choice. */
static void end_tree(struct handles *handles, uint32_t root)
{
    uint32_t index = root;
    for (;;) {
        while (handles->slots[index].first_borrower != NO_SLOT) {
            index = handles->slots[index].first_borrower;
        }
        if (index == root) {
            break;
        }
        uint32_t owner = word_index(handles->slots[index].what.owner);
        end_one(handles, index);
        index = owner;
    }
    end_one(handles, root);
}

int handles_end(struct handles *handles, uint64_t word)
{
    const struct slot *slot = live_slot(handles, word);
    if (!slot) {
        return -ESTALE;
    }
    const void *object = slot->what.object;
    uint32_t tag = slot->what.tag;
    do {
        end_tree(handles, word_index(word));
        word = handles_find(handles, object, tag, NULL);
    } while (word);
    return 0;
}

void handles_end_all(struct handles *handles)
{
    for (uint32_t i = 0; i < handles->capacity; i++) {
        if (handles->slots[i].live) {
            end_tree(handles, i);
        }
    }
}

uint64_t handles_count(const struct handles *handles)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < handles->capacity; i++) {
        count += handles->slots[i].live;
    }
    return count;
}
