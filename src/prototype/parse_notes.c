/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/parser.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "prototype/layout.h"

/*
 * How it works. Annotation words are ordinary names everywhere else: `int count` and `size_t out`
 * are parameters. A word is an annotation only where a type is still to come: before the type was
 * named, and when what follows can begin or continue a declaration.
 */

enum note_form {
    FORM_FLAG,   /* sets a bool */
    FORM_NAME,   /* word(name) into a string */
    FORM_LENGTH, /* word(length) */
    FORM_OTHER,
};

struct note_word {
    const char *word;
    enum note_form form;
    size_t offset; /* into struct notes */
};

static const struct note_word note_words[] = {
    {"in", FORM_FLAG, offsetof(struct notes, in)},
    {"out", FORM_FLAG, offsetof(struct notes, out)},
    {"inout", FORM_OTHER, 0},
    {"nullable", FORM_FLAG, offsetof(struct notes, nullable)},
    {"secret", FORM_FLAG, offsetof(struct notes, secret)},
    {"release", FORM_FLAG, offsetof(struct notes, release)},
    {"resident", FORM_FLAG, offsetof(struct notes, resident)},
    {"token", FORM_FLAG, offsetof(struct notes, token)},
    {"string", FORM_FLAG, offsetof(struct notes, string)},
    {"stateless", FORM_FLAG, offsetof(struct notes, stateless)},
    {"escape", FORM_FLAG, offsetof(struct notes, escape)},
    {"anythread", FORM_FLAG, offsetof(struct notes, anythread)},
    {"owned", FORM_OTHER, 0},
    {"kept", FORM_OTHER, 0},
    {"fails", FORM_OTHER, 0},
    {"symbol", FORM_OTHER, 0},
    {"within", FORM_NAME, offsetof(struct notes, within)},
    {"borrowed", FORM_NAME, offsetof(struct notes, borrowed)},
    {"count", FORM_LENGTH, 0},
    {"bytes", FORM_LENGTH, 0},
};

static const char *parse_note_name(struct unit *unit)
{
    const struct token *token = unit_peek(unit, 0);
    return unit_expect(unit, TOKEN_NAME, "a name") ? unit_text(unit, token) : NULL;
}

static bool parse_fails(struct unit *unit, struct notes *notes)
{
    if (!unit_expect(unit, '(', "'(' and the value that tells of failure")) {
        return false;
    }
    notes->fails = parse_expression(unit);
    return notes->fails && unit_expect(unit, ')', "')'");
}

/* Behind `kept`: nothing, (until next), (until close), (until release handle). */
static bool parse_kept(struct unit *unit, struct notes *notes)
{
    notes->kept = true;
    notes->keep_with = KEEP_WITH_CLOSE;
    if (!unit_accept(unit, '(')) {
        return true;
    }
    uint32_t at = unit_here(unit);
    if (!unit_accept_word(unit, "until")) {
        return !unit_refuse(unit, at, -EINVAL, "expected 'until' behind 'kept('");
    }
    at = unit_here(unit);
    if (unit_accept_word(unit, "next")) {
        notes->keep_with = KEEP_WITH_NEXT;
    } else if (unit_accept_word(unit, "release")) {
        notes->keep_with = KEEP_WITH_RELEASE;
        notes->within_at = unit_here(unit);
        notes->keep_handle = parse_note_name(unit);
    } else if (!unit_accept_word(unit, "close")) {
        return !unit_refuse(unit, at, -EINVAL,
                            "kept until what? One of: next, close, release HANDLE");
    }
    return unit_expect(unit, ')', "')'");
}

static bool parse_symbol(struct unit *unit, struct notes *notes)
{
    const struct token *token = unit_peek(unit, 1);
    if (!unit_expect(unit, '(', "'('") ||
        !unit_expect(unit, TOKEN_STRING, "the symbol in quotes")) {
        return false;
    }
    notes->symbol = unit_text(unit, token);
    return unit_expect(unit, ')', "')'");
}

