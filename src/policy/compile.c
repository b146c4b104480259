/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/compile.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/spelling.h"
#include "policy/loader_folders.h"
#include "policy/paths.h"
#include "policy/remedy.h"

#define NEAR    2u /* letters that a person may have got wrong */
#define FDS_MIN 16u
#define FDS_MAX (1u << 20)

struct compiler {
    struct policy *policy;
    struct message *why;
    const char *grant;   /* as it was written */
    const char *operand; /* behind its colon; NULL: none */
};

/* ---- Items ------------------------------------------------------------------------------------- */

static int too_many(const struct compiler *compiler, const char *limit, unsigned most)
{
    return message_set(compiler->why, -E2BIG, "grant '%.60s' is beyond %s (%u)", compiler->grant,
                       limit, most);
}

static int add(struct compiler *compiler, enum policy_kind kind, uint16_t number, const char *text,
               size_t length)
{
    struct policy *policy = compiler->policy;
    size_t bytes = text ? length + 1 : 0;
    if (policy->item_count == LIMIT_GRANTS) {
        return too_many(compiler, "LIMIT_GRANTS", LIMIT_GRANTS);
    }
    if (bytes > LIMIT_GRANT_TEXT_BYTES - policy->text_bytes) {
        return too_many(compiler, "LIMIT_GRANT_TEXT_BYTES", LIMIT_GRANT_TEXT_BYTES);
    }
    struct policy_item *item = &policy->items[policy->item_count++];
    *item = (struct policy_item){.kind = (uint8_t)kind, .number = number};
    if (text) {
        item->text_at = policy->text_bytes;
        item->text_bytes = (uint16_t)bytes;
        memcpy(policy->text + policy->text_bytes, text, length);
        policy->text[policy->text_bytes + length] = '\0';
        policy->text_bytes = (uint16_t)(policy->text_bytes + bytes);
    }
    return 0;
}

/* ---- Operands ---------------------------------------------------------------------------------- */

static bool is_dots(const char *part, size_t length)
{
    return (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.');
}

/* Parts joined by single slashes; "." and ".." would be read differently by different eyes. */
static int add_path(struct compiler *compiler, enum policy_kind kind)
{
    char path[PATH_MAX];
    size_t used = 0;
    const char *part = compiler->operand;
    if (part[0] != '/') {
        return message_set(compiler->why, -EINVAL,
                           "grant '%s': the path must be absolute, like %.*s:/%s", compiler->grant,
                           (int)(part - compiler->grant) - 1, compiler->grant, part);
    }
    for (part += strspn(part, "/"); *part; part += strspn(part, "/")) {
        size_t length = strcspn(part, "/");
        if (is_dots(part, length)) {
            return message_set(compiler->why, -EINVAL,
                               "grant '%s': the path must be without '.' and '..'",
                               compiler->grant);
        }
        if (length + 2 > sizeof path - used) {
            return message_set(compiler->why, -EINVAL, "grant '%.60s...': the path is too long",
                               compiler->grant);
        }
        path[used++] = '/';
        memcpy(path + used, part, length);
        used += length;
        part += length;
    }
    if (used == 0) {
        path[used++] = '/';
    }
    return add(compiler, kind, 0, path, used);
}

static int parse_number(const char *text, unsigned long most, unsigned long *ret_number)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end || errno != 0 || number == 0 || number > most) {
        return -EINVAL;
    }
    *ret_number = number;
    return 0;
}

static int add_port(struct compiler *compiler, enum policy_kind kind)
{
    unsigned long port = 0;
    if (strcmp(compiler->operand, "*") != 0 && parse_number(compiler->operand, 65535, &port) < 0) {
        return message_set(compiler->why, -EINVAL, "grant '%s': a port is 1 to 65535, or * for any",
                           compiler->grant);
    }
    return add(compiler, kind, (uint16_t)port, NULL, 0);
}

