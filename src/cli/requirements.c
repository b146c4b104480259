/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/requirements.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "cordon/cell.h"
#include "cordon/platform.h"

typedef const char *name_of(uint32_t bit);

/* The bit whose name this is; 0: none. */
static uint32_t find(name_of *name_of_bit, const char *text, size_t length)
{
    for (uint32_t bit = 1; bit < CORDON_BEST_EFFORT; bit <<= 1) {
        const char *name = name_of_bit(bit);
        if (name && strlen(name) == length && memcmp(name, text, length) == 0) {
            return bit;
        }
    }
    return 0;
}

static void list(name_of *name_of_bit, struct message *why)
{
    const char *before = " ";
    for (uint32_t bit = 1; bit < CORDON_BEST_EFFORT; bit <<= 1) {
        const char *name = name_of_bit(bit);
        if (name) {
            message_add(why, "%s%s", before, name);
            before = ", ";
        }
    }
}

static int unknown(const char *text, size_t length, bool promises, struct message *why)
{
    (void)message_set(why, -EINVAL, "no mechanism %s'%.*s'; there are",
                      promises ? "or promise " : "", (int)length, text);
    list(cordon_mechanism_name, why);
    if (promises) {
        message_add(why, ";");
        list(cordon_isolation_name, why);
    }
    return -EINVAL;
}

int requirements_parse(const char *names, uint32_t *ret_mechanisms, uint32_t *ret_promises,
                       struct message *why)
{
    uint32_t mechanisms = 0;
    uint32_t promises = 0;
    for (const char *name = names; *name;) {
        size_t length = strcspn(name, ",");
        uint32_t mechanism = find(cordon_mechanism_name, name, length);
        uint32_t promise = ret_promises ? find(cordon_isolation_name, name, length) : 0;
        if (!mechanism && !promise) {
            return unknown(name, length, ret_promises != NULL, why);
        }
        mechanisms |= mechanism;
        promises |= promise;
        name += length + (name[length] == ',');
    }
    *ret_mechanisms = mechanisms;
    if (ret_promises) {
        *ret_promises = promises;
    }
    return 0;
}
