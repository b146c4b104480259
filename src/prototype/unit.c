/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/unit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"

#define LINE_SHOWN    120u /* bytes of a source line in an error */
#define NEAR_NAME_MAX 63u  /* longer names are not compared */

struct place {
    uint32_t line;
    uint32_t column;
    uint32_t line_at;
    uint32_t line_length;
};

static struct place place_find(const struct unit *unit, uint32_t at)
{
    struct place place = {.line = 1};
    for (uint32_t i = 0; i < at && i < unit->length; i++) {
        if (unit->text[i] == '\n') {
            place.line++;
            place.line_at = i + 1;
        }
    }
    place.column = at - place.line_at + 1;
    const char *line = unit->text + place.line_at;
    const char *end = memchr(line, '\n', unit->length - place.line_at);
    place.line_length = end ? (uint32_t)(end - line) : unit->length - place.line_at;
    return place;
}

/* The source line, or of a long one the part around the place, and the caret. */
static void place_show(const struct unit *unit, const struct place *place)
{
    uint32_t from = place->column > LINE_SHOWN - 20 ? place->column - (LINE_SHOWN - 20) : 0;
    uint32_t to = place->line_length - from > LINE_SHOWN ? from + LINE_SHOWN : place->line_length;
    char line[LINE_SHOWN + 1];
    char caret[LINE_SHOWN + 1];
    uint32_t length = 0;
    for (uint32_t i = from; i < to; i++, length++) {
        unsigned char c = (unsigned char)unit->text[place->line_at + i];
        line[length] = c == '\t' || (c >= 0x20 && c < 0x7f) ? (char)c : '?';
    }
    line[length] = '\0';
    uint32_t indent = place->column - 1 - from;
    for (uint32_t i = 0; i < indent; i++) {
        caret[i] = i < length && line[i] == '\t' ? '\t' : ' ';
    }
    caret[indent] = '\0';
    message_add(unit->why, "\n%s\n%s^", line, caret);
}

int unit_refuse(struct unit *unit, uint32_t at, int error, const char *format, ...)
{
    if (unit->error) {
        return unit->error;
    }
    unit->error = error;
    if (!unit->why) {
        return error;
    }
    char sentence[640];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (unit->tolerant) {
        unit->error_at = at;
        return message_set(unit->why, error, "%s", sentence);
    }
    struct place place = place_find(unit, at);
    (void)message_set(unit->why, error, "%.100s:%u:%u: %s", unit->name, place.line, place.column,
                      sentence);
    place_show(unit, &place);
    return error;
}

bool unit_forgive(struct unit *unit, const char *name)
{
    if (!unit->tolerant || !unit->error || unit->error == -ENOMEM) {
        return false;
    }
    const struct interface_skip skip = {.name = name,
                                        .at = unit->error_at,
                                        .error = unit->error,
                                        .reason = unit->why ? unit->why->text : ""};
    if (unit->skipped) {
        unit->skipped(unit->skipped_context, &skip);
    }
    unit->error = 0;
    unit->depth = 0;
    return true;
}

void *unit_take(struct unit *unit, size_t bytes)
{
    void *taken = unit->error ? NULL : pool_take(unit->pool, bytes);
    if (!taken) {
        (void)unit_refuse(unit, 0, -ENOMEM, "not enough memory");
    }
    return taken;
}

bool unit_enter(struct unit *unit)
{
    if (unit->error) {
        return false;
    }
    if (unit->depth >= LIMIT_PROTOTYPE_DEPTH) {
        (void)unit_refuse(unit, unit_here(unit), -E2BIG,
                          "nested deeper than LIMIT_PROTOTYPE_DEPTH (%u)", LIMIT_PROTOTYPE_DEPTH);
        return false;
    }
    unit->depth++;
    return true;
}

void unit_leave(struct unit *unit)
{
    unit->depth--;
}

const struct token *unit_peek(const struct unit *unit, uint32_t ahead)
{
    uint32_t last = unit->token_count - 1;
    return &unit->tokens[ahead > last - unit->cursor ? last : unit->cursor + ahead];
}

bool token_is(const struct unit *unit, const struct token *token, const char *word)
{
    return token->kind == TOKEN_NAME && strlen(word) == token->length &&
           memcmp(unit->text + token->at, word, token->length) == 0;
}

bool unit_at(const struct unit *unit, int kind)
{
    return unit->tokens[unit->cursor].kind == kind;
}

bool unit_at_word(const struct unit *unit, const char *word)
{
    return token_is(unit, &unit->tokens[unit->cursor], word);
}

static void unit_step(struct unit *unit)
{
    if (unit->cursor + 1 < unit->token_count) {
        unit->cursor++;
    }
}

bool unit_accept(struct unit *unit, int kind)
{
    if (unit->error || !unit_at(unit, kind)) {
        return false;
    }
    unit_step(unit);
    return true;
}

