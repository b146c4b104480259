/* SPDX-License-Identifier: Apache-2.0 */
#include "report/pieces.h"

#include <errno.h>
#include <string.h>

int pieces_head(struct pieces *pieces, void *ret_head, size_t head_bytes)
{
    uint64_t left = pieces->length - pieces->at;
    if (left == 0) {
        return 0;
    }
    if (left < head_bytes || pieces->count == pieces->count_max) {
        return -EBADMSG;
    }
    memcpy(ret_head, pieces->bytes + pieces->at, head_bytes);
    return 1;
}

int pieces_data(struct pieces *pieces, size_t head_bytes, uint64_t bytes, const uint8_t **ret_data)
{
    uint64_t left = pieces->length - pieces->at - head_bytes;
    if (bytes > left) {
        return -EBADMSG;
    }
    uint64_t padded = (bytes + PIECES_ALIGN - 1) & ~(uint64_t)(PIECES_ALIGN - 1);
    if (padded > left) {
        return -EBADMSG;
    }
    *ret_data = pieces->bytes + pieces->at + head_bytes;
    pieces->at += head_bytes + padded;
    pieces->count++;
    return 0;
}