static int add_variable(struct compiler *compiler)
{
    const char *name = compiler->operand;
    size_t length = strcspn(name, "=");
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '_') {
            length = 0;
        }
    }
    if (length == 0 || isdigit((unsigned char)name[0])) {
        return message_set(compiler->why, -EINVAL,
                           "grant '%s': a variable is env:NAME or env:NAME=VALUE, its name of "
                           "letters, digits and _",
                           compiler->grant);
    }
    if (name[length] == '=') {
        return add(compiler, POLICY_ENV, 0, name, strlen(name));
    }
    const char *value = getenv(name);
    if (!value) {
        return 0; /* what is not there is not there in the worker */
    }
    char text[LIMIT_GRANT_TEXT_BYTES];
    size_t value_length = strlen(value);
    if (length + 2 + value_length > sizeof text) {
        return too_many(compiler, "LIMIT_GRANT_TEXT_BYTES", LIMIT_GRANT_TEXT_BYTES);
    }
    memcpy(text, name, length);
    text[length] = '=';
    memcpy(text + length + 1, value, value_length + 1);
    return add(compiler, POLICY_ENV, 0, text, length + 1 + value_length);
}

static int add_syscall(struct compiler *compiler)
{
    int number = syscall_number(compiler->operand);
    if (number >= 0) {
        return add(compiler, POLICY_SYSCALL, (uint16_t)number, NULL, 0);
    }
    (void)message_set(compiler->why, -EINVAL, "grant '%s': this machine has no such system call",
                      compiler->grant);
    unsigned best = NEAR + 1;
    const char *nearest = NULL;
    for (uint32_t i = 0; i < syscall_count(); i++) {
        const char *name = syscall_name(i);
        unsigned distance = name ? spelling_distance(compiler->operand, name, NEAR) : NEAR + 1;
        if (distance < best) {
            best = distance;
            nearest = name;
        }
    }
    if (nearest) {
        message_add(compiler->why, "; did you mean 'syscall:%s'?", nearest);
    }
    return -EINVAL;
}

static int set_threads(struct compiler *compiler)
{
    unsigned long number;
    if (parse_number(compiler->operand, LIMIT_THREADS_MAX, &number) < 0) {
        return message_set(compiler->why, -EINVAL,
                           "grant '%s': threads are 1 to LIMIT_THREADS_MAX (%u)", compiler->grant,
                           LIMIT_THREADS_MAX);
    }
    compiler->policy->threads = (uint32_t)number;
    return 0;
}

/* ---- Grants ------------------------------------------------------------------------------------ */

enum operand {
    OPERAND_NONE,
    OPERAND_PATH,
    OPERAND_PORT,
    OPERAND_VARIABLE,
    OPERAND_SYSCALL,
    OPERAND_COUNT,
};

struct grant {
    const char *name;
    enum operand operand;
    uint32_t meaning; /* enum policy_group without operand, else enum policy_kind */
};

/* How it is written, behind its name. */
static const char *const operand_forms[] = {
    [OPERAND_NONE] = "",          [OPERAND_PATH] = ":PATH",    [OPERAND_PORT] = ":PORT",
    [OPERAND_VARIABLE] = ":NAME", [OPERAND_SYSCALL] = ":NAME", [OPERAND_COUNT] = ":N",
};

static const struct grant known[] = {
    {"read", OPERAND_PATH, POLICY_READ},
    {"write", OPERAND_PATH, POLICY_WRITE},
    {"device", OPERAND_PATH, POLICY_DEVICE},
    {"connect", OPERAND_PORT, POLICY_CONNECT},
    {"bind", OPERAND_PORT, POLICY_BIND},
    {"env", OPERAND_VARIABLE, POLICY_ENV},
    {"syscall", OPERAND_SYSCALL, POLICY_SYSCALL},
    {"threads", OPERAND_COUNT, 0},
    {"sockets", OPERAND_NONE, POLICY_SOCKETS},
    {"udp", OPERAND_NONE, POLICY_UDP},
    {"unix", OPERAND_NONE, POLICY_UNIX},
    {"processes", OPERAND_NONE, POLICY_PROCESSES},
    {"iconv", OPERAND_NONE, POLICY_ICONV},
    {"resolver", OPERAND_NONE, POLICY_RESOLVER},
    {"locale", OPERAND_NONE, POLICY_LOCALE},
    {"providers", OPERAND_NONE, POLICY_PROVIDERS},
    {"everything", OPERAND_NONE, POLICY_EVERYTHING},
};
#define KNOWN (sizeof known / sizeof known[0])

