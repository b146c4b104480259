/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOP_SCREEN_H
#define CLI_TOP_SCREEN_H

/*
 * Screen: the live table on a terminal, by ncurses. It takes the terminal, draws, answers keys until the person quits
 * or a signal says so, and gives the terminal back as it was.
 */

#include "cli/top_source.h"

/* Returns an enum command_exit. */
int screen_run(struct source *source);

#endif
