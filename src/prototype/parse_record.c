/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/parser.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "prototype/layout.h"

static bool add_field(struct unit *unit, struct record *record, struct field ***end,
                      const struct declarator *declarator, const struct notes *notes)
{
    for (const struct field *other = record->fields; other && record->field_count < 64;
         other = other->next) {
        if (declarator->name[0] == other->name[0] && strcmp(declarator->name, other->name) == 0) {
            return !unit_refuse(unit, declarator->at, -EINVAL, "member '%.64s' is there already",
                                declarator->name);
        }
    }
    struct field *field = unit_take(unit, sizeof *field);
    if (!field) {
        return false;
    }
    field->name = declarator->name;
    field->at = declarator->at;
    field->type = declarator->type;
    field->notes = *notes;
    **end = field;
    *end = &field->next;
    record->field_count++;
    return true;
}

/* What stands before a union's member. */
struct label {
    struct label *next;
    bool is_default;
    int64_t value;
};

static bool parse_label(struct unit *unit, struct record *record, struct label **ret_label)
{
    uint32_t at = unit_here(unit);
    struct label *label = unit_take(unit, sizeof *label);
    if (!label) {
        return false;
    }
    label->is_default = unit_accept_word(unit, "default");
    if (!label->is_default) {
        (void)unit_accept_word(unit, "case");
        const struct expression *value = parse_expression(unit);
        if (!value || !expression_constant(unit, value, &label->value)) {
            return false;
        }
    }
    for (const struct field *other = record->fields; other; other = other->next) {
        if (other->is_default) {
            return !unit_refuse(unit, at, -EINVAL, "`default` is a union's last label");
        }
        if (!label->is_default && other->value == label->value) {
            return !unit_refuse(unit, at, -EINVAL, "this case is there already");
        }
    }
    *ret_label = label;
    return unit_expect(unit, ':', "':' behind the label");
}

/* `case 1: case 2:`, as many as there are. */
static bool parse_labels(struct unit *unit, struct record *record, struct label **ret_labels)
{
    struct label **end = ret_labels;
    uint32_t at = unit_here(unit);
    uint32_t count = record->field_count;
    while (unit_at_word(unit, "case") || unit_at_word(unit, "default")) {
        if (!record->is_union) {
            return !unit_refuse(unit, at, -EINVAL, "a label stands before a union's member only");
        }
        if (++count > CORDON_PLAN_CASES_MAX) {
            return !unit_refuse(unit, at, -E2BIG,
                                "more cases than CORDON_PLAN_CASES_MAX (%u) in a union",
                                CORDON_PLAN_CASES_MAX);
        }
        if (!parse_label(unit, record, end)) {
            return false;
        }
        for (const struct label *other = *ret_labels; other != *end; other = other->next) {
            if (other->is_default || (!(*end)->is_default && other->value == (*end)->value)) {
                return !unit_refuse(unit, at, -EINVAL,
                                    "a case is there once, and `default` behind all others");
            }
        }
        end = &(*end)->next;
    }
    if (record->fields && record->labelled != (*ret_labels != NULL)) {
        return !unit_refuse(unit, at, -EINVAL,
                            "either all members of a union have labels, or none");
    }
    record->labelled = *ret_labels != NULL;
    return true;
}

static void label_field(struct field *field, const struct label *label)
{
    field->is_case = !label->is_default;
    field->is_default = label->is_default;
    field->value = label->value;
}

/* The member that was added last stands there once for each of its labels. */
static bool repeat_field(struct unit *unit, struct record *record, struct field ***end,
                         const struct label *labels)
{
    struct field *first = (struct field *)(void *)((char *)*end - offsetof(struct field, next));
    label_field(first, labels);
    for (const struct label *label = labels->next; label; label = label->next) {
        struct field *field = unit_take(unit, sizeof *field);
        if (!field) {
            return false;
        }
        *field = *first;
        field->next = NULL;
        label_field(field, label);
        **end = field;
        *end = &field->next;
        record->field_count++;
    }
    return true;
}

/* `case 0: ;` holds nothing. */
static bool parse_empty_case(struct unit *unit, struct record *record, struct field ***end,
                             const struct label *labels)
{
    struct field *field = unit_take(unit, sizeof *field);
    struct ctype *nothing = ctype_new(unit, SHAPE_VOID, NULL);
    if (!field || !nothing) {
        return false;
    }
    field->name = "";
    field->at = unit_here(unit);
    field->type = nothing;
    **end = field;
    *end = &field->next;
    record->field_count++;
    return unit_accept(unit, ';') && repeat_field(unit, record, end, labels);
}

