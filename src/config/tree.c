/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/config.h"
#include "json/bytes.h"

struct reader {
    const char *file;
    const char *text;
    size_t length;
    struct findings *findings;
    yaml_parser_t parser;
    size_t nodes;
};

static void say(struct reader *reader, yaml_mark_t mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct reader *reader, yaml_mark_t mark, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    findings_add_v(reader->findings, FINDING_ERROR, reader->file, (uint32_t)mark.line + 1,
                   (uint32_t)mark.column + 1, "", format, args);
    va_end(args);
}

/* Line and column, from 0, of a byte. */
static yaml_mark_t mark_of(const struct reader *reader, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < reader->length; i++) {
        unsigned char c = (unsigned char)reader->text[i];
        mark.line += c == '\n';
        mark.column = c == '\n' ? 0 : mark.column + ((c & 0xc0) != 0x80);
    }
    return mark;
}

/* ---- What is no YAML --------------------------------------------------------------------------- */

static int refuse_bytes(struct reader *reader)
{
    for (size_t i = 0; i < reader->length;) {
        size_t bytes = bytes_utf8_sequence(reader->text + i, reader->length - i);
        if (bytes == 0) {
            say(reader, mark_of(reader, i), "this is no UTF-8");
            return -EINVAL;
        }
        if (reader->text[i] == '\0') {
            say(reader, mark_of(reader, i), "there is a NUL byte here: this is no text");
            return -EINVAL;
        }
        i += bytes;
    }
    return 0;
}

static int refuse_yaml(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) {
        return -ENOMEM;
    }
    yaml_mark_t mark = parser->error == YAML_READER_ERROR ? mark_of(reader, parser->problem_offset)
                                                          : parser->problem_mark;
    const char *problem = parser->problem ? parser->problem : "it is malformed";
    if (mark.index < reader->length && reader->text[mark.index] == '\t' &&
        parser->error == YAML_SCANNER_ERROR) {
        say(reader, mark, "there is a tab here: YAML is indented by spaces");
    } else {
        say(reader, mark, "this is no YAML: %s", problem);
    }
    return -EINVAL;
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    return yaml_parser_parse(&reader->parser, event) ? 0 : refuse_yaml(reader);
}

/* ---- Nodes ------------------------------------------------------------------------------------- */

static int read_node(struct reader *reader, yaml_event_t *event, unsigned depth,
                     struct tree_node **ret_node);

static void append(struct tree_node *parent, struct tree_node *node)
{
    if (parent->last) {
        parent->last->next = node;
    } else {
        parent->first = node;
    }
    parent->last = node;
    parent->count++;
}

static int read_list(struct reader *reader, struct tree_node *list, unsigned depth)
{
    for (;;) {
        yaml_event_t event;
        struct tree_node *element;
        int r = next_event(reader, &event);
        if (r != 0) {
            return r;
        }
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return 0;
        }
        r = read_node(reader, &event, depth, &element);
        if (r != 0) {
            return r;
        }
        append(list, element);
    }
}

/* The member's value goes to @mapping, unless its key is there already. Takes @key and @value. */
static int add_member(struct reader *reader, struct tree_node *mapping, struct tree_node *key,
                      struct tree_node *value)
{
    yaml_mark_t mark = {.line = key->line - 1, .column = key->column - 1};
    const struct tree_node *other = key->kind == TREE_SCALAR ? tree_get(mapping, key->text) : NULL;
    int r = 0;
    if (key->kind != TREE_SCALAR) {
        say(reader, mark, "a key has to be a name, not a list or a mapping");
    } else if (other) {
        findings_add(reader->findings, FINDING_ERROR, reader->file, key->line, key->column,
                     key->text, "this key stands in line %u already; one of them has to go",
                     other->key_line);
    } else if (mapping->count >= TREE_MEMBERS_MAX) {
        say(reader, mark, "there are too many keys in this mapping (1024 at most)");
        r = -EINVAL;
    } else {
        value->key = key->text;
        value->key_line = key->line;
        value->key_column = key->column;
        key->text = NULL;
        append(mapping, value);
        value = NULL;
    }
    tree_free(key);
    tree_free(value);
    return r;
}

