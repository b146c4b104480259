/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spelling.h"

/* ---- Names ------------------------------------------------------------------------------------- */

static unsigned near_enough(const char *wrong)
{
    size_t length = strlen(wrong);
    return length < 3 ? 0 : length < 24 ? 1 + (unsigned)length / 4 : 6;
}

struct value_guess value_guess_start(const char *wrong)
{
    return (struct value_guess){.wrong = wrong, .distance = near_enough(wrong) + 1};
}

void value_guess_consider(struct value_guess *guess, const char *name)
{
    unsigned most = near_enough(guess->wrong);
    unsigned distance = spelling_distance(guess->wrong, name, most);
    /* Words that are only a part of the other are near, too: `deadline` for `deadline_ms`. */
    size_t length = strlen(guess->wrong);
    if (distance > most && length >= 4 &&
        (strncmp(name, guess->wrong, length) == 0 || strstr(name, guess->wrong))) {
        distance = most;
    }
    if (distance < guess->distance && distance <= most) {
        guess->distance = distance;
        guess->best = name;
    }
}

const char *value_guess_found(const struct value_guess *guess)
{
    return guess->best;
}

/* ---- Numbers ----------------------------------------------------------------------------------- */

struct unit {
    const char *name;
    uint64_t of;
};

static const struct unit byte_units[] = {
    {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"", 1}, {NULL, 0},
};
static const struct unit time_units[] = {
    {"h", MS_HOUR}, {"min", 60 * MS_SECOND}, {"s", MS_SECOND}, {"ms", 1}, {"", 1}, {NULL, 0},
};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum key_kind kind)
{
    return kind == KEY_KIND_BYTES ? byte_units : kind == KEY_KIND_MS ? time_units : no_units;
}

static const char *form_of(enum key_kind kind)
{
    switch (kind) {
    case KEY_KIND_BYTES:
        return "a number of bytes, like 65536, 512KiB, 64MiB or 2GiB";
    case KEY_KIND_MS:
        return "a number of milliseconds, like 250, or a time like 250ms, 3s, 5min or 1h";
    default:
        return "a whole number";
    }
}

const char *value_print(enum key_kind kind, uint64_t number, char *text, size_t bytes)
{
    const struct unit *unit = units_of(kind);
    while (unit[1].name && (number < unit->of || number % unit->of != 0)) {
        unit++;
    }
    (void)snprintf(text, bytes, "%" PRIu64 "%s", number / unit->of, unit->name);
    return text;
}

static int refuse_form(const struct config_key *key, const char *text, struct message *why)
{
    (void)message_set(why, -EINVAL, "'%.64s' is not %s", text, form_of(key->kind));
    if (key->flags & KEY_NONE) {
        message_add(why, ", or none");
    }
    return -EINVAL;
}

static int parse_number(const struct config_key *key, const char *text, uint64_t *ret_number,
                        struct message *why)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && end - text > 1)) {
        return refuse_form(key, text, why); /* 010 is eight elsewhere */
    }
    bool fits = errno == 0;
    end += *end == ' '; /* "64 MiB" */
    for (const struct unit *unit = units_of(key->kind); unit->name; unit++) {
        if (strcmp(end, unit->name) == 0) {
            fits = fits && !__builtin_mul_overflow(number, unit->of, ret_number);
            *ret_number = fits ? *ret_number : UINT64_MAX;
            return 0;
        }
    }
    return refuse_form(key, text, why);
}

static int parse_word(const struct config_key *key, const char *text, uint64_t *ret_number,
                      struct message *why)
{
    struct value_guess guess = value_guess_start(text);
    for (size_t i = 0; key->words[i]; i++) {
        if (strcmp(key->words[i], text) == 0) {
            *ret_number = i;
            return 0;
        }
        value_guess_consider(&guess, key->words[i]);
    }
    (void)message_set(why, -EINVAL, "'%.64s' is none of", text);
    for (size_t i = 0; key->words[i]; i++) {
        message_add(why, "%s %s", i == 0 ? "" : ",", key->words[i]);
    }
    if (value_guess_found(&guess)) {
        message_add(why, "; did you mean '%s'?", value_guess_found(&guess));
    }
    return -EINVAL;
}

