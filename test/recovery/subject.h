/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECOVERY_SUBJECT_H
#define RECOVERY_SUBJECT_H

/* What the cases of recovery have in common: the library, a cell on it, and what they wait for. */

#include "harness/harness.h"

struct subject {
    struct cordon_cell *cell;
    struct cordon_session *session; /* this thread's */
    char folder[64]; /* with a copy of the library; a file "fail" in it aborts starts */
};

/* Options of a cell on the library; the path is the subject's. */
struct cordon_cell_options subject_options(const struct harness *harness, struct subject *subject);
void subject_open(struct subject *subject, const struct cordon_cell_options *options);
void subject_close(struct subject *subject);

/* Let starts fail, or not. */
void subject_fail(const struct subject *subject, bool fail);

/* Call @name with one int in this thread's session: the outcome. */
int subject_try(const struct subject *subject, const char *name, int value,
                struct cordon_result *ret_result);
/* The same; anything but CORDON_DONE fails the case. The value. */
int64_t subject_call(const struct subject *subject, const char *name, int value);

/* A callback that does nothing. */
struct cordon_callback *subject_callback(void);

struct cordon_cell_stats subject_stats(const struct subject *subject);
/* Wait until that many spares' workers are there and sleep. */
void subject_await_spares(const struct subject *subject, uint32_t count);

#endif
