/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_TEST_ACTOR_H
#define KEEPER_TEST_ACTOR_H

/*
 * Actor: a program in the place of the worker program, whose library's name is a list of things to do:
 * "open:/etc/shadow;exit:7". It installs a filter of its own that notifies of what a worker's does, and
 * writes what each act came to where reply bytes would be.
 */

#include <stdatomic.h>
#include <stdint.h>

#define ACTOR_RESULTS 64u

struct actor_page {
    _Atomic uint32_t done;                /* acts that are over */
    _Atomic int32_t error[ACTOR_RESULTS]; /* errno of each; 0: it went well */
    _Atomic uint64_t took_ns[ACTOR_RESULTS];
    _Atomic uint64_t address; /* where something is */
};

#endif
