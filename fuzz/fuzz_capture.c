/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aims at capture_read(), capture_next(), card_read(), card_next(), recording_read(), recording_next(),
 * recording_view_init(): what cordon-symbolize opens, and `cordon replay`.
 *
 * An input is a capture, a card or a recording, by its magic; every byte that a reader hands out is touched.
 */
#include "report/capture.h"
#include "report/card.h"
#include "report/recording.h"

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

/* By call, what is there for it lies in the recording, and begins and ends where its neighbours do. */
static void read_view(const uint8_t *bytes, size_t size, uint32_t entries)
{
    struct recording_view view;
    if (recording_view_init(&view, bytes, size) == 0) {
        if (view.calls > entries || view.first[1] != 0 || view.first[view.calls + 1] > entries) {
            abort();
        }
        for (uint32_t call = 1; call <= view.calls; call++) {
            if (view.first[call] >= view.first[call + 1]) {
                abort();
            }
            for (uint32_t i = view.first[call]; i < view.first[call + 1]; i++) {
                if (view.parts[i].entry.call != call) {
                    abort();
                }
            }
        }
    }
    recording_view_deinit(&view);
}

static void read_recording(const uint8_t *bytes, size_t size)
{
    struct recording_header header;
    struct recording_reader reader;
    struct recording_part part;
    if (recording_read(&reader, bytes, size, &header) < 0) {
        return;
    }
    while (recording_next(&reader, &part) == 1) {
        if (part.entry.kind == 0 || part.entry.kind >= RECORDING_KIND_COUNT ||
            (uintptr_t)part.words % 8 != 0 || part.entry.word_count > RECORDING_WORDS_MAX) {
            abort();
        }
        touch((const uint8_t *)part.words, part.entry.word_count * sizeof *part.words);
        touch(part.bytes, part.entry.byte_count);
    }
    read_view(bytes, size, reader.entries.count);
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
    read_recording(copy, size);
    free(copy);
    return 0;
}
