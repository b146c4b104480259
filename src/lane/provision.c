/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/provision.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static uint64_t round_up(uint64_t at)
{
    return (at + PROVISION_ALIGN - 1) & ~(uint64_t)(PROVISION_ALIGN - 1);
}

int64_t provision_begin(const void *memory, uint64_t bytes)
{
    const struct provision_header *header = memory;
    bool sound = bytes >= sizeof *header && header->magic == PROVISION_MAGIC &&
                 header->version == PROVISION_VERSION && header->bytes <= bytes &&
                 header->bytes <= PROVISION_BYTES_MAX && header->bytes >= sizeof *header;
    return sound ? (int64_t)sizeof *header : -EBADMSG;
}

/* All sizes are below 2^32: nothing overflows. */
int64_t provision_next(const void *memory, int64_t at, struct provision_item *ret_item)
{
    const struct provision_header *header = memory;
    const uint8_t *base = memory;
    uint64_t end = header->bytes;
    uint64_t here = (uint64_t)at;
    if (here >= end) {
        return here == end ? 0 : -EBADMSG;
    }
    if (end - here < sizeof(struct provision_record)) {
        return -EBADMSG;
    }
    struct provision_item item = {.name = NULL};
    memcpy(&item.record, base + here, sizeof item.record);
    const struct provision_record *record = &item.record;
    uint64_t words_at = here + sizeof *record;
    uint64_t name_at = words_at + (uint64_t)record->word_count * sizeof(uint64_t);
    uint64_t bytes_at = round_up(name_at + record->name_bytes);
    uint64_t next = round_up(bytes_at + record->bytes);
    if (record->word_count > CORDON_PLAN_WORDS_MAX || next > end || record->kind < PROVISION_BIND ||
        record->kind > PROVISION_SEAL ||
        (record->name_bytes > 0 && base[name_at + record->name_bytes - 1] != '\0')) {
        return -EBADMSG;
    }
    item.words = (const uint64_t *)(const void *)(base + words_at);
    item.name = record->name_bytes > 0 ? (const char *)base + name_at : NULL;
    item.bytes = base + bytes_at;
    *ret_item = item;
    return (int64_t)next;
}
