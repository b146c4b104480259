/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client_params.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/file.h"
#include "cli/guess.h"
#include "cli/json_text.h"
#include "json/bytes.h"

enum reading {
    READ_UNKNOWN, /* JSON if it is that, else a string */
    READ_SCALAR, /* numbers, enumerators, handles: as strings, which the daemon reads as they are typed */
    READ_STRING,
    READ_BYTES,
    READ_JSON,
};

static const char *after_prefix(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static const char *text_of(struct json_value object, const char *key)
{
    struct json_value value = json_value_get(object, key);
    return json_value_kind(value) == JSON_KIND_STRING ? json_value_string(value, NULL) : "";
}

/* By the words of cordon.describe. */
static enum reading reading_of(struct json_value parameter)
{
    const char *type = text_of(parameter, "type");
    if (*type == '\0') {
        return READ_UNKNOWN;
    }
    if (strcmp(type, "string") == 0) {
        return READ_STRING;
    }
    if (strcmp(type, "bytes") == 0 || strcmp(type, "characters") == 0) {
        return READ_BYTES;
    }
    return after_prefix(type, "array") || after_prefix(type, "struct") ? READ_JSON : READ_SCALAR;
}

/* ---- Values ------------------------------------------------------------------------------------ */

static int put_json(const char *text, size_t length, struct json_out *out, struct message *why)
{
    struct document document = {0};
    struct json_value value;
    int r = json_text_parse(&document, text, length, &value, why);
    if (r == 0) {
        json_out_value(out, value);
    }
    document_deinit(&document);
    return r;
}

static int put_file(const char *path, enum reading reading, struct json_out *out,
                    struct message *why)
{
    void *bytes;
    size_t length;
    int r = file_read(path, LIMIT_FRAME_BYTES, &bytes, &length, why);
    if (r != 0) {
        return r;
    }
    if (reading == READ_JSON) {
        r = put_json(bytes, length, out, why);
    } else {
        json_out_bytes(out, bytes, length);
    }
    free(bytes);
    return r;
}

/* The daemon decodes it: {"hex":"..."}. */
static void put_coded(const char *coding, const char *text, struct json_out *out)
{
    json_out_object(out);
    json_out_key(out, coding);
    json_out_sentence(out, text);
    json_out_object_end(out);
}

static int put_string(const char *text, struct json_out *out, struct message *why)
{
    size_t length = strlen(text);
    if (!bytes_are_utf8(text, length)) {
        return message_set(why, -EINVAL, "it is no UTF-8");
    }
    json_out_text_bytes(out, text, length);
    return 0;
}

static int put_bytes(const char *text, struct json_out *out, struct message *why)
{
    const char *rest;
    if (*text == '@') {
        return put_file(text + 1, READ_BYTES, out, why);
    }
    if ((rest = after_prefix(text, "hex:"))) {
        put_coded("hex", rest, out);
    } else if ((rest = after_prefix(text, "base64:"))) {
        put_coded("base64", rest, out);
    } else {
        rest = after_prefix(text, "text:");
        json_out_text_bytes(out, rest ? rest : text, strlen(rest ? rest : text));
    }
    return 0;
}

static int put_unknown(const char *text, struct json_out *out, struct message *why)
{
    struct json_mark mark = json_out_mark(out);
    if (put_json(text, strlen(text), out, why) == 0) {
        return 0;
    }
    json_out_rewind(out, mark);
    return put_string(text, out, why);
}

static int put_value(enum reading reading, const char *text, struct json_out *out,
                     struct message *why)
{
    const char *rest;
    if (strcmp(text, "null") == 0) {
        json_out_null(out);
        return 0;
    }
    if ((rest = after_prefix(text, "json:"))) {
        return put_json(rest, strlen(rest), out, why);
    }
    switch (reading) {
    case READ_BYTES:
        return put_bytes(text, out, why);
    case READ_JSON:
        return *text == '@' ? put_file(text + 1, reading, out, why)
                            : put_json(text, strlen(text), out, why);
    case READ_UNKNOWN:
        return put_unknown(text, out, why);
    default:
        rest = reading == READ_STRING ? after_prefix(text, "text:") : NULL;
        return put_string(rest ? rest : text, out, why);
    }
}

/* ---- Names ------------------------------------------------------------------------------------- */

/* Length of the name in "name=value" or "name:=JSON"; 0: it is neither. */
static size_t name_length(const char *text)
{
    size_t length = 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_') {
        length++;
    }
    bool named = text[length] == '=' || (text[length] == ':' && text[length + 1] == '=');
    return named && !isdigit((unsigned char)*text) ? length : 0;
}

