/* SPDX-License-Identifier: Apache-2.0 */
#include "private/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "base/spelling.h"

#define NEAR 2u /* letters that a mistyped key may differ by */

/* ---- One key ----------------------------------------------------------------------------------- */

static int wrong(struct message *why, const char *key, const char *wanted)
{
    return message_set(why, -EINVAL, "%s has to be %s", key, wanted);
}

static int read_text(const char *key, json_t *value, void *field, struct message *why)
{
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value)) {
        return wrong(why, key, "a string");
    }
    *(const char **)field = json_string_value(value);
    return 0;
}

static int read_flag(const char *key, json_t *value, void *field, struct message *why)
{
    if (!json_is_boolean(value)) {
        return wrong(why, key, "true or false");
    }
    *(bool *)field = json_is_true(value);
    return 0;
}

/* 0 is the default, null is "none". */
static int read_u32(const char *key, json_t *value, void *field, struct message *why)
{
    json_int_t number = json_integer_value(value);
    if (json_is_null(value)) {
        *(uint32_t *)field = CORDON_NONE;
        return 0;
    }
    if (!json_is_integer(value) || number < 0 || number >= UINT32_MAX) {
        return wrong(why, key, "a number from 0 to 4294967294, or null for none");
    }
    *(uint32_t *)field = (uint32_t)number;
    return 0;
}

static int read_u64(const char *key, json_t *value, void *field, struct message *why)
{
    json_int_t number = json_integer_value(value);
    if (json_is_null(value)) {
        *(uint64_t *)field = UINT64_MAX;
        return 0;
    }
    if (!json_is_integer(value) || number < 0) {
        return wrong(why, key, "a number from 0 to 9223372036854775807, or null for none");
    }
    *(uint64_t *)field = (uint64_t)number;
    return 0;
}

/* ---- Names of numbers -------------------------------------------------------------------------- */

static int read_choice(const char *key, json_t *value, const char *const *names, size_t count,
                       int *ret_choice, struct message *why)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; i < count && name; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_choice = (int)i;
            return 0;
        }
    }
    (void)message_set(why, 0, "%s has to be one of", key);
    for (size_t i = 0; i < count; i++) {
        message_add(why, "%s %s", i > 0 ? "," : "", names[i]);
    }
    return -EINVAL;
}

static int read_policy(const char *key, json_t *value, void *field, struct message *why)
{
    static const char *const names[] = {"strict", "files", "network", "trusted"};
    int choice = 0;
    int r = read_choice(key, value, names, sizeof names / sizeof names[0], &choice, why);
    *(enum cordon_policy *)field = (enum cordon_policy)choice;
    return r;
}

static int read_on_violation(const char *key, json_t *value, void *field, struct message *why)
{
    static const char *const names[] = {"refuse", "kill"};
    int choice = 0;
    int r = read_choice(key, value, names, sizeof names / sizeof names[0], &choice, why);
    *(enum cordon_on_violation *)field = (enum cordon_on_violation)choice;
    return r;
}

static uint32_t isolation_bit(const char *name)
{
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        const char *known = cordon_isolation_name(bit);
        if (known && name && strcmp(known, name) == 0) {
            return bit;
        }
    }
    return 0;
}

static int read_require(const char *key, json_t *value, void *field, struct message *why)
{
    size_t index;
    json_t *member;
    if (!json_is_array(value)) {
        return wrong(why, key, "an array of isolations (\"survives-crash\", ...)");
    }
    json_array_foreach(value, index, member)
    {
        uint32_t bit = isolation_bit(json_string_value(member));
        if (bit == 0) {
            return message_set(why, -EINVAL, "%s[%zu] names no isolation (\"survives-crash\", ...)",
                               key, index);
        }
        *(uint32_t *)field |= bit;
    }
    return 0;
}

/* ---- All of them ------------------------------------------------------------------------------- */

#define CELL(member, read)                                                                         \
    {                                                                                              \
#member, offsetof(struct options, cell.member), read                                       \
    }
#define LEND(member, read)                                                                         \
    {                                                                                              \
#member, offsetof(struct options, lend.member), read                                       \
    }

static const struct field {
    const char *key;
    size_t at;
    int (*read)(const char *key, json_t *value, void *field, struct message *why);
} fields[] = {
    {"name", offsetof(struct options, name), read_text},
    {"interface", offsetof(struct options, cell.interface_text), read_text},
    CELL(interface_name, read_text),
    CELL(library, read_text),
    CELL(policy, read_policy),
    CELL(on_violation, read_on_violation),
    CELL(require, read_require),
    CELL(deadline_ms, read_u64),
    CELL(start_ms, read_u64),
    CELL(memory_bytes, read_u64),
    CELL(call_bytes, read_u32),
    CELL(arena_bytes, read_u64),
    CELL(breaker_percent, read_u32),
    CELL(breaker_samples, read_u32),
    CELL(breaker_window_ms, read_u32),
    CELL(breaker_cool_down_ms, read_u32),
    CELL(breaker_probes, read_u32),
    CELL(reports, read_text),
    CELL(reports_max, read_u32),
    CELL(reports_bytes_max, read_u64),
    CELL(report_bytes, read_flag),
    CELL(cpu_ms, read_u64),
    CELL(file_bytes, read_u64),
    CELL(fds, read_u32),
    CELL(threads, read_u32),
    LEND(leases, read_u32),
    LEND(lease_idle_ms, read_u64),
    LEND(deadline_max_ms, read_u64),
};

static int read_grants(json_t *value, struct options *options, struct message *why)
{
    size_t index;
    json_t *member;
    if (!json_is_array(value) || json_array_size(value) > OPTIONS_GRANTS_MAX) {
        return message_set(why, -EINVAL, "grants has to be an array of at most %u strings",
                           OPTIONS_GRANTS_MAX);
    }
    json_array_foreach(value, index, member)
    {
        int r = read_text("each member of grants", member, &options->grants[index], why);
        if (r != 0) {
            return r;
        }
    }
    options->cell.grants = options->grants;
    return 0;
}

static int refuse_key(const char *key, struct message *why)
{
    const char *near = NULL;
    unsigned best = NEAR;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        unsigned distance = spelling_distance(key, fields[i].key, best);
        if (distance <= best) {
            near = fields[i].key;
            best = distance;
        }
    }
    return near ? message_set(why, -EINVAL, "there is no option %s; did you mean %s?", key, near)
                : message_set(why, -EINVAL, "there is no option %s", key);
}

static int read_key(const char *key, json_t *value, struct options *options, struct message *why)
{
    if (strcmp(key, "grants") == 0) {
        return read_grants(value, options, why);
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].key, key) == 0) {
            return fields[i].read(key, value, (char *)options + fields[i].at, why);
        }
    }
    return refuse_key(key, why);
}

int options_read(json_t *object, struct options *ret_options, struct message *why)
{
    const char *key;
    json_t *value;
    *ret_options = (struct options){
        .cell = CORDON_CELL_OPTIONS,
        .lend = {.size = sizeof(struct cordon_lend_options), .leases = LIMIT_WORKERS},
    };
    json_object_foreach(object, key, value)
    {
        int r = read_key(key, value, ret_options, why);
        if (r != 0) {
            return r;
        }
    }
    if (!ret_options->name || !ret_options->name[0]) {
        return message_set(why, -EINVAL, "a cell needs a name");
    }
    if (!ret_options->cell.interface_text) {
        return message_set(why, -EINVAL, "a cell needs an interface: the declarations, as text");
    }
    return 0;
}
