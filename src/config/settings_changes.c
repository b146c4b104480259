/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings_changes.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

struct limit {
    const char *name;
    size_t offset;
};

#define LIMIT(field)                                                                               \
    {                                                                                              \
        "limits." #field, offsetof(struct gateway_limits, field)                                   \
    }

static const struct limit limits[] = {
    LIMIT(frame_bytes),      LIMIT(nesting),          LIMIT(clients),      LIMIT(clients_per_user),
    LIMIT(client_in_flight), LIMIT(in_flight),        LIMIT(batch),        LIMIT(handles),
    LIMIT(read_timeout_ms),  LIMIT(write_timeout_ms), LIMIT(output_bytes), LIMIT(deadline_max_ms),
};
static_assert(sizeof limits / sizeof limits[0] * sizeof(uint32_t) == sizeof(struct gateway_limits),
              "a limit is missing above");

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_bytes(const void *a, size_t a_count, const void *b, size_t b_count, size_t size)
{
    return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * size) == 0);
}

struct list {
    struct settings_change *changes;
    size_t count;
};

static void add_if(struct list *list, bool differs, const char *name, bool at_start)
{
    if (differs) {
        list->changes[list->count++] = (struct settings_change){.name = name, .at_start = at_start};
    }
}

static bool limit_differs(const struct limit *limit, const struct gateway_limits *before,
                          const struct gateway_limits *after)
{
    return memcmp((const char *)before + limit->offset, (const char *)after + limit->offset,
                  sizeof(uint32_t)) != 0;
}

size_t settings_changes(const struct settings *before, const struct settings *after,
                        struct settings_change ret_changes[SETTINGS_CHANGES_MAX])
{
    struct list list = {.changes = ret_changes};
    add_if(&list, after->socket && !same_text(before->socket, after->socket), "socket", true);
    add_if(&list,
           !same_bytes(before->users, before->user_count, after->users, after->user_count,
                       sizeof(uid_t)),
           "users", false);
    add_if(&list,
           !same_bytes(before->groups, before->group_count, after->groups, after->group_count,
                       sizeof(gid_t)),
           "groups", false);
    add_if(&list, !same_text(before->http, after->http), "http", false);
    add_if(&list, before->drain_ms != after->drain_ms, "drain_ms", false);
    add_if(&list, before->log_level != after->log_level, "log.level", false);
    add_if(&list, before->log_form != after->log_form, "log.format", false);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        add_if(&list, limit_differs(&limits[i], &before->limits, &after->limits), limits[i].name,
               false);
    }
    return list.count;
}