/* The parameter called so; NONE, with a sentence, if there is none. */
static struct json_value find_parameter(struct json_value method, const char *name,
                                        struct message *why)
{
    struct json_walk walk = json_walk(json_value_get(method, "parameters"));
    struct json_value parameter;
    struct guess guess = guess_start(name, strlen(name));
    (void)message_set(why, 0, "no parameter '%s'", name);
    while (json_walk_next(&walk, &parameter)) {
        if (strcmp(text_of(parameter, "name"), name) == 0) {
            return parameter;
        }
        guess_consider(&guess, text_of(parameter, "name"));
    }
    if (guess_found(&guess)) {
        message_add(why, "; did you mean '%s'?", guess_found(&guess));
    }
    return (struct json_value){0};
}

static int put_named(struct json_value method, const char *text, size_t length,
                     struct json_out *out, struct message *why)
{
    char *name = strndup(text, length);
    enum reading reading = READ_UNKNOWN;
    int r = name ? 0 : message_set(why, -ENOMEM, "not enough memory");
    if (r == 0 && json_value_given(method)) {
        struct json_value parameter = find_parameter(method, name, why);
        r = json_value_given(parameter) ? 0 : -EINVAL;
        reading = reading_of(parameter);
    }
    if (r == 0) {
        struct message inner;
        json_out_key(out, name);
        r = text[length] == ':'
                ? put_json(text + length + 2, strlen(text + length + 2), out, &inner)
                : put_value(reading, text + length + 1, out, &inner);
        r = r != 0 ? message_set(why, r, "%s: %s", name, inner.text) : 0;
    }
    free(name);
    return r;
}

static bool is_twice(const char *const *texts, size_t at, size_t length)
{
    for (size_t i = 0; i < at; i++) {
        if (name_length(texts[i]) == length && strncmp(texts[i], texts[at], length) == 0) {
            return true;
        }
    }
    return false;
}

static int write_named(struct json_value method, const char *const *texts, size_t count,
                       struct json_out *out, struct message *why)
{
    json_out_object(out);
    for (size_t i = 0; i < count; i++) {
        size_t length = name_length(texts[i]);
        if (length == 0) {
            return message_set(why, -EINVAL,
                               "'%s' has no name, others have: give all as name=value, or none",
                               texts[i]);
        }
        if (is_twice(texts, i, length)) {
            return message_set(why, -EINVAL, "'%.*s' is given twice", (int)length, texts[i]);
        }
        int r = put_named(method, texts[i], length, out, why);
        if (r != 0) {
            return r;
        }
    }
    json_out_object_end(out);
    return 0;
}

static int write_by_position(struct json_value method, const char *const *texts, size_t count,
                             struct json_out *out, struct message *why)
{
    struct json_walk walk = json_walk(json_value_get(method, "parameters"));
    struct json_value parameter = {0};
    json_out_array(out);
    for (size_t i = 0; i < count; i++) {
        struct message inner;
        enum reading reading =
            json_walk_next(&walk, &parameter) ? reading_of(parameter) : READ_UNKNOWN;
        int r = put_value(reading, texts[i], out, &inner);
        if (r != 0) {
            return message_set(why, r, "argument %zu: %s", i + 1, inner.text);
        }
    }
    json_out_array_end(out);
    return 0;
}

/* Names count as such if the method has them; a value may hold '=' as well. */
static bool are_named(struct json_value method, const char *const *texts, size_t count)
{
    if (!json_value_given(method)) {
        return count > 0 && name_length(texts[0]) > 0;
    }
    for (size_t i = 0; i < count; i++) {
        char name[LIMIT_NAME_BYTES + 1];
        struct message why;
        size_t length = name_length(texts[i]);
        if (length == 0 || length >= sizeof name) {
            continue;
        }
        memcpy(name, texts[i], length);
        name[length] = '\0';
        if (json_value_given(find_parameter(method, name, &why)) || i == 0) {
            return true;
        }
    }
    return false;
}

int client_params_write(struct json_value method, const char *const *texts, size_t count,
                        struct json_out *out, struct message *why)
{
    return are_named(method, texts, count) ? write_named(method, texts, count, out, why)
                                           : write_by_position(method, texts, count, out, why);
}

int client_params_write_json(const char *text, struct json_out *out, struct message *why)
{
    struct document document = {0};
    struct json_value value;
    int r = json_text_parse(&document, text, strlen(text), &value, why);
    enum json_kind kind = r == 0 ? json_value_kind(value) : JSON_KIND_NONE;
    if (r == 0 && kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY) {
        r = message_set(why, -EINVAL, "params are an object or an array, not %s",
                        json_value_kind_text(value));
    }
    if (r == 0) {
        json_out_value(out, value);
    }
    document_deinit(&document);
    return r;
}
