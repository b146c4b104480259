/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_REPORTS_SHOW_H
#define GATEWAY_REPORTS_SHOW_H

/*
 * Reports as the daemon shows them: headlines, and one whole without its call's request. Files are judged: what is
 * no report is not shown.
 *
 * Threads: any. Blocks: the disk.
 */

#include <stddef.h>
#include <stdint.h>

#include "json/json_out.h"

#define REPORTS_ID_BYTES 32u

/* Where a report lies, and whose it is. Texts are borrowed. */
struct reports_found {
    uint64_t id;
    uint32_t part;
    const char *cell;
    const char *directory; /* NULL: this user's */
};

/* As clients know it: "0123456789abcdef-2". Returns @text. */
const char *reports_id(uint64_t id, uint32_t part, char text[REPORTS_ID_BYTES]);

/* Headlines as an array, newest first, @most of them. What cannot be read is left out. Returns 0, -ENOMEM. */
int reports_show_list(const struct reports_found *found, size_t count, uint32_t most,
                      struct json_out *out);

/* The whole. Returns 0, -ENOENT, -EFBIG, -EBADMSG, -ENOMEM; @out is to be used on 0 only. */
int reports_show(const struct reports_found *found, struct json_out *out);

#endif
