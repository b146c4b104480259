/* SPDX-License-Identifier: Apache-2.0 */
#include "report/symbolize/evidence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prototype/plan.h"

/* All of a memory that others may hold: a copy, at most @most bytes, aligned to 64. */
static int read_all(int fd, uint64_t most, uint8_t **ret_bytes, uint64_t *ret_length)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return -errno;
    }
    uint64_t length = info.st_size < 0 ? 0 : (uint64_t)info.st_size;
    if (length > most) {
        return -E2BIG;
    }
    uint8_t *bytes = aligned_alloc(64, (length + 64) & ~(uint64_t)63);
    uint64_t at = 0;
    while (bytes && at < length) {
        ssize_t count = pread(fd, bytes + at, length - at, (off_t)at);
        if (count <= 0) {
            break;
        }
        at += (uint64_t)count;
    }
    if (!bytes) {
        return -ENOMEM;
    }
    *ret_bytes = bytes;
    *ret_length = at;
    return 0;
}

/* ---- Maps -------------------------------------------------------------------------------------- */

static void add_mapping(struct evidence *evidence, char *line)
{
    char permissions[5];
    int path_at = 0;
    struct mapping mapping = {0};
    if (evidence->mapping_count == EVIDENCE_MAPPINGS_MAX ||
        sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %" SCNu64 " %n", &mapping.start,
               &mapping.end, permissions, &mapping.offset, &mapping.inode, &path_at) < 5 ||
        mapping.start >= mapping.end) {
        return;
    }
    if (evidence->mapping_count > 0 &&
        mapping.start < evidence->mappings[evidence->mapping_count - 1].end) {
        return;
    }
    mapping.read = permissions[0] == 'r';
    mapping.write = permissions[1] == 'w';
    mapping.execute = permissions[2] == 'x';
    mapping.path = path_at > 0 ? line + path_at : "";
    evidence->mappings[evidence->mapping_count++] = mapping;
}

static int parse_maps(struct evidence *evidence, const struct capture_part *part)
{
    evidence->maps_text = malloc(part->bytes + 1);
    evidence->mappings = calloc(EVIDENCE_MAPPINGS_MAX, sizeof *evidence->mappings);
    if (!evidence->maps_text || !evidence->mappings) {
        return -ENOMEM;
    }
    memcpy(evidence->maps_text, part->data, part->bytes);
    evidence->maps_text[part->bytes] = '\0';
    char *rest = evidence->maps_text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        add_mapping(evidence, line);
    }
    return 0;
}

const struct mapping *evidence_mapping(const struct evidence *evidence, uint64_t address)
{
    for (uint32_t i = 0; i < evidence->mapping_count; i++) {
        const struct mapping *mapping = &evidence->mappings[i];
        if (address >= mapping->start && address < mapping->end) {
            return mapping;
        }
    }
    return NULL;
}

/* ---- Sections ---------------------------------------------------------------------------------- */

static void add_thread(struct evidence *evidence, const struct capture_part *part)
{
    struct witness *witness = &evidence->threads[evidence->thread_count];
    if (evidence->thread_count == CAPTURE_THREADS_MAX || part->bytes != sizeof witness->thread) {
        return;
    }
    witness->tid = part->tid;
    memcpy(&witness->thread, part->data, sizeof witness->thread);
    witness->thread.name[sizeof witness->thread.name - 1] = '\0';
    if (witness->thread.machine != CAPTURE_MACHINE ||
        witness->thread.count != CAPTURE_REGISTER_COUNT) {
        return;
    }
    witness->sp = witness->thread.registers[CAPTURE_REGISTER_SP];
    evidence->thread_count++;
}

/* Its records are aligned to cache lines. */
static int copy_page(struct evidence *evidence, const struct capture_part *part)
{
    evidence->page = aligned_alloc(64, (part->bytes + 64) & ~(uint64_t)63);
    if (!evidence->page) {
        return -ENOMEM;
    }
    memcpy(evidence->page, part->data, part->bytes);
    evidence->lane = *part;
    evidence->lane.data = evidence->page;
    return 0;
}