bool unit_accept_word(struct unit *unit, const char *word)
{
    if (unit->error || !unit_at_word(unit, word)) {
        return false;
    }
    unit_step(unit);
    return true;
}

bool unit_expect(struct unit *unit, int kind, const char *what)
{
    if (unit_accept(unit, kind)) {
        return true;
    }
    const struct token *token = unit_peek(unit, 0);
    if (token->kind == TOKEN_END) {
        (void)unit_refuse(unit, token->at, -EINVAL, "expected %s, but the text ends", what);
    } else {
        (void)unit_refuse(unit, token->at, -EINVAL, "expected %s, not '%.*s'", what,
                          token->length > 40 ? 40 : (int)token->length, unit->text + token->at);
    }
    return false;
}

uint32_t unit_here(const struct unit *unit)
{
    return unit->tokens[unit->cursor].at;
}

const char *unit_text(struct unit *unit, const struct token *token)
{
    uint32_t quotes = token->kind == TOKEN_STRING ? 1 : 0;
    char *text = pool_text(unit->pool, unit->text + token->at + quotes, token->length - 2 * quotes);
    if (!text) {
        (void)unit_refuse(unit, 0, -ENOMEM, "not enough memory");
    }
    return text;
}

static uint32_t name_hash(enum name_space space, const char *name)
{
    uint32_t hash = 2166136261u ^ (uint32_t)space;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

/* The entry of a name, or the free one where it would stand. */
static struct name_entry *name_slot(struct name_entry *names, uint32_t room, enum name_space space,
                                    const char *name, uint32_t hash)
{
    uint32_t i = hash & (room - 1);
    while (names[i].text && (names[i].hash != hash || names[i].space != (uint32_t)space ||
                             strcmp(names[i].text, name) != 0)) {
        i = (i + 1) & (room - 1);
    }
    return &names[i];
}

void *unit_lookup(const struct unit *unit, enum name_space space, const char *name)
{
    if (unit->name_room == 0) {
        return NULL;
    }
    return name_slot(unit->names, unit->name_room, space, name, name_hash(space, name))->meaning;
}

static bool names_grow(struct unit *unit)
{
    uint32_t room = unit->name_room ? unit->name_room * 2 : 256;
    struct name_entry *names = unit_take(unit, room * sizeof *names);
    if (!names) {
        return false;
    }
    for (uint32_t i = 0; i < unit->name_room; i++) {
        const struct name_entry *old = &unit->names[i];
        if (old->text) {
            *name_slot(names, room, (enum name_space)old->space, old->text, old->hash) = *old;
        }
    }
    unit->names = names;
    unit->name_room = room;
    return true;
}

bool unit_declare(struct unit *unit, enum name_space space, const char *name, void *meaning)
{
    if (unit->name_count >= unit->name_room / 2 && !names_grow(unit)) {
        return false;
    }
    uint32_t hash = name_hash(space, name);
    struct name_entry *entry = name_slot(unit->names, unit->name_room, space, name, hash);
    if (!entry->text) {
        unit->name_count++;
    }
    *entry = (struct name_entry){
        .text = name, .meaning = meaning, .hash = hash, .space = (uint32_t)space};
    return true;
}

static uint32_t min_of(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Edits between two short names; a swap of neighbours is one edit. */
static uint32_t edit_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    uint32_t rows[3][NEAR_NAME_MAX + 1];
    for (uint32_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (uint32_t i = 1; i <= a_length; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b_length; j++) {
            uint32_t change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = min_of(min_of(above[j], row[j - 1]) + 1, change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = min_of(row[j], rows[(i + 1) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

struct near near_start(const char *wanted, uint32_t distance)
{
    return (struct near){.wanted = wanted, .distance = distance + 1};
}

void near_consider(struct near *near, const char *candidate)
{
    size_t wanted = strlen(near->wanted);
    size_t length = strlen(candidate);
    if (wanted > NEAR_NAME_MAX || length > NEAR_NAME_MAX || length < 2 ||
        (wanted > length ? wanted - length : length - wanted) >= near->distance) {
        return;
    }
    uint32_t distance = edit_distance(near->wanted, candidate);
    if (distance < near->distance && distance < wanted) {
        near->distance = distance;
        near->best = candidate;
    }
}

const char *near_hint(struct unit *unit, const struct near *near)
{
    char hint[NEAR_NAME_MAX + 32] = "";
    if (near->best) {
        (void)snprintf(hint, sizeof hint, "; did you mean '%s'?", near->best);
    }
    const char *kept = pool_text(unit->pool, hint, strlen(hint));
    return kept ? kept : "";
}

const char *unit_near(struct unit *unit, enum name_space space, const char *wanted)
{
    struct near near = near_start(wanted, 2);
    for (uint32_t i = 0; i < unit->name_room && !unit->tolerant; i++) {
        if (unit->names[i].text && unit->names[i].space == (uint32_t)space) {
            near_consider(&near, unit->names[i].text);
        }
    }
    return near_hint(unit, &near);
}
