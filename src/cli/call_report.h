/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CALL_REPORT_H
#define CLI_CALL_REPORT_H

/* What `cordon call` prints: one JSON object on one line, a readable form on terminals, or raw bytes. */

#include "cli/arguments.h"
#include "cordon/function.h"
#include "cordon/violation.h"

/* One call, or several with the result of the last. */
struct call_report {
    const struct arguments *arguments;
    const struct cordon_result *result;
    int outcome;
    uint64_t elapsed_ns;
    uint64_t repeat;          /* calls asked for with --repeat; 0: no repetition */
    uint64_t *times_ns;       /* of each call made; sorted by the report */
    uint64_t time_count;      /* how many were made */
    uint64_t violations_ever; /* of all its calls */
    size_t violation_count;
    struct cordon_violation violations[CORDON_VIOLATIONS_KEPT]; /* the last of them */
};

/* Each returns an enum command_exit: EXIT_DONE, or EXIT_COULD_NOT when it could not be written. */
int call_report_json(struct call_report *report);
int call_report_readable(struct call_report *report);

/*
 * Index of the output that --raw @name means, UINT32_MAX for `return`.
 * Returns 0, -EINVAL with the names that there are.
 */
int call_report_find_raw(const struct plan_view *plan, const char *name, uint32_t *ret_index,
                         struct message *why);
int call_report_raw(const struct call_report *report, uint32_t index);

#endif
