/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOP_INK_H
#define CLI_TOP_INK_H

/* Ink: plain text on ncurses' screen, cut at its edges, in the looks that a terminal has. */

#include <ncurses.h>

#include "cli/table.h"

/* Once the screen is taken. Returns whether there are colours, and shall be (NO_COLOR). */
bool ink_start(void);

/* How a tone looks; without colours what matters is bold. */
chtype ink_of(bool colours, enum tone tone);

/* @text at @column of @line, as much of it as fits; returns the column behind it. */
int ink_put(int line, int column, chtype look, const char *text);

/* A whole line of spaces. */
void ink_fill_line(int line, chtype look);

/* Paragraphs from @line on, broken between words, above the last line. */
void ink_put_wrapped(int line, const char *text);

#endif
