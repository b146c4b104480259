/* SPDX-License-Identifier: Apache-2.0 */
#include "cordon/interface.h"

#include <errno.h>

#include "api/text.h"
#include "prototype/prototype.h"

/* A cordon_interface is the prototype room's interface under its public name. */

static const struct interface *inner(const struct cordon_interface *interface)
{
    return (const struct interface *)(const void *)interface;
}

int cordon_interface_parse(const char *name, const char *text, size_t length,
                           struct cordon_interface **ret_interface, struct cordon_error *ret_error)
{
    if (!text || !ret_interface) {
        return message_set(text_of(ret_error), -EINVAL, "text and ret_interface must not be NULL");
    }
    struct interface *interface;
    int r =
        interface_parse(name ? name : "prototype", text, length, &interface, text_of(ret_error));
    if (r == 0) {
        *ret_interface = (struct cordon_interface *)(void *)interface;
    }
    return r;
}

void cordon_interface_free(struct cordon_interface *interface)
{
    interface_free((struct interface *)(void *)interface);
}

const char *cordon_interface_library(const struct cordon_interface *interface)
{
    return interface_library(inner(interface));
}

size_t cordon_interface_function_count(const struct cordon_interface *interface)
{
    return interface_function_count(inner(interface));
}

const void *cordon_interface_plan(const struct cordon_interface *interface, size_t index,
                                  size_t *ret_bytes)
{
    size_t bytes = 0;
    const void *plan = index < interface_function_count(inner(interface))
                           ? interface_plan(inner(interface), index, &bytes)
                           : NULL;
    if (ret_bytes) {
        *ret_bytes = bytes;
    }
    return plan;
}
