/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_HELLO_H
#define CELL_HELLO_H

/*
 * Hello: the first message of a keeper, or the only one of a keeper that examines the platform. Who sent it may
 * be another program than was meant: it is judged before anything of it is used.
 *
 * Threads: any.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "lane/examination.h"

/*
 * Judge a hello of @length bytes; @ret_mechanisms: enum errand_mechanism, as it says them.
 * Returns 0; -EPROTO: another version or build, @why names it.
 */
int hello_read(const void *bytes, size_t length, uint32_t *ret_mechanisms, struct message *why);

/* Judge an examination; its texts end. */
int hello_read_examination(const void *bytes, size_t length, struct examination *ret_examination,
                           struct message *why);

#endif
