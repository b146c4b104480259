/* SPDX-License-Identifier: Apache-2.0 */
#include "config/judge.h"

#include <stdio.h>
#include <string.h>

#include "config/value.h"

struct judge {
    const char *file;
    struct findings *findings;
    struct json_out *out;
    char field[CONFIG_FIELD_BYTES]; /* where we are */
};

/* ---- Fields and findings ----------------------------------------------------------------------- */

/* Go into a member, or, with @key NULL, into element @index. Returns what to go back to. */
static size_t enter(struct judge *judge, const char *key, size_t index)
{
    size_t before = strlen(judge->field);
    size_t room = sizeof judge->field - before;
    if (key) {
        (void)snprintf(judge->field + before, room, "%s%s", before > 0 ? "." : "", key);
    } else {
        (void)snprintf(judge->field + before, room, "[%zu]", index);
    }
    return before;
}

static void leave(struct judge *judge, size_t before)
{
    judge->field[before] = '\0';
}

static void refuse(struct judge *judge, const struct tree_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void refuse(struct judge *judge, const struct tree_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    findings_add_v(judge->findings, FINDING_ERROR, judge->file, node->line, node->column,
                   judge->field, format, args);
    va_end(args);
}

/* ---- Single values ----------------------------------------------------------------------------- */

/* Returns whether it is one that fits. */
static bool check_text(struct judge *judge, const struct config_key *key,
                       const struct tree_node *node)
{
    if (node->kind != TREE_SCALAR || tree_is_nothing(node)) {
        refuse(judge, node, "this is %s, it has to be a text", value_kind_text(node));
        return false;
    }
    bool is_blank = strspn(node->text, " \t\r\n") == node->length;
    if (node->length < key->least || (is_blank && key->least > 0)) {
        refuse(judge, node, "this is empty; leave the key out for its default");
        return false;
    }
    if (node->length > key->most) {
        refuse(judge, node, "this has %zu bytes, at most %llu are possible", node->length,
               (unsigned long long)key->most);
        return false;
    }
    return true;
}

/* An absent text is an absent member: libcyaml leaves NULL. */
static void judge_text(struct judge *judge, const struct config_key *key,
                       const struct tree_node *node)
{
    if (node && check_text(judge, key, node)) {
        json_out_key(judge->out, key->name);
        json_out_string(judge->out, node->text);
    }
}

static void judge_number(struct judge *judge, const struct config_key *key,
                         const struct tree_node *node)
{
    struct message why;
    uint64_t number = key->initial;
    if (node && value_number(key, node, &number, &why) != 0) {
        refuse(judge, node, "%s", why.text);
        number = key->initial;
    }
    json_out_key(judge->out, key->name);
    json_out_uint(judge->out, number);
}

static void judge_json(struct judge *judge, const struct config_key *key,
                       const struct tree_node *node)
{
    struct json_out inner = {0};
    if (!node) {
        return;
    }
    if (node->kind != TREE_MAPPING) {
        refuse(judge, node, "this is %s, it has to be a mapping: parameters by name",
               value_kind_text(node));
        return;
    }
    value_to_json(node, &inner);
    if (json_out_text(&inner)) {
        json_out_key(judge->out, key->name);
        json_out_string(judge->out, json_out_text(&inner));
    } else {
        judge->out->failed = true;
    }
    json_out_deinit(&inner);
}

/* ---- Lists and parts --------------------------------------------------------------------------- */

static void judge_part(struct judge *judge, const struct config_key *keys,
                       const struct tree_node *node);

/* Whether @node is a list that fits. */
static bool check_list(struct judge *judge, const struct config_key *key,
                       const struct tree_node *node)
{
    if (node->kind != TREE_LIST) {
        refuse(judge, node, "this is %s, it has to be a list (its elements begin with '- ')",
               value_kind_text(node));
        return false;
    }
    if (node->count < key->least) {
        refuse(judge, node, "this list is empty");
        return false;
    }
    if (node->count > key->most) {
        refuse(judge, node, "this list has %zu elements, at most %llu are possible", node->count,
               (unsigned long long)key->most);
        return false;
    }
    return true;
}

static void judge_texts(struct judge *judge, const struct config_key *key,
                        const struct tree_node *node)
{
    static const struct config_key any = {.least = 1, .most = LIMIT_GRANT_TEXT_BYTES};
    size_t index = 0;
    json_out_key(judge->out, key->name);
    json_out_array(judge->out);
    if (node && check_list(judge, key, node)) {
        for (const struct tree_node *element = node->first; element; element = element->next) {
            size_t before = enter(judge, NULL, index++);
            bool fits = check_text(judge, &any, element);
            json_out_string(judge->out,
                            fits ? element->text : ""); /* the others keep their index */
            leave(judge, before);
        }
    }
    json_out_array_end(judge->out);
}

static void judge_parts(struct judge *judge, const struct config_key *key,
                        const struct tree_node *node)
{
    size_t index = 0;
    json_out_key(judge->out, key->name);
    json_out_array(judge->out);
    if (node && check_list(judge, key, node)) {
        for (const struct tree_node *element = node->first; element; element = element->next) {
            size_t before = enter(judge, NULL, index++);
            judge_part(judge, key->part, element);
            leave(judge, before);
        }
    }
    json_out_array_end(judge->out);
}

static void judge_key(struct judge *judge, const struct config_key *key,
                      const struct tree_node *node)
{
    switch (key->kind) {
    case KEY_KIND_TEXT:
        judge_text(judge, key, node);
        break;
    case KEY_KIND_TEXTS:
        judge_texts(judge, key, node);
        break;
    case KEY_KIND_COUNT:
    case KEY_KIND_BYTES:
    case KEY_KIND_MS:
    case KEY_KIND_WORD:
        judge_number(judge, key, node);
        break;
    case KEY_KIND_JSON:
        judge_json(judge, key, node);
        break;
    case KEY_KIND_PART:
        json_out_key(judge->out, key->name);
        judge_part(judge, key->part, node);
        break;
    case KEY_KIND_PARTS:
        judge_parts(judge, key, node);
        break;
    }
}

static void refuse_unknown(struct judge *judge, const struct config_key *keys,
                           const struct tree_node *member)
{
    struct value_guess guess = value_guess_start(member->key);
    struct message list = {.text = ""};
    for (const struct config_key *key = keys; key->name; key++) {
        value_guess_consider(&guess, key->name);
        message_add(&list, "%s%s", key == keys ? "" : ", ", key->name);
    }
    const char *meant = value_guess_found(&guess);
    findings_add(judge->findings, FINDING_ERROR, judge->file, member->key_line, member->key_column,
                 judge->field, "there is no such key; %s%s%s", meant ? "did you mean '" : "",
                 meant ? meant : "there are ", meant ? "'?" : list.text);
}

static const struct config_key *find_key(const struct config_key *keys, const char *name)
{
    while (keys->name && strcmp(keys->name, name) != 0) {
        keys++;
    }
    return keys->name ? keys : NULL;
}

/* @node may be NULL: everything is as it is initially. */
static void judge_part(struct judge *judge, const struct config_key *keys,
                       const struct tree_node *node)
{
    if (node && node->kind != TREE_MAPPING) {
        refuse(judge, node, "this is %s, it has to be a mapping (lines of 'key: value')",
               value_kind_text(node));
        node = NULL;
    }
    json_out_object(judge->out);
    for (const struct tree_node *member = node ? node->first : NULL; member;
         member = member->next) {
        if (!find_key(keys, member->key)) {
            size_t before = enter(judge, member->key, 0);
            refuse_unknown(judge, keys, member);
            leave(judge, before);
        }
    }
    for (const struct config_key *key = keys; key->name; key++) {
        const struct tree_node *member = tree_get(node, key->name);
        size_t before = enter(judge, key->name, 0);
        if (member && tree_is_nothing(member)) {
            refuse(judge, member, "this key has no value; leave it out for its default");
            member = NULL;
        } else if (!member && node && key->flags & KEY_REQUIRED) {
            refuse(judge, node, "this key is missing");
        }
        judge_key(judge, key, member);
        leave(judge, before);
    }
    json_out_object_end(judge->out);
}

void config_judge(const struct tree_node *root, const char *file, struct json_out *ret_plain,
                  struct findings *findings)
{
    struct judge judge = {.file = file, .findings = findings, .out = ret_plain};
    judge_part(&judge, config_root_keys, root);
}
