/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_CAPTURE_H
#define REPORT_CAPTURE_H

/*
 * Capture: what the keeper took from a worker before it ended it - registers, stacks, memory around the
 * fault, what /proc says - in one piece, to be made a report of by somebody else.
 *
 * Life: begun in a fresh memory, sections added, handed to cordon-symbolize as a descriptor. Most of what
 * is in the sections was under the worker's control: whoever reads a capture reads hostile bytes, and
 * whoever reads it in another process than the keeper does not believe the container either.
 *
 * Layout: capture_header, then sections; each section is a capture_section and its data, padded with
 * zeros to a multiple of 8. The first section is REASON. All integers are little-endian.
 */

#include <stddef.h>
#include <stdint.h>

#include "report/pieces.h"

#define CAPTURE_MAGIC        0x50414343u /* "CCAP" */
#define CAPTURE_VERSION      1u
#define CAPTURE_BYTES_MAX    (32u << 20)
#define CAPTURE_SECTIONS_MAX 1024u
#define CAPTURE_THREADS_MAX  64u            /* of which registers and stacks are taken */
#define CAPTURE_STACK_BYTES  (128u * 1024u) /* of one thread, from its stack pointer up */
#define CAPTURE_MEMORY_BYTES 4096u          /* around one address */
#define CAPTURE_TEXT_BYTES   (1u << 20)     /* of one file of /proc */
#define CAPTURE_FRAME_BYTES  (4u << 20)     /* of the call's request */

enum capture_kind {
    CAPTURE_REASON = 1,  /* struct capture_reason: by the keeper, first, once */
    CAPTURE_THREAD = 2,  /* tid; struct capture_thread */
    CAPTURE_STACK = 3,   /* tid; address: of the first byte, the stack pointer or below */
    CAPTURE_MEMORY = 4,  /* address: of the first byte */
    CAPTURE_SIGINFO = 5, /* tid; siginfo_t as the kernel gave it */
    CAPTURE_MAPS = 6,    /* text of /proc/PID/maps */
    CAPTURE_STATUS = 7,  /* text of /proc/PID/status */
    CAPTURE_LIMITS = 8,  /* text of /proc/PID/limits */
    CAPTURE_LANE =
        9, /* address: offset in H, 0; the page with verdict and records, violations too */
    CAPTURE_FRAME = 10, /* address: offset in H; bytes of the blamed call's request */
    CAPTURE_NOTE = 11,  /* tid or 0; a sentence: which part is missing, and why */
    CAPTURE_KIND_COUNT,
};

/* Why there is a capture. */
enum capture_why {
    CAPTURE_WHY_CRASH = 1,     /* a signal; siginfo where it is known */
    CAPTURE_WHY_HANG = 2,      /* the deadline passed */
    CAPTURE_WHY_EXIT = 3,      /* exit_group from inside the library */
    CAPTURE_WHY_VIOLATION = 4, /* a forbidden act; `number` is the system call */
    CAPTURE_WHY_RECYCLED = 5,  /* text: which limit */
    CAPTURE_WHY_KILLED = 6,    /* it died without a word: out of memory, a signal from outside */
    CAPTURE_WHY_LIED = 7,      /* it broke the lane's protocol */
    CAPTURE_WHY_START = 8,     /* it did not become a worker: text */
    CAPTURE_WHY_COUNT,
};

enum capture_reason_flags {
    CAPTURE_ENDED = 1u << 0, /* the worker was ended for it; else it went on (violation, refused) */
    CAPTURE_HAS_CALL = 1u << 1,     /* seq and function_id are meant */
    CAPTURE_HAS_FAULT = 1u << 2,    /* fault_address is meant */
    CAPTURE_CODE_UNKNOWN = 1u << 3, /* code is not: the crashed thread never told of it */
};

#define CAPTURE_REASON_TEXT 256u

