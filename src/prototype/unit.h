/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_UNIT_H
#define PROTOTYPE_UNIT_H

/*
 * Unit: one text while it is being compiled - its tokens, the names that it declared, and the first
 * refusal. Parsing functions return NULL or false once unit->error is set, and only then.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "prototype/lexer.h"
#include "prototype/pool.h"
#include "prototype/prototype.h"

/* C's name spaces, as far as they matter here. */
enum name_space {
    NAME_TYPEDEF = 1, /* const struct ctype */
    NAME_RECORD,      /* struct record: `struct` and `union` tags */
    NAME_ENUM,        /* struct enumeration */
    NAME_ENUMERATOR,  /* struct enumerator */
    NAME_FUNCTION,    /* struct function */
};

struct name_entry {
    const char *text;
    void *meaning;
    uint32_t hash;
    uint32_t space;
};

struct unit {
    const char *name; /* what errors call the text */
    const char *text;
    uint32_t length;
    struct message *why;
    int error; /* the first refusal: everything afterwards only unwinds */
    struct pool *pool;
    bool tolerant;     /* refusals are of one declaration: sentences without places and guesses */
    uint32_t error_at; /* where the refusal is, if tolerant */
    interface_skipped *skipped;
    void *skipped_context;

    struct token *tokens;
    uint32_t token_count;
    uint32_t cursor; /* index of the current token */
    uint32_t depth;  /* nesting of what is being parsed, kept under LIMIT_PROTOTYPE_DEPTH */

    struct name_entry *names; /* open addressing, power of two */
    uint32_t name_room;
    uint32_t name_count;
    struct function *functions; /* in the order of the text */
    struct function **functions_end;
    uint32_t function_count;
    struct named_type *named_types; /* structs, enums and typedefs of the text, likewise */
    struct named_type **named_types_end;
    const char *library;
};

/*
 * Refuse the text: "name:line:column: sentence", the line and a caret under byte @at. Only the first
 * refusal counts. Returns unit->error.
 */
int unit_refuse(struct unit *unit, uint32_t at, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * In a tolerant unit: leave out what was refused, the declaration of @name (NULL: not known). false:
 * nothing was refused, or it cannot be passed over.
 */
bool unit_forgive(struct unit *unit, const char *name);

/* Memory of the unit's pool; on NULL the unit is refused with -ENOMEM. */
void *unit_take(struct unit *unit, size_t bytes);

/* Enter and leave one level of nesting. false: the limit is reached, the unit refused. */
bool unit_enter(struct unit *unit);
void unit_leave(struct unit *unit);

/* Tokens. Peeking beyond the end gives TOKEN_END. */
const struct token *unit_peek(const struct unit *unit, uint32_t ahead);
bool unit_at(const struct unit *unit, int kind);
bool unit_at_word(const struct unit *unit, const char *word);
bool token_is(const struct unit *unit, const struct token *token, const char *word);
/* Step over the current token if it is of @kind (or is @word). */
bool unit_accept(struct unit *unit, int kind);
bool unit_accept_word(struct unit *unit, const char *word);
/* The same, else refuse: "expected @what". */
bool unit_expect(struct unit *unit, int kind, const char *what);
/* Offset in the text of the current token. */
uint32_t unit_here(const struct unit *unit);
/* The token's text in the pool; of strings without the quotes. */
const char *unit_text(struct unit *unit, const struct token *token);

/* Names. Lookup gives NULL if there is none. */
void *unit_lookup(const struct unit *unit, enum name_space space, const char *name);
bool unit_declare(struct unit *unit, enum name_space space, const char *name, void *meaning);

/* A guess at which of several names was meant. */
struct near {
    const char *wanted;
    const char *best;
    uint32_t distance;
};

/* Guesses are at most @distance edits away (swapped neighbours are one edit). */
struct near near_start(const char *wanted, uint32_t distance);
void near_consider(struct near *near, const char *candidate);
/* "; did you mean 'x'?" or "", in the unit's pool. */
const char *near_hint(struct unit *unit, const struct near *near);
/* The same over all declared names of a space. */
const char *unit_near(struct unit *unit, enum name_space space, const char *wanted);

#endif
