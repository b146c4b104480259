/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_CARD_H
#define REPORT_CARD_H

/*
 * Card: what a cell is - library, level, policy, limits, whose it is, how its reports are kept - and its
 * functions with their plans, appended as they are bound. A memory that the host writes, the keeper
 * passes on unread, and cordon-symbolize reads, perhaps when the host is gone already.
 *
 * Layout: card_header, then entries up to header.used; each is a card_entry and its data, padded to a
 * multiple of 8. Nothing that was written ever changes, but header.used, which is stored last (release):
 * a reader takes it once and sees complete entries.
 *
 * field          writes  reads        order             if the writer dies right there
 * ------------- ------- ------------ ----------------- --------------------------------------------
 * header.used    host    symbolizer   release, acquire  the entry in progress does not exist
 * all else       host    symbolizer   before `used`     "
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "report/pieces.h"

#define CARD_MAGIC       0x44524343u /* "CCRD" */
#define CARD_VERSION     1u
#define CARD_BYTES       (64u << 20) /* sparse */
#define CARD_TEXT_BYTES  4096u
#define CARD_ENTRIES_MAX 65536u

enum card_level {
    CARD_PROCESS = 0,
    CARD_THREAD = 1,
    CARD_INLINE = 2,
};

enum card_flags {
    CARD_SHOW_BYTES = 1u << 0, /* reports show the first bytes of what arguments point to */
};

struct card_header {
    uint32_t magic;
    uint32_t version;
    _Atomic uint64_t used; /* bytes, this header included */
    uint32_t level;        /* enum card_level */
    uint32_t policy;       /* enum errand_policy */
    uint32_t flags;        /* enum card_flags */
    uint32_t host_pid;
    uint64_t isolation; /* enum cordon_isolation */
    uint64_t memory_bytes;
    uint64_t deadline_ms;
    uint64_t start_ms;
    uint64_t call_bytes;
    uint32_t workers;
    uint32_t reports_max;      /* files in the report directory */
    uint64_t report_bytes_max; /* bytes in it */
    uint64_t arena_bytes;
    uint64_t reserved[4];
    char library[CARD_TEXT_BYTES];     /* as it was asked for */
    char program[CARD_TEXT_BYTES];     /* the host's */
    char policy_text[CARD_TEXT_BYTES]; /* for people; may be empty */
};
_Static_assert(sizeof(struct card_header) == 128 + 3 * CARD_TEXT_BYTES, "a card travels");

enum card_kind {
    CARD_FUNCTION = 1, /* id: of the function; data: its plan (docs/protocol/plan.md) */
    CARD_KIND_COUNT,
};

struct card_entry {
    uint32_t kind; /* enum card_kind */
    uint32_t id;
    uint32_t reserved; /* 0 */
    uint32_t bytes;    /* of the data, without its padding */
};

/* ---- The host's side ------------------------------------------------------------------------------- */

struct card;

/* What the header is made of. Strings may be NULL. */
struct card_wish {
    uint32_t level, policy, flags, workers;
    uint64_t isolation, memory_bytes, deadline_ms, start_ms, call_bytes, arena_bytes;
    uint32_t reports_max;
    uint64_t report_bytes_max;
    const char *library, *program, *policy_text;
};

/* Returns 0 and a card, or a negative errno. */
int card_new(const struct card_wish *wish, struct card **ret_card);

/* Unmap and close; others who hold the memory keep it. NULL is fine. */
void card_free(struct card *card);

/* Borrowed. */
int card_peek_fd(const struct card *card);

/*
 * Append what was bound. Threads: one at a time, the caller locks. Returns 0, or -ENOSPC with the card
 * full: reports then lack the names of later functions.
 */
int card_add_function(struct card *card, uint32_t id, const void *plan, size_t bytes);

/* ---- Reading: input -------------------------------------------------------------------------------- */

struct card_part {
    enum card_kind kind;
    uint32_t id;
    const uint8_t *data; /* inside the card; aligned to 8 if the card is */
    uint32_t bytes;
};

struct card_reader {
    struct pieces entries;
};

/*
 * Read a card from memory that does not change. Returns 0 with the header copied, its texts NUL-terminated
 * and its enumerations judged, or -EBADMSG.
 */
int card_read(struct card_reader *reader, const void *bytes, uint64_t length,
              struct card_header *ret_header);

/* The next entry: 1 with @ret_part, 0 at the end, -EBADMSG. Unknown kinds are passed over. */
int card_next(struct card_reader *reader, struct card_part *ret_part);

#endif
