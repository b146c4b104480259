/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTAINMENT_DEGRADE_RIG_H
#define CONTAINMENT_DEGRADE_RIG_H

/*
 * What the cases of degrade.c are made of: cells on the C library whose promises are put to the test, and
 * ways to take something away from this process for good. What is not as expected fails the case.
 */

#include <stddef.h>
#include <stdint.h>

#include "cordon/cordon.h"

#define NOBODY 65534u

struct cordon_cell_options degrade_libc_options(void);

/* Each promise of the cell is put to the test. Returns the promises: enum cordon_isolation. */
uint32_t degrade_judge(struct cordon_cell *cell);

/* The promises of a strict cell as things are around this process; kept, all of them. */
uint32_t degrade_promises_with(uint32_t without);

/* Lost and kept promises are named. */
void degrade_expect_same(uint32_t promised, uint32_t expected);

/* Opening is refused, by a sentence with both texts in it. */
void degrade_expect_refusal(const struct cordon_cell_options *options, const char *name,
                            const char *why);
void degrade_expect_mechanism_refused(uint32_t mechanism, const char *why);
void degrade_expect_promise_refused(uint32_t promise, const char *why);

struct degrade_forbidden {
    long number;
    int error;
    uint32_t
        test; /* BPF_JSET, BPF_JEQ: what to do with one argument's lower half; 0: any will do */
    uint32_t argument;
    uint32_t value;
};

/* A filter as containers have them; it stays for every process from here on. Returns its listener. */
int degrade_forbid(const struct degrade_forbidden *calls, size_t count, unsigned flags);
void degrade_forbid_one(long number, int error);

/* Root only; others are ordinary users already. */
void degrade_become_nobody(void);

/* The case is skipped where that cannot be done. */
void degrade_write_text(const char *path, const char *text);

#endif
