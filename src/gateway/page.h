/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PAGE_H
#define GATEWAY_PAGE_H

/* Page: the status page, page.html, as it is served. */

#include <stddef.h>

extern const char page_text[];
extern const char page_end[]; /* behind its last byte */

#endif
