/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_LEXER_H
#define PROTOTYPE_LEXER_H

/* Lexer: text to tokens, all at once, so that the parser may look ahead at no cost. */

#include <stdbool.h>
#include <stdint.h>

struct unit;

/* Punctuation of one character is its own kind. */
enum token_kind {
    TOKEN_END = 0,
    TOKEN_NAME = 128,
    TOKEN_NUMBER,
    TOKEN_CHARACTER,
    TOKEN_STRING,
    TOKEN_ELLIPSIS,
    TOKEN_SHIFT_LEFT,
    TOKEN_SHIFT_RIGHT,
};

/* A piece of the text. */
struct token {
    uint32_t at;
    uint32_t length;
    uint32_t comment; /* offset + 1 of the comment that stands straight before this token, or 0 */
    uint8_t kind;     /* enum token_kind, or the character */
};

/*
 * Cut unit->text into unit->tokens; the last one is TOKEN_END.
 * Refuses (unit_refuse) characters that C does not know, open comments and strings, preprocessor
 * lines; line markers of `cc -E` are skipped. Returns 0 or the refusal.
 */
int lexer_run(struct unit *unit);

/* Comment at @at (as in token.comment - 1) without its marks and indentation, in the unit's pool. */
const char *lexer_comment(struct unit *unit, uint32_t at);

#endif