static bool parse_other(struct unit *unit, const char *word, struct notes *notes)
{
    if (strcmp(word, "inout") == 0) {
        notes->in = notes->out = true;
        return true;
    }
    if (strcmp(word, "owned") == 0) {
        notes->owned = "free";
        if (unit_accept(unit, '(')) {
            notes->owned = parse_note_name(unit);
            return unit_expect(unit, ')', "')'");
        }
        return true;
    }
    return strcmp(word, "kept") == 0    ? parse_kept(unit, notes)
           : strcmp(word, "fails") == 0 ? parse_fails(unit, notes)
                                        : parse_symbol(unit, notes);
}

static const struct note_word *note_find(const struct unit *unit, const struct token *token)
{
    for (size_t i = 0; i < sizeof note_words / sizeof note_words[0]; i++) {
        if (token_is(unit, token, note_words[i].word)) {
            return &note_words[i];
        }
    }
    return NULL;
}

bool parse_note(struct unit *unit, struct notes *notes)
{
    const struct token *token = unit_peek(unit, 0);
    const struct note_word *note =
        unit->error || token->kind != TOKEN_NAME ? NULL : note_find(unit, token);
    if (!note) {
        return false;
    }
    int next = unit_peek(unit, 1)->kind;
    bool takes_argument = note->form != FORM_FLAG && strcmp(note->word, "inout") != 0;
    if (next != TOKEN_NAME && !(takes_argument && next == '(')) {
        return false; /* an ordinary name after all */
    }
    if (!notes->at) {
        notes->at = token->at;
    }
    (void)unit_accept(unit, TOKEN_NAME);
    if (note->form == FORM_FLAG) {
        *(bool *)((char *)notes + note->offset) = true;
        return true;
    }
    if (note->form == FORM_OTHER) {
        return parse_other(unit, note->word, notes);
    }
    if (!unit_expect(unit, '(', "'('")) {
        return false;
    }
    if (note->form == FORM_LENGTH) {
        notes->count = parse_length(unit);
    } else {
        notes->within_at = unit_here(unit);
        *(const char **)(void *)((char *)notes + note->offset) = parse_note_name(unit);
    }
    return unit_expect(unit, ')', "')'");
}

/* Step over a balanced group; the cursor stands on its '('. */
static bool skip_group(struct unit *unit)
{
    uint32_t open = 0;
    uint32_t at = unit_here(unit);
    do {
        if (unit_at(unit, TOKEN_END)) {
            return !unit_refuse(unit, at, -EINVAL, "this '(' is never closed");
        }
        int kind = unit_peek(unit, 0)->kind;
        open += kind == '(' ? 1 : 0;
        open -= kind == ')' ? 1 : 0;
        (void)unit_accept(unit, kind);
    } while (open > 0);
    return true;
}

static bool word_is(const struct unit *unit, const char *plain)
{
    const struct token *token = unit_peek(unit, 0);
    size_t length = strlen(plain);
    const char *text = unit->text + token->at;
    if (token->kind != TOKEN_NAME) {
        return false;
    }
    bool fenced = token->length == length + 4 && memcmp(text, "__", 2) == 0 &&
                  memcmp(text + 2 + length, "__", 2) == 0 && memcmp(text + 2, plain, length) == 0;
    return fenced || token_is(unit, token, plain);
}

bool parse_aligned(struct unit *unit, struct notes *notes)
{
    uint32_t at = unit_here(unit);
    notes->align = 16; /* without a number: the platform's largest */
    if (!unit_accept(unit, '(')) {
        return true;
    }
    const struct expression *align = parse_expression(unit);
    int64_t value = 0;
    if (!align || !unit_expect(unit, ')', "')'") || !expression_constant(unit, align, &value)) {
        return false;
    }
    if (value < 1 || value > 4096 || (value & (value - 1)) != 0) {
        return !unit_refuse(unit, at, -EINVAL, "an alignment is a power of two up to 4096");
    }
    notes->align = (uint32_t)value;
    return true;
}

