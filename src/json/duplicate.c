/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json/document.h"

/*
 * How it works. Small objects compare each key with all before it; larger ones sort theirs. No hash:
 * whoever sends the keys cannot make it slow.
 */

#define SMALL_OBJECT 16u

struct key {
    const char *text;
    size_t length;
};

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left;
    const struct key *b = right;
    if (a->length != b->length) {
        return a->length < b->length ? -1 : 1;
    }
    return memcmp(a->text, b->text, a->length);
}

static size_t collect(struct json_value object, struct key *keys)
{
    struct json_walk walk = json_walk(object);
    struct json_value key;
    struct json_value member;
    size_t count = 0;
    while (json_walk_member(&walk, &key, &member)) {
        keys[count].text = json_value_string(key, &keys[count].length);
        count++;
    }
    return count;
}

static int duplicate_in_small(struct json_value object, const char **ret_key)
{
    struct key keys[SMALL_OBJECT];
    size_t count = collect(object, keys);
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (compare_keys(&keys[i], &keys[k]) == 0) {
                *ret_key = keys[i].text;
                return 1;
            }
        }
    }
    return 0;
}

static int duplicate_in_large(struct json_value object, size_t count, const char **ret_key)
{
    struct key *keys = malloc(count * sizeof *keys);
    int r = 0;
    if (!keys) {
        return -ENOMEM;
    }
    (void)collect(object, keys);
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; r == 0 && i < count; i++) {
        if (compare_keys(&keys[i - 1], &keys[i]) == 0) {
            *ret_key = keys[i].text;
            r = 1;
        }
    }
    free(keys);
    return r;
}

int json_value_duplicate(struct json_value value, const char **ret_key)
{
    const char *unused;
    ret_key = ret_key ? ret_key : &unused;
    /* Every object in @value, in the tape's order: no recursion. */
    struct json_walk sweep = json_sweep(value);
    struct json_value object;
    int r = 0;
    while (r == 0 && json_sweep_object(&sweep, &object)) {
        size_t count = json_value_count(object);
        r = count <= SMALL_OBJECT ? duplicate_in_small(object, ret_key)
                                  : duplicate_in_large(object, count, ret_key);
    }
    return r;
}
