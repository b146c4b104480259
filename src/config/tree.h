/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

/*
 * Tree: a YAML document as nodes that know their places. Read from libyaml's events; bounded by CONFIG_NODES_MAX
 * and CONFIG_NESTING_MAX, without anchors, aliases and tags: nothing in it is larger than it is written.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/findings.h"

#define TREE_MEMBERS_MAX 1024u /* of one mapping */

enum tree_kind {
    TREE_SCALAR = 0,
    TREE_LIST,
    TREE_MAPPING,
};

struct tree_node {
    enum tree_kind kind;
    bool quoted; /* a scalar in quotes, or a block of text: never a number, a word or nothing */
    uint32_t line;
    uint32_t column;
    char *text;    /* of a scalar; UTF-8, no NUL inside */
    size_t length; /* of it */
    char *key;     /* of a mapping's member; NULL for others */
    uint32_t key_line;
    uint32_t key_column;
    struct tree_node *first; /* elements, or members */
    struct tree_node *last;
    struct tree_node *next;
    size_t count;
};

/*
 * Read @text, which findings call @file. What is wrong with it as YAML, keys that come twice, anchors, aliases and
 * tags are findings.
 *
 * Returns 0 with a tree, findings or not; -EINVAL: it cannot be read on, told by a finding; -ENOMEM.
 */
int tree_read(const char *file, const char *text, size_t length, struct tree_node **ret_root,
              struct findings *findings);

/* NULL is fine. */
void tree_free(struct tree_node *node);

/* The member called @key; NULL: there is none, or @node is NULL or no mapping. */
const struct tree_node *tree_get(const struct tree_node *node, const char *key);

/* Element @index; NULL as above. */
const struct tree_node *tree_at(const struct tree_node *node, size_t index);

/*
 * What @field ("cells[1].methods[0].result") names, or the nearest thing around it that is there. Never NULL.
 * @ret_found (may be NULL): whether all of it was.
 */
const struct tree_node *tree_find(const struct tree_node *root, const char *field, bool *ret_found);

/* Where @node begins to be of interest: a list or mapping with a name at its name. */
void tree_place(const struct tree_node *node, uint32_t *ret_line, uint32_t *ret_column);

/* A scalar that says nothing: `key:`, `~`, `null`. */
bool tree_is_nothing(const struct tree_node *node);

#endif
