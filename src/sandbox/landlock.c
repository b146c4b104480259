/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* Newer than the headers that may be installed. */
#define ACCESS_FS_TRUNCATE      (1ull << 14) /* version 3 */
#define ACCESS_FS_IOCTL_DEV     (1ull << 15) /* version 5 */
#define ACCESS_NET_BIND         (1ull << 0)  /* version 4 */
#define ACCESS_NET_CONNECT      (1ull << 1)
#define RULE_NET_PORT           2
#define SCOPE_ABSTRACT_UNIX     (1ull << 0) /* version 6 */
#define SCOPE_SIGNAL            (1ull << 1)
#define ACCESS_FS_FIRST_VERSION ((1ull << 13) - 1)

#define PORT_RESOLVER 53

#define ACCESS_FS_READ                                                                             \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
/* Making devices is not writing; making sockets is for those who may have them. */
#define ACCESS_FS_WRITE                                                                            \
    ((ACCESS_FS_FIRST_VERSION | LANDLOCK_ACCESS_FS_REFER | ACCESS_FS_TRUNCATE) &                   \
     ~(uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                    \
                 LANDLOCK_ACCESS_FS_MAKE_SOCK))
#define ACCESS_FS_DEVICE                                                                           \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_FS_TRUNCATE |           \
     ACCESS_FS_IOCTL_DEV)
#define ACCESS_FS_FILE /* all that a rule for a file may name */                                   \
    (LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_FS_DEVICE)

/* As the kernel has it, in its version 6. */
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

struct port_rule {
    uint64_t access;
    uint64_t port;
};

struct adding {
    const struct policy *policy;
    int fd;
    uint64_t handled;
};

int landlock_version(void)
{
    static int known = -1; /* it cannot change while the system runs */
    if (known < 0) {
        long version =
            syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        known = version < 0 ? 0 : (int)version;
    }
    return known;
}

static uint64_t files_handled(int version, const struct policy *policy)
{
    if (policy_writes_all(policy)) {
        return 0;
    }
    return ACCESS_FS_FIRST_VERSION | (version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
           (version >= 3 ? ACCESS_FS_TRUNCATE : 0) | (version >= 5 ? ACCESS_FS_IOCTL_DEV : 0);
}

static bool has_any_port(const struct policy *policy, enum policy_kind kind)
{
    for (uint32_t i = 0; i < policy->item_count; i++) {
        if (policy->items[i].kind == kind && policy->items[i].number == 0) {
            return true;
        }
    }
    return false;
}

static uint64_t network_handled(int version, const struct policy *policy)
{
    if (version < LANDLOCK_PORTS || policy_has(policy, POLICY_EVERYTHING | POLICY_SOCKETS)) {
        return 0;
    }
    return (has_any_port(policy, POLICY_CONNECT) ? 0 : ACCESS_NET_CONNECT) |
           (has_any_port(policy, POLICY_BIND) ? 0 : ACCESS_NET_BIND);
}

/* ---- Rules ------------------------------------------------------------------------------------- */

static int add_path(const struct adding *adding, int fd, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access & adding->handled,
                                              .parent_fd = fd};
    return rule.allowed_access == 0 || syscall(SYS_landlock_add_rule, adding->fd,
                                               LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0
               ? 0
               : -errno;
}

/*
 * A path that is not there, or cannot be reached, needs no allowance. A rule for a file may not name what
 * only folders have: the kernel says so, which asks for no look at it beforehand.
 */
static int allow_path(void *context, const struct policy_path *path)
{
    const struct adding *adding = context;
    OWN_FD fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    uint64_t access = path->device ? ACCESS_FS_DEVICE : ACCESS_FS_READ;
    if (path->writing) {
        access |= ACCESS_FS_WRITE;
        access |= policy_has(adding->policy, POLICY_UNIX) ? LANDLOCK_ACCESS_FS_MAKE_SOCK : 0;
    }
    int r = add_path(adding, fd, access);
    return r == -EINVAL ? add_path(adding, fd, access & ACCESS_FS_FILE) : r;
}

static int allow_port(int fd, uint64_t access, uint64_t port)
{
    struct port_rule rule = {.access = access, .port = port};
    return syscall(SYS_landlock_add_rule, fd, RULE_NET_PORT, &rule, 0) == 0 ? 0 : -errno;
}

static int allow_ports(int fd, uint64_t handled, const struct policy *policy)
{
    int r = 0;
    if (policy_has(policy, POLICY_RESOLVER) && (handled & ACCESS_NET_CONNECT)) {
        r = allow_port(fd, ACCESS_NET_CONNECT, PORT_RESOLVER);
    }
    for (uint32_t i = 0; r == 0 && i < policy->item_count; i++) {
        const struct policy_item *item = &policy->items[i];
        uint64_t access = item->kind == POLICY_CONNECT ? ACCESS_NET_CONNECT
                          : item->kind == POLICY_BIND  ? ACCESS_NET_BIND
                                                       : 0;
        if (access & handled) {
            r = allow_port(fd, access, item->number);
        }
    }
    return r;
}

/* ---- Layers ------------------------------------------------------------------------------------ */

/* An older kernel takes a shorter structure, and the longer one when what it adds is zero. */
static int make_ruleset(const struct ruleset *ruleset)
{
    int fd = (int)syscall(SYS_landlock_create_ruleset, ruleset, sizeof *ruleset, 0);
    return fd < 0 ? -errno : fd;
}

int landlock_enter(const struct policy *policy, const char *library)
{
    int version = landlock_version();
    bool everything = policy_has(policy, POLICY_EVERYTHING);
    struct ruleset ruleset = {
        .files = files_handled(version, policy),
        .network = network_handled(version, policy),
        .scoped = version < 6 || everything
                      ? 0
                      : SCOPE_SIGNAL | (policy_has(policy, POLICY_UNIX) ? 0 : SCOPE_ABSTRACT_UNIX)};
    if ((ruleset.files | ruleset.network | ruleset.scoped) == 0) {
        return 0;
    }
    OWN_FD fd = make_ruleset(&ruleset);
    struct adding adding = {.policy = policy, .fd = fd, .handled = ruleset.files};
    int r = fd < 0 ? fd : 0;
    if (r == 0 && ruleset.files != 0) {
        r = policy_each_loading_path(policy, library, allow_path, &adding);
        r = r < 0 ? r : policy_each_path(policy, allow_path, &adding);
    }
    r = r < 0 ? r : allow_ports(fd, ruleset.network, policy);
    if (r < 0) {
        return r;
    }
    return syscall(SYS_landlock_restrict_self, fd, 0) == 0 ? 0 : -errno;
}

int landlock_prepare_seal(const struct policy *policy, int *ret_fd)
{
    struct ruleset ruleset = {.files = files_handled(landlock_version(), policy)};
    if (ruleset.files == 0) {
        *ret_fd = -1;
        return 0;
    }
    OWN_FD fd = make_ruleset(&ruleset);
    struct adding adding = {.policy = policy, .fd = fd, .handled = ruleset.files};
    int r = fd < 0 ? fd : policy_each_path(policy, allow_path, &adding);
    if (r < 0) {
        return r;
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

int landlock_seal(int fd)
{
    return syscall(SYS_landlock_restrict_self, fd, 0) == 0 ? 0 : -errno;
}
