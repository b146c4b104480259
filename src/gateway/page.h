/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PAGE_H
#define GATEWAY_PAGE_H

/* Page: the status page, made of the parts in page/, as it is served; PAGE_POLICY is its Content-Security-Policy. */

#include <stddef.h>

#include "gateway/page_policy.h"

extern const char page_text[];
extern const char page_end[]; /* behind its last byte */

#endif
