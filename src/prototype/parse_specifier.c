/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/parser.h"

#include <errno.h>
#include <string.h>

#include "prototype/known_types.h"

/* Base words of one list of specifiers, counted: C takes them in any order. */
struct base_words {
    uint32_t longs, shorts, signeds, unsigneds, chars, ints, floats, doubles, voids, bools;
    bool any;
};

struct ctype *ctype_new(struct unit *unit, enum shape shape, const struct ctype *target)
{
    struct ctype *type = unit_take(unit, sizeof *type);
    if (type) {
        type->shape = shape;
        type->target = target;
        type->at = unit_here(unit);
    }
    return type;
}

static struct ctype *scalar_new(struct unit *unit, const char *name, uint8_t kind)
{
    struct ctype *type = ctype_new(unit, SHAPE_SCALAR, NULL);
    if (type) {
        type->name = name;
        type->scalar = kind;
        type->is_byte = kind == CORDON_PLAN_I8 || kind == CORDON_PLAN_U8;
        type->is_wide = strcmp(name, "wchar_t") == 0 || strcmp(name, "char16_t") == 0 ||
                        strcmp(name, "char32_t") == 0;
    }
    return type;
}

struct record *record_named(struct unit *unit, const char *tag)
{
    struct record *record = unit_lookup(unit, NAME_RECORD, tag);
    if (!record) {
        record = unit_take(unit, sizeof *record);
        if (!record || !unit_declare(unit, NAME_RECORD, tag, record)) {
            return NULL;
        }
        record->tag = tag;
        record->at = unit_here(unit);
    }
    return record;
}

static struct ctype *opaque_new(struct unit *unit, const char *tag)
{
    struct ctype *type = ctype_new(unit, SHAPE_RECORD, NULL);
    if (type) {
        type->record = record_named(unit, tag);
        type->name = tag;
    }
    return type;
}

/* Count @token among the base words of C, if it is one. */
static bool take_base_word(const struct unit *unit, const struct token *token,
                           struct base_words *words)
{
    const struct {
        const char *word;
        uint32_t *count;
    } table[] = {
        {"long", &words->longs},       {"short", &words->shorts},
        {"signed", &words->signeds},   {"__signed__", &words->signeds},
        {"__signed", &words->signeds}, {"unsigned", &words->unsigneds},
        {"char", &words->chars},       {"int", &words->ints},
        {"float", &words->floats},     {"double", &words->doubles},
        {"void", &words->voids},       {"_Bool", &words->bools},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (token_is(unit, token, table[i].word)) {
            ++*table[i].count;
            words->any = true;
            return true;
        }
    }
    return false;
}

static struct ctype *integer_of(struct unit *unit, const struct base_words *words)
{
    bool is_unsigned = words->unsigneds > 0;
    if (words->chars) {
        if (!is_unsigned && !words->signeds) {
            struct ctype *type = scalar_new(unit, "char", CHAR_KIND);
            if (type) {
                type->is_text = true;
                type->is_byte = false;
            }
            return type;
        }
        return is_unsigned ? scalar_new(unit, "unsigned char", CORDON_PLAN_U8)
                           : scalar_new(unit, "signed char", CORDON_PLAN_I8);
    }
    if (words->shorts) {
        return is_unsigned ? scalar_new(unit, "unsigned short", CORDON_PLAN_U16)
                           : scalar_new(unit, "short", CORDON_PLAN_I16);
    }
    if (words->longs == 2) {
        return is_unsigned ? scalar_new(unit, "unsigned long long", CORDON_PLAN_U64)
                           : scalar_new(unit, "long long", CORDON_PLAN_I64);
    }
    if (words->longs == 1) {
        return is_unsigned ? scalar_new(unit, "unsigned long", CORDON_PLAN_U64)
                           : scalar_new(unit, "long", CORDON_PLAN_I64);
    }
    return is_unsigned ? scalar_new(unit, "unsigned int", CORDON_PLAN_U32)
                       : scalar_new(unit, "int", CORDON_PLAN_I32);
}

static struct ctype *type_of_words(struct unit *unit, const struct base_words *words, uint32_t at)
{
    uint32_t others = words->chars + words->floats + words->doubles + words->voids + words->bools;
    uint32_t sizes = words->longs + words->shorts;
    uint32_t signs = words->signeds + words->unsigneds;
    bool integer = others == words->chars;
    bool fits = others <= 1 && words->ints <= 1 && signs <= 1 && words->shorts <= 1 &&
                words->longs <= 2 && !(words->longs && words->shorts) &&
                (integer || words->ints + signs == 0) &&
                !(words->chars && (sizes || words->ints)) &&
                (integer || sizes == 0 || (words->doubles && words->longs == 1 && !words->shorts));
    if (!fits) {
        (void)unit_refuse(unit, at, -EINVAL, "these words do not make a type together");
        return NULL;
    }
    if (words->doubles && words->longs) {
        (void)unit_refuse(unit, at, -ENOTSUP,
                          "long double is not supported: its size and format differ from platform "
                          "to platform; many functions have a double twin");
        return NULL;
    }
    if (words->voids) {
        return ctype_new(unit, SHAPE_VOID, NULL);
    }
    return words->floats    ? scalar_new(unit, "float", CORDON_PLAN_F32)
           : words->doubles ? scalar_new(unit, "double", CORDON_PLAN_F64)
           : words->bools   ? scalar_new(unit, "bool", CORDON_PLAN_BOOL)
                            : integer_of(unit, words);
}

