/* SPDX-License-Identifier: Apache-2.0 */
#include "report/capture.h"

#include <errno.h>
#include <string.h>

int capture_next(struct capture_reader *reader, struct capture_part *ret_part)
{
    struct capture_section section;
    const uint8_t *data;
    do {
        int r = pieces_head(&reader->sections, &section, sizeof section);
        if (r == 1) {
            r = pieces_data(&reader->sections, sizeof section, section.bytes, &data);
            r = r == 0 ? 1 : r;
        }
        if (r != 1) {
            return r;
        }
    } while (section.kind == 0 || section.kind >= CAPTURE_KIND_COUNT);
    *ret_part = (struct capture_part){.kind = (enum capture_kind)section.kind,
                                      .tid = section.tid,
                                      .address = section.address,
                                      .data = data,
                                      .bytes = section.bytes};
    return 1;
}

static int judge_reason(struct capture_reason *reason)
{
    reason->grant[sizeof reason->grant - 1] = '\0';
    reason->text[sizeof reason->text - 1] = '\0';
    return reason->why == 0 || reason->why >= CAPTURE_WHY_COUNT ? -EBADMSG : 0;
}

int capture_read(struct capture_reader *reader, const void *bytes, uint64_t length,
                 struct capture_reason *ret_reason)
{
    struct capture_header header;
    struct capture_part first;
    if (length < sizeof header || length > CAPTURE_BYTES_MAX) {
        return -EBADMSG;
    }
    memcpy(&header, bytes, sizeof header);
    if (header.magic != CAPTURE_MAGIC || header.version != CAPTURE_VERSION) {
        return -EBADMSG;
    }
    reader->sections = (struct pieces){
        .bytes = bytes, .length = length, .at = sizeof header, .count_max = CAPTURE_SECTIONS_MAX};
    if (capture_next(reader, &first) != 1 || first.kind != CAPTURE_REASON ||
        first.bytes != sizeof *ret_reason) {
        return -EBADMSG;
    }
    struct capture_reason reason;
    memcpy(&reason, first.data, sizeof reason);
    int r = judge_reason(&reason);
    if (r == 0) {
        *ret_reason = reason;
    }
    return r;
}
