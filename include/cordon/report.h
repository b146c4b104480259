/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_REPORT_H
#define CORDON_REPORT_H

/*
 * Report: what is known of a crash, a hang or a violation - the function with its arguments, the signal,
 * where the fault was, the stacks, the last calls. One JSON file each (docs/protocol/report.md), mode
 * 0600, in a directory that is bounded: the oldest go first. `cordon report` shows them.
 *
 * Reports are written by processes of Cordon, behind the answer: the caller of a function that crashed has
 * its outcome, with the id of the report, before the file is there. In a storm of crashes some reports
 * are left out; the next one says how many.
 *
 * Which report is whose: cordon_session_report() is that of the session's last end, cordon_cell_reports() are all of
 * the cell; cordon_report_load() says what one is about, cordon_report_path() where it is.
 *
 * At level thread and inline a fault is reported with function, signal and address alone: what else there
 * is to know takes a process that did not crash.
 *
 * Threads: any, all of these functions.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cordon/error.h"
#include "cordon/export.h"
#include "cordon/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Id of the report of this session's last end (crash, deadline, denied); 0: there was none. */
CORDON_API uint64_t cordon_session_report(const struct cordon_session *session);

struct cordon_report_entry {
    uint64_t id;
    uint32_t part; /* 0: the worker's end; others came before it and did not end it */
    uint64_t bytes;
};

/*
 * The newest reports of this cell's workers (the last 64 that were started), of whatever kind: also those that no
 * call told of - refused acts of a worker that went on, recycled workers, starts that failed. Oldest first.
 * Returns how many were written to @ret_entries, at most @most, or a negative errno: -ENOENT (the cell makes none),
 * -ENOMEM.
 */
CORDON_API CORDON_MUST_USE int cordon_cell_reports(const struct cordon_cell *cell,
                                                   struct cordon_report_entry *ret_entries,
                                                   size_t most);

/*
 * In all that follows @directory is what the cell's option `reports` was: NULL means this user's:
 * $XDG_STATE_HOME/cordon/reports, else ~/.local/state/cordon/reports, for root without HOME
 * /var/lib/cordon/reports.
 */

/*
 * The newest reports, oldest first.
 * Returns how many were written to @ret_entries, at most @most, or a negative errno: -ENOENT, -EACCES.
 */
CORDON_API CORDON_MUST_USE int cordon_report_list(const char *directory,
                                                  struct cordon_report_entry *ret_entries,
                                                  size_t most);

/* The file of a report, there or not. Returns 0, -ENAMETOOLONG, -ENOENT (this user has no directory). */
CORDON_API CORDON_MUST_USE int cordon_report_path(const char *directory, uint64_t id, uint32_t part,
                                                  char *ret_path, size_t size);

/*
 * Wait until a report is there, complete.
 *
 * @deadline_ns  CLOCK_MONOTONIC, in nanoseconds. Half a second is much, a report with stacks of large
 *               libraries may take several.
 *
 * Returns 0, -ETIMEDOUT, -ENOENT (no directory).
 */
CORDON_API CORDON_MUST_USE int cordon_report_wait(const char *directory, uint64_t id, uint32_t part,
                                                  uint64_t deadline_ns);

enum cordon_report_kind {
    CORDON_REPORT_OTHER = 0, /* of a newer Cordon */
    CORDON_REPORT_CRASH = 1,
    CORDON_REPORT_HANG = 2,      /* the deadline passed */
    CORDON_REPORT_EXIT = 3,      /* the library left by exit() */
    CORDON_REPORT_VIOLATION = 4, /* a forbidden act, refused or the end of the worker */
    CORDON_REPORT_RECYCLED = 5,  /* the worker was replaced: its calls, age or memory */
    CORDON_REPORT_KILLED = 6,    /* it died without a word */
    CORDON_REPORT_LIED = 7,      /* it broke the protocol */
    CORDON_REPORT_START = 8,     /* it never came to serve */
};

/* What a report says first. Texts are cut where they are too long. */
struct cordon_report {
    uint64_t id;
    uint32_t part;
    enum cordon_report_kind kind;
    bool ended;       /* the worker, by what is reported */
    uint64_t when_ns; /* since 1970 */
    uint64_t bytes;   /* of the whole report */
    char what[24];    /* the kind by name: "crash", ... */
    char library[256];
    char function[128]; /* of the call that is blamed; "": none is */
    char summary[512];  /* one line for people */
};

/*
 * What report @id is about, without reading all of it.
 * Returns 0, -ENOENT, -EACCES, -EBADMSG (no report).
 */
CORDON_API CORDON_MUST_USE int cordon_report_load(const char *directory, uint64_t id, uint32_t part,
                                                  struct cordon_report *ret_report,
                                                  struct cordon_error *ret_error);

/*
 * A report's JSON, NUL-terminated, from malloc(): the caller frees it. It holds the call's request: memory
 * that the caller passed is in it (member call.replay.frame), but for arguments that are `secret`.
 *
 * Returns 0, -ENOENT, -EACCES, -EBADMSG (no regular file, or too large), -ENOMEM.
 */
CORDON_API CORDON_MUST_USE int cordon_report_read(const char *directory, uint64_t id, uint32_t part,
                                                  char **ret_json, struct cordon_error *ret_error);

#ifdef __cplusplus
}
#endif

#endif
