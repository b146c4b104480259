/* SPDX-License-Identifier: Apache-2.0 */
#include "json/document.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json/fault.h"
#include "json/reader.h"

/*
 * How it works. The tape is an array of words: a letter in the upper 8 bits, a payload below.
 *
 *   r          the document's ends; the root value stands at index 1
 *   { [        bits 0-31: index behind the closing word; bits 32-55: elements, saturated
 *   } ]
 *   "          offset into the strings: four bytes of length, the bytes, a NUL
 *   l u d      the number is the next word
 *   t f n
 */

#define CAPACITY_MIN    4096u
#define TEXT_MAX        (1u << 31)
#define COUNT_SATURATED 0xffffffu

static uint64_t word_of(struct json_value value)
{
    return value.document->tape[value.at];
}

static char letter_of(struct json_value value)
{
    return (char)(word_of(value) >> 56);
}

static size_t power_above(size_t bytes)
{
    size_t power = CAPACITY_MIN;
    while (power < bytes) {
        power *= 2;
    }
    return power;
}

/* The text where the reader may look behind its end. */
static int copy_text(struct document *document, const char *text, size_t length)
{
    size_t needed = length + DOCUMENT_PADDING;
    if (needed > document->copy_room) {
        size_t room = power_above(needed);
        char *copy = malloc(room);
        if (!copy) {
            return -ENOMEM;
        }
        free(document->copy);
        document->copy = copy;
        document->copy_room = room;
    }
    if (length > 0) {
        memcpy(document->copy, text, length);
    }
    memset(document->copy + length, 0, DOCUMENT_PADDING);
    document->text = document->copy;
    return 0;
}

static int refuse(const struct document *document, uint32_t nesting_max, struct message *why)
{
    size_t at = 0;
    const char *sentence = fault_find(document->text, document->length, nesting_max, &at);
    return message_set(why, -EBADMSG, "%s at byte %zu",
                       sentence ? sentence : "something that is no JSON", at);
}

int document_parse(struct document *document, const char *text, size_t length, size_t room,
                   uint32_t nesting_max, struct json_value *ret_root, struct message *why)
{
    if (length >= TEXT_MAX) {
        return message_set(why, -ENOMEM, "%zu bytes of JSON, more than 2 GiB", length);
    }
    document->text = text;
    document->length = length;
    document->zeros_told = false;
    if (room < length + DOCUMENT_PADDING && copy_text(document, text, length) < 0) {
        return message_set(why, -ENOMEM, "no memory for %zu bytes of JSON", length);
    }
    switch (reader_parse(&document->parser, document->text, length, power_above(length),
                         nesting_max, &document->tape, &document->strings)) {
    case READER_DONE:
        *ret_root = (struct json_value){.document = document, .at = 1};
        return 0;
    case READER_TOO_DEEP:
        return message_set(why, -E2BIG, "nested deeper than %u", nesting_max);
    case READER_MALFORMED:
        return refuse(document, nesting_max, why);
    default:
        return message_set(why, -ENOMEM, "no memory for %zu bytes of JSON", length);
    }
}

void document_shrink(struct document *document, size_t bytes)
{
    if (reader_capacity(document->parser) > power_above(bytes)) {
        reader_free(document->parser);
        document->parser = NULL;
        document->tape = NULL;
    }
    if (document->copy_room > power_above(bytes + DOCUMENT_PADDING)) {
        free(document->copy);
        document->copy = NULL;
        document->copy_room = 0;
    }
}

void document_deinit(struct document *document)
{
    if (document) {
        reader_free(document->parser);
        free(document->copy);
        *document = (struct document){0};
    }
}

/* Index behind the value at @at. */
static uint32_t behind(const struct document *document, uint32_t at)
{
    uint64_t word = document->tape[at];
    switch ((char)(word >> 56)) {
    case '{':
    case '[':
        return (uint32_t)word;
    case 'l':
    case 'u':
    case 'd':
        return at + 2;
    default:
        return at + 1;
    }
}

/* Bytes of the string or number that begins at @text, which is known to be well-formed. */
static size_t token_span(const char *text, const char *end)
{
    const char *at = text + 1;
    if (*text != '"') {
        while (at < end && *at != '\0' && strchr("+-.0123456789eE", *at)) {
            at++;
        }
        return (size_t)(at - text);
    }
    while (*at != '"') {
        at += *at == '\\' ? 2 : 1;
    }
    return (size_t)(at - text) + 1;
}

/*
 * simdjson reads "-0" as the integer 0, which loses the sign of a floating point argument. Numbers stand on the tape in
 * the text's order: find the text of each, and make those what they are. Once a document, and only when a zero is
 * looked at in one that has a '-' at all.
 */
static void tell_zeros(struct document *document)
{
    const char *text = document->text;
    const char *end = text + document->length;
    const double minus_zero = -0.0;
    uint32_t at = 1;
    document->zeros_told = true;
    if (!memchr(text, '-', document->length)) {
        return;
    }
    while (text < end) {
        bool number = *text == '-' || (*text >= '0' && *text <= '9');
        size_t span = number || *text == '"' ? token_span(text, end) : 1;
        while (number && !strchr("lud", (char)(document->tape[at] >> 56))) {
            at++;
        }
        if (number && span == 2 && memcmp(text, "-0", 2) == 0) {
            document->tape[at] = (uint64_t)'d' << 56;
            memcpy(&document->tape[at + 1], &minus_zero, sizeof minus_zero);
        }
        at += number ? 2 : 0;
        text += span;
    }
}

