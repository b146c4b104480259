/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

/* What the generator of the table of system calls and the code that makes filters of it agree on. */

#include <stdint.h>

#define FILTER_COUNT_MAX 768u /* instructions of one filter */

/* Newer system calls are answered ENOSYS, as on an older kernel: nobody has judged them. */
#define FILTER_NEWEST 450u /* set_mempolicy_home_node */

/* What a call is judged by. Calls in no class are allowed. */
enum filter_class {
    FILTER_FORBIDDEN = 1, /* only by its own name */
    FILTER_UNREADABLE,    /* the same; answers ENOSYS */
    FILTER_PROCESSES,
    FILTER_THREADS,
    FILTER_SIGNALS, /* to others */
    FILTER_MAKES_FILES,
    FILTER_MARKS_FILES,
    FILTER_CUTS_FILES, /* that are open: what was there before is lost */
    FILTER_OPEN_WRITING,
    FILTER_CONNECTS,
    FILTER_BINDS,
    FILTER_LISTENS,
    FILTER_FAST_OPEN,
    FILTER_EXITS,
};

/* One that is judged by its number alone. */
struct filter_call {
    uint16_t number;
    uint8_t class; /* enum filter_class */
};

#endif
