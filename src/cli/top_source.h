/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOP_SOURCE_H
#define CLI_TOP_SOURCE_H

/*
 * Source: what `cordon top` shows, taken from the daemon again and again, without ever waiting for it. It connects,
 * asks, takes answers as they come; a daemon that goes or says nonsense is told of and connected to again, and what was
 * known last stays.
 *
 * Threads: one.
 */

#include "cli/dialogue.h"
#include "cli/snapshot.h"

#define SOURCE_REPORTS 64u

/* One line of cordon.reports; plain text. */
struct source_report {
    char id[24];
    char when[40];
    char what[32];
    char function[SNAPSHOT_NAME];
    char summary[256];
};

struct source {
    const char *socket; /* NULL: the default one */
    uint64_t interval_ns;
    struct dialogue dialogue;
    enum { ASKED_NOTHING, ASKED_STATS, ASKED_REPORTS } asked;
    uint64_t asked_ns;
    uint64_t next_ns;        /* when to ask, or to connect, again */
    struct snapshot *before; /* NULL: there was none, or another daemon's */
    struct snapshot *now;    /* NULL: none yet */
    struct message trouble;  /* "": all is well */
    uint64_t trouble_ns;     /* since when; 0: all is well */
    uint64_t restarts;       /* how often another daemon than before was there */

    char reports_cell[SNAPSHOT_NAME]; /* whose reports are wanted; "": nobody's */
    bool reports_due;
    bool reports_known;
    struct message reports_trouble;
    struct source_report reports[SOURCE_REPORTS];
    size_t report_count;
};

/* @source: all zero but socket and interval_ns. */
void source_deinit(struct source *source);

/* Do what can be done now. Returns whether there is something new to show. */
bool source_turn(struct source *source);

/* When to turn again at the latest; before that when source_fd() (-1: none) is readable. */
uint64_t source_due_ns(const struct source *source);
int source_fd(const struct source *source);

/* Whose reports are wanted from now on; NULL: nobody's. */
void source_want_reports(struct source *source, const char *cell);

#endif
