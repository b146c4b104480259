/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/examine.h"

/* What the kernel's interface of Landlock learned when. */
#define LANDLOCK_WHOLE 6u

static void say(struct examination_row *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct examination_row *row, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(row->why, sizeof row->why, format, args);
    va_end(args);
}

/* First line of a setting. False: there is no such file. */
static bool read_setting(const char *path, char *text, size_t size)
{
    OWN_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);
    if (length < 0) {
        return false;
    }
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return true;
}

static bool setting_is(const char *path, const char *value)
{
    char text[32];
    return read_setting(path, text, sizeof text) && strcmp(text, value) == 0;
}

/* A filter that this process was born under. */
static bool under_filter(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[128];
    bool filtered = false;
    while (status && fgets(line, sizeof line, status)) {
        filtered = filtered || strncmp(line, "Seccomp:\t2", 10) == 0;
    }
    if (status) {
        (void)fclose(status);
    }
    return filtered;
}

/* What an errno alone lets one think. */
static void say_errno(struct examination_row *row, const char *needs)
{
    struct utsname name;
    (void)uname(&name);
    const char *who = under_filter() ? "a system-call filter around this process (a container's?)"
                                     : "a security module or a container";
    switch (row->error) {
    case ESHUTDOWN:
        say(row, "the attempt was killed: by %s", who);
        break;
    case ENOSYS:
    case EINVAL:
    case EOPNOTSUPP:
        say(row, "%s; this is %s%s", needs, name.release,
            under_filter() ? ", and a filter around this process may hide it" : "");
        break;
    case EPERM:
    case EACCES:
        say(row, "%s forbids it (%s)", who, strerrordesc_np(row->error));
        break;
    default:
        say(row, "the attempt failed: %s", strerrordesc_np(row->error));
    }
}

static void why_notify(struct examination_row *row)
{
    if (row->error == EBUSY) {
        say(row, "a filter around this process (a container's, a tracer's) has a listener already, "
                 "and the kernel allows one");
        return;
    }
    say_errno(row, "needs Linux 5.5 with CONFIG_SECCOMP_FILTER");
}

static void why_landlock(struct examination_row *row)
{
    char modules[160];
    if (row->state == EXAMINED_THERE) {
        if (row->version < LANDLOCK_WHOLE) {
            row->state = EXAMINED_PARTLY;
            say(row, "version %u of %u:%s%s%s signals and abstract sockets are left to seccomp",
                row->version, LANDLOCK_WHOLE, row->version < 3 ? " truncating," : "",
                row->version < 4 ? " TCP ports," : "", row->version < 5 ? " devices," : "");
        }
    } else if (row->error == EOPNOTSUPP) {
        bool known = read_setting("/sys/kernel/security/lsm", modules, sizeof modules);
        say(row, "built into the kernel, but not enabled at boot: 'landlock' is missing in lsm=%s",
            known ? modules : "");
    } else if (row->error == E2BIG) {
        say(row, "as many Landlock domains as the kernel allows are in force around this process");
    } else {
        say_errno(row, "needs Linux 5.13 with CONFIG_SECURITY_LANDLOCK");
    }
}

static void why_unprivileged(struct examination_row *row)
{
    if (row->error == EPERM) {
        say(row, "this is root without CAP_SETUID or CAP_SETGID, or one that no other user can be "
                 "made from (a container's)");
    } else if (row->error == EINVAL) {
        say(row, "user 65534 (nobody) does not exist in this user namespace");
    } else {
        say_errno(row, "needs setresuid");
    }
}

