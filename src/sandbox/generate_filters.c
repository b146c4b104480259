/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes sandbox_filters.h: the seccomp filters of workers as arrays, so that the worker needs no
 * libseccomp. Runs while Cordon is built: generate_filters ARCHITECTURE OUTPUT.
 *
 * How it works. A filter forbids what lets a worker reach beyond itself and allows the rest: a
 * library nobody tuned for must be able to run. System calls newer than this list answer ENOSYS, as
 * on an older kernel; so does the x32 table, whose numbers are larger too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asm/sockios.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sandbox/filter.h"

#define SYSCALL_NEWEST 450u /* set_mempolicy_home_node: the newest that the list below has judged */

/* Reaching other processes, the kernel's rarely used depths, and the machine itself. */
static const char *const always_forbidden[] = {
    /* making processes */
    "fork",
    "vfork",
    "execve",
    "execveat",
    /* other processes */
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "kcmp",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "move_pages",
    "migrate_pages",
    "tkill",
    "setpriority",
    "ioprio_set",
    /* namespaces and mounts */
    "unshare",
    "setns",
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    /* large attack surfaces that libraries do without */
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "userfaultfd",
    "bpf",
    "perf_event_open",
    "keyctl",
    "add_key",
    "request_key",
    "fanotify_init",
    "fanotify_mark",
    "name_to_handle_at",
    "open_by_handle_at",
    "lookup_dcookie",
    "memfd_secret",
    "vmsplice",
    "personality",
    "modify_ldt",
    "uselib",
    "remap_file_pages",
    "nfsservctl",
    /* memory and queues shared with strangers by a key */
    "shmget",
    "shmat",
    "shmctl",
    "semget",
    "semop",
    "semtimedop",
    "semctl",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgctl",
    "mq_open",
    "mq_unlink",
    "mq_notify",
    /* the machine */
    "reboot",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "iopl",
    "ioperm",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "quotactl_fd",
    "syslog",
    "sethostname",
    "setdomainname",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "vhangup",
    NULL,
};

/* What changes files without opening them, which Landlock partly does not mediate. */
static const char *const file_changes[] = {
    "truncate", "chmod",     "fchmod",    "fchmodat",    "chown",        "fchown",
    "lchown",   "fchownat",  "utime",     "utimes",      "futimesat",    "utimensat",
    "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
    "mknod",    "mknodat",   "mkdir",     "mkdirat",     "rmdir",        "unlink",
    "unlinkat", "rename",    "renameat",  "renameat2",   "link",         "linkat",
    "symlink",  "symlinkat", NULL,
};

static const char *const sockets[] = {
    "socket", "connect", "bind", "listen", "accept", "accept4", "socketcall", NULL,
};

static const char *const only_for_loading[] = {"memfd_create", NULL};

static void die(const char *what, int error)
{
    fprintf(stderr, "generate_filters: %s: %s\n", what, strerror(error));
    exit(1);
}

static int number_of(const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) {
        die(name, ENOENT);
    }
    return number;
}

static void forbid(scmp_filter_ctx filter, const char *name, int error)
{
    int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)error), number_of(name), 0);
    /* -EDOM: this architecture never had it. */
    if (r < 0 && r != -EDOM) {
        die(name, -r);
    }
}

static void forbid_all(scmp_filter_ctx filter, const char *const *names)
{
    for (; *names; names++) {
        forbid(filter, *names, EPERM);
    }
}

static void forbid_if(scmp_filter_ctx filter, const char *name, struct scmp_arg_cmp comparison)
{
    int r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), number_of(name), 1, &comparison);
    if (r < 0 && r != -EDOM) {
        die(name, -r);
    }
}

static void forbid_processes(scmp_filter_ctx filter)
{
    /* Threads are made by clone; clone3 hides its flags from us, and libc falls back on ENOSYS. */
    forbid_if(filter, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    forbid(filter, "clone3", ENOSYS);
}

static void forbid_signals(scmp_filter_ctx filter)
{
    static const char *const senders[] = {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"};
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        forbid_if(filter, senders[i], SCMP_A0(SCMP_CMP_NE, FILTER_OWN_PID));
    }
    static const int owners[] = {F_SETOWN, F_SETOWN_EX, F_SETSIG};
    for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
        forbid_if(filter, "fcntl", SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, (unsigned)owners[i]));
    }
    static const unsigned controls[] = {FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, TIOCSCTTY,
                                        TCSETS,    TCSETSW,   TCSETSF, TIOCSETD};
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        forbid_if(filter, "ioctl", SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, controls[i]));
    }
    forbid_if(filter, "prlimit64", SCMP_A0(SCMP_CMP_MASKED_EQ, 0x80000000u, 0x80000000u));
    forbid_if(filter, "prlimit64", SCMP_A0(SCMP_CMP_NE, 0));
}

