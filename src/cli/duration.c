/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/duration.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int duration_parse(const char *text, uint64_t *ret_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}};
    char *end;
    if (!isdigit((unsigned char)*text)) {
        return -EINVAL;
    }
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        double ns = number * units[i].ns;
        if (strcmp(end, units[i].unit) == 0 && ns >= 1 && ns < 9e18) {
            *ret_ns = (uint64_t)ns;
            return 0;
        }
    }
    return -EINVAL;
}

int duration_parse_seconds(const char *text, uint64_t *ret_ns)
{
    char with_unit[32];
    size_t length = strlen(text);
    bool bare = length > 0 && isdigit((unsigned char)text[length - 1]);
    if (length + 2 > sizeof with_unit) {
        return -EINVAL;
    }
    (void)snprintf(with_unit, sizeof with_unit, "%s%s", text, bare ? "s" : "");
    return duration_parse(with_unit, ret_ns);
}
