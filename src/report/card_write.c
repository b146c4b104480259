/* SPDX-License-Identifier: Apache-2.0 */
#include "report/card.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memfd.h"

#define ALIGN 8u

struct card {
    int fd;
    uint8_t *memory;
    uint64_t used;
    uint32_t entry_count;
};

static void copy_text(char *destination, const char *text)
{
    if (text) {
        size_t length = strnlen(text, CARD_TEXT_BYTES - 1);
        memcpy(destination, text, length);
    }
}

static void write_header(struct card_header *header, const struct card_wish *wish)
{
    header->magic = CARD_MAGIC;
    header->version = CARD_VERSION;
    header->level = wish->level;
    header->policy = wish->policy;
    header->flags = wish->flags;
    header->host_pid = (uint32_t)getpid();
    header->isolation = wish->isolation;
    header->memory_bytes = wish->memory_bytes;
    header->deadline_ms = wish->deadline_ms;
    header->start_ms = wish->start_ms;
    header->call_bytes = wish->call_bytes;
    header->workers = wish->workers;
    header->reports_max = wish->reports_max;
    header->report_bytes_max = wish->report_bytes_max;
    header->arena_bytes = wish->arena_bytes;
    copy_text(header->library, wish->library);
    copy_text(header->program, wish->program);
    copy_text(header->policy_text, wish->policy_text);
}

int card_new(const struct card_wish *wish, struct card **ret_card)
{
    struct card *card = calloc(1, sizeof *card);
    if (!card) {
        return -ENOMEM;
    }
    card->fd = -1;
    int r = memfd_new("cordon-card", CARD_BYTES, F_SEAL_SHRINK | F_SEAL_GROW, &card->fd);
    if (r == 0) {
        card->memory = mmap(NULL, CARD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, card->fd, 0);
        r = card->memory == MAP_FAILED ? -errno : 0;
    }
    if (r != 0) {
        card->memory = NULL;
        card_free(card);
        return r;
    }
    (void)madvise(card->memory, CARD_BYTES, MADV_DONTFORK);
    /* From here on the mapping alone can write. */
    (void)memfd_seal(card->fd, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    struct card_header *header = (struct card_header *)(void *)card->memory;
    write_header(header, wish);
    card->used = sizeof *header;
    /* Pairs with the acquire in card_read(): the header before `used`. */
    atomic_store_explicit(&header->used, card->used, memory_order_release);
    *ret_card = card;
    return 0;
}

void card_free(struct card *card)
{
    if (!card) {
        return;
    }
    if (card->memory) {
        (void)munmap(card->memory, CARD_BYTES);
    }
    if (card->fd >= 0) {
        (void)close(card->fd);
    }
    free(card);
}

int card_peek_fd(const struct card *card)
{
    return card->fd;
}

/* Room for an entry with @bytes of data, its header written; NULL: there is none. */
static uint8_t *begin_entry(struct card *card, const struct card_entry *entry)
{
    uint64_t left = CARD_BYTES - card->used;
    if (card->entry_count == CARD_ENTRIES_MAX || left < sizeof *entry + ALIGN ||
        entry->bytes > left - sizeof *entry - ALIGN) {
        return NULL;
    }
    memcpy(card->memory + card->used, entry, sizeof *entry);
    return card->memory + card->used + sizeof *entry;
}

static void end_entry(struct card *card, const struct card_entry *entry)
{
    struct card_header *header = (struct card_header *)(void *)card->memory;
    card->used += sizeof *entry + ((entry->bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1));
    card->entry_count++;
    /* Pairs with the acquire in card_read(): the entry before `used`. */
    atomic_store_explicit(&header->used, card->used, memory_order_release);
}

int card_add_function(struct card *card, uint32_t id, const void *plan, size_t bytes)
{
    if (bytes > UINT32_MAX) {
        return -ENOSPC;
    }
    struct card_entry entry = {.kind = CARD_FUNCTION, .id = id, .bytes = (uint32_t)bytes};
    uint8_t *data = begin_entry(card, &entry);
    if (!data) {
        return -ENOSPC;
    }
    memcpy(data, plan, bytes);
    end_entry(card, &entry);
    return 0;
}
