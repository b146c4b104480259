/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

/* Unit tests call below the commands: there are none. */
const struct command *const commands[] = {NULL};
