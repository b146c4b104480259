/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_EXAMINE_H
#define SANDBOX_EXAMINE_H

/*
 * Examine: try every mechanism as a worker would use it, each in a process of its own, and say what is
 * missing and what forbids it. A few milliseconds; for people, not for starts.
 *
 * Threads: call in a process that has one. It makes and reaps children.
 */

#include "lane/examination.h"

void examine_platform(struct examination *ret_examination);

/*
 * Why @item is not to be had, in words: the setting that forbids it if one can be found, else what
 * @error is likely to mean. Also says what is partly there (Landlock's version).
 */
void examine_explain(enum examination_item item, struct examination_row *row);

#endif
