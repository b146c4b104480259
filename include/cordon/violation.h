/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_VIOLATION_H
#define CORDON_VIOLATION_H

/*
 * Violation: something that the library tried and that the cell's policy forbids (level process). It was
 * refused, and the call went on; or, where the policy says so, it ended the call as CORDON_DENIED.
 *
 * Listed by who guards the worker, not by the worker itself. Where the platform cannot tell of refusals
 * (no CORDON_LISTS_VIOLATIONS in cordon_cell_isolation()), they happen unlisted.
 */

#include <stddef.h>
#include <stdint.h>

#include "cordon/session.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CORDON_VIOLATIONS_KEPT      8u
#define CORDON_VIOLATION_TEXT_BYTES 200u

struct cordon_violation {
    uint32_t system_call; /* its number */
    int error_number;     /* that it was answered; 0: it ended the worker instead */
    char act[CORDON_VIOLATION_TEXT_BYTES];   /* "openat /etc/shadow" */
    char grant[CORDON_VIOLATION_TEXT_BYTES]; /* "read:/etc/shadow" would allow it; empty: nothing */
};

/*
 * Copy the last violations of a session, the newest last: those of its last call are the last
 * cordon_result.violations of them. At most CORDON_VIOLATIONS_KEPT are kept, across workers.
 *
 * @ret_violations  room for @most.
 * @ret_ever        how many there were ever; may be NULL.
 *
 * Returns how many were copied.
 * Threads: any; waits while another thread has a call in the session.
 */
CORDON_API size_t cordon_session_violations(struct cordon_session *session,
                                            struct cordon_violation *ret_violations, size_t most,
                                            uint64_t *ret_ever);

#ifdef __cplusplus
}
#endif

#endif
