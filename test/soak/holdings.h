/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_SOAK_HOLDINGS_H
#define TEST_SOAK_HOLDINGS_H

/* Holdings: what host, keeper and workers have, as /proc tells. */

#include <stdbool.h>
#include <stddef.h>

struct process_holdings {
    long resident_kib;
    size_t mappings;
    size_t shared; /* mappings of memory that is shared between processes */
    size_t fds;
    size_t pidfds;
    size_t threads;
};

struct holdings {
    struct process_holdings host;
    struct process_holdings keeper;
    size_t keepers;
    size_t workers;
};

/* This process, which must be a subreaper, and what descends from it. */
void holdings_take(struct holdings *ret_holdings);

/* True if nothing is more than @before; with @tell, what is more is printed. */
bool holdings_are_back(const struct holdings *before, const struct holdings *now, bool tell);

void holdings_print(const char *when, const struct holdings *holdings);

#endif
