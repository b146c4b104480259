/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aims at capture_read(), capture_next(), card_read(), card_next(): what cordon-symbolize opens.
 *
 * An input is a capture, or a card, by its magic; every byte that a reader hands out is touched.
 */
#include "report/capture.h"
#include "report/card.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void touch(const uint8_t *bytes, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++) {
        sink = (uint8_t)(sink ^ bytes[i]);
    }
}

static void read_capture(const uint8_t *bytes, size_t size)
{
    struct capture_reader reader;
    struct capture_reason reason;
    struct capture_part part;
    if (capture_read(&reader, bytes, size, &reason) < 0) {
        return;
    }
    touch((const uint8_t *)reason.text, strlen(reason.text));
    touch((const uint8_t *)reason.grant, strlen(reason.grant));
    while (capture_next(&reader, &part) == 1) {
        if (part.kind == 0 || part.kind >= CAPTURE_KIND_COUNT || (uintptr_t)part.data % 8 != 0) {
            abort();
        }
        touch(part.data, part.bytes);
    }
}

static void read_card(const uint8_t *bytes, size_t size)
{
    static struct card_header header;
    struct card_reader reader;
    struct card_part part;
    if (card_read(&reader, bytes, size, &header) < 0) {
        return;
    }
    touch((const uint8_t *)header.library, strlen(header.library));
    touch((const uint8_t *)header.program, strlen(header.program));
    touch((const uint8_t *)header.policy_text, strlen(header.policy_text));
    while (card_next(&reader, &part) == 1) {
        if (part.kind == 0 || part.kind >= CARD_KIND_COUNT || (uintptr_t)part.data % 8 != 0) {
            abort();
        }
        touch(part.data, part.bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = aligned_alloc(64, (size + 64) & ~(size_t)63);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, size);
    read_capture(copy, size);
    read_card(copy, size);
    free(copy);
    return 0;
}
