/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/intake.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_limits.h"
#include "json/document.h"

#define LEAST_BYTES 16384u /* what is begun with, and shrunk to */

void intake_deinit(struct intake *intake)
{
    free(intake->bytes);
    *intake = (struct intake){0};
}

static size_t held(const struct intake *intake)
{
    return intake->end - intake->at;
}

static uint32_t head_of(const struct intake *intake)
{
    const uint8_t *at = (const uint8_t *)intake->bytes + intake->at;
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Bytes of the first frame that have yet to come; 0: it is complete. */
static size_t missing(const struct intake *intake)
{
    size_t have = held(intake);
    if (have < INTAKE_HEAD_BYTES) {
        return INTAKE_HEAD_BYTES - have;
    }
    size_t frame = INTAKE_HEAD_BYTES + (size_t)head_of(intake);
    return have < frame ? frame - have : 0;
}

bool intake_has_frame(const struct intake *intake)
{
    return missing(intake) == 0;
}

bool intake_is_ahead(const struct intake *intake)
{
    return held(intake) > GATEWAY_READ_BYTES && intake_has_frame(intake);
}

static bool grow(struct intake *intake, size_t wanted)
{
    size_t have = held(intake);
    if (intake->at > 0 && (have == 0 || intake->room - intake->end < wanted + DOCUMENT_PADDING)) {
        memmove(intake->bytes, intake->bytes + intake->at, have);
        intake->at = 0;
        intake->end = have;
    }
    size_t room = have + wanted + DOCUMENT_PADDING;
    if (room <= intake->room) {
        return true;
    }
    char *bytes = realloc(intake->bytes, room);
    if (!bytes) {
        return false;
    }
    intake->bytes = bytes;
    intake->room = room;
    return true;
}

size_t intake_make_room(struct intake *intake)
{
    size_t wanted = missing(intake);
    size_t have = held(intake);
    size_t most = have > GATEWAY_READ_BYTES ? have : GATEWAY_READ_BYTES;
    wanted = wanted < LEAST_BYTES ? LEAST_BYTES : wanted < most ? wanted : most;
    return grow(intake, wanted) ? wanted : 0;
}

enum intake_state intake_take(struct intake *intake, uint32_t length_max, const char **ret_text,
                              uint32_t *ret_length)
{
    if (held(intake) < INTAKE_HEAD_BYTES) {
        return INTAKE_PARTIAL;
    }
    uint32_t length = head_of(intake);
    *ret_length = length;
    if (length == 0 || length > length_max) {
        return INTAKE_NO_FRAME;
    }
    if (missing(intake) > 0) {
        return INTAKE_PARTIAL;
    }
    *ret_text = intake->bytes + intake->at + INTAKE_HEAD_BYTES;
    intake->at += INTAKE_HEAD_BYTES + length;
    return INTAKE_FRAME;
}

void intake_shrink(struct intake *intake)
{
    if (intake_is_empty(intake) && intake->room > 4 * LEAST_BYTES) {
        intake_deinit(intake);
    }
}
