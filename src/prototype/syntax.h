/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOTYPE_SYNTAX_H
#define PROTOTYPE_SYNTAX_H

/*
 * Syntax: what the parser makes of a text, before anything is compiled. All of it lives in the
 * unit's pool. A ctype is the C type alone; what Cordon's annotations say of a declaration stands
 * beside it in notes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cordon/plan.h"

enum expression_op {
    EXPRESSION_CONSTANT, /* value */
    EXPRESSION_NAME,     /* parameter, sibling member, enumerator or `result` */
    EXPRESSION_DEREF,    /* *name */
    EXPRESSION_SIZEOF,   /* type */
    EXPRESSION_CALL,     /* name(left, ...): arguments chained by next */
    EXPRESSION_NEGATE,   /* left */
    EXPRESSION_ADD,      /* left, right; so are all that follow */
    EXPRESSION_SUB,
    EXPRESSION_MUL,
    EXPRESSION_DIV,
    EXPRESSION_MOD,
    EXPRESSION_SHL,
    EXPRESSION_SHR,
};

struct expression {
    enum expression_op op;
    uint32_t at;
    int64_t value;
    const char *name;
    const struct ctype *type;
    const struct expression *left;
    const struct expression *right;
    struct expression *next; /* argument of a call */
};

/* What stands between brackets, or in count(...). */
struct length {
    uint32_t at;
    bool null_ended;                   /* [null] */
    bool all;                          /* [capacity : all] */
    const struct expression *capacity; /* NULL: empty brackets */
    const struct expression *after;    /* [capacity : after], or NULL */
};

enum shape {
    SHAPE_VOID,
    SHAPE_SCALAR,   /* scalar, name; enumeration for enums */
    SHAPE_RECORD,   /* record */
    SHAPE_POINTER,  /* target */
    SHAPE_ARRAY,    /* target, length */
    SHAPE_FUNCTION, /* target (the result), signature */
    SHAPE_VA_LIST,
};

struct ctype {
    enum shape shape;
    uint8_t scalar; /* enum cordon_plan_kind */
    bool is_const;
    bool is_text; /* plain char */
    bool is_byte; /* an integer of one byte that is not plain char */
    bool is_wide; /* wchar_t and the like */
    uint32_t at;
    const char *name; /* as spelled, or the typedef's */
    const struct ctype *target;
    const struct length *length;
    struct record *record;
    struct enumeration *enumeration;
    struct signature *signature;
};

enum keep_with { KEEP_WITH_NONE, KEEP_WITH_NEXT, KEEP_WITH_RELEASE, KEEP_WITH_CLOSE };

/* Annotations of one declaration. Names are NULL, places 0, where nothing was said. */
struct notes {
    bool in;
    bool out;
    bool nullable;
    bool secret;
    bool release;
    bool resident;
    bool is_static;
    bool token;
    bool string;
    bool stateless;
    bool escape;
    bool anythread;
    bool noreturn;
    bool packed;
    bool kept;
    enum keep_with keep_with;
    uint32_t align; /* __attribute__((aligned(n))), _Alignas(n) */
    uint32_t at;    /* of the first annotation */
    uint32_t within_at;
    uint32_t selector_at;
    const char *owned; /* the releasing function */
    const char *within;
    const char *borrowed;
    const char *selector; /* of a union: switch(member) */
    const char *keep_handle;
    const char *symbol;
    const struct length *count;
    const struct expression *fails;
};

struct field {
    struct field *next;
    const char *name;
    uint32_t at;
    uint32_t offset;
    bool in_place; /* an array that lies in the struct, not a pointer to one */
    bool
        is_case; /* of a union: `case value:` stood before it; another field may be the same member */
    bool is_default;
    int64_t value;
    const struct ctype *type;
    struct notes notes;
};

struct record {
    const char *tag; /* as found behind `struct`, or the typedef's name */
    bool is_union;
    bool labelled;  /* a union whose members are cases */
    bool has_union; /* has one inside, by value */
    bool opaque;    /* laid out, but its members say too little to be copied (tolerant units) */
    bool defined;
    bool open; /* being laid out, or being compiled: its size is not known */
    uint32_t at;
    uint32_t size;
    uint32_t align;
    struct field *fields;
    uint32_t field_count;
    uint32_t compiled_stamp; /* of the plan that compiled_type is an index of */
    uint32_t compiled_type;
};

struct enumerator {
    struct enumerator *next;
    const char *name;
    int64_t value;
};

struct enumeration {
    const char *tag;
    bool defined;
    uint8_t scalar;
    struct enumerator *enumerators;
    uint32_t count;
    uint32_t compiled_stamp; /* of the plan in which compiled_first counts */
    uint32_t compiled_first;
};

struct parameter {
    struct parameter *next;
    const char *name;
    uint32_t at;
    const struct ctype *type;
    struct notes notes;
};

struct signature {
    struct parameter *parameters;
    uint32_t count;
    bool variadic;
};

struct function {
    struct function *next;
    const char *name;
    const char *comment; /* or NULL */
    uint32_t at;
    const struct ctype *type; /* SHAPE_FUNCTION */
    struct notes notes;
};

/* A type that the text declares by name. */
struct named_type {
    struct named_type *next;
    const char *name; /* "struct point", "point_t" */
    uint32_t at;
    const struct ctype *type;
};

#endif