enum json_kind json_value_kind(struct json_value value)
{
    if (!value.document) {
        return JSON_KIND_NONE;
    }
    char letter = letter_of(value);
    if (letter == 'l' && value.document->tape[value.at + 1] == 0 && !value.document->zeros_told) {
        tell_zeros(value.document);
        letter = letter_of(value);
    }
    switch (letter) {
    case '"':
        return JSON_KIND_STRING;
    case 'l':
        return JSON_KIND_INT;
    case 'u':
        return JSON_KIND_UINT;
    case 'd':
        return JSON_KIND_DOUBLE;
    case 't':
    case 'f':
        return JSON_KIND_BOOL;
    case '[':
        return JSON_KIND_ARRAY;
    case '{':
        return JSON_KIND_OBJECT;
    default:
        return JSON_KIND_NULL;
    }
}

const char *json_value_kind_text(struct json_value value)
{
    static const char *const texts[] = {
        [JSON_KIND_NONE] = "nothing",     [JSON_KIND_NULL] = "null",
        [JSON_KIND_BOOL] = "a boolean",   [JSON_KIND_INT] = "a number",
        [JSON_KIND_UINT] = "a number",    [JSON_KIND_DOUBLE] = "a number",
        [JSON_KIND_STRING] = "a string",  [JSON_KIND_ARRAY] = "an array",
        [JSON_KIND_OBJECT] = "an object",
    };
    enum json_kind kind = json_value_kind(value);
    return kind == JSON_KIND_BOOL ? json_value_bool(value) ? "true" : "false" : texts[kind];
}

bool json_value_bool(struct json_value value)
{
    char letter = letter_of(value);
    assert(letter == 't' || letter == 'f');
    return letter == 't';
}

int64_t json_value_int(struct json_value value)
{
    assert(letter_of(value) == 'l');
    return (int64_t)value.document->tape[value.at + 1];
}

uint64_t json_value_uint(struct json_value value)
{
    assert(letter_of(value) == 'u');
    return value.document->tape[value.at + 1];
}

double json_value_double(struct json_value value)
{
    double number;
    assert(letter_of(value) == 'd');
    memcpy(&number, &value.document->tape[value.at + 1], sizeof number);
    return number;
}

/* A string at @at, with its length. */
static const char *string_at(const struct document *document, uint32_t at, size_t *ret_length)
{
    uint32_t length;
    const uint8_t *bytes = document->strings + (document->tape[at] & (UINT64_MAX >> 8));
    memcpy(&length, bytes, sizeof length);
    *ret_length = length;
    return (const char *)bytes + sizeof length;
}

const char *json_value_string(struct json_value value, size_t *ret_length)
{
    size_t length;
    assert(letter_of(value) == '"');
    const char *text = string_at(value.document, value.at, &length);
    if (ret_length) {
        *ret_length = length;
    }
    return text;
}

bool json_value_equals(struct json_value value, const char *text)
{
    size_t length;
    if (json_value_kind(value) != JSON_KIND_STRING) {
        return false;
    }
    const char *given = string_at(value.document, value.at, &length);
    return strlen(text) == length && memcmp(given, text, length) == 0;
}

static bool is_container(struct json_value value)
{
    return value.document && (letter_of(value) == '{' || letter_of(value) == '[');
}

size_t json_value_count(struct json_value value)
{
    if (!is_container(value)) {
        return 0;
    }
    size_t count = (size_t)(word_of(value) >> 32) & COUNT_SATURATED;
    if (count < COUNT_SATURATED) {
        return count;
    }
    struct json_walk walk = json_walk(value);
    struct json_value element;
    for (count = 0; json_walk_next(&walk, &element);) {
        count++;
    }
    return letter_of(value) == '{' ? count / 2 : count;
}

struct json_walk json_walk(struct json_value container)
{
    if (!is_container(container)) {
        return (struct json_walk){0};
    }
    return (struct json_walk){
        .document = container.document,
        .next = container.at + 1,
        .end = (uint32_t)word_of(container) - 1, /* its closing word */
    };
}

bool json_walk_next(struct json_walk *walk, struct json_value *ret_element)
{
    if (walk->next >= walk->end) {
        return false;
    }
    *ret_element = (struct json_value){.document = walk->document, .at = walk->next};
    walk->next = behind(walk->document, walk->next);
    return true;
}

bool json_walk_member(struct json_walk *walk, struct json_value *ret_key,
                      struct json_value *ret_member)
{
    return json_walk_next(walk, ret_key) && json_walk_next(walk, ret_member);
}

struct json_walk json_sweep(struct json_value value)
{
    if (!value.document) {
        return (struct json_walk){0};
    }
    return (struct json_walk){
        .document = value.document, .next = value.at, .end = behind(value.document, value.at)};
}

bool json_sweep_object(struct json_walk *walk, struct json_value *ret_object)
{
    while (walk->next < walk->end) {
        struct json_value value = {.document = walk->document, .at = walk->next};
        walk->next = is_container(value) ? walk->next + 1 : behind(walk->document, walk->next);
        if (letter_of(value) == '{') {
            *ret_object = value;
            return true;
        }
    }
    return false;
}

struct json_value json_value_get(struct json_value value, const char *key)
{
    struct json_value name;
    struct json_value member;
    if (json_value_kind(value) == JSON_KIND_OBJECT) {
        struct json_walk walk = json_walk(value);
        while (json_walk_member(&walk, &name, &member)) {
            if (json_value_equals(name, key)) {
                return member;
            }
        }
    }
    return (struct json_value){0};
}
