/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "policy/paths.h"
#include "policy/remedy.h"

/* ---- Bytes that came from elsewhere ------------------------------------------------------------ */

static bool text_fits(const struct policy *policy, const struct policy_item *item)
{
    if (item->text_bytes == 0 || item->text_at > policy->text_bytes ||
        item->text_bytes > policy->text_bytes - item->text_at) {
        return false;
    }
    const char *text = policy->text + item->text_at;
    return strnlen(text, item->text_bytes) == item->text_bytes - 1u;
}

static bool item_fits(const struct policy *policy, const struct policy_item *item)
{
    switch (item->kind) {
    case POLICY_READ:
    case POLICY_WRITE:
    case POLICY_DEVICE:
    case POLICY_LOADING:
        return text_fits(policy, item) && policy->text[item->text_at] == '/' &&
               item->text_bytes <= PATH_MAX;
    case POLICY_ENV:
        return text_fits(policy, item) && policy->text[item->text_at] != '=' &&
               strchr(policy->text + item->text_at, '=') != NULL;
    case POLICY_CONNECT:
    case POLICY_BIND:
    case POLICY_SYSCALL:
        return item->text_bytes == 0;
    default:
        return false;
    }
}

bool policy_fits(const struct policy *policy)
{
    if (policy->version != POLICY_VERSION || policy->preset > POLICY_TRUSTED ||
        policy->on_violation > POLICY_KILL || (policy->groups & ~POLICY_GROUPS) != 0 ||
        policy->threads == 0 || policy->threads > LIMIT_THREADS_MAX || policy->fds == 0 ||
        policy->cpu_ms == 0 || policy->file_bytes == 0 || policy->item_count > LIMIT_GRANTS ||
        policy->text_bytes > LIMIT_GRANT_TEXT_BYTES) {
        return false;
    }
    for (uint32_t i = 0; i < policy->item_count; i++) {
        if (!item_fits(policy, &policy->items[i])) {
            return false;
        }
    }
    return true;
}

/* ---- Presets ----------------------------------------------------------------------------------- */

static void add_root(struct policy *policy, enum policy_kind kind)
{
    uint16_t at = policy->text_bytes;
    memcpy(policy->text + at, "/", sizeof "/");
    policy->text_bytes = (uint16_t)(at + sizeof "/");
    policy->items[policy->item_count++] =
        (struct policy_item){.kind = (uint8_t)kind, .text_at = at, .text_bytes = sizeof "/"};
}

void policy_init(struct policy *policy, enum policy_preset preset)
{
    *policy = (struct policy){
        .version = POLICY_VERSION,
        .preset = (uint8_t)preset,
        .threads = LIMIT_THREADS,
        .fds = LIMIT_FDS,
        .memory_bytes = LIMIT_MEMORY_BYTES,
        .cpu_ms = LIMIT_CPU_MS,
        .file_bytes = LIMIT_FILE_BYTES,
    };
    switch (preset) {
    case POLICY_STRICT:
        break;
    case POLICY_FILES:
        add_root(policy, POLICY_READ);
        add_root(policy, POLICY_WRITE);
        break;
    case POLICY_NETWORK:
        policy->groups = POLICY_UDP | POLICY_RESOLVER;
        policy->items[policy->item_count++] = (struct policy_item){.kind = POLICY_CONNECT};
        policy->items[policy->item_count++] = (struct policy_item){.kind = POLICY_BIND};
        break;
    case POLICY_TRUSTED:
        policy->groups = POLICY_EVERYTHING;
        break;
    }
}

/* ---- Questions --------------------------------------------------------------------------------- */

const char *policy_text(const struct policy *policy, const struct policy_item *item)
{
    return item->text_bytes == 0 ? "" : policy->text + item->text_at;
}

static const struct policy_item *find(const struct policy *policy, enum policy_kind kind,
                                      uint32_t number)
{
    for (uint32_t i = 0; i < policy->item_count; i++) {
        if (policy->items[i].kind == kind && policy->items[i].number == number) {
            return &policy->items[i];
        }
    }
    return NULL;
}

