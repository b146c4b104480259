/* SPDX-License-Identifier: Apache-2.0 */
#include "report/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- One after the other ----------------------------------------------------------------------- */

static bool is_known(const struct recording_entry *entry)
{
    return entry->kind != 0 && entry->kind < RECORDING_KIND_COUNT;
}

static bool fits(const struct recording_reader *reader, const struct recording_entry *entry)
{
    if (entry->word_count > RECORDING_WORDS_MAX || entry->call == 0 ||
        entry->call > RECORDING_ENTRIES_MAX || (entry->flags & ~(uint32_t)RECORDING_NESTED)) {
        return false;
    }
    return entry->kind != RECORDING_ARENA ||
           (entry->word_count == 0 && entry->byte_count <= reader->arena_bytes &&
            entry->number <= reader->arena_bytes - entry->byte_count);
}

int recording_next(struct recording_reader *reader, struct recording_part *ret_part)
{
    struct recording_entry entry;
    const uint8_t *data;
    uint64_t word_bytes;
    do {
        int r = pieces_head(&reader->entries, &entry, sizeof entry);
        if (r != 1) {
            return r;
        }
        word_bytes = (uint64_t)entry.word_count * sizeof(uint64_t);
        r = is_known(&entry) && !fits(reader, &entry)
                ? -EBADMSG
                : pieces_data(&reader->entries, sizeof entry, word_bytes + entry.byte_count, &data);
        if (r < 0) {
            return r;
        }
    } while (!is_known(&entry));
    *ret_part = (struct recording_part){
        .entry = entry, .words = (const uint64_t *)(const void *)data, .bytes = data + word_bytes};
    return 1;
}

int recording_read(struct recording_reader *reader, const void *bytes, uint64_t length,
                   struct recording_header *ret_header)
{
    const struct recording_header *from = bytes;
    struct recording_header header;
    if (length < sizeof header || length > RECORDING_BYTES_MAX) {
        return -EBADMSG;
    }
    /* Pairs with the release in recording_stop(): what is wiped is known to be incomplete. */
    uint32_t stop = atomic_load_explicit(&from->stop, memory_order_acquire);
    /* Pairs with the release of the writer, which may be appending: what lies below is complete. */
    uint64_t used = atomic_load_explicit(&from->used, memory_order_acquire);
    memcpy(&header, bytes, sizeof header);
    if (header.magic != RECORDING_MAGIC || header.version != RECORDING_VERSION ||
        used < sizeof header || used > length || used % PIECES_ALIGN != 0 ||
        stop >= RECORDING_STOP_COUNT) {
        return -EBADMSG;
    }
    /* Nobody else has this copy. */
    atomic_store_explicit(&header.stop, stop, memory_order_relaxed);
    atomic_store_explicit(&header.used, used, memory_order_relaxed);
    reader->entries = (struct pieces){
        .bytes = bytes, .length = used, .at = sizeof header, .count_max = RECORDING_ENTRIES_MAX};
    reader->arena_bytes = header.arena_bytes;
    memcpy(ret_header, &header, sizeof header);
    return 0;
}

/* ---- By call ----------------------------------------------------------------------------------- */

/* Entries as they come, without what was not sent. */
struct list {
    struct recording_part *parts;
    uint32_t count;
    uint32_t room;
    uint32_t calls;
};

static int grow(struct list *list)
{
    if (list->count < list->room) {
        return 0;
    }
    uint32_t room = list->room ? list->room * 2 : 64;
    struct recording_part *parts = realloc(list->parts, room * sizeof *parts);
    if (!parts) {
        return -ENOMEM;
    }
    list->parts = parts;
    list->room = room;
    return 0;
}

/* The call that came last was not sent: its number comes again. */
static int forget(struct list *list, uint32_t call)
{
    const struct recording_entry *last =
        list->count > 0 ? &list->parts[list->count - 1].entry : NULL;
    if (!last || last->kind != RECORDING_CALL || last->call != call) {
        return -EBADMSG;
    }
    list->calls -= (last->flags & RECORDING_NESTED) ? 0 : 1;
    list->count--;
    return 0;
}

static int add(struct list *list, const struct recording_part *part)
{
    const struct recording_entry *entry = &part->entry;
    bool begins = entry->kind == RECORDING_CALL && !(entry->flags & RECORDING_NESTED);
    if (begins ? entry->call != list->calls + 1
               : entry->call > list->calls + (entry->kind == RECORDING_ARENA)) {
        return -EBADMSG;
    }
    if (entry->kind == RECORDING_UNSENT) {
        return forget(list, entry->call);
    }
    int r = grow(list);
    if (r == 0) {
        list->parts[list->count++] = *part;
        list->calls += begins;
    }
    return r;
}

/* A counting sort: the order within a call stays. */
static int sort(struct recording_view *view, const struct list *list)
{
    uint32_t *first = calloc((size_t)list->calls + 3, sizeof *first);
    struct recording_part *parts = calloc((size_t)list->count + 1, sizeof *parts);
    if (!first || !parts) {
        free(first);
        free(parts);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        first[list->parts[i].entry.call + 1]++;
    }
    for (uint32_t call = 1; call < list->calls + 3; call++) {
        first[call] += first[call - 1];
    }
    /* Each is where its call ends now, after this where it begins: counted from behind. */
    for (uint32_t i = list->count; i-- > 0;) {
        parts[--first[list->parts[i].entry.call + 1]] = list->parts[i];
    }
    memmove(first, first + 1, ((size_t)list->calls + 2) * sizeof *first);
    view->first = first;
    view->parts = parts;
    view->calls = list->calls;
    return 0;
}

int recording_view_init(struct recording_view *view, const void *bytes, uint64_t length)
{
    struct recording_reader reader;
    struct recording_part part;
    struct list list = {0};
    *view = (struct recording_view){0};
    int r = recording_read(&reader, bytes, length, &view->header);
    int more = 0;
    while (r == 0 && (more = recording_next(&reader, &part)) == 1) {
        r = add(&list, &part);
    }
    r = r < 0 ? r : more < 0 ? more : sort(view, &list);
    free(list.parts);
    return r;
}

void recording_view_deinit(struct recording_view *view)
{
    free(view->parts);
    free(view->first);
    *view = (struct recording_view){0};
}
