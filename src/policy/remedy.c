/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/remedy.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "policy/paths.h"
#include "policy/policy.h"
#include "policy/syscalls.h" /* generated */

#define SYSCALLS (sizeof syscall_names / sizeof syscall_names[0])

const char *syscall_name(uint32_t number)
{
    return number < SYSCALLS ? syscall_names[number] : NULL;
}

int syscall_number(const char *name)
{
    for (size_t i = 0; i < SYSCALLS; i++) {
        if (syscall_names[i] && strcmp(syscall_names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

uint32_t syscall_count(void)
{
    return SYSCALLS;
}

/* A grant that was cut would be another grant. */
static void say(char *grant, size_t bytes, const char *verb, const char *operand)
{
    int length = snprintf(grant, bytes, "%s%s", verb, operand);
    if (length < 0 || (size_t)length >= bytes) {
        grant[0] = '\0';
    }
}

void remedy_for_open(const char *path, bool writing, char *grant, size_t bytes)
{
    for (const struct group_path *group = group_paths; !writing && group->path; group++) {
        if (path_beneath(path, group->path)) {
            say(grant, bytes, group_name(group->groups & -group->groups), "");
            return;
        }
    }
    bool device = strncmp(path, "/dev/", 5) == 0;
    say(grant, bytes, device ? "device:" : writing ? "write:" : "read:", path);
}

/* Calls that a grant other than their own name allows. */
static const struct {
    const char *name;
    const char *grant;
} remedies[] = {
    {"fork", "processes"},       {"vfork", "processes"},      {"clone", "processes"},
    {"clone3", "processes"},     {"execve", "processes"},     {"execveat", "processes"},
    {"connect", "connect:PORT"}, {"sendto", "connect:*"},     {"sendmsg", "connect:*"},
    {"sendmmsg", "connect:*"},   {"bind", "bind:PORT"},       {"listen", "bind:PORT"},
    {"accept", "bind:PORT"},     {"accept4", "bind:PORT"},    {"socketpair", "unix"},
    {"open", "read:PATH"},       {"openat", "read:PATH"},     {"creat", "write:PATH"},
    {"truncate", "write:PATH"},  {"mknod", "write:PATH"},     {"mknodat", "write:PATH"},
    {"mkdir", "write:PATH"},     {"mkdirat", "write:PATH"},   {"rmdir", "write:PATH"},
    {"unlink", "write:PATH"},    {"unlinkat", "write:PATH"},  {"rename", "write:PATH"},
    {"renameat", "write:PATH"},  {"link", "write:PATH"},      {"linkat", "write:PATH"},
    {"symlink", "write:PATH"},   {"renameat2", "write:PATH"}, {"symlinkat", "write:PATH"},
    {"chmod", "write:/"},        {"fchmod", "write:/"},       {"fchmodat", "write:/"},
    {"chown", "write:/"},        {"fchown", "write:/"},       {"fchownat", "write:/"},
    {"lchown", "write:/"},       {"utime", "write:/"},        {"utimes", "write:/"},
    {"futimesat", "write:/"},    {"utimensat", "write:/"},    {"setxattr", "write:/"},
    {"lsetxattr", "write:/"},    {"fsetxattr", "write:/"},    {"removexattr", "write:/"},
    {"lremovexattr", "write:/"}, {"fremovexattr", "write:/"}, {"ftruncate", "write:PATH"},
    {"fallocate", "write:PATH"}, {"io_submit", "write:PATH"}, {"pwritev2", "write:PATH"},
};

static const char *remedy_for_socket(const uint64_t args[6])
{
    uint64_t type = args[1] & 0xf;
    if (args[0] == AF_UNIX) {
        return "unix";
    }
    if (args[0] == AF_NETLINK) {
        return "resolver";
    }
    if (args[0] == AF_INET || args[0] == AF_INET6) {
        return type == SOCK_STREAM ? "connect:PORT" : type == SOCK_DGRAM ? "udp" : "syscall:socket";
    }
    return "syscall:socket";
}

void remedy_for_call(uint32_t number, const uint64_t args[6], char *grant, size_t bytes)
{
    const char *name = syscall_name(number);
    if (!name) {
        say(grant, bytes, "", "");
        return;
    }
    if (strcmp(name, "socket") == 0) {
        say(grant, bytes, remedy_for_socket(args), "");
        return;
    }
    for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++) {
        if (strcmp(remedies[i].name, name) == 0) {
            say(grant, bytes, remedies[i].grant, "");
            return;
        }
    }
    say(grant, bytes, "syscall:", name);
}