/* @limit: of the namespaces of this kind. */
static void why_namespace(struct examination_row *row, const char *limit)
{
    char path[64];
    char text[32];
    bool user = limit == NULL || geteuid() != 0;
    if (user && setting_is("/proc/sys/kernel/unprivileged_userns_clone", "0")) {
        say(row, "kernel.unprivileged_userns_clone is 0");
        return;
    }
    if (user && setting_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1")) {
        say(row,
            "kernel.apparmor_restrict_unprivileged_userns is 1, and no AppArmor profile allows "
            "it to this program");
        return;
    }
    if (user && setting_is("/proc/sys/user/max_user_namespaces", "0")) {
        say(row, "user.max_user_namespaces is 0");
        return;
    }
    if (row->error == ENOSPC || row->error == EUSERS) {
        const char *name = limit ? limit : "max_user_namespaces";
        (void)snprintf(path, sizeof path, "/proc/sys/user/%s", name);
        bool known = read_setting(path, text, sizeof text);
        say(row, "user.%s is %s, and they are in use (or nested too deeply)", name,
            known ? text : "unknown");
        return;
    }
    if (row->error == EPERM && geteuid() == 0 && !under_filter()) {
        say(row, "this is root without CAP_SYS_ADMIN (a container's), or a security module forbids "
                 "it");
        return;
    }
    say_errno(row, "needs a kernel with namespaces (CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS)");
}

static void why_hang_stacks(struct examination_row *row)
{
    char scope[32];
    bool yama = read_setting("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof scope);
    if (row->error == EPERM && yama && strcmp(scope, "2") >= 0) {
        say(row, "kernel.yama.ptrace_scope is %s%s", scope,
            *scope == '2' ? ": root with CAP_SYS_PTRACE alone may trace" : ": nobody may trace");
    } else if (row->error == EPERM && geteuid() == 0 && !under_filter()) {
        say(row, "this is root without CAP_SYS_PTRACE, and workers are another user");
    } else {
        say_errno(row, "needs ptrace");
    }
}

static void why_run_from_memory(struct examination_row *row)
{
    if (row->error == EACCES && setting_is("/proc/sys/vm/memfd_noexec", "2")) {
        say(row, "vm.memfd_noexec is 2");
    } else {
        say_errno(row, "needs memfd_create and execveat");
    }
}

static void why_limits(struct examination_row *row)
{
    if (row->error == ENODATA) {
        say(row, "/proc is not mounted, or does not tell how much address space is in use");
    } else {
        say_errno(row, "needs setrlimit");
    }
}

void examine_explain(enum examination_item item, struct examination_row *row)
{
    if (row->state == EXAMINED_THERE && item != EXAMINED_LANDLOCK) {
        return;
    }
    switch (item) {
    case EXAMINED_SECCOMP:
        say_errno(row, "needs CONFIG_SECCOMP_FILTER");
        break;
    case EXAMINED_SECCOMP_NOTIFY:
        why_notify(row);
        break;
    case EXAMINED_SECCOMP_TSYNC:
        say_errno(row, "needs Linux 3.17 with CONFIG_SECCOMP_FILTER");
        break;
    case EXAMINED_LANDLOCK:
        why_landlock(row);
        break;
    case EXAMINED_NO_NEW_PRIVS:
        say_errno(row, "needs Linux 3.5");
        break;
    case EXAMINED_UNPRIVILEGED_USER:
        why_unprivileged(row);
        break;
    case EXAMINED_USER_NAMESPACE:
        why_namespace(row, NULL);
        break;
    case EXAMINED_PID_NAMESPACE:
        why_namespace(row, "max_pid_namespaces");
        break;
    case EXAMINED_NETWORK_NAMESPACE:
        why_namespace(row, "max_net_namespaces");
        break;
    case EXAMINED_LIMITS:
        why_limits(row);
        break;
    case EXAMINED_HANG_STACKS:
        why_hang_stacks(row);
        break;
    case EXAMINED_PIDFD:
        say_errno(row, "needs Linux 5.3");
        break;
    case EXAMINED_SEALED_MEMORY:
        say_errno(row, "needs Linux 5.1");
        break;
    case EXAMINED_RUN_FROM_MEMORY:
        why_run_from_memory(row);
        break;
    case EXAMINED_FUTEX_WAITV:
        say_errno(row, "needs Linux 5.16");
        break;
    case EXAMINED_GUARD_PAGES:
        say_errno(row, "needs Linux 6.13");
        break;
    case EXAMINED_COUNT:
        break;
    }
}
