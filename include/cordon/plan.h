/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_PLAN_H
#define CORDON_PLAN_H

/*
 * Plan: a prototype compiled to bytes.
 *
 * A plan says everything an encoder in any language needs to know of one function: types with sizes
 * and offsets, parameters with directions, lengths as postfix code, and where each value travels. It
 * is one contiguous piece of memory without pointers: a header, then tables of fixed-size records,
 * then code and names. Integers are little-endian and naturally aligned, the plan itself is aligned
 * to 8. Offsets of tables count from the plan's first byte; indices count records of a table.
 *
 * A plan is read only after plan_validate() has accepted it (docs/protocol/plan.md); from then on its
 * records are used in place and never change.
 *
 * Source: System V ABI x86-64 section 3.1.2, AAPCS64 section 5, for sizes and alignments.
 */

#include <stdint.h>

#define CORDON_PLAN_MAGIC   0x4e4c5043u /* "CPLN" */
#define CORDON_PLAN_VERSION 1u
#define CORDON_PLAN_NONE    0xffffffffu /* no such type, name or code */
#define CORDON_PLAN_NO_WORD 0xffffu     /* nothing travels in this direction */

enum cordon_plan_abi {
    CORDON_PLAN_ABI_X86_64_SYSV = 1,
    CORDON_PLAN_ABI_AARCH64 = 2,
};

/* At byte 0. 80 bytes. */
struct cordon_plan_header {
    uint32_t magic;
    uint16_t version;
    uint16_t abi;        /* enum cordon_plan_abi */
    uint32_t plan_bytes; /* all of it, this header included */
    uint32_t root_type; /* of a plan that only describes a type: its index; else CORDON_PLAN_NONE */
    uint64_t layout_hash; /* FNV-1a 64 over all bytes of the plan with this field zero */
    uint32_t functions_at;
    uint32_t function_count; /* [0] is the function itself, the others are its callbacks' shapes */
    uint32_t params_at;
    uint32_t param_count;
    uint32_t types_at;
    uint32_t type_count;
    uint32_t fields_at;
    uint32_t field_count;
    uint32_t enumerators_at;
    uint32_t enumerator_count;
    uint32_t code_at;
    uint32_t code_bytes;
    uint32_t names_at;
    uint32_t names_bytes; /* NUL-terminated UTF-8 strings; offset 0 is the empty string */
};

enum cordon_plan_kind {
    CORDON_PLAN_VOID = 0,
    CORDON_PLAN_BOOL,
    CORDON_PLAN_I8,
    CORDON_PLAN_U8,
    CORDON_PLAN_I16,
    CORDON_PLAN_U16,
    CORDON_PLAN_I32,
    CORDON_PLAN_U32,
    CORDON_PLAN_I64,
    CORDON_PLAN_U64,
    CORDON_PLAN_F32,
    CORDON_PLAN_F64,
    CORDON_PLAN_STRUCT,   /* first, count: its fields */
    CORDON_PLAN_ARRAY,    /* count elements of target, in place (struct members) */
    CORDON_PLAN_POINTER,  /* to target[count code]; without count code to one target */
    CORDON_PLAN_STRING,   /* to NUL-terminated char; an OUT one has a capacity as count code */
    CORDON_PLAN_HANDLE,   /* a native object that stays in the worker; target: its struct or NONE */
    CORDON_PLAN_CALLBACK, /* target: index of the function that describes it */
    CORDON_PLAN_TOKEN,    /* void * without a length: an opaque number, never followed by Cordon */
    CORDON_PLAN_WITHIN,   /* a pointer into parameter `within`: an offset in bytes, or NULL */
    CORDON_PLAN_VARARGS,  /* `...` or va_list: values that carry their own types */
    CORDON_PLAN_UNION, /* member of a struct, or array of them: one of its fields is in use, which
                             the struct's integer field number `within` tells */
    CORDON_PLAN_KIND_COUNT,
};

enum cordon_plan_direction {
    CORDON_PLAN_IN = 1,
    CORDON_PLAN_OUT = 2,
    CORDON_PLAN_INOUT = 3,
};

enum cordon_plan_type_flags {
    CORDON_PLAN_NULLABLE = 1u << 0, /* NULL is a fitting value */
    CORDON_PLAN_SECRET = 1u << 1,   /* masked in reports */
    CORDON_PLAN_OWNED = 1u << 2,    /* copied, then freed by the function named by `releaser` */
    CORDON_PLAN_RELEASE = 1u << 3,  /* HANDLE: the call ends this handle */
    CORDON_PLAN_STATIC = 1u << 4,   /* HANDLE result: the same object each time, same handle */
    CORDON_PLAN_BORROWED = 1u << 5, /* HANDLE: ends with the handle in parameter `within` */
    CORDON_PLAN_KEPT = 1u << 6,     /* library keeps the pointer: see keep */
    CORDON_PLAN_RESIDENT =
        1u << 7,                /* HANDLE: object declared by the caller, fields of target known */
    CORDON_PLAN_TEXT = 1u << 8, /* POINTER, ARRAY: elements are plain `char`, shown as text */
    CORDON_PLAN_NULL_ENDED = 1u << 9, /* POINTER to pointers that ends with NULL: T *a[null] */
    CORDON_PLAN_VA_LIST = 1u << 10,   /* VARARGS: passed as va_list */
    CORDON_PLAN_ENUM = 1u << 11,      /* I32/U32..: has enumerators: first, count */
    CORDON_PLAN_CONST =
        1u << 12, /* target declared const: an IN buffer is passed in place, read-only */
    CORDON_PLAN_ESCAPE = 1u << 13, /* CALLBACK: the built-in `escape`, which does not return */
};

