/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/state.h"

struct seal_type {
    struct seal_type *next;
    size_t length;
    uint8_t bytes[];
};

void seal_deinit(struct seal *seal)
{
    while (seal->types) {
        struct seal_type *next = seal->types->next;
        free(seal->types);
        seal->types = next;
    }
}

int seal_declare(struct seal *seal, const void *bytes, size_t length, struct message *why)
{
    if (seal->closed) {
        return message_set(why, -EPERM, "the engine is sealed: no type can be declared any more");
    }
    struct seal_type *type = malloc(sizeof *type + length);
    if (!type) {
        return message_set(why, -ENOMEM, "no memory for a type of %zu bytes", length);
    }
    type->next = seal->types;
    type->length = length;
    memcpy(type->bytes, bytes, length);
    seal->types = type;
    return 0;
}

int seal_allows_type(const struct seal *seal, const void *bytes, size_t length, struct message *why)
{
    if (!seal->closed) {
        return 0;
    }
    for (const struct seal_type *type = seal->types; type; type = type->next) {
        if (type->length == length && memcmp(type->bytes, bytes, length) == 0) {
            return 0;
        }
    }
    return message_set(why, -EPERM, "the engine is sealed, and this type was not declared to it");
}

int seal_allows_binding(const struct engine *engine, uint64_t id, const void *bytes, size_t length,
                        struct message *why)
{
    if (!engine->seal.closed) {
        return 0;
    }
    const struct binding *known =
        id <= UINT32_MAX ? bindings_find(&engine->bindings, (uint32_t)id) : NULL;
    return known && known->plan_bytes == length && memcmp(known->plan, bytes, length) == 0
               ? 0
               : message_set(why, -EPERM,
                             "the engine is sealed, and this function is not bound there: it was "
                             "not declared, or the library does not have it");
}
