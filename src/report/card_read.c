/* SPDX-License-Identifier: Apache-2.0 */
#include "report/card.h"

#include <errno.h>
#include <string.h>

int card_next(struct card_reader *reader, struct card_part *ret_part)
{
    struct card_entry entry;
    const uint8_t *data;
    do {
        int r = pieces_head(&reader->entries, &entry, sizeof entry);
        if (r == 1) {
            r = pieces_data(&reader->entries, sizeof entry, entry.bytes, &data);
            r = r == 0 ? 1 : r;
        }
        if (r != 1) {
            return r;
        }
    } while (entry.kind == 0 || entry.kind >= CARD_KIND_COUNT);
    *ret_part = (struct card_part){
        .kind = (enum card_kind)entry.kind, .id = entry.id, .data = data, .bytes = entry.bytes};
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
        header.level > CARD_INLINE || used < sizeof header || used > length ||
        used % PIECES_ALIGN != 0) {
        return -EBADMSG;
    }
    header.library[sizeof header.library - 1] = '\0';
    header.program[sizeof header.program - 1] = '\0';
    header.policy_text[sizeof header.policy_text - 1] = '\0';
    reader->entries = (struct pieces){
        .bytes = bytes, .length = used, .at = sizeof header, .count_max = CARD_ENTRIES_MAX};
    memcpy(ret_header, &header, sizeof header);
    return 0;
}