/* How long the library keeps a pointer (types with CORDON_PLAN_KEPT). */
enum cordon_plan_keep {
    CORDON_PLAN_KEEP_CALL = 0, /* not kept */
    CORDON_PLAN_KEEP_NEXT, /* kept(until next): until the same parameter is passed again for the same handle */
    CORDON_PLAN_KEEP_RELEASE, /* kept(until release h): until the handle in parameter `within` ends */
    CORDON_PLAN_KEEP_SESSION, /* kept or kept(until close): until the session ends */
};

/* 56 bytes. Sizes and alignments are those of the C object: 8 for every kind of pointer. */
struct cordon_plan_type {
    uint8_t kind;      /* enum cordon_plan_kind */
    uint8_t direction; /* enum cordon_plan_direction; pointers, strings, varargs; else IN */
    uint8_t keep;      /* enum cordon_plan_keep */
    uint8_t pad;
    uint32_t flags; /* enum cordon_plan_type_flags */
    uint32_t size;
    uint32_t align;
    uint32_t target; /* type or function index, by kind; else CORDON_PLAN_NONE */
    uint32_t first;  /* STRUCT, UNION: first field; ENUM: first enumerator */
    uint32_t count;  /* STRUCT, UNION: fields; ENUM: enumerators; ARRAY: elements */
    uint32_t code;   /* POINTER, STRING: offset of the count's code in the code table, or NONE */
    uint32_t within; /* WITHIN, BORROWED, KEEP_RELEASE: parameter index in the same function; UNION:
                          index, within the struct that it lies in, of the selecting field; or NONE */
    uint32_t releaser; /* OWNED: name offset of the function that frees it */
    uint32_t name;     /* tag, typedef or spelled-out name */
    uint32_t tag;      /* HANDLE: FNV-1a 32 of the struct's tag: two handles fit when tags agree */
    uint32_t fails;    /* unused, 0 */
    uint32_t length_code; /* POINTER, STRING with a code that comes back: offset of the code that is
                             evaluated after the call and tells how many elements are there; NONE:
                             the same code as before the call */
};

/* 24 bytes. */
struct cordon_plan_field {
    uint32_t name;
    uint32_t type;
    uint32_t offset; /* bytes from the struct's start; UNION: 0 */
    uint32_t flags;  /* enum cordon_plan_field_flags */
    uint32_t
        filled_by; /* FILLED: index, within the struct, of the pointer field whose count this is;
                           CASE: low half of the selector's value */
    uint32_t value_high; /* CASE: its high half; else 0 */
};

/*
 * Each field of a UNION is a CASE, or its one DEFAULT, which stands last. A CASE of type VOID holds
 * nothing; several cases of one member are several fields. Lengths of members name fields of the
 * struct that the union lies in.
 */
enum cordon_plan_field_flags {
    CORDON_PLAN_FIELD_FILLED =
        1u << 0, /* only gives the length of what goes in behind another field */
    CORDON_PLAN_FIELD_CASE = 1u << 1,
    CORDON_PLAN_FIELD_DEFAULT = 1u << 2,
};

/* 16 bytes. */
struct cordon_plan_enumerator {
    uint32_t name;
    uint32_t reserved;
    int64_t value;
};

enum cordon_plan_param_flags {
    CORDON_PLAN_FILLED =
        1u << 0, /* only gives input lengths: Cordon fills it in, callers do not pass it */
};

/*
 * How a value travels. A request and a reply each are up to CORDON_PLAN_WORDS_MAX words plus bytes.
 *
 * WORD     the value itself in the word: integers sign- or zero-extended to 64 bits, float as its 32
 *          bits, double as its 64, a token, a handle as (generation << 32 | index), a callback as its
 *          id (0: NULL; bit 63: a constant function pointer such as SIG_IGN, whose low 62 bits are
 *          sign-extended), WITHIN as offset + 1 with 0 for NULL. A pointer to one scalar (`out int *x`, `inout
 *          size_t *n`, `out sqlite3 **db`) travels like the scalar it points to - unless NULL fits
 *          (CORDON_PLAN_NULLABLE): then as BYTES, which can say NULL.
 * BYTES    the word is a place: request offset in bits 0-30, reply offset in bits 32-62 (0: none in
 *          that direction, and both 0: NULL), or bit 63 + address for memory in the session's arena.
 * DYNAMIC  the reply's length is known to the worker alone: the reply word is offset in bits 0-31,
 *          element count in bits 32-63 (0: NULL). Results that are strings, owned or sized memory,
 *          `out owned(..) T **`. An `inout owned` one travels as BYTES in the request.
 * VARARGS  the word is a request offset of a block: uint64 count, then pairs (uint64 type, uint64
 *          word), type an enum cordon_type; strings are request offsets.
 */