/* What the keeper itself knows. Fixed size, no pointers; zero what is not known. */
struct capture_reason {
    uint32_t why;   /* enum capture_why */
    uint32_t flags; /* enum capture_reason_flags */
    uint64_t report_id;
    uint32_t part;   /* 0: the end of the worker; else the how manieth report before it */
    uint32_t worker; /* the host's number */
    uint32_t pid;    /* as the keeper sees it */
    uint32_t tid;    /* the thread that is blamed; 0: not known */
    uint64_t realtime_ns;
    uint64_t started_ns; /* CLOCK_MONOTONIC; 0: not known */
    uint64_t now_ns;     /* CLOCK_MONOTONIC */
    uint32_t seq;        /* the call that is blamed, by its number in the lane */
    uint32_t function_id;
    int32_t signal;
    int32_t code;   /* of the signal: si_code */
    int32_t status; /* exit status */
    int32_t number; /* of the system call (violation) */
    uint64_t fault_address;
    uint64_t deadline_ns; /* of the call; UINT64_MAX: none */
    uint32_t mechanisms;  /* enum errand_mechanism: in force for this worker */
    uint32_t policy;      /* enum errand_policy */
    uint64_t memory_bytes;
    uint64_t violations;  /* ever, of this worker */
    uint32_t missed;      /* reports that were due since the last and could not be made */
    uint32_t reserved[3]; /* 0 */
    char grant[200];      /* violation: what would allow it; may be empty */
    char text
        [CAPTURE_REASON_TEXT]; /* violation: the path; recycled, start: a sentence; NUL-terminated */
};
_Static_assert(sizeof(struct capture_reason) == 592, "a capture travels between programs");

struct capture_header {
    uint32_t magic;
    uint32_t version;
    uint32_t reserved[2]; /* 0 */
};

struct capture_section {
    uint32_t kind; /* enum capture_kind */
    uint32_t tid;
    uint64_t address;
    uint64_t bytes; /* of the data, without its padding */
};

/* ---- Writing: no malloc, no locks; for the keeper, and for one thread at a time ---------------------- */

struct capture {
    int fd;
    int error;      /* the first that happened; 0: none */
    uint64_t at;    /* where the next byte goes */
    uint64_t begun; /* where the section in progress has its header */
    struct capture_section section;
    uint32_t section_count;
};

/*
 * Begin a capture in @fd, which stays the caller's: a new memory of any size, which grows with what is
 * written. Errors are remembered: capture_end() tells.
 */
void capture_begin(struct capture *capture, int fd, const struct capture_reason *reason);

/* A section at once. What is beyond CAPTURE_BYTES_MAX in all is cut; returns how many bytes went in. */
uint64_t capture_add(struct capture *capture, enum capture_kind kind, uint32_t tid,
                     uint64_t address, const void *data, uint64_t bytes);

/* A section bit by bit: open, append as often as wanted, close. */
void capture_open(struct capture *capture, enum capture_kind kind, uint32_t tid, uint64_t address);
uint64_t capture_append(struct capture *capture, const void *data, uint64_t bytes);
void capture_close(struct capture *capture);

/* A NOTE. */
void capture_note(struct capture *capture, uint32_t tid, const char *text);

/* At most @bytes of the file @path, e.g. of /proc, as a section; a NOTE if it cannot be had. */
void capture_add_file(struct capture *capture, enum capture_kind kind, const char *path,
                      uint64_t bytes);

/* Returns 0, or the first negative errno: then the capture ends at its last complete section. */
int capture_end(struct capture *capture);

/* ---- Reading: hostile input ------------------------------------------------------------------------ */

struct capture_part {
    enum capture_kind kind;
    uint32_t tid;
    uint64_t address;
    const uint8_t *data; /* inside the capture; aligned to 8 if the capture is */
    uint64_t bytes;
};

struct capture_reader {
    struct pieces sections;
};

/*
 * Read a capture from memory that nobody else writes. Returns 0 with the reason copied, its texts
 * NUL-terminated and its enumerations judged; -EBADMSG.
 */
int capture_read(struct capture_reader *reader, const void *bytes, uint64_t length,
                 struct capture_reason *ret_reason);

/* The next section: 1 with @ret_part, 0 at the end, -EBADMSG. Unknown kinds are passed over. */
int capture_next(struct capture_reader *reader, struct capture_part *ret_part);

#endif
