/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_HEADLINE_H
#define REPORT_HEADLINE_H

/*
 * Headline: what a report says first, read from the beginning of its JSON without a JSON library: whoever lists
 * reports need not parse all of them. Reports begin with it in this order: cordon_report, ..., what, ended, summary,
 * cell.library, call.function.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEADLINE_BYTES (64u * 1024u) /* of a report, in which it is looked for */

struct headline {
    uint64_t when_ns; /* since 1970; 0: not said, as all that follows may be */
    bool ended;
    char what[24];
    char library[256];
    char function[128];
    char summary[512];
};

/*
 * Read it from the first bytes of a report. Texts are cut, their control characters are '?'.
 * Returns 0, or -EBADMSG: it does not begin as a report of this version does.
 */
int headline_read(const char *json, size_t length, struct headline *ret_headline);

#endif
