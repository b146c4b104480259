/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles interface files and validates each plan: check_interfaces FILE... */
#include <stdio.h>

#include "base/limits.h"
#include "prototype/plan.h"
#include "prototype/prototype.h"

static int check_plans(const char *path, const struct interface *interface)
{
    struct message why;
    for (size_t i = 0; i < interface_function_count(interface); i++) {
        size_t length = 0;
        const void *bytes = interface_plan(interface, i, &length);
        const struct plan *plan = NULL;
        if (plan_validate(bytes, length, &plan, &why) < 0) {
            (void)fprintf(stderr, "%s: function %zu: %s\n", path, i, why.text);
            return 1;
        }
    }
    if (!interface_library(interface) || interface_function_count(interface) == 0) {
        (void)fprintf(stderr, "%s: names no library, or declares no function\n", path);
        return 1;
    }
    (void)printf("%s: %s, %zu functions\n", path, interface_library(interface),
                 interface_function_count(interface));
    return 0;
}

static int check_file(const char *path)
{
    static char text[LIMIT_PROTOTYPE_BYTES + 1];
    struct interface *interface = NULL;
    struct message why;
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t length = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    if (interface_parse(path, text, length, &interface, &why) < 0) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    int failed = check_plans(path, interface);
    interface_free(interface);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        failed |= check_file(argv[i]);
    }
    return failed;
}