static int read_mapping(struct reader *reader, struct tree_node *mapping, unsigned depth)
{
    for (;;) {
        yaml_event_t event;
        struct tree_node *key;
        struct tree_node *value;
        int r = next_event(reader, &event);
        if (r != 0) {
            return r;
        }
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return 0;
        }
        r = read_node(reader, &event, depth, &key);
        if (r != 0) {
            return r;
        }
        r = next_event(reader, &event);
        r = r == 0 ? read_node(reader, &event, depth, &value) : r;
        if (r != 0) {
            tree_free(key);
            return r;
        }
        r = add_member(reader, mapping, key, value);
        if (r != 0) {
            return r;
        }
    }
}

static void refuse_extras(struct reader *reader, const yaml_event_t *event, const char *anchor,
                          const char *tag)
{
    if (anchor) {
        say(reader, event->start_mark,
            "anchors (&%s) are not supported: write the value where it is needed", anchor);
    }
    if (tag) {
        say(reader, event->start_mark,
            "tags (%s) are not supported: quote the value if it is a text", tag);
    }
}

/* What libyaml takes as a line's end, or not at all, where it is not escaped. */
static bool is_odd(uint32_t c)
{
    return (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe ||
           c == 0xffff;
}

/* Returns whether there are any. */
static bool refuse_characters(struct reader *reader, const yaml_event_t *event, const char *text)
{
    for (size_t bytes; *text; text += bytes) {
        const unsigned char *at = (const unsigned char *)text;
        bytes = bytes_utf8_sequence(text, strlen(text) < 4 ? strlen(text) : 4);
        uint32_t c = bytes == 2   ? (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu)
                     : bytes == 3 ? (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu)
                                  : at[0];
        if (bytes == 4) {
            c = 0x10000;
        }
        if (bytes == 0 || is_odd(c)) {
            say(reader, event->start_mark, "there is a control character in this text: U+%04X", c);
            return true;
        }
    }
    return false;
}

static int fill_scalar(struct reader *reader, struct tree_node *node, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    refuse_extras(reader, event, (const char *)event->data.scalar.anchor,
                  (const char *)event->data.scalar.tag);
    node->length = event->data.scalar.length;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (memchr(value, '\0', node->length)) { /* "\0" */
        say(reader, event->start_mark, "there is a NUL in this text");
        node->length = strlen(value);
    }
    node->length = refuse_characters(reader, event, value) ? 0 : node->length;
    node->text = strndup(value, node->length);
    return node->text ? 0 : -ENOMEM;
}

static int fill(struct reader *reader, struct tree_node *node, const yaml_event_t *event,
                unsigned depth)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return fill_scalar(reader, node, event);
    case YAML_SEQUENCE_START_EVENT:
        node->kind = TREE_LIST;
        refuse_extras(reader, event, (const char *)event->data.sequence_start.anchor,
                      (const char *)event->data.sequence_start.tag);
        return read_list(reader, node, depth + 1);
    case YAML_MAPPING_START_EVENT:
        node->kind = TREE_MAPPING;
        refuse_extras(reader, event, (const char *)event->data.mapping_start.anchor,
                      (const char *)event->data.mapping_start.tag);
        return read_mapping(reader, node, depth + 1);
    default: /* an alias */
        say(reader, event->start_mark,
            "aliases (*%s) are not supported: write the value where it is needed",
            (const char *)event->data.alias.anchor);
        node->text = strdup("");
        return node->text ? 0 : -ENOMEM;
    }
}

static int read_node(struct reader *reader, yaml_event_t *event, unsigned depth,
                     struct tree_node **ret_node)
{
    struct tree_node *node = NULL;
    int r = 0;
    if (depth >= CONFIG_NESTING_MAX) {
        say(reader, event->start_mark, "this is nested too deeply (32 at most)");
        r = -EINVAL;
    } else if (reader->nodes++ >= CONFIG_NODES_MAX) {
        say(reader, event->start_mark, "there are too many values (65536 at most)");
        r = -EINVAL;
    } else {
        node = calloc(1, sizeof *node);
        r = node ? 0 : -ENOMEM;
    }
    if (r == 0) {
        node->line = (uint32_t)event->start_mark.line + 1;
        node->column = (uint32_t)event->start_mark.column + 1;
        r = fill(reader, node, event, depth);
    }
    yaml_event_delete(event);
    if (r != 0) {
        tree_free(node);
        return r;
    }
    *ret_node = node;
    return 0;
}

