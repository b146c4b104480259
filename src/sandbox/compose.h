/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_COMPOSE_H
#define SANDBOX_COMPOSE_H

/*
 * Compose: the worker's seccomp filter, made to fit its policy and its process.
 *
 * The build's table (generate_filters.c) says which calls are judged by their number alone; here is what the
 * policy grants of them, and what depends on arguments or on this process: the alarm, opens by who makes
 * them, sockets by family and type.
 *
 * Threads: any; nothing but the output is written.
 */

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "sandbox/filter.h"

struct compose_wish {
    const struct policy *policy;
    bool listener;      /* somebody hears of what is refused; else errnos answer */
    bool files_guarded; /* Landlock looks at paths that are opened */
    bool opens_nothing; /* once loaded: the listener refuses all opens, with or without Landlock */
    bool truncates_guarded; /* ... and truncated */
    bool signals_guarded;   /* Landlock keeps signals inside */
    uint32_t alarm_call;    /* number of the reserved system call */
    uint32_t pid;           /* this process */
    uint64_t loader_first;  /* addresses of the dynamic loader's code; 0, 0: not known */
    uint64_t loader_last;
};

/*
 * Write the filter into @code, which has room for FILTER_COUNT_MAX. Returns its instructions, or -E2BIG.
 */
int compose_filter(const struct compose_wish *wish, struct sock_filter *code);

/*
 * The filter that closes opening for good; the same. @loader_first, @loader_last: opens from there alone,
 * the others go to the listener, which refuses them; 0, 0: all.
 */
int compose_seal(uint64_t loader_first, uint64_t loader_last, struct sock_filter *code);

#endif