static int refuse_name(const struct compiler *compiler, const char *name)
{
    const struct grant *nearest = NULL;
    unsigned best = NEAR + 1;
    for (size_t i = 0; i < KNOWN; i++) {
        unsigned distance = spelling_distance(name, known[i].name, NEAR);
        if (distance < best) {
            best = distance;
            nearest = &known[i];
        }
    }
    (void)message_set(compiler->why, -EINVAL, "no grant is named '%s'", name);
    if (nearest) {
        message_add(compiler->why, "; did you mean '%s%s'?", nearest->name,
                    operand_forms[nearest->operand]);
        return -EINVAL;
    }
    for (size_t i = 0; i < KNOWN; i++) {
        message_add(compiler->why, "%s %s%s", i == 0 ? "; there are" : ",", known[i].name,
                    operand_forms[known[i].operand]);
    }
    return -EINVAL;
}

static int apply(struct compiler *compiler, const struct grant *grant)
{
    switch (grant->operand) {
    case OPERAND_NONE:
        compiler->policy->groups |= grant->meaning;
        return 0;
    case OPERAND_PATH:
        return add_path(compiler, (enum policy_kind)grant->meaning);
    case OPERAND_PORT:
        return add_port(compiler, (enum policy_kind)grant->meaning);
    case OPERAND_VARIABLE:
        return add_variable(compiler);
    case OPERAND_SYSCALL:
        return add_syscall(compiler);
    case OPERAND_COUNT:
        return set_threads(compiler);
    }
    return -EINVAL;
}

static int compile_grant(struct compiler *compiler, const char *text)
{
    char name[32];
    size_t length = strcspn(text, ":");
    compiler->grant = text;
    compiler->operand = text[length] == ':' ? text + length + 1 : NULL;
    size_t kept = length < sizeof name ? length : sizeof name - 1;
    memcpy(name, text, kept);
    name[kept] = '\0';
    for (size_t i = 0; i < KNOWN; i++) {
        if (strcmp(known[i].name, name) != 0) {
            continue;
        }
        bool wants = known[i].operand != OPERAND_NONE;
        if (wants != (compiler->operand != NULL) || (wants && !compiler->operand[0])) {
            return message_set(compiler->why, -EINVAL, "grant '%s' is written '%s%s'", text, name,
                               operand_forms[known[i].operand]);
        }
        return apply(compiler, &known[i]);
    }
    return refuse_name(compiler, name);
}

/* ---- All of it --------------------------------------------------------------------------------- */

static int set_limits(const struct policy_wish *wish, struct policy *policy, struct message *why)
{
    if (wish->fds != 0 && (wish->fds < FDS_MIN || wish->fds > FDS_MAX)) {
        return message_set(why, -EINVAL, "fds is %u, it may be %u to %u", wish->fds, FDS_MIN,
                           FDS_MAX);
    }
    if (wish->threads > LIMIT_THREADS_MAX) {
        return message_set(why, -EINVAL, "threads is %u, LIMIT_THREADS_MAX is %u", wish->threads,
                           LIMIT_THREADS_MAX);
    }
    policy->memory_bytes = wish->memory_bytes ? wish->memory_bytes : policy->memory_bytes;
    policy->cpu_ms = wish->cpu_ms ? wish->cpu_ms : policy->cpu_ms;
    policy->file_bytes = wish->file_bytes ? wish->file_bytes : policy->file_bytes;
    policy->fds = wish->fds ? wish->fds : policy->fds;
    policy->threads = wish->threads ? wish->threads : policy->threads;
    return 0;
}

static int add_loader_folder(void *context, const char *folder)
{
    return add(context, POLICY_LOADING, 0, folder, strlen(folder));
}

int policy_compile(const struct policy_wish *wish, struct policy *ret_policy, struct message *why)
{
    struct policy policy;
    struct compiler compiler = {.policy = &policy, .why = why, .grant = "(the loader's folders)"};
    if (wish->preset > POLICY_TRUSTED || wish->on_violation > POLICY_KILL) {
        return message_set(why, -EINVAL, "no such policy");
    }
    policy_init(&policy, wish->preset);
    policy.on_violation = (uint8_t)wish->on_violation;
    int r = set_limits(wish, &policy, why);
    for (size_t i = 0; r == 0 && wish->grants && wish->grants[i]; i++) {
        r = compile_grant(&compiler, wish->grants[i]);
    }
    if (r == 0) {
        /* As many as there is room for: a library in the others needs a grant. */
        (void)loader_folders(add_loader_folder, &compiler);
        *ret_policy = policy;
    }
    return r;
}
