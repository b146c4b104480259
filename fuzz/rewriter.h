/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_REWRITER_H
#define FUZZ_REWRITER_H

/*
 * Rewriter: a second thread that writes two values to one place in turns, as fast as it can; the first one stands
 * there most of the time, so that what looks once mostly sees that.
 */

#include <stdatomic.h>
#include <stdint.h>

void rewriter_begin(_Atomic uint64_t *place, uint64_t first, uint64_t second);

/* When this returns the place is not written any more. */
void rewriter_end(void);

#endif
