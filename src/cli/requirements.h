/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REQUIREMENTS_H
#define CLI_REQUIREMENTS_H

/* Lists of mechanisms ("landlock") and promises ("no-writes") by their names, separated by commas. */

#include <stdint.h>

#include "base/message.h"

/*
 * @ret_mechanisms  enum cordon_mechanism.
 * @ret_promises    enum cordon_isolation; NULL: mechanisms alone are taken.
 * Returns 0, or -EINVAL with a sentence that lists the names.
 */
int requirements_parse(const char *names, uint32_t *ret_mechanisms, uint32_t *ret_promises,
                       struct message *why);

#endif
