/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/go_names.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words of the language, and what it and the generated source call by name. */
static const char *const reserved[] = {
    "any",     "append",    "bool",        "break",  "byte",    "case",    "chan",  "const",
    "context", "continue",  "cordon",      "ctx",    "default", "defer",   "else",  "err",
    "error",   "errors",    "fallthrough", "false",  "float32", "float64", "for",   "func",
    "go",      "goto",      "if",          "import", "int",     "int16",   "int32", "int64",
    "int8",    "interface", "l",           "map",    "nil",     "package", "r",     "range",
    "return",  "select",    "string",      "struct", "switch",  "true",    "type",  "uint16",
    "uint32",  "uint64",    "uint8",       "var",
};

void go_names_deinit(struct go_names *names)
{
    free(names->names);
    *names = (struct go_names){0};
}

bool go_is_reserved(const char *go)
{
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcmp(reserved[i], go) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_taken(const struct go_names *names, const char *go)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i].go, go) == 0) {
            return true;
        }
    }
    return go_is_reserved(go);
}

static struct go_name *add(struct go_names *names)
{
    struct go_name *more = reallocarray(names->names, names->count + 1, sizeof *names->names);
    if (!more) {
        return NULL;
    }
    names->names = more;
    more[names->count] = (struct go_name){0};
    return &more[names->count++];
}

int go_names_take(struct go_names *names, const char *go)
{
    struct go_name *name = add(names);
    if (!name) {
        return -ENOMEM;
    }
    snprintf(name->go, sizeof name->go, "%s", go);
    return 0;
}

/* Words begin behind what is no letter or digit; constants, all in capitals, stay as they are. */
static void spell(const char *of, bool exported, char go[GO_NAME_BYTES])
{
    size_t length = 0;
    bool begins = exported;
    for (const char *at = of; *at && length < GO_NAME_BYTES - 24; at++) {
        if (!isalnum((unsigned char)*at)) {
            begins = length > 0 || exported;
        } else if (length == 0 && isdigit((unsigned char)*at)) {
            go[length++] = exported ? 'X' : 'x';
            go[length++] = *at;
        } else {
            int letter = begins ? toupper((unsigned char)*at)
                                : (length == 0 ? tolower((unsigned char)*at) : *at);
            go[length++] = (char)letter;
            begins = false;
        }
    }
    if (length == 0) {
        go[length++] = exported ? 'X' : 'x';
    }
    go[length] = '\0';
}

static bool is_constant(const char *of)
{
    for (const char *at = of; *at; at++) {
        if (islower((unsigned char)*at)) {
            return false;
        }
    }
    return isupper((unsigned char)*of);
}

int go_names_give(struct go_names *names, char kind, const char *of, bool exported,
                  const char **ret_go, bool *ret_new)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->names[i].kind == kind && strcmp(names->names[i].of, of) == 0) {
            *ret_go = names->names[i].go;
            if (ret_new) {
                *ret_new = false;
            }
            return 0;
        }
    }
    char go[GO_NAME_BYTES];
    if (exported && is_constant(of)) {
        snprintf(go, sizeof go - 16, "%s", of);
    } else {
        spell(of, exported, go);
    }
    size_t length = strlen(go);
    for (unsigned try = 2; is_taken(names, go); try++) {
        snprintf(go + length, sizeof go - length, "%u", try);
    }
    struct go_name *name = add(names);
    if (!name) {
        return -ENOMEM;
    }
    name->kind = kind;
    snprintf(name->of, sizeof name->of, "%s", of);
    memcpy(name->go, go, sizeof go);
    *ret_go = name->go;
    if (ret_new) {
        *ret_new = true;
    }
    return 0;
}
