/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the layouts of structs s0, s1, ... of an interface file as their plans tell them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "prototype/plan.h"
#include "prototype/prototype.h"

static void print_struct(const char *name, const struct plan *plan)
{
    const struct cordon_plan_type *type = plan_type(plan, plan_header(plan)->root_type);
    (void)printf("%s %u %u\n", name, type->size, type->align);
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = plan_field(plan, type->first + i);
        (void)printf("%s.%s %u %u\n", name, plan_name(plan, field->name), field->offset,
                     plan_type(plan, field->type)->size);
    }
}

static int print_all(const struct interface *interface)
{
    for (unsigned index = 0;; index++) {
        char name[32];
        const void *bytes = NULL;
        size_t length = 0;
        const struct plan *plan = NULL;
        struct message why;
        (void)snprintf(name, sizeof name, "struct s%u", index);
        if (interface_type_plan(interface, name, &bytes, &length) == -ENOENT) {
            return index == 0;
        }
        if (plan_validate(bytes, length, &plan, &why) < 0) {
            (void)fprintf(stderr, "%s: %s\n", name, why.text);
            return 1;
        }
        print_struct(name + strlen("struct "), plan);
    }
}

int main(int argc, char **argv)
{
    static char text[LIMIT_PROTOTYPE_BYTES];
    struct interface *interface = NULL;
    struct message why;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        (void)fprintf(stderr, "usage: print_layout FILE\n");
        return 2;
    }
    size_t length = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    if (interface_parse(argv[1], text, length, &interface, &why) < 0) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    int failed = print_all(interface);
    interface_free(interface);
    return failed;
}
