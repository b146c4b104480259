/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_ink.h"

#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/plain.h"

#define LINE_BYTES  1024u
#define COLOUR_GOOD 1
#define COLOUR_WARN 2
#define COLOUR_BAD  3

bool ink_start(void)
{
    if (!output_has_colours() || !has_colors() || start_color() != OK) {
        return false;
    }
    (void)use_default_colors();
    (void)init_pair(COLOUR_GOOD, COLOR_GREEN, -1);
    (void)init_pair(COLOUR_WARN, COLOR_YELLOW, -1);
    (void)init_pair(COLOUR_BAD, COLOR_RED, -1);
    return true;
}

chtype ink_of(bool colours, enum tone tone)
{
    switch (tone) {
    case TONE_GOOD:
        return colours ? (chtype)COLOR_PAIR(COLOUR_GOOD) : A_NORMAL;
    case TONE_WARN:
        return colours ? (chtype)COLOR_PAIR(COLOUR_WARN) : A_BOLD;
    case TONE_BAD:
        return colours ? (chtype)COLOR_PAIR(COLOUR_BAD) : A_BOLD;
    case TONE_FAINT:
        return A_DIM;
    default:
        return A_NORMAL;
    }
}

int ink_put(int line, int column, chtype look, const char *text)
{
    int room = COLS - column;
    if (line < 0 || line >= LINES || room <= 0) {
        return column;
    }
    size_t bytes = plain_fitting(text, (size_t)room);
    (void)attrset((int)look);
    (void)mvaddnstr(line, column, text, (int)bytes);
    (void)attrset(A_NORMAL);
    char shown[LINE_BYTES];
    (void)snprintf(shown, sizeof shown, "%.*s", (int)bytes, text);
    return column + (int)plain_columns(shown);
}

void ink_fill_line(int line, chtype look)
{
    (void)attrset((int)look);
    (void)mvhline(line, 0, (chtype)' ' | look, COLS);
    (void)attrset(A_NORMAL);
}

void ink_put_wrapped(int line, const char *text)
{
    while (*text && line < LINES - 1) {
        size_t bytes = plain_fitting(text, (size_t)COLS);
        size_t end = strcspn(text, "\n");
        if (end <= bytes) {
            bytes = end;
        } else {
            size_t space = bytes;
            while (space > 0 && text[space] != ' ') {
                space--;
            }
            bytes = space > 0 ? space : bytes;
        }
        bytes = bytes > 0 || *text == '\n' ? bytes : 1;
        (void)mvaddnstr(line++, 0, text, (int)bytes);
        text += bytes;
        text += *text == '\n' || *text == ' ';
    }
}
