/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CONTAINMENT_TABLE_H
#define TEST_CONTAINMENT_TABLE_H

/*
 * The containment table: what each level does about each fault.
 *
 * A case is one fault at one level. It runs in a host process of its own, in a PID namespace of its own where
 * the kernel gives one, under a time limit; the host looks whether anything happened to it, and writes what it
 * found into a report that its parent reads, also when the host is no more.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cordon/cordon.h"

#define TABLE_LEVELS 3

enum table_flags {
    TABLE_ACT = 1u << 0,         /* returns how many of its attempts succeeded: none may */
    TABLE_HANGS = 1u << 1,       /* a short deadline, please */
    TABLE_CONSTRUCTOR = 1u << 2, /* `symbol` is a library's name; it misbehaves when it is loaded */
    TABLE_CALLBACK = 1u << 3,    /* is given a callback */
    TABLE_BYTES = 1u << 4,       /* fills a buffer */
    TABLE_HANDLE = 1u << 5,      /* returns a handle, which is then used */
    TABLE_STEPS = 1u << 6,       /* is called with 0 to 7 */
    TABLE_EVENTS = 1u << 7,      /* in a cell with an event descriptor */
    TABLE_TRUSTED = 1u << 8,     /* under the policy that allows processes */
    TABLE_NAMESPACE = 1u << 9,   /* only where it cannot reach the rest of the machine */
    TABLE_LITTLE_MEMORY = 1u << 10, /* in a cell of 256 MiB that recycles at 64 */
    TABLE_ANY_OUTCOME = 1u << 11,   /* how the call ends is chance; that it is contained is not */
    TABLE_CHANCE = 1u << 12, /* in this process, chance or the machine decides what it comes to */
};

struct table_fault {
    const char *symbol; /* behind "fault_" */
    const char *what;   /* for people */
    uint32_t flags;     /* enum table_flags */
    uint32_t calls;     /* 0: one */
    const char *name;   /* NULL: the symbol */
};

extern const struct table_fault table_faults[];
extern const size_t table_fault_count;

enum table_class {
    TABLE_CONTAINED,     /* no harm, and the same cell serves on */
    TABLE_DETECTED,      /* the outcome told of it; harm is possible, or the cell is lost */
    TABLE_NOT_CONTAINED, /* harm was done */
    TABLE_SKIPPED,       /* cannot be tried here */
};

#define TABLE_TEXT_BYTES 400

/* Written by the case's processes, read by the table: shared between them. */
struct table_report {
    bool finished;    /* the host came to its end */
    bool same_cell;   /* a good call in the same cell was answered rightly */
    bool fresh_cell;  /* and in another one */
    bool ended_oddly; /* the host: killed, stopped, or late */
    bool quarantined; /* a thread of the level stayed behind */
    int32_t outcome;  /* of the fault's call, as cordon_call() gives it */
    int32_t signal;   /* CRASHED */
    int32_t exit_status;
    int32_t number;  /* its marks'; 0: it has none */
    int32_t managed; /* TABLE_ACT: attempts that succeeded */
    uint64_t recovery_ns;
    char outcome_text[64];
    char harm[TABLE_TEXT_BYTES];   /* empty: none was found */
    char detail[TABLE_TEXT_BYTES]; /* Cordon's sentence */
};

/* What stands in one cell of the table. */
struct table_entry {
    enum table_class class;
    char outcome[64];
    char recovery[16]; /* "100 ms"; empty: it did not recover */
    char why[TABLE_TEXT_BYTES];
};

static inline const char *table_name(const struct table_fault *fault)
{
    return fault->name ? fault->name : fault->symbol;
}

/* table_case.c: a fault at all levels, side by side. Begun, and waited for. */
struct table_try {
    const struct table_fault *fault;
    struct table_report *reports[TABLE_LEVELS];
    int outside[TABLE_LEVELS]; /* processes */
};
void table_begin(const struct table_fault *fault, struct table_try *ret_try);
void table_end(struct table_try *try, struct table_entry ret_entries[TABLE_LEVELS]);

/* table_host.c: be the host of a case; ends when all is written to @report. */
void table_host(const struct table_fault *fault, enum cordon_level level,
                struct table_report *report);

/* table_page.c: rows are [fault][level]. */
const char *table_class_name(enum table_class class);
void table_write_page(FILE *page, struct table_entry (*rows)[TABLE_LEVELS]);
void table_write_expected(FILE *file, struct table_entry (*rows)[TABLE_LEVELS]);
/* Lines of the expectation for @fault: false if there is none. */
bool table_read_expected(const char *text, const struct table_fault *fault,
                         struct table_entry ret_entries[TABLE_LEVELS]);
/* True if the page says of @fault what @entries say, recovery aside. */
bool table_page_agrees(const char *page, const struct table_fault *fault,
                       const struct table_entry entries[TABLE_LEVELS]);

#endif
