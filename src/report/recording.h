/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_RECORDING_H
#define REPORT_RECORDING_H

/*
 * Recording: what a session's host and one worker said to each other since the worker's start, so that it can
 * be said again to a fresh one: requests as they were sent, the words of their replies, callbacks with their
 * answers, and what the host had changed in the arena. One memory per worker, which the host writes, the keeper
 * passes on unread, cordon-symbolize puts into the report, and a replay reads: then it is a file's, and input.
 *
 * Layout: recording_header, then entries up to header.used; each is a recording_entry, its words and its bytes,
 * padded to a multiple of 8. Nothing that was written ever changes, but the header's atomic fields - and all of
 * it when a secret would come in: then it is wiped.
 *
 * field          writes  reads               order             if the writer dies right there
 * ------------- ------- ------------------- ----------------- --------------------------------------------
 * header.used    host    symbolizer          release, acquire  the entry in progress does not exist
 * header.stop    host    symbolizer          release, acquire  it is complete as far as it goes
 * stop_call      host    symbolizer          before `stop`     "
 * all else       host    symbolizer, replay  before `used`     "
 *
 * Entries of one top-level call carry its number in the worker's lane, from 1, and are in this order; calls of
 * a batch are interleaved:
 *   ARENA...  CALL  { CALLBACK  { ARENA...  CALL  ...  RETURN }  ANSWER }  RETURN
 * where calls inside of a callback are NESTED, and all may end anywhere: there the worker died.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/pieces.h"

#define RECORDING_MAGIC       0x43455243u /* "CREC" */
#define RECORDING_VERSION     1u
#define RECORDING_BYTES_MAX   (64u << 20) /* of one that is read */
#define RECORDING_ENTRIES_MAX (1u << 18)
#define RECORDING_WORDS_MAX   66u /* CORDON_PLAN_WORDS_MAX */

/* Why nothing more is recorded. */
enum recording_stop {
    RECORDING_RUNS = 0,
    RECORDING_FULL = 1,     /* record_bytes, or RECORDING_ENTRIES_MAX, were used up */
    RECORDING_SECRET = 2,   /* a function with secret arguments was called; nothing is kept */
    RECORDING_NO_ARENA = 3, /* the arena's contents could not be had */
    RECORDING_STOP_COUNT,
};

struct recording_header {
    uint32_t magic;
    uint32_t version;
    _Atomic uint64_t used; /* bytes, this header included */
    uint32_t identity;     /* lane_identity() of the build that recorded */
    uint32_t call_bytes;   /* of the cell, as the next two */
    uint64_t bytes_max;
    uint64_t arena_base;
    uint64_t arena_bytes;       /* 0: none */
    _Atomic uint32_t stop;      /* enum recording_stop */
    _Atomic uint32_t stop_call; /* the call from which on it is incomplete */
    uint64_t reserved;          /* 0 */
};
_Static_assert(sizeof(struct recording_header) == 64, "a recording travels");

enum recording_kind {
    RECORDING_CALL = 1,   /* function, reply_*, number: deadline in ns from then on; words, frame */
    RECORDING_UNSENT = 2, /* the last CALL of this number was not sent */
    RECORDING_RETURN = 3, /* status, error_number; words */
    RECORDING_CALLBACK =
        4, /* function: the callback's id; status: why it was not run; words, frame */
    RECORDING_ANSWER = 5, /* status: 0, or how it failed; words, bytes */
    RECORDING_ARENA = 6,  /* number: offset in the arena; bytes */
    RECORDING_KIND_COUNT,
};

enum recording_flags {
    RECORDING_NESTED = 1u << 0, /* CALL, RETURN: inside of a callback */
};

struct recording_entry {
    uint32_t kind; /* enum recording_kind */
    uint32_t call; /* number of the top-level call that it belongs to */
    uint32_t function;
    int32_t status;
    int32_t error_number;
    uint32_t flags; /* enum recording_flags */
    uint32_t reply_fixed;
    uint32_t reply_bytes_max;
    uint64_t number;
    uint32_t word_count;
    uint32_t byte_count;
};
_Static_assert(sizeof(struct recording_entry) == 48, "a recording travels");

/* ---- The host's side ------------------------------------------------------------------------------- */

struct recording;

struct recording_wish {
    uint64_t bytes_max; /* header included */
    uint32_t identity;
    uint32_t call_bytes;
    uint64_t arena_base;
    uint64_t arena_bytes;
};

/* Returns 0 and a recording, or a negative errno. */
int recording_new(const struct recording_wish *wish, struct recording **ret_recording);

/* Unmap and close; others who hold the memory keep it. NULL is fine. */
void recording_free(struct recording *recording);

/* Borrowed. */
int recording_peek_fd(const struct recording *recording);

/*
 * Append @entry with its words and bytes. Threads: one at a time. Returns 0, or -ENOSPC: it is full, and
 * stays as it is.
 */
int recording_add(struct recording *recording, const struct recording_entry *entry,
                  const uint64_t *words, const void *bytes);

/* Nothing more comes: from call @call on it is incomplete. RECORDING_SECRET wipes what is there. */
void recording_stop(struct recording *recording, enum recording_stop why, uint32_t call);

/* ---- Reading: input -------------------------------------------------------------------------------- */

/* An entry, judged by itself: its words and bytes lie in the recording, both aligned to 8. */
struct recording_part {
    struct recording_entry entry;
    const uint64_t *words;
    const uint8_t *bytes;
};

struct recording_reader {
    struct pieces entries;
    uint64_t arena_bytes;
};

/*
 * Read a recording from memory that does not change, aligned to 8. Returns 0 with the header copied and
 * judged, or -EBADMSG.
 */
int recording_read(struct recording_reader *reader, const void *bytes, uint64_t length,
                   struct recording_header *ret_header);

/* The next entry: 1 with @ret_part, 0 at the end, -EBADMSG. Unknown kinds are passed over. */
int recording_next(struct recording_reader *reader, struct recording_part *ret_part);

/* All of it, sorted by call. What was not sent is left out. */
struct recording_view {
    struct recording_header header;
    struct recording_part *parts; /* those of call n: first[n] up to first[n + 1] */
    uint32_t *first;
    uint32_t calls;
};

/*
 * Returns 0; -EBADMSG: an entry is not sound, or a call's number is not the next one; -ENOMEM.
 * recording_view_deinit() in any case. @bytes stay the caller's, and are needed as long as the view.
 */
int recording_view_init(struct recording_view *view, const void *bytes, uint64_t length);
void recording_view_deinit(struct recording_view *view);

#endif
