/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HANDLES_H
#define GATEWAY_HANDLES_H

/*
 * Handles of one connection: what a client calls "h:" and 32 hexadecimal digits is one native object of one
 * house. The digits are random: they say nothing, and on another connection they name nothing.
 *
 * Threads: the loop's.
 */

#include <stdint.h>

#include "base/message.h"
#include "cordon/value.h"

struct house;
struct handle_entry;

struct handles {
    struct handle_entry *entries;
    uint32_t count;
    uint32_t room;
    uint32_t most;
};

#define HANDLES_NAME_BYTES 34u /* without a NUL */

void handles_init(struct handles *handles, uint32_t most);
void handles_deinit(struct handles *handles);

/*
 * The name of @handle at @house; the same object keeps its name.
 * Returns 0, -ENOBUFS (the most are there), -ENOMEM, -EIO (no random bytes).
 */
int handles_name(struct handles *handles, const struct house *house, struct cordon_handle handle,
                 char *ret_name);

/*
 * What a name stands for. Returns 0; -ESTALE (no such name here), -EINVAL (not a name at all, or another
 * cell's), with a sentence.
 */
int handles_find(const struct handles *handles, const struct house *house, const char *name,
                 size_t length, struct cordon_handle *ret_handle, struct message *why);

/* It has ended: the name is forgotten. */
void handles_forget(struct handles *handles, const struct house *house,
                    struct cordon_handle handle);

/* Whether one more would be refused. */
static inline bool handles_are_full(const struct handles *handles)
{
    return handles->count >= handles->most;
}

/* All of a house, whose worker has ended. */
void handles_forget_house(struct handles *handles, const struct house *house);

#endif