static bool parse_member(struct unit *unit, struct record *record, struct field ***end,
                         const struct specifiers *specifiers, const struct label *labels)
{
    struct declarator declarator = {0};
    struct notes notes = specifiers->notes;
    if (!parse_declarator(unit, specifiers->type, &notes, &declarator)) {
        return false;
    }
    if (unit_at(unit, ':')) {
        return !unit_refuse(unit, declarator.name ? declarator.at : unit_here(unit), -ENOTSUP,
                            "bit-fields are not supported, since where their bits lie is the "
                            "compiler's choice: declare the whole integer that holds them");
    }
    if (!declarator.name) {
        return unit_expect(unit, TOKEN_NAME, "a member's name");
    }
    if (labels && unit_at(unit, ',')) {
        return !unit_refuse(unit, unit_here(unit), -EINVAL, "a label is for one member");
    }
    return add_field(unit, record, end, &declarator, &notes) &&
           (!labels || repeat_field(unit, record, end, labels));
}

/* `T a, *b, c[4];` */
static bool parse_members(struct unit *unit, struct record *record, struct field ***end)
{
    struct specifiers specifiers = {0};
    struct label *labels = NULL;
    if (!parse_labels(unit, record, &labels)) {
        return false;
    }
    if (labels && unit_at(unit, ';')) {
        return parse_empty_case(unit, record, end, labels);
    }
    if (!parse_specifiers(unit, &specifiers)) {
        return false;
    }
    if (unit_at(unit, ';') && specifiers.type->shape == SHAPE_RECORD) {
        return !unit_refuse(unit, unit_here(unit), -ENOTSUP,
                            "a member needs a name: anonymous structs are not supported");
    }
    do {
        if (!parse_member(unit, record, end, &specifiers, labels)) {
            return false;
        }
    } while (unit_accept(unit, ','));
    return unit_expect(unit, ';', "';' behind the member");
}

static bool parse_open_body(struct unit *unit, struct record *record, struct notes *notes);

/* A record whose body is refused stays an opaque one. */
static bool parse_body(struct unit *unit, struct record *record, struct notes *notes)
{
    if (record->defined || record->open) {
        return !unit_refuse(unit, unit_here(unit), -EINVAL, "%s %.64s is defined twice",
                            record->is_union ? "union" : "struct", record->tag ? record->tag : "");
    }
    record->open = true;
    record->defined = parse_open_body(unit, record, notes);
    record->open = false;
    if (!record->defined) {
        record->fields = NULL;
        record->field_count = 0;
        record->has_union = false;
    }
    return record->defined;
}

static bool parse_open_body(struct unit *unit, struct record *record, struct notes *notes)
{
    struct field **end = &record->fields;
    if (!unit_enter(unit)) {
        return false;
    }
    (void)unit_accept(unit, '{');
    while (!unit_accept(unit, '}')) {
        if (!parse_members(unit, record, &end)) {
            return false;
        }
    }
    unit_leave(unit);
    if (!record->fields) {
        return !unit_refuse(unit, record->at, -ENOTSUP, "a struct needs at least one member");
    }
    return parse_decoration(unit, DECORATION_OF_TAG, notes) && layout_record(unit, record, notes);
}

static bool add_named_type(struct unit *unit, const char *word, const char *tag,
                           const struct ctype *type)
{
    struct named_type *named = unit_take(unit, sizeof *named);
    char name[LIMIT_NAME_BYTES + 8];
    (void)snprintf(name, sizeof name, "%s %s", word, tag);
    if (!named) {
        return false;
    }
    named->name = pool_text(unit->pool, name, strlen(name));
    named->type = type;
    named->at = type->at;
    *unit->named_types_end = named;
    unit->named_types_end = &named->next;
    return named->name || !unit_refuse(unit, named->at, -ENOMEM, "not enough memory");
}

/* The tag behind `struct` or `enum`; NULL with *@ret_ok where there is none. */
static const char *parse_tag(struct unit *unit, bool *ret_ok)
{
    const struct token *token = unit_peek(unit, 0);
    *ret_ok = true;
    if (unit_accept(unit, TOKEN_NAME)) {
        const char *tag = unit_text(unit, token);
        *ret_ok = tag != NULL;
        return tag;
    }
    *ret_ok = unit_at(unit, '{') || unit_expect(unit, TOKEN_NAME, "a tag or '{'");
    return NULL;
}

const struct ctype *parse_record(struct unit *unit)
{
    struct notes notes = {0};
    bool ok = true;
    struct ctype *type = ctype_new(unit, SHAPE_RECORD, NULL);
    bool is_union = unit_at_word(unit, "union");
    uint32_t at = unit_here(unit);
    (void)unit_accept(unit, TOKEN_NAME);
    if (!type || !parse_decoration(unit, DECORATION_OF_TAG, &notes)) {
        return NULL;
    }
    const char *tag = parse_tag(unit, &ok);
    if (!ok) {
        return NULL;
    }
    type->record = tag ? record_named(unit, tag) : unit_take(unit, sizeof *type->record);
    if (!type->record) {
        return NULL;
    }
    type->name = tag;
    type->record->at = type->record->defined ? type->record->at : at;
    if (type->record->defined && type->record->is_union != is_union) {
        (void)unit_refuse(unit, at, -EINVAL, "'%.64s' is a %s", tag ? tag : "",
                          is_union ? "struct" : "union");
        return NULL;
    }
    type->record->is_union = is_union;
    if (unit_at(unit, '{') &&
        (!parse_body(unit, type->record, &notes) ||
         (tag && !add_named_type(unit, is_union ? "union" : "struct", tag, type)))) {
        return NULL;
    }
    return type;
}

