/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTAINMENT_REPORTS_RIG_H
#define CONTAINMENT_REPORTS_RIG_H

/* A cell on the library of reported.c, a directory for its reports, and the reports as JSON. */

#include <jansson.h>

#include "cordon/report.h"
#include "harness/harness.h"

#define REPORTS_PATIENCE_MS 15000u

extern char reports_directory[64];

/* Make the directory, and options of a cell on the library that the environment's @variable names. */
void reports_set_options(const struct harness *harness, const char *variable,
                         struct cordon_cell_options *options);
void reports_remove(void);

/* Wait for a report. */
json_t *reports_of(uint64_t id);

/* The report of one call that must end as @outcome. */
json_t *reports_of_call(struct cordon_cell *cell, const char *name, const struct cordon_value *args,
                        size_t count, int outcome);

/* A member that is a text; "" for none. */
const char *reports_text(const json_t *object, const char *key);

/* The thread that is blamed. */
const json_t *reports_blamed(const json_t *report);

#endif
