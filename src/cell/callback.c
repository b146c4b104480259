/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/callback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void callback_release(struct cordon_callback *callback)
{
    /* acq_rel: the last holder sees what the others did before it frees. */
    if (callback &&
        atomic_fetch_sub_explicit(&callback->references, 1, memory_order_acq_rel) == 1) {
        free(callback);
    }
}

/* Whether the library keeps pointers of shape @function beyond the call. */
static bool shape_is_kept(const struct plan *plan, uint32_t function)
{
    for (uint32_t i = 0; i < plan_header(plan)->type_count; i++) {
        const struct cordon_plan_type *type = plan_type(plan, i);
        if (type->kind == CORDON_PLAN_CALLBACK && type->target == function) {
            return (type->flags & CORDON_PLAN_KEPT) != 0;
        }
    }
    return false;
}

static void entry_clear(struct callback_entry *entry)
{
    callback_release(entry->callback);
    free(entry->own_words);
    *entry = (struct callback_entry){0};
}

static struct callback_entry *entry_free(struct callback_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (!table->entries[i].callback) {
            return &table->entries[i];
        }
    }
    if (table->count == CALLBACKS_MAX) {
        return NULL;
    }
    uint32_t count = table->count ? table->count * 2 : 8;
    struct callback_entry *entries = realloc(table->entries, count * sizeof *entries);
    if (!entries) {
        return NULL;
    }
    memset(entries + table->count, 0, (count - table->count) * sizeof *entries);
    struct callback_entry *entry = entries + table->count;
    table->entries = entries;
    table->count = count;
    return entry;
}

static struct callback_entry *entry_kept(struct callback_table *table,
                                         const struct cordon_callback *callback,
                                         const struct plan *plan, uint32_t function)
{
    for (uint32_t i = 0; i < table->count; i++) {
        struct callback_entry *entry = &table->entries[i];
        if (entry->kept && entry->callback == callback && entry->plan == plan &&
            entry->function == function) {
            return entry;
        }
    }
    return NULL;
}

/* How many words the call has whose parameter the callback is. */
static uint32_t outer_word_count(const struct plan *plan, uint32_t function)
{
    uint32_t outer = plan_function(plan, function)->outer;
    return outer == CORDON_PLAN_NONE ? 0 : plan_function(plan, outer)->in_words;
}

int callback_table_add(struct callback_table *table, struct cordon_callback *callback,
                       const struct plan *plan, uint32_t function, uint32_t *ret_id,
                       struct message *why)
{
    bool kept = shape_is_kept(plan, function);
    struct callback_entry *entry = kept ? entry_kept(table, callback, plan, function) : NULL;
    if (!entry) {
        entry = entry_free(table);
        if (!entry) {
            return message_set(why, -E2BIG, "more than %u callbacks in one session", CALLBACKS_MAX);
        }
        if (kept) {
            entry->own_words = calloc(outer_word_count(plan, function) + 1, sizeof(uint64_t));
            if (!entry->own_words) {
                return message_set(why, -ENOMEM, "not enough memory for a callback");
            }
        }
        /* relaxed: the caller holds a reference already. */
        (void)atomic_fetch_add_explicit(&callback->references, 1, memory_order_relaxed);
        entry->callback = callback;
        entry->plan = plan;
        entry->function = function;
        entry->kept = kept;
    }
    *ret_id = (uint32_t)(entry - table->entries) + 1;
    return 0;
}

void callback_table_enter(struct callback_table *table, const uint32_t *ids, uint32_t count,
                          const uint64_t *words, const uint64_t **ret_before)
{
    for (uint32_t i = 0; i < count; i++) {
        struct callback_entry *entry = callback_table_find(table, ids[i]);
        if (entry) {
            ret_before[i] = entry->outer_words;
            entry->outer_words = words;
        }
    }
}

/* Keep a copy of the words: the call that lent them ends. */
static void scope_keep(struct callback_entry *entry)
{
    if (!entry->own_words) {
        entry->outer_words = NULL;
    } else if (entry->outer_words && entry->outer_words != entry->own_words) {
        memcpy(entry->own_words, entry->outer_words,
               outer_word_count(entry->plan, entry->function) * sizeof(uint64_t));
        entry->outer_words = entry->own_words;
    }
}

/* Backwards: a callback that was passed twice has the first one's scope from before. */
void callback_table_leave(struct callback_table *table, const uint32_t *ids, uint32_t count,
                          const uint64_t *const *before, bool nested)
{
    for (uint32_t i = count; i-- > 0;) {
        struct callback_entry *entry = callback_table_find(table, ids[i]);
        if (entry && nested && before[i]) {
            entry->outer_words = before[i];
        } else if (entry) {
            scope_keep(entry);
        }
    }
}

void callback_table_end(struct callback_table *table, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct callback_entry *entry = callback_table_find(table, ids[i]);
        if (entry && !entry->kept) {
            entry_clear(entry);
        }
    }
}

struct callback_entry *callback_table_find(struct callback_table *table, uint32_t id)
{
    if (id == 0 || id > table->count || !table->entries[id - 1].callback) {
        return NULL;
    }
    return &table->entries[id - 1];
}

bool callback_table_is_used(const struct callback_table *table)
{
    uint32_t i = 0;
    while (i < table->count && !table->entries[i].callback) {
        i++;
    }
    return i < table->count;
}

void callback_table_clear(struct callback_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->entries[i].callback) {
            entry_clear(&table->entries[i]);
        }
    }
    free(table->entries);
    *table = (struct callback_table){0};
}