static bool parse_enumerator(struct unit *unit, struct enumeration *enumeration,
                             struct enumerator ***end, int64_t *next)
{
    const struct token *token = unit_peek(unit, 0);
    struct enumerator *enumerator = unit_take(unit, sizeof *enumerator);
    struct notes notes = {0};
    if (!enumerator || !unit_expect(unit, TOKEN_NAME, "an enumerator's name")) {
        return false;
    }
    enumerator->name = unit_text(unit, token);
    if (!enumerator->name || !parse_decoration(unit, DECORATION_OF_TAG, &notes)) {
        return false;
    }
    if (unit_accept(unit, '=')) {
        const struct expression *value = parse_expression(unit);
        if (!value || !expression_constant(unit, value, next)) {
            return false;
        }
    }
    enumerator->value = *next;
    if (__builtin_add_overflow(*next, 1, next)) {
        *next = INT64_MIN;
    }
    **end = enumerator;
    *end = &enumerator->next;
    enumeration->count++;
    return unit_declare(unit, NAME_ENUMERATOR, enumerator->name, enumerator);
}

/* GCC's choice: unsigned unless a value is negative, 64 bits when 32 do not suffice. */
static uint8_t enum_scalar(const struct enumeration *enumeration)
{
    bool negative = false;
    bool wide = false;
    for (const struct enumerator *e = enumeration->enumerators; e; e = e->next) {
        negative = negative || e->value < 0;
    }
    for (const struct enumerator *e = enumeration->enumerators; e; e = e->next) {
        wide = wide ||
               (negative ? e->value < INT32_MIN || e->value > INT32_MAX : e->value > UINT32_MAX);
    }
    return wide ? (negative ? CORDON_PLAN_I64 : CORDON_PLAN_U64)
                : (negative ? CORDON_PLAN_I32 : CORDON_PLAN_U32);
}

static bool parse_enumerators(struct unit *unit, struct enumeration *enumeration)
{
    struct enumerator **end = &enumeration->enumerators;
    struct notes notes = {0};
    int64_t next = 0;
    if (enumeration->defined) {
        return !unit_refuse(unit, unit_here(unit), -EINVAL, "this enum is defined twice");
    }
    (void)unit_accept(unit, '{');
    do {
        if (unit_at(unit, '}') && enumeration->count > 0) {
            break;
        }
        if (!parse_enumerator(unit, enumeration, &end, &next)) {
            return false;
        }
    } while (unit_accept(unit, ','));
    enumeration->defined = true;
    enumeration->scalar = enum_scalar(enumeration);
    uint32_t at = unit_here(unit);
    if (!unit_expect(unit, '}', "',' or '}'") ||
        !parse_decoration(unit, DECORATION_OF_TAG, &notes)) {
        return false;
    }
    return !notes.packed || !unit_refuse(unit, at, -ENOTSUP, "packed enums are not supported");
}

const struct ctype *parse_enum(struct unit *unit)
{
    struct notes notes = {0};
    bool ok = true;
    uint32_t at = unit_here(unit);
    struct ctype *type = ctype_new(unit, SHAPE_SCALAR, NULL);
    (void)unit_accept(unit, TOKEN_NAME);
    if (!type || !parse_decoration(unit, DECORATION_OF_TAG, &notes)) {
        return NULL;
    }
    const char *tag = parse_tag(unit, &ok);
    struct enumeration *enumeration = tag ? unit_lookup(unit, NAME_ENUM, tag) : NULL;
    if (ok && !enumeration) {
        enumeration = unit_take(unit, sizeof *enumeration);
        if (enumeration && tag && !unit_declare(unit, NAME_ENUM, tag, enumeration)) {
            return NULL;
        }
    }
    if (!ok || !enumeration) {
        return NULL;
    }
    enumeration->tag = tag;
    bool body = unit_at(unit, '{');
    if (body && !parse_enumerators(unit, enumeration)) {
        return NULL;
    }
    if (!enumeration->defined) {
        (void)unit_refuse(unit, at, -EINVAL, "enum %.64s is not defined%s", tag ? tag : "",
                          tag ? unit_near(unit, NAME_ENUM, tag) : "");
        return NULL;
    }
    type->scalar = enumeration->scalar;
    type->enumeration = enumeration;
    type->name = tag ? tag : "enum";
    return body && tag && !add_named_type(unit, "enum", tag, type) ? NULL : type;
}
