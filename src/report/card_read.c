/* SPDX-License-Identifier: Apache-2.0 */
#include "report/card.h"

#include <errno.h>
#include <string.h>

#define ALIGN 8u

int card_next(struct card_reader *reader, struct card_part *ret_part)
{
    struct card_entry entry;
    do {
        uint64_t left = reader->length - reader->at;
        if (left == 0) {
            return 0;
        }
        if (left < sizeof entry || reader->entry_count == CARD_ENTRIES_MAX) {
            return -EBADMSG;
        }
        memcpy(&entry, reader->bytes + reader->at, sizeof entry);
        uint64_t padded = ((uint64_t)entry.bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
        if (padded > left - sizeof entry) {
            return -EBADMSG;
        }
        *ret_part = (struct card_part){.kind = (enum card_kind)entry.kind,
                                       .id = entry.id,
                                       .worker = entry.worker,
                                       .data = reader->bytes + reader->at + sizeof entry,
                                       .bytes = entry.bytes};
        reader->at += sizeof entry + padded;
        reader->entry_count++;
    } while (entry.kind == 0 || entry.kind >= CARD_KIND_COUNT);
    return 1;
}

int card_read(struct card_reader *reader, const void *bytes, uint64_t length,
              struct card_header *ret_header)
{
    struct card_header header;
    if (length < sizeof header || length > CARD_BYTES) {
        return -EBADMSG;
    }
    memcpy(&header, bytes, sizeof header);
    /* Pairs with the release of the writer, which may be appending: what lies below is complete. */
    uint64_t used =
        atomic_load_explicit(&((const struct card_header *)bytes)->used, memory_order_acquire);
    if (header.magic != CARD_MAGIC || header.version != CARD_VERSION ||
        header.level > CARD_INLINE || used < sizeof header || used > length || used % ALIGN != 0) {
        return -EBADMSG;
    }
    header.library[sizeof header.library - 1] = '\0';
    header.program[sizeof header.program - 1] = '\0';
    header.policy_text[sizeof header.policy_text - 1] = '\0';
    *reader = (struct card_reader){.bytes = bytes, .length = used, .at = sizeof header};
    memcpy(ret_header, &header, sizeof header);
    return 0;
}