/* A type that the text or the system declares under @name, or NULL. */
static const struct ctype *named_type(struct unit *unit, const char *name)
{
    const struct ctype *declared = unit_lookup(unit, NAME_TYPEDEF, name);
    if (declared) {
        return declared;
    }
    for (size_t i = 0; i < known_type_count; i++) {
        if (strcmp(known_types[i].name, name) == 0) {
            return scalar_new(unit, known_types[i].name, known_types[i].scalar);
        }
    }
    if (strcmp(name, "va_list") == 0 || strcmp(name, "__gnuc_va_list") == 0 ||
        strcmp(name, "__builtin_va_list") == 0) {
        return ctype_new(unit, SHAPE_VA_LIST, NULL);
    }
    if (strcmp(name, "iconv_t") == 0) {
        struct ctype *opaque = opaque_new(unit, "iconv_t");
        return opaque ? ctype_new(unit, SHAPE_POINTER, opaque) : NULL;
    }
    return NULL;
}

static bool is_shouted(const char *name)
{
    return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

/* Is the name at the cursor followed by '*', const aside? */
static bool before_star(const struct unit *unit)
{
    uint32_t ahead = 1;
    while (token_is(unit, unit_peek(unit, ahead), "const") ||
           token_is(unit, unit_peek(unit, ahead), "volatile")) {
        ahead++;
    }
    return unit_peek(unit, ahead)->kind == '*';
}

static struct near near_scalar(const char *name, uint32_t distance)
{
    static const char *const words[] = {"int",  "char",   "long",     "short",  "unsigned",
                                        "void", "double", "float",    "const",  "struct",
                                        "enum", "inout",  "nullable", "secret", "va_list"};
    struct near near = near_start(name, distance);
    for (size_t i = 0; i < known_type_count; i++) {
        near_consider(&near, known_types[i].name);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        near_consider(&near, words[i]);
    }
    return near;
}

/* The name at the cursor is no type: an opaque struct if only a pointer to it is meant. */
static const struct ctype *unknown_type(struct unit *unit, const char *name)
{
    const struct token *token = unit_peek(unit, 0);
    size_t length = strlen(name);
    bool like_scalar = length > 5 && strcmp(name + length - 2, "_t") == 0;
    struct near near = near_scalar(name, like_scalar && before_star(unit) ? 1 : 2);
    if (before_star(unit) && !(like_scalar && near.best)) {
        return opaque_new(unit, name);
    }
    const char *hint = near.best ? near_hint(unit, &near) : unit_near(unit, NAME_TYPEDEF, name);
    (void)unit_refuse(unit, token->at, -EINVAL, "unknown type '%.64s'%s", name, hint);
    return NULL;
}

static bool refuse_word(struct unit *unit)
{
    static const struct {
        const char *word;
        const char *reason;
    } refused[] = {
        {"_Complex", "complex numbers are not supported: no binding language passes them"},
        {"__complex__", "complex numbers are not supported: no binding language passes them"},
        {"__int128", "__int128 is not supported: values travel in words of 64 bits"},
        {"_Float64x",
         "_Float64x is not supported: its size and format differ from platform to platform"},
        {"_Float128", "_Float128 is not supported: values travel in words of 64 bits"},
        {"__float128", "__float128 is not supported: values travel in words of 64 bits"},
        {"_Atomic", "_Atomic objects cannot be copied between processes"},
        {"_Thread_local", "variables are not supported, only functions"},
        {"__typeof__", "__typeof__ is not supported: write the type itself"},
        {"typeof", "typeof is not supported: write the type itself"},
        {"_Static_assert", "_Static_assert is not read: leave it out"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (unit_at_word(unit, refused[i].word)) {
            return !!unit_refuse(unit, unit_here(unit), -ENOTSUP, "%s", refused[i].reason);
        }
    }
    return false;
}

struct specifying {
    struct specifiers *ret;
    struct base_words words;
    bool is_const;
};

/* Storage classes and qualifiers. */
static bool take_modifier(struct unit *unit, struct specifying *state)
{
    struct notes *notes = &state->ret->notes;
    if (unit_accept_word(unit, "const") || unit_accept_word(unit, "__const")) {
        state->is_const = true;
    } else if (unit_accept_word(unit, "typedef")) {
        state->ret->is_typedef = true;
    } else if (unit_accept_word(unit, "static")) {
        notes->at = notes->at ? notes->at : unit_here(unit);
        notes->is_static = true;
    } else if (unit_accept_word(unit, "inline") || unit_accept_word(unit, "__inline") ||
               unit_accept_word(unit, "__inline__")) {
        state->ret->is_inline = true;
    } else if (unit_accept_word(unit, "_Noreturn") || unit_accept_word(unit, "noreturn")) {
        notes->noreturn = true;
    } else if (unit_accept_word(unit, "_Alignas")) {
        return parse_aligned(unit, notes);
    } else {
        return unit_accept_word(unit, "extern") || unit_accept_word(unit, "register") ||
               unit_accept_word(unit, "auto") || unit_accept_word(unit, "restrict") ||
               unit_accept_word(unit, "volatile");
    }
    return true;
}

/* struct, union, enum, a base word or a type's name. */
static bool take_type(struct unit *unit, struct specifying *state)
{
    const struct token *token = unit_peek(unit, 0);
    if (take_base_word(unit, token, &state->words)) {
        return unit_accept(unit, TOKEN_NAME);
    }
    if (state->words.any || state->ret->type) {
        return false;
    }
    if (unit_at_word(unit, "struct") || unit_at_word(unit, "union")) {
        state->ret->type = parse_record(unit);
        return state->ret->type != NULL;
    }
    if (unit_at_word(unit, "enum")) {
        state->ret->type = parse_enum(unit);
        return state->ret->type != NULL;
    }
    const char *name = unit_text(unit, token);
    if (!name) {
        return false;
    }
    state->ret->type = named_type(unit, name);
    if (!state->ret->type && is_shouted(name) && unit_peek(unit, 1)->kind == TOKEN_NAME) {
        return unit_accept(unit, TOKEN_NAME); /* SQLITE_API, ZEXTERN: decoration of headers */
    }
    if (!state->ret->type) {
        state->ret->type = unknown_type(unit, name);
    }
    return state->ret->type && unit_accept(unit, TOKEN_NAME);
}

static bool finish_type(struct unit *unit, struct specifying *state, uint32_t at)
{
    if (state->words.any && state->ret->type) {
        return !unit_refuse(unit, at, -EINVAL, "these words do not make a type together");
    }
    if (state->words.any) {
        state->ret->type = type_of_words(unit, &state->words, at);
    }
    if (!state->ret->type && !unit->error) {
        (void)unit_expect(unit, TOKEN_NAME, "a type");
        (void)unit_refuse(unit, at, -EINVAL, "expected a type");
    }
    if (unit->error) {
        return false;
    }
    if (state->is_const && !state->ret->type->is_const) {
        struct ctype *constant = ctype_new(unit, state->ret->type->shape, NULL);
        if (!constant) {
            return false;
        }
        *constant = *state->ret->type;
        constant->is_const = true;
        state->ret->type = constant;
    }
    return true;
}

bool parse_specifiers(struct unit *unit, struct specifiers *ret)
{
    struct specifying state = {.ret = ret};
    uint32_t at = unit_here(unit);
    while (unit_at(unit, TOKEN_NAME) && !unit->error) {
        bool typed = ret->type || state.words.any;
        if (refuse_word(unit) || (!typed && parse_note(unit, &ret->notes)) ||
            take_modifier(unit, &state)) {
            continue;
        }
        uint32_t cursor = unit->cursor;
        if (!parse_decoration(unit, DECORATION_BEFORE_NAME, &ret->notes) ||
            unit->cursor != cursor) {
            continue;
        }
        if (typed && unit_peek(unit, 1)->kind == TOKEN_NAME && !parse_at_type(unit)) {
            /* ZEXPORT and the like between type and name. */
            const char *name = unit_text(unit, unit_peek(unit, 0));
            if (name && is_shouted(name) && unit_accept(unit, TOKEN_NAME)) {
                continue;
            }
        }
        if (!take_type(unit, &state)) {
            break;
        }
    }
    return !unit->error && finish_type(unit, &state, at);
}

bool parse_at_type(struct unit *unit)
{
    static const char *const words[] = {"const", "volatile", "struct",  "union",
                                        "enum",  "register", "restrict"};
    const struct token *token = unit_peek(unit, 0);
    struct base_words ignored = {0};
    if (token->kind != TOKEN_NAME) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (token_is(unit, token, words[i])) {
            return true;
        }
    }
    const char *name = unit_text(unit, token);
    return take_base_word(unit, token, &ignored) || (name && named_type(unit, name));
}