static int add_part(struct evidence *evidence, const struct capture_part *part)
{
    switch (part->kind) {
    case CAPTURE_THREAD:
        add_thread(evidence, part);
        return 0;
    case CAPTURE_STACK:
    case CAPTURE_MEMORY:
        if (evidence->piece_count < EVIDENCE_PIECES_MAX) {
            evidence->pieces[evidence->piece_count++] =
                (struct piece){part->address, part->bytes, part->data};
        }
        return 0;
    case CAPTURE_SIGINFO:
        evidence->siginfo = *part;
        return 0;
    case CAPTURE_MAPS:
        return evidence->maps_text ? 0 : parse_maps(evidence, part);
    case CAPTURE_STATUS:
        evidence->status = *part;
        return 0;
    case CAPTURE_LIMITS:
        evidence->limits = *part;
        return 0;
    case CAPTURE_LANE:
        return evidence->page ? 0 : copy_page(evidence, part);
    case CAPTURE_FRAME:
        evidence->frame = *part;
        return 0;
    case CAPTURE_NOTE:
        if (evidence->note_count < EVIDENCE_NOTES_MAX) {
            evidence->notes[evidence->note_count] = (const char *)part->data;
            evidence->note_bytes[evidence->note_count++] =
                (uint32_t)(part->bytes < 256 ? part->bytes : 256);
        }
        return 0;
    default:
        return 0;
    }
}

/* As far as it is written: most of the memory is not. */
static int load_recording(struct evidence *evidence, int fd)
{
    struct recording_header header;
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header) {
        return -EBADMSG;
    }
    uint64_t used = atomic_load_explicit(&header.used, memory_order_relaxed); /* our copy */
    if (used < sizeof header || used > RECORDING_BYTES_MAX) {
        return -EBADMSG;
    }
    uint8_t *bytes = aligned_alloc(64, (used + 64) & ~(uint64_t)63);
    uint64_t at = sizeof header;
    while (bytes && at < used) {
        ssize_t count = pread(fd, bytes + at, used - at, (off_t)at);
        if (count <= 0) {
            break;
        }
        at += (uint64_t)count;
    }
    if (!bytes || at < used) {
        free(bytes);
        return bytes ? -EBADMSG : -ENOMEM;
    }
    memcpy(bytes, &header, sizeof header);
    evidence->recording = bytes;
    evidence->recording_length = used;
    return 0;
}

int evidence_load(struct evidence *evidence, const struct evidence_fds *fds)
{
    uint64_t length = 0;
    struct capture_reader reader;
    *evidence = (struct evidence){.h_fd = fds->h};
    int r = read_all(fds->capture, CAPTURE_BYTES_MAX, &evidence->capture, &length);
    r = r < 0 ? r : capture_read(&reader, evidence->capture, length, &evidence->reason);
    struct capture_part part;
    int more = 0;
    while (r == 0 && (more = capture_next(&reader, &part)) == 1) {
        r = add_part(evidence, &part);
    }
    if (r < 0 || more < 0) {
        return r < 0 ? r : more;
    }
    struct card_reader entries;
    if (fds->recording >= 0) {
        (void)load_recording(evidence, fds->recording); /* the report says that there is none */
    }
    if (fds->card >= 0 && read_all(fds->card, CARD_BYTES, &evidence->card_bytes, &length) == 0 &&
        card_read(&entries, evidence->card_bytes, length, &evidence->card) == 0) {
        evidence->has_card = true;
        evidence->card_length = length;
    }
    return 0;
}

bool evidence_read(const struct evidence *evidence, uint64_t address, void *memory, uint64_t bytes)
{
    for (uint32_t i = 0; i < evidence->piece_count; i++) {
        const struct piece *piece = &evidence->pieces[i];
        if (address >= piece->address && address - piece->address <= piece->bytes &&
            bytes <= piece->bytes - (address - piece->address)) {
            memcpy(memory, piece->data + (address - piece->address), bytes);
            return true;
        }
    }
    return false;
}

const struct plan *evidence_plan(const struct evidence *evidence, uint32_t id, uint32_t *ret_bytes)
{
    struct card_reader reader;
    struct card_header header;
    struct card_part part;
    const struct plan *plan;
    if (!evidence->has_card ||
        card_read(&reader, evidence->card_bytes, evidence->card_length, &header) < 0) {
        return NULL;
    }
    while (card_next(&reader, &part) == 1) {
        if (part.kind == CARD_FUNCTION && part.id == id &&
            plan_validate(part.data, part.bytes, &plan, NULL) == 0) {
            *ret_bytes = part.bytes;
            return plan;
        }
    }
    return NULL;
}

uint8_t *evidence_request(const struct evidence *evidence, uint32_t at, uint32_t bytes)
{
    uint8_t *memory = bytes > 0 && bytes <= CAPTURE_FRAME_BYTES
                          ? aligned_alloc(64, ((size_t)bytes + 63) & ~(size_t)63)
                          : NULL;
    if (!memory) {
        return NULL;
    }
    const struct capture_part *frame = &evidence->frame;
    if (frame->data && frame->address == at && frame->bytes >= bytes) {
        memcpy(memory, frame->data, bytes);
        return memory;
    }
    if (evidence->h_fd >= 0 && pread(evidence->h_fd, memory, bytes, (off_t)at) == (ssize_t)bytes) {
        return memory;
    }
    free(memory);
    return NULL;
}
