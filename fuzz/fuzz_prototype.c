/* SPDX-License-Identifier: Apache-2.0 */
/* Aims at interface_parse() and all that it calls; what it makes must pass plan_validate(). */
#include <stdint.h>
#include <stdlib.h>

#include "prototype/plan.h"
#include "prototype/prototype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const void *bytes, size_t length)
{
    const struct plan *plan = NULL;
    if (plan_validate(bytes, length, &plan, NULL) < 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct interface *interface = NULL;
    struct message why;
    if (interface_parse("fuzz", (const char *)data, size, &interface, &why) < 0) {
        return 0;
    }
    for (size_t i = 0; i < interface_function_count(interface); i++) {
        size_t length = 0;
        const void *plan = interface_plan(interface, i, &length);
        check(plan, length);
    }
    static const char *const types[] = {"struct s", "struct p", "p", "z_stream", "enum e"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t length = 0;
        const void *plan = NULL;
        if (interface_type_plan(interface, types[i], &plan, &length) == 0) {
            check(plan, length);
        }
    }
    interface_free(interface);
    return 0;
}