bool policy_has_kind(const struct policy *policy, enum policy_kind kind)
{
    for (uint32_t i = 0; i < policy->item_count; i++) {
        if (policy->items[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static bool has_root(const struct policy *policy, enum policy_kind kind)
{
    for (uint32_t i = 0; i < policy->item_count; i++) {
        if (policy->items[i].kind == kind &&
            strcmp(policy_text(policy, &policy->items[i]), "/") == 0) {
            return true;
        }
    }
    return false;
}

bool policy_writes_all(const struct policy *policy)
{
    return policy_has(policy, POLICY_EVERYTHING) || has_root(policy, POLICY_WRITE);
}

bool policy_reads_all(const struct policy *policy)
{
    return policy_writes_all(policy) || has_root(policy, POLICY_READ);
}

struct question {
    const char *path;
    bool writing;
};

static int answers(void *context, const struct policy_path *path)
{
    const struct question *question = context;
    return (path->writing || path->device || !question->writing) &&
           path_beneath(question->path, path->path);
}

bool policy_may_open(const struct policy *policy, const char *path, bool writing)
{
    struct question question = {.path = path, .writing = writing};
    return policy_writes_all(policy) || (!writing && policy_reads_all(policy)) ||
           policy_each_path(policy, answers, &question) != 0;
}

bool policy_grants_call(const struct policy *policy, uint32_t number)
{
    return policy_has(policy, POLICY_EVERYTHING) || find(policy, POLICY_SYSCALL, number);
}

bool policy_makes_processes(const struct policy *policy)
{
    static const uint32_t calls[] = {
        SYS_clone,
        SYS_clone3,
#ifdef SYS_fork /* newer architectures never had it */
        SYS_fork,
        SYS_vfork,
#endif
    };
    bool granted = policy_has(policy, POLICY_PROCESSES | POLICY_EVERYTHING);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        granted = granted || policy_grants_call(policy, calls[i]);
    }
    return granted;
}

bool policy_limits_ports(const struct policy *policy)
{
    return !policy_has(policy, POLICY_EVERYTHING | POLICY_SOCKETS) &&
           !(find(policy, POLICY_CONNECT, 0) && find(policy, POLICY_BIND, 0));
}

bool policy_has_network(const struct policy *policy)
{
    return policy_has(policy, POLICY_EVERYTHING | POLICY_UDP | POLICY_UNIX | POLICY_RESOLVER) ||
           policy_has_kind(policy, POLICY_CONNECT) || policy_has_kind(policy, POLICY_BIND);
}

/* ---- Paths ------------------------------------------------------------------------------------- */

int policy_each_path(const struct policy *policy, policy_visit_fn visit, void *context)
{
    for (uint32_t i = 0; i < policy->item_count; i++) {
        const struct policy_item *item = &policy->items[i];
        if (item->kind != POLICY_READ && item->kind != POLICY_WRITE &&
            item->kind != POLICY_DEVICE) {
            continue;
        }
        struct policy_path path = {.path = policy_text(policy, item),
                                   .writing = item->kind == POLICY_WRITE,
                                   .device = item->kind == POLICY_DEVICE};
        int r = visit(context, &path);
        if (r != 0) {
            return r;
        }
    }
    for (const struct group_path *group = group_paths; group->path; group++) {
        struct policy_path path = {.path = group->path};
        int r = policy_has(policy, group->groups) ? visit(context, &path) : 0;
        if (r != 0) {
            return r;
        }
    }
    return 0;
}

/* The folder of a library given by its path; never the root folder, which would be everything. */
static int visit_folder(const char *library, policy_visit_fn visit, void *context)
{
    char folder[PATH_MAX];
    const char *slash = library ? strrchr(library, '/') : NULL;
    size_t length = slash ? (size_t)(slash - library) : 0;
    if (length == 0 || length >= sizeof folder) {
        return 0;
    }
    memcpy(folder, library, length);
    folder[length] = '\0';
    struct policy_path path = {.path = folder};
    return visit(context, &path);
}

int policy_each_loading_path(const struct policy *policy, const char *library,
                             policy_visit_fn visit, void *context)
{
    int r = visit_folder(library, visit, context);
    for (size_t i = 0; r == 0 && loading_paths[i]; i++) {
        struct policy_path path = {.path = loading_paths[i]};
        r = visit(context, &path);
    }
    for (uint32_t i = 0; r == 0 && i < policy->item_count; i++) {
        if (policy->items[i].kind == POLICY_LOADING) {
            struct policy_path path = {.path = policy_text(policy, &policy->items[i])};
            r = visit(context, &path);
        }
    }
    return r;
}
