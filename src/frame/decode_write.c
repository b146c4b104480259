/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/decode.h"

#include <errno.h>
#include <stdlib.h>

static struct decode_write *add(struct decoder *decoder, uint8_t *memory, uint64_t bytes,
                                uint64_t room)
{
    struct decode_write *write = malloc(sizeof *write + room);
    if (!write) {
        return NULL;
    }
    write->next = NULL;
    write->memory = memory;
    write->bytes = bytes;
    write->reply = NULL;
    write->target = NULL;
    *decoder->writes_end = write;
    decoder->writes_end = &write->next;
    return write;
}

struct decode_write *decode_write_copy(struct decoder *decoder, uint8_t *memory, uint64_t bytes)
{
    return add(decoder, memory, bytes, bytes);
}

int decode_write_plain(struct decoder *decoder, uint8_t *memory, uint32_t at, uint64_t bytes,
                       const struct cordon_plan_type *target)
{
    struct decode_write *write = add(decoder, memory, bytes, 0);
    if (!write) {
        return -ENOMEM;
    }
    write->reply = decoder->reply + at;
    write->target = target;
    return 0;
}

void decode_copy_plain(const struct decoder *decoder, uint8_t *memory,
                       const volatile uint8_t *reply, uint64_t bytes,
                       const struct cordon_plan_type *target)
{
    copy_out(memory, reply, bytes);
    if (!image_is_bytes(target)) {
        image_tidy(decoder->plan, target, bytes / element_bytes(target), memory);
    }
}

void decode_write_end(struct decoder *decoder, bool commit)
{
    struct decode_write *write = decoder->writes;
    while (write) {
        struct decode_write *next = write->next;
        if (commit && write->reply) {
            decode_copy_plain(decoder, write->memory, write->reply, write->bytes, write->target);
        } else if (commit && write->bytes > 0) {
            memcpy(write->memory, write->copy, write->bytes);
        }
        free(write);
        write = next;
    }
}
