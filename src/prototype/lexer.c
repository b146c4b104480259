/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/lexer.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "prototype/unit.h"

struct lexer {
    struct unit *unit;
    uint32_t at;
    uint32_t comment; /* offset + 1 of the last comment with nothing but space behind it */
    bool line_start;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char peek(const struct lexer *lexer, uint32_t ahead)
{
    uint32_t left = lexer->unit->length - lexer->at;
    return ahead < left ? lexer->unit->text[lexer->at + ahead] : '\0';
}

/* From @from to the byte behind the next @end, which must come. */
static int skip_past(struct lexer *lexer, const char *end, const char *what)
{
    size_t end_length = strlen(end);
    uint32_t start = lexer->at;
    for (uint32_t i = start + 2; i + end_length <= lexer->unit->length; i++) {
        if (memcmp(lexer->unit->text + i, end, end_length) == 0) {
            lexer->at = i + (uint32_t)end_length;
            return 0;
        }
    }
    return unit_refuse(lexer->unit, start, -EINVAL, "%s", what);
}

static void skip_line(struct lexer *lexer)
{
    while (lexer->at < lexer->unit->length && lexer->unit->text[lexer->at] != '\n') {
        lexer->at++;
    }
}

/* A line that starts with '#': only the line markers of `cc -E` are harmless. */
static int skip_directive(struct lexer *lexer)
{
    uint32_t start = lexer->at++;
    while (peek(lexer, 0) == ' ' || peek(lexer, 0) == '\t') {
        lexer->at++;
    }
    if (is_digit(peek(lexer, 0))) {
        skip_line(lexer);
        return 0;
    }
    return unit_refuse(
        lexer->unit, start, -ENOTSUP,
        "preprocessor lines are not read, since macros do not exist in the library: "
        "write constants as an enum, a macro's function under its real name, or pass "
        "the header through `cc -E -P` first");
}

/* Space, comments and directives up to the next token. */
static int skip_space(struct lexer *lexer)
{
    while (lexer->at < lexer->unit->length) {
        char c = peek(lexer, 0);
        int r = 0;
        if (c == '\n') {
            lexer->line_start = true;
            lexer->at++;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
            lexer->at++;
        } else if (c == '/' && peek(lexer, 1) == '/') {
            /* Lines that follow each other are one comment. */
            lexer->comment = lexer->comment && lexer->unit->text[lexer->comment] == '/'
                                 ? lexer->comment
                                 : lexer->at + 1;
            skip_line(lexer);
        } else if (c == '/' && peek(lexer, 1) == '*') {
            lexer->comment = lexer->at + 1;
            r = skip_past(lexer, "*/", "this comment has no end: */ is missing");
        } else if (c == '#' && lexer->line_start) {
            r = skip_directive(lexer);
        } else {
            return 0;
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* The closing quote's position, escapes stepped over. */
static int take_quoted(struct lexer *lexer, char quote, struct token *token)
{
    uint32_t i = 1;
    for (;; i++) {
        char c = peek(lexer, i);
        if (c == quote) {
            break;
        }
        if (c == '\\') {
            i++;
        } else if (c == '\0' || c == '\n') {
            return unit_refuse(lexer->unit, lexer->at, -EINVAL, "the closing %c is missing", quote);
        }
    }
    token->kind = quote == '"' ? TOKEN_STRING : TOKEN_CHARACTER;
    token->length = i + 1;
    return 0;
}

static int take_name(struct lexer *lexer, struct token *token)
{
    bool number = is_digit(peek(lexer, 0));
    uint32_t i = 1;
    while (is_name_start(peek(lexer, i)) || is_digit(peek(lexer, i)) ||
           (number && peek(lexer, i) == '.')) {
        i++;
    }
    if (i > LIMIT_NAME_BYTES) {
        return unit_refuse(lexer->unit, lexer->at, -E2BIG,
                           "this name is longer than LIMIT_NAME_BYTES (%u)", LIMIT_NAME_BYTES);
    }
    token->kind = number ? TOKEN_NUMBER : TOKEN_NAME;
    token->length = i;
    return 0;
}

static int take_punctuation(struct lexer *lexer, struct token *token)
{
    char c = peek(lexer, 0);
    token->length = 1;
    token->kind = (uint8_t)c;
    if (c == '.' && peek(lexer, 1) == '.' && peek(lexer, 2) == '.') {
        token->kind = TOKEN_ELLIPSIS;
        token->length = 3;
    } else if ((c == '<' || c == '>') && peek(lexer, 1) == c) {
        token->kind = c == '<' ? TOKEN_SHIFT_LEFT : TOKEN_SHIFT_RIGHT;
        token->length = 2;
    } else if (c == '\0' || !strchr("*()[]{};:,=+-/%<>&|~!.^?", c)) {
        return unit_refuse(lexer->unit, lexer->at, -EINVAL,
                           c == '#' ? "'#' may only start a line"
                                    : "this character has no place in a declaration");
    }
    return 0;
}

static int take_token(struct lexer *lexer, struct token *token)
{
    int r = skip_space(lexer);
    if (r < 0) {
        return r;
    }
    char c = peek(lexer, 0);
    *token = (struct token){.at = lexer->at, .comment = lexer->comment, .kind = TOKEN_END};
    if (lexer->at >= lexer->unit->length) {
        return 0;
    }
    if (is_name_start(c) || is_digit(c)) {
        r = take_name(lexer, token);
    } else if (c == '"' || c == '\'') {
        r = take_quoted(lexer, c, token);
    } else {
        r = take_punctuation(lexer, token);
    }
    lexer->at += token->length;
    lexer->comment = 0;
    lexer->line_start = false;
    return r;
}

int lexer_run(struct unit *unit)
{
    struct lexer lexer = {.unit = unit, .line_start = true};
    /* Every token but the last has at least one byte. */
    uint32_t room = unit->length / 2 + 64;
    unit->tokens = unit_take(unit, room * sizeof *unit->tokens);
    while (!unit->error) {
        if (unit->token_count == room) {
            struct token *more = unit_take(unit, 2 * (size_t)room * sizeof *more);
            if (!more) {
                break;
            }
            memcpy(more, unit->tokens, room * sizeof *more);
            unit->tokens = more;
            room *= 2;
        }
        struct token *token = &unit->tokens[unit->token_count];
        if (take_token(&lexer, token) < 0) {
            break;
        }
        unit->token_count++;
        if (token->kind == TOKEN_END) {
            break;
        }
    }
    return unit->error;
}

/* One line of a comment without indentation and marks; @ret_length excludes trailing space. */
static const char *comment_line(const char *line, const char *end, size_t *ret_length)
{
    while (line < end && strchr(" \t/*", *line)) {
        line++;
    }
    while (end > line && strchr(" \t\r/*", end[-1])) {
        end--;
    }
    *ret_length = (size_t)(end - line);
    return line;
}

/* Where the comment at @from ends: a block's end, or the last of consecutive // lines. */
static const char *comment_end(const char *from, const char *limit)
{
    if (from[1] == '*') {
        const char *end = memmem(from + 2, (size_t)(limit - from) - 2, "*/", 2);
        return end ? end : limit;
    }
    const char *line = from;
    for (;;) {
        const char *end = memchr(line, '\n', (size_t)(limit - line));
        const char *next = end;
        while (next && next < limit && strchr(" \t\r\n", *next)) {
            next++;
        }
        if (!end || limit - next < 2 || next[0] != '/' || next[1] != '/') {
            return end ? end : limit;
        }
        line = next;
    }
}

const char *lexer_comment(struct unit *unit, uint32_t at)
{
    const char *line = unit->text + at;
    const char *end = comment_end(line, unit->text + unit->length);
    char *text = unit_take(unit, (size_t)(end - line) + 1);
    size_t used = 0;
    while (text && line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = stop ? stop : end;
        size_t length = 0;
        const char *words = comment_line(line, line_end, &length);
        if (length > 0) {
            if (used > 0) {
                text[used++] = '\n';
            }
            memcpy(text + used, words, length);
            used += length;
        }
        line = stop ? stop + 1 : end;
    }
    return text;
}
