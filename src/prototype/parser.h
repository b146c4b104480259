/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_PARSER_H
#define PROTOTYPE_PARSER_H

/*
 * Parser: tokens to syntax. A recursive descent that never goes back, one file per noun:
 *
 *   parse_text.c        declarations one after the other: functions, typedefs, `library`
 *   parse_specifier.c   `const unsigned int`, `struct point {...}`, annotations among them
 *   parse_record.c      bodies of struct and enum
 *   parse_declarator.c  `*name[count]`, `(*name)(...)`, parameter lists
 *   parse_notes.c       annotations and the decoration of system headers
 *   parse_length.c      expressions
 *
 * Functions return NULL or false once the unit is refused.
 */

#include <stdbool.h>

#include "prototype/syntax.h"
#include "prototype/unit.h"

/* All declarations of the text into unit->functions, unit->named_types, unit->library. */
bool parse_text(struct unit *unit);

/* What stands before declarators. */
struct specifiers {
    const struct ctype *type;
    struct notes notes;
    bool is_typedef;
    bool is_inline;
};

bool parse_specifiers(struct unit *unit, struct specifiers *ret);

/* Does the current token begin a type? */
bool parse_at_type(struct unit *unit);

struct declarator {
    const char *name; /* NULL: none was written */
    uint32_t at;
    const struct ctype *type;
};

/* @notes gains what is annotated behind the declarator. */
bool parse_declarator(struct unit *unit, const struct ctype *base, struct notes *notes,
                      struct declarator *ret);

/* `struct` or `union` or `enum` is the current word; parses tag and body. */
const struct ctype *parse_record(struct unit *unit);
const struct ctype *parse_enum(struct unit *unit);

/* One annotation at the cursor, if there is one. false: there is none, or refused. */
bool parse_note(struct unit *unit, struct notes *notes);
/* Where decoration stands decides which words can be nothing else. */
enum decoration {
    DECORATION_OF_TAG,      /* behind `struct`: attributes only, a __tag is a tag */
    DECORATION_BEFORE_NAME, /* a __word is decoration only if more words follow, and no type */
    DECORATION_BEHIND_NAME, /* every __word is: __THROW, __nonnull((1)), __asm__("name") */
};

/* __attribute__((...)), __restrict and the like, as many as there are. */
bool parse_decoration(struct unit *unit, enum decoration where, struct notes *notes);

/* `(n)` behind _Alignas or the attribute `aligned`, where it may be missing. */
bool parse_aligned(struct unit *unit, struct notes *notes);

const struct expression *parse_expression(struct unit *unit);
/* `capacity [: after]`, up to the closing bracket or parenthesis, which stays. */
const struct length *parse_length(struct unit *unit);

struct ctype *ctype_new(struct unit *unit, enum shape shape, const struct ctype *target);
/* Record of a tag, made if it is not there. */
struct record *record_named(struct unit *unit, const char *tag);

#endif
