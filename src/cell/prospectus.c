/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/prospectus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/memfd.h"
#include "cell/cell.h"
#include "lane/provision.h"

/* A text that grows. */
struct book {
    uint8_t *memory;
    size_t used;
    size_t room;
    uint32_t count;
    int error;
};

static void *book_room(struct book *book, size_t bytes)
{
    size_t rounded = (bytes + PROVISION_ALIGN - 1) & ~(size_t)(PROVISION_ALIGN - 1);
    if (book->error == 0 && rounded > PROVISION_BYTES_MAX - book->used) {
        book->error = -E2BIG;
    }
    if (book->error != 0) {
        return NULL;
    }
    if (book->room - book->used < rounded) {
        size_t room = (book->used + rounded) * 2;
        uint8_t *memory = realloc(book->memory, room);
        if (!memory) {
            book->error = -ENOMEM;
            return NULL;
        }
        book->memory = memory;
        book->room = room;
    }
    void *place = book->memory + book->used;
    memset(place, 0, rounded);
    book->used += rounded;
    return place;
}

struct entry {
    struct provision_record record;
    const uint64_t *words;
    const char *name;
    const void *bytes;
};

static void book_add(struct book *book, const struct entry *entry)
{
    const struct provision_record *record = &entry->record;
    size_t word_bytes = record->word_count * sizeof(uint64_t);
    uint8_t *place = book_room(book, sizeof *record + word_bytes + record->name_bytes);
    if (!place) {
        return;
    }
    memcpy(place, record, sizeof *record);
    if (word_bytes > 0) {
        memcpy(place + sizeof *record, entry->words, word_bytes);
    }
    if (record->name_bytes > 0) {
        memcpy(place + sizeof *record + word_bytes, entry->name, record->name_bytes);
    }
    place = record->bytes > 0 ? book_room(book, record->bytes) : NULL;
    if (place) {
        memcpy(place, entry->bytes, record->bytes);
    }
    book->count++;
}

static void add_functions(struct book *book, struct cordon_cell *cell)
{
    (void)pthread_mutex_lock(&cell->lock);
    uint32_t count = cell->function_count;
    (void)pthread_mutex_unlock(&cell->lock);
    for (uint32_t id = 0; id < count; id++) {
        const struct cordon_function *function = cell->functions[id]; /* there for good */
        struct entry entry = {
            .record = {.kind = PROVISION_BIND, .id = id, .bytes = (uint32_t)function->plan_bytes},
            .bytes = function->plan};
        book_add(book, &entry);
    }
}

static void add_types(struct book *book, const struct cordon_cell *cell)
{
    size_t count = cell->interface ? interface_type_count(cell->interface) : 0;
    for (size_t i = 0; i < count; i++) {
        struct entry entry = {.record = {.kind = PROVISION_TYPE}};
        size_t bytes = 0;
        entry.bytes = interface_type(cell->interface, i, &entry.name, &bytes);
        entry.record.bytes = (uint32_t)bytes;
        entry.record.name_bytes = (uint32_t)strlen(entry.name) + 1;
        book_add(book, &entry);
    }
}

static void add_calls(struct book *book, const struct cordon_cell *cell)
{
    for (uint32_t i = 0; i < on_start_count(cell); i++) {
        const struct on_start_call *call = cell->on_start.calls[i];
        struct entry entry = {.record = {.kind = PROVISION_CALL,
                                         .id = call->function->id,
                                         .word_count = call->request.word_count,
                                         .bytes = call->request.frame_bytes,
                                         .reply_fixed = call->request.reply_fixed,
                                         .reply_bytes_max = call->request.reply_bytes_max},
                              .words = call->request.words,
                              .bytes = call->frame};
        book_add(book, &entry);
    }
}

static int publish(const struct book *book, int *ret_fd)
{
    OWN_FD fd = -1;
    int r = memfd_new("cordon-plans", book->used, F_SEAL_SHRINK | F_SEAL_GROW, &fd);
    for (size_t at = 0; r == 0 && at < book->used;) {
        ssize_t written = pwrite(fd, book->memory + at, book->used - at, (off_t)at);
        r = written < 0 ? -errno : 0;
        at += written > 0 ? (size_t)written : 0;
    }
    r = r < 0 ? r : memfd_seal(fd, F_SEAL_WRITE | F_SEAL_SEAL);
    if (r == 0) {
        *ret_fd = take_fd(&fd);
    }
    return r;
}

int prospectus_make(struct cordon_cell *cell, bool whole, int *ret_fd, struct message *why)
{
    struct book book = {.memory = NULL};
    const struct entry seal = {.record = {.kind = PROVISION_SEAL}};
    (void)book_room(&book, sizeof(struct provision_header));
    add_functions(&book, cell);
    add_types(&book, cell);
    if (whole) {
        add_calls(&book, cell);
        book_add(&book, &seal);
    }
    int r = book.error;
    if (r == 0) {
        struct provision_header header = {.magic = PROVISION_MAGIC,
                                          .version = PROVISION_VERSION,
                                          .bytes = (uint32_t)book.used,
                                          .count = book.count};
        memcpy(book.memory, &header, sizeof header);
        r = publish(&book, ret_fd);
    }
    free(book.memory);
    return r < 0 ? message_set(why, r, "what is lent cannot be written down: %s", strerror(-r)) : 0;
}
