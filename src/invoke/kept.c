/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/kept.h"

#include <errno.h>
#include <stdlib.h>

static struct kept_item **bucket_of(struct kept *kept, uint64_t owner)
{
    return &kept->buckets[(owner ^ owner >> 32) % KEPT_BUCKETS];
}

static bool same_key(const struct kept_key *a, const struct kept_key *b)
{
    return a->place == b->place && a->param == b->param && a->owner == b->owner;
}

static bool is_counted(const struct kept_item *item)
{
    return item->mode != CORDON_PLAN_KEEP_CALL;
}

static void item_free(struct kept *kept, struct kept_item *item)
{
    if (is_counted(item)) {
        kept->bytes -= item->bytes;
    }
    if (item->closure) {
        kept->release(kept->context, item->closure);
    }
    free(item);
}

int kept_refuse(const struct kept *kept, size_t bytes, struct message *why)
{
    return message_set(why, -E2BIG,
                       "%zu bytes to keep for the library, %zu are kept, %zu are the most "
                       "(LIMIT_KEPT_BYTES)",
                       bytes, kept->bytes, kept->bytes_max);
}

int kept_add(struct kept *kept, struct kept_item **fresh, const struct kept_key *key,
             enum cordon_plan_keep mode, size_t bytes, struct kept_item **ret_item,
             struct message *why)
{
    bool counted = mode != CORDON_PLAN_KEEP_CALL;
    if (counted && bytes > kept->bytes_max - kept->bytes) {
        return kept_refuse(kept, bytes, why);
    }
    size_t size;
    struct kept_item *item = NULL;
    if (!__builtin_add_overflow(sizeof *item, bytes, &size)) {
        item = calloc(1, size);
    }
    if (!item) {
        return message_set(why, -ENOMEM, "no memory to keep %zu bytes for the library", bytes);
    }
    item->key = *key;
    item->mode = mode;
    item->bytes = bytes;
    item->next = *fresh;
    *fresh = item;
    if (counted) {
        kept->bytes += bytes;
    }
    *ret_item = item;
    return 0;
}

static void doom(struct kept *kept, struct kept_item **link)
{
    struct kept_item *item = *link;
    *link = item->next;
    item->next = kept->doomed;
    kept->doomed = item;
}

/* Ends what an item of a later call takes the place of. */
static void replace_older(struct kept *kept, const struct kept_item *item)
{
    struct kept_item **link = bucket_of(kept, item->key.owner);
    while (*link) {
        if (same_key(&(*link)->key, &item->key) && (*link)->call != item->call) {
            doom(kept, link);
        } else {
            link = &(*link)->next;
        }
    }
}

/* The same trampoline passed as the same thing again needs no second item. */
static bool is_known_closure(struct kept *kept, const struct kept_item *item)
{
    for (struct kept_item *other = *bucket_of(kept, item->key.owner); other; other = other->next) {
        if (item->closure && other->closure == item->closure && same_key(&other->key, &item->key)) {
            return true;
        }
    }
    return false;
}

static void commit_one(struct kept *kept, struct kept_item *item)
{
    if (item->mode == CORDON_PLAN_KEEP_NEXT) {
        replace_older(kept, item);
    }
    if (item->mode == CORDON_PLAN_KEEP_CALL || is_known_closure(kept, item)) {
        item_free(kept, item);
        return;
    }
    struct kept_item **bucket = bucket_of(kept, item->key.owner);
    item->next = *bucket;
    *bucket = item;
}

void kept_commit(struct kept *kept, struct kept_item **fresh, uint64_t call)
{
    while (*fresh) {
        struct kept_item *item = *fresh;
        *fresh = item->next;
        item->call = call;
        commit_one(kept, item);
    }
}

static void free_list(struct kept *kept, struct kept_item **list)
{
    while (*list) {
        struct kept_item *item = *list;
        *list = item->next;
        item_free(kept, item);
    }
}

void kept_drop(struct kept *kept, struct kept_item **fresh)
{
    free_list(kept, fresh);
}

struct kept_item *kept_find(const struct kept *kept, const struct kept_key *key)
{
    struct kept_item *item = kept->buckets[(key->owner ^ key->owner >> 32) % KEPT_BUCKETS];
    while (item && !same_key(&item->key, key)) {
        item = item->next;
    }
    return item;
}

static void doom_where(struct kept *kept, uint64_t owner, const struct kept_key *key)
{
    struct kept_item **link = bucket_of(kept, owner);
    while (*link) {
        if (key ? same_key(&(*link)->key, key) : (*link)->key.owner == owner) {
            doom(kept, link);
        } else {
            link = &(*link)->next;
        }
    }
}

void kept_forget(struct kept *kept, const struct kept_key *key)
{
    doom_where(kept, key->owner, key);
}

void kept_end(struct kept *kept, uint64_t owner)
{
    if (owner) {
        doom_where(kept, owner, NULL);
    }
}

void kept_reap(struct kept *kept)
{
    free_list(kept, &kept->doomed);
}

static void free_memory(struct kept_item *item)
{
    while (item) {
        struct kept_item *next = item->next;
        free(item);
        item = next;
    }
}

void kept_deinit(struct kept *kept)
{
    for (uint32_t i = 0; i < KEPT_BUCKETS; i++) {
        free_memory(kept->buckets[i]);
        kept->buckets[i] = NULL;
    }
    free_memory(kept->doomed);
    kept->doomed = NULL;
}

uint64_t kept_count(const struct kept *kept)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < KEPT_BUCKETS; i++) {
        for (const struct kept_item *item = kept->buckets[i]; item; item = item->next) {
            count++;
        }
    }
    return count;
}