/* One attribute between the double parentheses. What changes the ABI is understood or refused. */
static bool parse_attribute(struct unit *unit, struct notes *notes)
{
    static const char *const foreign[] = {"mode",     "vector_size",       "ms_abi",
                                          "regparm",  "ms_struct",         "stdcall",
                                          "fastcall", "transparent_union", "scalar_storage_order"};
    const struct token *token = unit_peek(unit, 0);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        if (word_is(unit, foreign[i])) {
            return !unit_refuse(unit, token->at, -ENOTSUP,
                                "__attribute__((%s)) changes how values are passed or laid out; "
                                "Cordon follows the platform's C ABI only",
                                foreign[i]);
        }
    }
    bool packed = word_is(unit, "packed");
    bool aligned = word_is(unit, "aligned");
    notes->noreturn = notes->noreturn || word_is(unit, "noreturn");
    if (!unit_expect(unit, TOKEN_NAME, "an attribute")) {
        return false;
    }
    notes->packed = notes->packed || packed;
    if (aligned) {
        return parse_aligned(unit, notes);
    }
    return !unit_at(unit, '(') || skip_group(unit);
}

static bool parse_attributes(struct unit *unit, struct notes *notes)
{
    if (!unit_expect(unit, '(', "'(('") || !unit_expect(unit, '(', "'(('")) {
        return false;
    }
    while (!unit_accept(unit, ')')) {
        if (!unit_accept(unit, ',') && !parse_attribute(unit, notes)) {
            return false;
        }
    }
    return unit_expect(unit, ')', "'))'");
}

/* Words of headers that say nothing about how a function is called. */
static bool at_noise(const struct unit *unit)
{
    static const char *const words[] = {"restrict", "_Nullable", "_Nonnull", "__restrict_arr",
                                        "volatile", "__signed",  NULL};
    for (size_t i = 0; words[i]; i++) {
        if (word_is(unit, words[i])) {
            return true;
        }
    }
    const struct token *token = unit_peek(unit, 0);
    return token_is(unit, token, "__restrict") || token_is(unit, token, "__extension__");
}

/* At a word that begins with two underscores: is it decoration rather than a name or a type? */
static bool at_fenced_word(struct unit *unit, enum decoration where)
{
    const struct token *token = unit_peek(unit, 0);
    if (token->length <= 2 || memcmp(unit->text + token->at, "__", 2) != 0 ||
        where == DECORATION_OF_TAG) {
        return false;
    }
    if (where == DECORATION_BEHIND_NAME) {
        return true;
    }
    int next = unit_peek(unit, 1)->kind;
    return (next == TOKEN_NAME || next == '*') && !parse_at_type(unit) &&
           !token_is(unit, token, "__signed") && !token_is(unit, token, "__const") &&
           !token_is(unit, token, "__inline") && !token_is(unit, token, "__inline__");
}

/* Behind `switch`: the member that tells which one of a union's is in use. */
static bool parse_selector(struct unit *unit, struct notes *notes)
{
    if (!unit_expect(unit, '(', "'(' and the member that selects")) {
        return false;
    }
    notes->selector_at = unit_here(unit);
    notes->selector = parse_note_name(unit);
    return notes->selector && unit_expect(unit, ')', "')'");
}

bool parse_decoration(struct unit *unit, enum decoration where, struct notes *notes)
{
    while (!unit->error && unit_at(unit, TOKEN_NAME)) {
        const struct token *token = unit_peek(unit, 0);
        if (word_is(unit, "attribute") && token->length > strlen("attribute")) {
            (void)unit_accept(unit, TOKEN_NAME);
            (void)parse_attributes(unit, notes);
        } else if (at_noise(unit)) {
            (void)unit_accept(unit, TOKEN_NAME);
        } else if (at_fenced_word(unit, where)) {
            (void)unit_accept(unit, TOKEN_NAME);
            if (unit_at(unit, '(')) {
                (void)skip_group(unit);
            }
        } else if (where == DECORATION_BEHIND_NAME && token_is(unit, token, "switch")) {
            (void)unit_accept(unit, TOKEN_NAME);
            (void)parse_selector(unit, notes);
        } else if (where == DECORATION_BEHIND_NAME && token_is(unit, token, "fails") &&
                   unit_peek(unit, 1)->kind == '(') {
            (void)unit_accept(unit, TOKEN_NAME);
            (void)parse_fails(unit, notes);
        } else {
            break;
        }
    }
    return !unit->error;
}
