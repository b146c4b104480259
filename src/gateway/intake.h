/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_INTAKE_H
#define GATEWAY_INTAKE_H

/*
 * Intake: what came from a client and was not looked at: bytes, cut into frames. A frame is its length in
 * four bytes, big-endian, and as many bytes of text.
 *
 * Life: all zero is empty; intake_deinit(). Threads: one at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTAKE_HEAD_BYTES 4u

struct intake {
    char *bytes;
    size_t room;
    size_t at;  /* where the next frame begins */
    size_t end; /* what has come */
};

enum intake_state {
    INTAKE_PARTIAL, /* more has to come; nothing at all, maybe */
    INTAKE_FRAME,
    INTAKE_NO_FRAME, /* a length that no frame has: where the next one begins is not known */
};

void intake_deinit(struct intake *intake);

/*
 * Memory for what comes next, at intake->bytes + intake->end; then add what came to intake->end. What a length
 * promises is believed as it comes: room is made for no more than is there already, or a round's bytes.
 * Returns how many bytes; 0: no memory.
 */
size_t intake_make_room(struct intake *intake);

/*
 * The next frame. @ret_text is borrowed until intake_make_room() or intake_shrink(), with DOCUMENT_PADDING
 * readable bytes behind it; @ret_length is set for INTAKE_NO_FRAME, too.
 */
enum intake_state intake_take(struct intake *intake, uint32_t length_max, const char **ret_text,
                              uint32_t *ret_length);

static inline bool intake_is_empty(const struct intake *intake)
{
    return intake->at == intake->end;
}

/* Whether there is a whole frame, however long it may be. */
bool intake_has_frame(const struct intake *intake);

/* Whether a whole frame waits, and more than a round's bytes with it: no more is to be read before it is looked at. */
bool intake_is_ahead(const struct intake *intake);

/* One that is empty and held a large frame gives its memory back. */
void intake_shrink(struct intake *intake);

#endif
