/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_SYMBOLIZE_EVIDENCE_H
#define REPORT_SYMBOLIZE_EVIDENCE_H

/*
 * Evidence: capture, card and lane as this program holds them: private copies, judged, indexed. All of it
 * may be hostile but the reason and the card.
 */

#include <stdbool.h>
#include <stdint.h>

#include "report/capture.h"
#include "report/card.h"
#include "report/recording.h"
#include "report/registers.h"

#define EVIDENCE_MAPPINGS_MAX 4096u
#define EVIDENCE_PIECES_MAX   256u
#define EVIDENCE_NOTES_MAX    32u

/* A line of maps. */
struct mapping {
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    uint64_t inode;
    bool read, write, execute;
    const char *path; /* "" for none; inside the evidence, NUL-terminated */
};

/* Memory of the worker that was taken. */
struct piece {
    uint64_t address;
    uint64_t bytes;
    const uint8_t *data;
};

struct witness {
    uint32_t tid;
    struct capture_thread thread;
    uint64_t sp; /* as captured; the stack may be adjusted while unwinding */
};

struct evidence {
    uint8_t *capture; /* owned, as the next three */
    uint8_t *card_bytes;
    uint8_t *page;
    char *maps_text;
    struct capture_reason reason;
    bool has_card;
    struct card_header card;
    uint64_t card_length;
    uint8_t *recording; /* owned; NULL: none */
    uint64_t recording_length;
    int h_fd;                 /* borrowed; -1: none */
    struct mapping *mappings; /* ascending */
    uint32_t mapping_count;
    struct piece pieces[EVIDENCE_PIECES_MAX];
    uint32_t piece_count;
    struct witness threads[CAPTURE_THREADS_MAX];
    uint32_t thread_count;
    struct capture_part siginfo, status, limits, lane, frame; /* data NULL: none */
    const char *notes[EVIDENCE_NOTES_MAX];
    uint32_t note_bytes[EVIDENCE_NOTES_MAX];
    uint32_t note_count;
};

/* Where it comes from; all but the capture may be -1: none. */
struct evidence_fds {
    int capture, card, h, recording;
};

/* Returns 0, or a negative errno: the capture is of no use. What it takes lives as long as the process. */
int evidence_load(struct evidence *evidence, const struct evidence_fds *fds);

/* The mapping that holds @address, or NULL. */
const struct mapping *evidence_mapping(const struct evidence *evidence, uint64_t address);

/* Memory of the worker, if it was taken. */
bool evidence_read(const struct evidence *evidence, uint64_t address, void *memory, uint64_t bytes);

/* The plan of function @id, validated; NULL: not known. Kept as long as the evidence. */
const struct plan *evidence_plan(const struct evidence *evidence, uint32_t id, uint32_t *ret_bytes);

/* Bytes of H, by the capture or by H itself: malloc'ed, aligned to 64; NULL: not to be had. */
uint8_t *evidence_request(const struct evidence *evidence, uint32_t at, uint32_t bytes);

#endif