int value_number(const struct config_key *key, const struct tree_node *node, uint64_t *ret_number,
                 struct message *why)
{
    char least[VALUE_PRINT_BYTES];
    char most[VALUE_PRINT_BYTES];
    uint64_t number;
    if (node->kind != TREE_SCALAR) {
        return message_set(why, -EINVAL, "this is %s, it has to be %s", value_kind_text(node),
                           key->kind == KEY_KIND_WORD ? "a word" : form_of(key->kind));
    }
    if (key->kind == KEY_KIND_WORD) {
        return parse_word(key, node->text, ret_number, why);
    }
    if (key->flags & KEY_NONE && strcmp(node->text, "none") == 0) {
        *ret_number = UINT64_MAX;
        return 0;
    }
    int r = parse_number(key, node->text, &number, why);
    if (r != 0) {
        return r;
    }
    if (number < key->least || number > key->most) {
        return message_set(why, -EINVAL, "'%.64s' is out of range: it may be %s to %s%s",
                           node->text, value_print(key->kind, key->least, least, sizeof least),
                           value_print(key->kind, key->most, most, sizeof most),
                           key->flags & KEY_NONE ? ", or none" : "");
    }
    *ret_number = number;
    return 0;
}

/* ---- JSON -------------------------------------------------------------------------------------- */

const char *value_kind_text(const struct tree_node *node)
{
    return node->kind == TREE_LIST      ? "a list"
           : node->kind == TREE_MAPPING ? "a mapping"
           : tree_is_nothing(node)      ? "nothing"
                                        : "a single value";
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)? ; @ret_whole: without the last two. */
static bool looks_like_number(const char *text, bool *ret_whole)
{
    size_t at = text[0] == '-';
    size_t digits = strspn(text + at, "0123456789");
    if (digits == 0 || (digits > 1 && text[at] == '0')) {
        return false;
    }
    at += digits;
    *ret_whole = text[at] == '\0';
    if (text[at] == '.') {
        digits = strspn(text + at + 1, "0123456789");
        at += digits > 0 ? digits + 1 : 0;
    }
    if ((text[at] == 'e' || text[at] == 'E') && text[at + 1]) {
        size_t sign = text[at + 1] == '-' || text[at + 1] == '+';
        digits = strspn(text + at + 1 + sign, "0123456789");
        at += digits > 0 ? digits + sign + 1 : 0;
    }
    return text[at] == '\0';
}

static void number_to_json(const char *text, bool whole, struct json_out *out)
{
    char *end;
    errno = 0;
    if (whole && text[0] == '-') {
        long long number = strtoll(text, &end, 10);
        if (errno == 0 && number != 0) {
            json_out_int(out, number);
            return;
        }
    } else if (whole) {
        unsigned long long number = strtoull(text, &end, 10);
        if (errno == 0) {
            json_out_uint(out, number);
            return;
        }
    }
    json_out_double(out, strtod(text, &end));
}

static void scalar_to_json(const struct tree_node *node, struct json_out *out)
{
    bool whole;
    if (node->quoted) {
        json_out_string(out, node->text);
    } else if (tree_is_nothing(node)) {
        json_out_null(out);
    } else if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0) {
        json_out_bool(out, node->text[0] == 't');
    } else if (looks_like_number(node->text, &whole)) {
        number_to_json(node->text, whole, out);
    } else {
        json_out_string(out, node->text);
    }
}

void value_to_json(const struct tree_node *node, struct json_out *out)
{
    switch (node->kind) {
    case TREE_SCALAR:
        scalar_to_json(node, out);
        break;
    case TREE_LIST:
        json_out_array(out);
        for (const struct tree_node *element = node->first; element; element = element->next) {
            value_to_json(element, out);
        }
        json_out_array_end(out);
        break;
    case TREE_MAPPING:
        json_out_object(out);
        for (const struct tree_node *member = node->first; member; member = member->next) {
            json_out_key(out, member->key);
            value_to_json(member, out);
        }
        json_out_object_end(out);
        break;
    }
}
