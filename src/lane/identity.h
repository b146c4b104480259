/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LANE_IDENTITY_H
#define LANE_IDENTITY_H

/*
 * Identity: what libcordon, keeper and worker must agree on before they share memory, in one number: the
 * layout of the lane, of errands and of start orders. Keeper and worker say theirs in their hello; the host
 * refuses another one than its own. Versions are for people and forget nothing; this is for builds in which
 * somebody did.
 */

#include <stddef.h>
#include <stdint.h>

#include "cordon/plan.h"
#include "lane/errand.h"
#include "lane/layout.h"
#include "lane/lease.h"
#include "lane/provision.h"
#include "lane/start.h"

#ifndef LANE_IDENTITY_SALT
#define LANE_IDENTITY_SALT 0u /* tests: a program of another build */
#endif

static inline uint32_t lane_hash(const uint32_t *facts, size_t count)
{
    uint32_t hash = 2166136261u; /* FNV-1a, by words */
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ facts[i]) * 16777619u;
    }
    return hash;
}

static inline uint32_t lane_identity(void)
{
    const uint32_t facts[] = {
        LANE_VERSION,
        LANE_SLOTS,
        LANE_WORDS,
        LANE_H_BYTES_AT,
        LANE_W_BYTES_AT,
        LANE_CALLBACK_SHARE,
        sizeof(struct lane_host_page),
        offsetof(struct lane_host_page, verdict),
        offsetof(struct lane_host_page, death),
        offsetof(struct lane_host_page, host_parked),
        offsetof(struct lane_host_page, submitted),
        offsetof(struct lane_host_page, record),
        sizeof(struct lane_record),
        sizeof(struct lane_worker_page),
        offsetof(struct lane_worker_page, leaving),
        offsetof(struct lane_worker_page, mail),
        sizeof(struct lane_mail),
        offsetof(struct lane_mail, words),
        sizeof(struct lane_death),
        ERRAND_VERSION,
        sizeof(struct errand),
        offsetof(struct errand, library),
        ERRAND_HAS_RECORDING,
        ERRAND_HAS_LEDGER,
        LEASE_VERSION,
        PROVISION_VERSION,
        sizeof(struct errand_hello),
        START_VERSION,
        sizeof(struct start_order),
        offsetof(struct start_order, library),
        CORDON_PLAN_VERSION,
        sizeof(struct cordon_plan_header),
        sizeof(struct cordon_plan_function),
        sizeof(struct cordon_plan_type),
        LANE_IDENTITY_SALT,
    };
    return lane_hash(facts, sizeof facts / sizeof facts[0]);
}

/*
 * What a client of a daemon must agree on with it: all that it shares with the workers that it is lent and with who
 * lends them, and nothing of what stays between the daemon, its keeper and their programs. Clients in other
 * languages compute it as docs/protocol/attach.md says.
 */
static inline uint32_t lane_client_identity(void)
{
    const uint32_t facts[] = {
        LANE_VERSION,
        LANE_SLOTS,
        LANE_WORDS,
        LANE_H_BYTES_AT,
        LANE_W_BYTES_AT,
        LANE_CALLBACK_SHARE,
        offsetof(struct lane_host_page, verdict),
        offsetof(struct lane_host_page, death),
        offsetof(struct lane_host_page, host_parked),
        offsetof(struct lane_host_page, submitted),
        offsetof(struct lane_host_page, record),
        sizeof(struct lane_record),
        offsetof(struct lane_worker_page, mail),
        sizeof(struct lane_mail),
        offsetof(struct lane_mail, words),
        sizeof(struct lane_death),
        LEASE_VERSION,
        PROVISION_VERSION,
        CORDON_PLAN_VERSION,
        sizeof(struct cordon_plan_header),
        sizeof(struct cordon_plan_function),
        sizeof(struct cordon_plan_type),
        LANE_IDENTITY_SALT,
    };
    return lane_hash(facts, sizeof facts / sizeof facts[0]);
}

#endif
