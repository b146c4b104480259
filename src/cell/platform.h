/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_PLATFORM_H
#define CELL_PLATFORM_H

/*
 * Platform: what a keeper found when it tried every mechanism, in words for people.
 *
 * Threads: any; a table is its caller's.
 */

#include "base/message.h"
#include "cordon/platform.h"

/* 0, or a negative errno with @why. */
int platform_examine(const char *keeper_path, struct cordon_platform **ret_platform,
                     struct message *why);
void platform_free(struct cordon_platform *platform);

/* NULL behind the last. */
const struct cordon_platform_mechanism *platform_mechanism(const struct cordon_platform *platform,
                                                           size_t index);
const struct cordon_platform_program *platform_program(const struct cordon_platform *platform,
                                                       size_t index);

/* "landlock"; NULL for what is no single known bit. */
const char *mechanism_name(uint32_t bit);

/*
 * Say of each bit of @missing why it is not there: examined now, or @without, which switched it off.
 * Appended to @why.
 */
void platform_blame(const char *keeper_path, uint32_t missing, uint32_t without,
                    struct message *why);

#endif
