/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_LOST_H
#define CELL_LOST_H

/*
 * Lost: workers of this process (thread, inline) in which native code faulted, or whose library has a thread
 * stopped for ever inside. Their engines, and what was made for the call, are in no state to be freed: the
 * fault may have come while a lock of the allocator was held. They are kept where leak checkers see
 * them, and there are at most LIMIT_LOST_WORKERS.
 *
 * Threads: any.
 */

#include <stdint.h>

#include "base/message.h"

/* Part of what is kept. */
struct lost {
    struct lost *next;
};

/* Keep it, for ever. */
void lost_keep(struct lost *lost);

uint32_t lost_count(void);

/* 0, or -EAGAIN with a sentence that names the limit: no further worker is to be started here. */
int lost_judge(struct message *why);

#endif
