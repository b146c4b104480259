/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/parser.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"

static bool parse_library(struct unit *unit)
{
    uint32_t at = unit_here(unit);
    (void)unit_accept_word(unit, "library");
    const struct token *token = unit_peek(unit, 0);
    (void)unit_accept(unit, TOKEN_STRING);
    if (unit->library) {
        return !unit_refuse(unit, at, -EINVAL, "the library is named already: %.100s",
                            unit->library);
    }
    unit->library = unit_text(unit, token);
    (void)unit_accept(unit, ';');
    return unit->library != NULL;
}

/* A typedef's struct, if nobody named it, takes the typedef's name. */
static bool declare_typedef(struct unit *unit, const struct declarator *declarator)
{
    const struct ctype *type = declarator->type;
    struct ctype *named = ctype_new(unit, type->shape, NULL);
    struct named_type *entry = unit_take(unit, sizeof *entry);
    if (!named || !entry) {
        return false;
    }
    *named = *type;
    if (type->shape == SHAPE_SCALAR || type->shape == SHAPE_RECORD) {
        named->name = declarator->name;
    }
    if (type->shape == SHAPE_RECORD && !type->record->tag) {
        type->record->tag = declarator->name;
    }
    *entry = (struct named_type){.name = declarator->name, .at = declarator->at, .type = named};
    *unit->named_types_end = entry;
    unit->named_types_end = &entry->next;
    return unit_declare(unit, NAME_TYPEDEF, declarator->name, named);
}

static const char *take_comment(struct unit *unit, uint32_t comment)
{
    return comment ? lexer_comment(unit, comment - 1) : NULL;
}

static bool declare_function(struct unit *unit, const struct specifiers *specifiers,
                             const struct declarator *declarator, const struct notes *notes,
                             uint32_t comment)
{
    if (unit_at(unit, '{') || (specifiers->is_inline && !unit_at(unit, ';'))) {
        return !unit_refuse(
            unit, declarator->at, -ENOTSUP,
            "%.64s has a body: inline functions have no symbol in the library; only "
            "declarations of exported functions can be called",
            declarator->name);
    }
    if (unit_lookup(unit, NAME_FUNCTION, declarator->name)) {
        return !unit_refuse(unit, declarator->at, -EINVAL, "function '%.64s' is declared twice",
                            declarator->name);
    }
    if (unit->function_count >= LIMIT_INTERFACE_FUNCTIONS) {
        return !unit_refuse(unit, declarator->at, -E2BIG,
                            "more functions than LIMIT_INTERFACE_FUNCTIONS (%u)",
                            LIMIT_INTERFACE_FUNCTIONS);
    }
    struct function *function = unit_take(unit, sizeof *function);
    if (!function) {
        return false;
    }
    *function = (struct function){.name = declarator->name,
                                  .at = declarator->at,
                                  .type = declarator->type,
                                  .notes = *notes,
                                  .comment = take_comment(unit, comment)};
    *unit->functions_end = function;
    unit->functions_end = &function->next;
    unit->function_count++;
    return unit_declare(unit, NAME_FUNCTION, function->name, function);
}

static bool declare(struct unit *unit, const struct specifiers *specifiers, uint32_t comment)
{
    struct declarator declarator = {0};
    struct notes notes = specifiers->notes;
    if (!parse_declarator(unit, specifiers->type, &notes, &declarator)) {
        return false;
    }
    if (!declarator.name) {
        return unit_expect(unit, TOKEN_NAME, "a name");
    }
    if (specifiers->is_typedef) {
        return declare_typedef(unit, &declarator);
    }
    if (declarator.type->shape != SHAPE_FUNCTION) {
        return !unit_refuse(unit, declarator.at, -ENOTSUP,
                            "'%.64s' is a variable: only functions can be called", declarator.name);
    }
    return declare_function(unit, specifiers, &declarator, &notes, comment);
}

/* `specifiers declarator, declarator;` The last declaration may do without its ';'. */
static bool parse_declaration(struct unit *unit)
{
    uint32_t comment = unit_peek(unit, 0)->comment;
    struct specifiers specifiers = {0};
    if (!parse_specifiers(unit, &specifiers)) {
        return false;
    }
    if (unit_accept(unit, ';')) {
        return true;
    }
    do {
        if (!declare(unit, &specifiers, comment)) {
            return false;
        }
    } while (unit_accept(unit, ','));
    return unit_at(unit, TOKEN_END) || unit_expect(unit, ';', "';' behind the declaration");
}

/* Index of the token behind the declaration that begins at the cursor. */
static uint32_t declaration_end(const struct unit *unit)
{
    uint32_t open = 0;
    bool body = false; /* braces behind a ')': what follows them is another declaration */
    for (uint32_t i = unit->cursor; i + 1 < unit->token_count; i++) {
        uint8_t kind = unit->tokens[i].kind;
        if (kind == '(' || kind == '[' || kind == '{') {
            body = body || (kind == '{' && open == 0 && i > unit->cursor &&
                            unit->tokens[i - 1].kind == ')');
            open++;
        } else if (kind == ')' || kind == ']' || kind == '}') {
            open -= open > 0 ? 1 : 0;
            if (kind == '}' && open == 0 && body) {
                return i + 1;
            }
        } else if (kind == ';' && open == 0) {
            return i + 1;
        }
    }
    return unit->token_count - 1;
}

/* The name before the first '(' of what was not understood, if that looks like a function. */
static const char *declared_name(struct unit *unit, uint32_t end)
{
    for (uint32_t i = unit->cursor; i + 1 < end; i++) {
        if (unit->tokens[i].kind == TOKEN_NAME && unit->tokens[i + 1].kind == '(' &&
            unit->text[unit->tokens[i].at] != '_') {
            return pool_text(unit->pool, unit->text + unit->tokens[i].at, unit->tokens[i].length);
        }
    }
    return NULL;
}

static void parse_one(struct unit *unit)
{
    uint32_t start = unit->cursor;
    if (parse_declaration(unit) || !unit->tolerant) {
        return;
    }
    unit->cursor = start;
    uint32_t end = declaration_end(unit);
    if (unit_forgive(unit, declared_name(unit, end))) {
        unit->cursor = end;
    }
}

bool parse_text(struct unit *unit)
{
    unit->functions_end = &unit->functions;
    unit->named_types_end = &unit->named_types;
    while (!unit->error && !unit_at(unit, TOKEN_END)) {
        if (unit_at_word(unit, "library") && unit_peek(unit, 1)->kind == TOKEN_STRING) {
            (void)parse_library(unit);
        } else if (unit_at_word(unit, "extern") && unit_peek(unit, 1)->kind == TOKEN_STRING) {
            (void)unit_refuse(unit, unit_here(unit), -ENOTSUP,
                              "extern \"C\" is C++: leave it and its braces out");
        } else if (!unit_accept(unit, ';')) {
            parse_one(unit);
        }
    }
    return !unit->error;
}