static void forbid_escaping_the_keeper(scmp_filter_ctx filter)
{
    static const int options[] = {PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER,
                                  PR_SET_CHILD_SUBREAPER, PR_SET_MM};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        forbid_if(filter, "prctl", SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, (unsigned)options[i]));
    }
}

/* Opening for writing, by flags: where no Landlock looks at paths. */
static void forbid_opening_for_writing(scmp_filter_ctx filter)
{
    static const struct {
        unsigned mask, value;
    } writing[] = {{O_ACCMODE, O_WRONLY},
                   {O_ACCMODE, O_RDWR},
                   {O_ACCMODE, O_ACCMODE},
                   {O_CREAT, O_CREAT},
                   {O_TRUNC, O_TRUNC}};
    for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++) {
        forbid_if(filter, "open", SCMP_A1(SCMP_CMP_MASKED_EQ, writing[i].mask, writing[i].value));
        forbid_if(filter, "openat", SCMP_A2(SCMP_CMP_MASKED_EQ, writing[i].mask, writing[i].value));
    }
    forbid(filter, "creat", EPERM);
    forbid(filter, "openat2", ENOSYS);
}

static scmp_filter_ctx filter_new(uint32_t architecture)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter) {
        die("seccomp_init", ENOMEM);
    }
    int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r < 0) {
        die("SCMP_FLTATR_CTL_OPTIMIZE", -r);
    }
    if (architecture != seccomp_arch_native()) {
        r = seccomp_arch_add(filter, architecture);
        r = r < 0 ? r : seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
    }
    if (r < 0) {
        die("architecture", -r);
    }
    return filter;
}

/* In front of a filter: system calls from the future answer ENOSYS. */
static const struct sock_filter future[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYSCALL_NEWEST, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
};

static void write_code(FILE *out, const struct sock_filter *code, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "    {0x%02x, %u, %u, 0x%08xu},\n", code[i].code, code[i].jt, code[i].jf,
                code[i].k);
    }
}

static void write_filter(FILE *out, const char *name, bool bounded, scmp_filter_ctx filter)
{
    struct sock_filter code[FILTER_COUNT_MAX];
    int fd = memfd_create("filter", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
    if (r < 0) {
        die(name, -r);
    }
    ssize_t bytes = pread(fd, code, sizeof code, 0);
    if (bytes <= 0 || (size_t)bytes + sizeof future > sizeof code) {
        die(name, bytes < 0 ? errno : EFBIG);
    }
    fprintf(out, "static const struct sock_filter filter_%s[] = {\n", name);
    if (bounded) {
        write_code(out, future, sizeof future / sizeof future[0]);
    }
    write_code(out, code, (size_t)bytes / sizeof code[0]);
    fprintf(out, "};\n\n");
    (void)close(fd);
    seccomp_release(filter);
}

static scmp_filter_ctx enter_filter(uint32_t architecture, bool files, bool network, bool alone)
{
    scmp_filter_ctx filter = filter_new(architecture);
    forbid_all(filter, always_forbidden);
    forbid_processes(filter);
    forbid_signals(filter);
    forbid_escaping_the_keeper(filter);
    if (!files) {
        forbid_all(filter, file_changes);
    }
    if (!network) {
        forbid_all(filter, sockets);
    }
    if (alone) {
        forbid_opening_for_writing(filter);
    }
    return filter;
}

static scmp_filter_ctx seal_filter(uint32_t architecture)
{
    scmp_filter_ctx filter = filter_new(architecture);
    forbid_all(filter, only_for_loading);
    return filter;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: generate_filters ARCHITECTURE OUTPUT\n");
        return 2;
    }
    uint32_t architecture = seccomp_arch_resolve_name(argv[1]);
    FILE *out = fopen(argv[2], "we");
    if (architecture == 0 || !out) {
        die(architecture == 0 ? argv[1] : argv[2], architecture == 0 ? EINVAL : errno);
    }
    fprintf(out, "/* Made by src/sandbox/generate_filters.c */\n\n");
    write_filter(out, "strict", true, enter_filter(architecture, false, false, false));
    write_filter(out, "strict_alone", true, enter_filter(architecture, false, false, true));
    write_filter(out, "files", true, enter_filter(architecture, true, false, false));
    write_filter(out, "network", true, enter_filter(architecture, false, true, false));
    write_filter(out, "network_alone", true, enter_filter(architecture, false, true, true));
    write_filter(out, "seal", false, seal_filter(architecture));
    return fclose(out) == 0 ? 0 : 1;
}