/* ---- The document ------------------------------------------------------------------------------ */

/* Skips the stream's and the document's beginning. */
static int read_document(struct reader *reader, struct tree_node **ret_root)
{
    yaml_event_t event;
    struct tree_node *root = NULL;
    int r = next_event(reader, &event);
    while (r == 0 && !root) {
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_START_EVENT:
            yaml_event_delete(&event);
            r = next_event(reader, &event);
            break;
        case YAML_STREAM_END_EVENT:
            say(reader, event.start_mark, "the file is empty: it needs 'cells' at least");
            yaml_event_delete(&event);
            return -EINVAL;
        default:
            r = read_node(reader, &event, 0, &root);
            break;
        }
    }
    if (r != 0) {
        return r;
    }
    r = next_event(reader, &event); /* the document's end */
    if (r == 0) {
        yaml_event_delete(&event);
        r = next_event(reader, &event);
    }
    if (r == 0) {
        if (event.type != YAML_STREAM_END_EVENT) {
            say(reader, event.start_mark, "a second document begins here: there may be one");
        }
        yaml_event_delete(&event);
        *ret_root = root;
        return 0;
    }
    tree_free(root);
    return r;
}

int tree_read(const char *file, const char *text, size_t length, struct tree_node **ret_root,
              struct findings *findings)
{
    struct reader reader = {.file = file, .text = text, .length = length, .findings = findings};
    int r = refuse_bytes(&reader);
    if (r != 0) {
        return r;
    }
    if (!yaml_parser_initialize(&reader.parser)) {
        return -ENOMEM;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    r = read_document(&reader, ret_root);
    yaml_parser_delete(&reader.parser);
    return r;
}

void tree_free(struct tree_node *node)
{
    if (!node) {
        return;
    }
    for (struct tree_node *child = node->first; child;) {
        struct tree_node *next = child->next;
        tree_free(child);
        child = next;
    }
    free(node->text);
    free(node->key);
    free(node);
}

/* ---- Looking ----------------------------------------------------------------------------------- */

static const struct tree_node *get(const struct tree_node *node, const char *key, size_t length)
{
    if (!node || node->kind != TREE_MAPPING) {
        return NULL;
    }
    for (const struct tree_node *member = node->first; member; member = member->next) {
        if (strncmp(member->key, key, length) == 0 && member->key[length] == '\0') {
            return member;
        }
    }
    return NULL;
}

const struct tree_node *tree_get(const struct tree_node *node, const char *key)
{
    return get(node, key, strlen(key));
}

const struct tree_node *tree_at(const struct tree_node *node, size_t index)
{
    const struct tree_node *element = node && node->kind == TREE_LIST ? node->first : NULL;
    while (element && index > 0) {
        element = element->next;
        index--;
    }
    return element;
}

const struct tree_node *tree_find(const struct tree_node *root, const char *field, bool *ret_found)
{
    const struct tree_node *node = root;
    while (*field) {
        const struct tree_node *inner;
        size_t length = strcspn(field, ".[");
        if (*field == '[') {
            inner = tree_at(node, strtoul(field + 1, NULL, 10));
            length = strcspn(field, "]") + 1;
        } else {
            inner = get(node, field, length);
        }
        if (!inner) {
            break;
        }
        node = inner;
        field += length;
        field += *field == '.';
    }
    if (ret_found) {
        *ret_found = *field == '\0';
    }
    return node;
}

void tree_place(const struct tree_node *node, uint32_t *ret_line, uint32_t *ret_column)
{
    bool named = node->key && node->kind != TREE_SCALAR;
    *ret_line = named ? node->key_line : node->line;
    *ret_column = named ? node->key_column : node->column;
}

bool tree_is_nothing(const struct tree_node *node)
{
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};
    bool found = false;
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        found = found ||
                (node->kind == TREE_SCALAR && !node->quoted && strcmp(node->text, nothing[i]) == 0);
    }
    return found;
}