enum cordon_plan_passing {
    CORDON_PLAN_PASS_NOTHING = 0, /* void results */
    CORDON_PLAN_PASS_WORD = 1,
    CORDON_PLAN_PASS_BYTES = 2,
    CORDON_PLAN_PASS_DYNAMIC = 3,
    CORDON_PLAN_PASS_VARARGS = 4,
};

/* 32 bytes. */
struct cordon_plan_param {
    uint32_t name;
    uint32_t type;
    uint32_t flags; /* enum cordon_plan_param_flags */
    uint32_t
        filled_by; /* FILLED: parameter whose element count this one is; others sharing it must agree */
    uint16_t passing;  /* enum cordon_plan_passing */
    uint16_t in_word;  /* index of the request word, or CORDON_PLAN_NO_WORD */
    uint16_t out_word; /* index of the reply word, or CORDON_PLAN_NO_WORD */
    uint16_t position; /* among the parameters that callers pass; NO_WORD if FILLED */
    uint32_t reserved[2];
};

enum cordon_plan_function_flags {
    CORDON_PLAN_VARIADIC = 1u << 0,  /* the last parameter is `...` */
    CORDON_PLAN_STATELESS = 1u << 1, /* may run on any worker of the cell */
    CORDON_PLAN_FAILS =
        1u << 2, /* callbacks: `fails` is what it returns when the host's side failed */
    CORDON_PLAN_MAILBOX = 1u << 3,  /* only words, at most 6 each way: no bytes travel */
    CORDON_PLAN_NORETURN = 1u << 4, /* callbacks: `escape` */
    CORDON_PLAN_ANYTHREAD =
        1u << 5, /* callbacks: may come from threads of the library; dispatched then */
};

/* 96 bytes. Parameters of one function are consecutive. */
struct cordon_plan_function {
    uint32_t name;   /* of callbacks: the parameter's name */
    uint32_t symbol; /* what to look up; equals name unless the interface says otherwise */
    uint32_t first_param;
    uint32_t param_count;
    uint32_t
        passed_count; /* parameters that callers pass: without FILLED ones, `...` counted once */
    uint32_t flags;   /* enum cordon_plan_function_flags */
    uint16_t in_words;
    uint16_t out_words;
    uint32_t outer;   /* callbacks: index of the function whose parameters are in scope, or NONE */
    uint32_t comment; /* name offset of the comment that stood before the declaration, or 0 */
    uint32_t reserved;
    int64_t fails;
    struct cordon_plan_param result; /* type VOID: nothing; out_word 0 when there is one */
    uint32_t reserved2[4];
};

/*
 * Postfix code of a length: each operation is one byte and its operands, unaligned, little-endian.
 * Values are signed 64-bit; overflow, division by zero and a negative result are errors.
 */
enum cordon_plan_op {
    CORDON_PLAN_OP_END = 0,
    CORDON_PLAN_OP_PUSH,  /* i64 */
    CORDON_PLAN_OP_PARAM, /* u16: an integer parameter's value */
    CORDON_PLAN_OP_DEREF, /* u16: what the pointer parameter points to, before or after the call */
    CORDON_PLAN_OP_FIELD, /* u16: another member of the same struct */
    CORDON_PLAN_OP_OUTER, /* u16: an integer parameter of the outer call (callbacks) */
    CORDON_PLAN_OP_OUTER_DEREF, /* u16 */
    CORDON_PLAN_OP_RESULT, /* the function's own integer result, e.g. out buf[result]; after the call */
    CORDON_PLAN_OP_ADD,
    CORDON_PLAN_OP_SUB,
    CORDON_PLAN_OP_MUL,
    CORDON_PLAN_OP_DIV,
    CORDON_PLAN_OP_MOD,
    CORDON_PLAN_OP_SHL,
    CORDON_PLAN_OP_SHR,
    CORDON_PLAN_OP_NEG,
    CORDON_PLAN_OP_CALL, /* u32 name, u8 argument count: another function of the library, arguments as
                            integers or handles; known in the worker alone, so DYNAMIC results only.
                            Arguments are pushed with PARAM (handles too) */
    CORDON_PLAN_OP_COUNT,
};

/* Limits that a plan keeps; plan_validate() refuses more. */
#define CORDON_PLAN_BYTES_MAX      (1u << 20)
#define CORDON_PLAN_PARAMS_MAX     64u /* of one function */
#define CORDON_PLAN_WORDS_MAX      66u /* each way: the parameters, the result */
#define CORDON_PLAN_MAILBOX_WORDS  6u
#define CORDON_PLAN_CODE_STACK_MAX 16u
#define CORDON_PLAN_CODE_BYTES_MAX 512u /* of one length */
#define CORDON_PLAN_TYPE_SIZE_MAX  (1u << 30)
#define CORDON_PLAN_DEPTH_MAX      16u  /* types inside types */
#define CORDON_PLAN_CASES_MAX      256u /* of one union */

#endif
