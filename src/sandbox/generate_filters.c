/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes sandbox_filters.h: the seccomp filter of workers as an array, so that the worker needs no
 * libseccomp. Runs while Cordon is built: generate_filters ARCHITECTURE OUTPUT.
 *
 * How it works. A filter forbids what lets a worker reach beyond itself and allows the rest: a
 * library nobody tuned for must be able to run. What a policy may grant is not decided here: where the
 * answer depends on it, the filter returns a question (filter.h: which class of calls, which call),
 * and the worker writes the answer in its place before it sets the filter. System calls newer than
 * SYSCALL_NEWEST, and the x32 table, are refused in front of it (compose.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asm/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/filter.h"

/* Reaching other processes, the kernel's rarely used depths, and the machine itself. */
static const char *const always_forbidden[] = {
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
    "memfd_create",
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

static const char *const makes_processes[] = {"fork", "vfork", "execve", "execveat", NULL};

/* What changes folders, which Landlock looks at. */
static const char *const makes_files[] = {
    "truncate", "mknod", "mknodat", "mkdir",     "mkdirat", "rmdir",    "unlink",    "unlinkat",
    "rename",   "link",  "linkat",  "renameat2", "symlink", "renameat", "symlinkat", NULL,
};

/* What changes files without opening them for writing, at which Landlock does not look. */
static const char *const marks_files[] = {
    "chmod",     "fchmod",    "fchmodat",    "chown",        "fchown",       "lchown",
    "fchownat",  "utime",     "utimes",      "futimesat",    "utimensat",    "setxattr",
    "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", NULL,
};

static const char *const connects[] = {"connect", NULL};
static const char *const binds[] = {"bind", NULL};
static const char *const listens[] = {"listen", "accept", "accept4", NULL};
static const char *const exits[] = {"exit_group", NULL};

/* Whose arguments lie in memory, where no filter can look: libc falls back on others. */
static const char *const unreadable[] = {"clone3", "openat2", NULL};

static const char *const opens[] = {"open", "openat", "creat", NULL};

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

static uint32_t question(const char *name, enum filter_class class)
{
    return SCMP_ACT_TRACE(filter_question(class, (uint32_t)number_of(name)));
}

static void ask(scmp_filter_ctx filter, enum filter_class class, const char *const *names)
{
    for (; *names; names++) {
        int r = seccomp_rule_add(filter, question(*names, class), number_of(*names), 0);
        /* -EDOM: this architecture never had it. */
        if (r < 0 && r != -EDOM) {
            die(*names, -r);
        }
    }
}

static void ask_if(scmp_filter_ctx filter, enum filter_class class, const char *name,
                   struct scmp_arg_cmp comparison)
{
    int r = seccomp_rule_add_array(filter, question(name, class), number_of(name), 1, &comparison);
    if (r < 0 && r != -EDOM) {
        die(name, -r);
    }
}

static void ask_for_processes(scmp_filter_ctx filter)
{
    ask(filter, FILTER_PROCESSES, makes_processes);
    ask_if(filter, FILTER_PROCESSES, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    ask_if(filter, FILTER_THREADS, "clone",
           SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
}

static void ask_for_signals(scmp_filter_ctx filter)
{
    static const char *const senders[] = {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"};
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        ask_if(filter, FILTER_SIGNALS, senders[i], SCMP_A0(SCMP_CMP_NE, FILTER_OWN_PID));
    }
    static const int owners[] = {F_SETOWN, F_SETOWN_EX, F_SETSIG};
    for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
        ask_if(filter, FILTER_FORBIDDEN, "fcntl",
               SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, (unsigned)owners[i]));
    }
    static const unsigned controls[] = {FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, TIOCSCTTY,
                                        TCSETS,    TCSETSW,   TCSETSF, TIOCSETD};
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        ask_if(filter, FILTER_FORBIDDEN, "ioctl",
               SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, controls[i]));
    }
    ask_if(filter, FILTER_FORBIDDEN, "prlimit64",
           SCMP_A0(SCMP_CMP_MASKED_EQ, 0x80000000u, 0x80000000u));
    ask_if(filter, FILTER_FORBIDDEN, "prlimit64", SCMP_A0(SCMP_CMP_NE, 0));
}

static void ask_for_escaping_the_keeper(scmp_filter_ctx filter)
{
    static const int options[] = {PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER,
                                  PR_SET_CHILD_SUBREAPER, PR_SET_MM};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        ask_if(filter, FILTER_FORBIDDEN, "prctl",
               SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, (unsigned)options[i]));
    }
}

/* Opening for writing, by flags: where no Landlock looks at paths. */
static void ask_for_opening_for_writing(scmp_filter_ctx filter)
{
    static const char *const creat[] = {"creat", NULL};
    static const struct {
        unsigned mask, value;
    } writing[] = {{O_ACCMODE, O_WRONLY},
                   {O_ACCMODE, O_RDWR},
                   {O_ACCMODE, O_ACCMODE},
                   {O_CREAT, O_CREAT},
                   {O_TRUNC, O_TRUNC}};
    for (size_t i = 0; i < sizeof writing / sizeof writing[0]; i++) {
        ask_if(filter, FILTER_OPEN_WRITING, "open",
               SCMP_A1(SCMP_CMP_MASKED_EQ, writing[i].mask, writing[i].value));
        ask_if(filter, FILTER_OPEN_WRITING, "openat",
               SCMP_A2(SCMP_CMP_MASKED_EQ, writing[i].mask, writing[i].value));
    }
    ask(filter, FILTER_OPEN_WRITING, creat);
}

/* A connection made by sending is one that Landlock does not see. */
static void ask_for_fast_open(scmp_filter_ctx filter)
{
    ask_if(filter, FILTER_FAST_OPEN, "sendto",
           SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
    ask_if(filter, FILTER_FAST_OPEN, "sendmsg",
           SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
    ask_if(filter, FILTER_FAST_OPEN, "sendmmsg",
           SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN));
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

static void write_code(FILE *out, const struct sock_filter *code, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "    {0x%02x, %u, %u, 0x%08xu},\n", code[i].code, code[i].jt, code[i].jf,
                code[i].k);
    }
}

static void write_filter(FILE *out, const char *name, scmp_filter_ctx filter)
{
    struct sock_filter code[FILTER_COUNT_MAX];
    int fd = memfd_create("filter", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
    if (r < 0) {
        die(name, -r);
    }
    ssize_t bytes = pread(fd, code, sizeof code, 0);
    if (bytes <= 0 || (size_t)bytes == sizeof code) {
        die(name, bytes < 0 ? errno : EFBIG);
    }
    fprintf(out, "static const struct sock_filter filter_%s[] = {\n", name);
    write_code(out, code, (size_t)bytes / sizeof code[0]);
    fprintf(out, "};\n\n");
    (void)close(fd);
    seccomp_release(filter);
}

static scmp_filter_ctx enter_filter(uint32_t architecture)
{
    scmp_filter_ctx filter = filter_new(architecture);
    ask(filter, FILTER_FORBIDDEN, always_forbidden);
    ask(filter, FILTER_UNREADABLE, unreadable);
    ask_for_processes(filter);
    ask_for_signals(filter);
    ask_for_escaping_the_keeper(filter);
    ask(filter, FILTER_MAKES_FILES, makes_files);
    ask(filter, FILTER_MARKS_FILES, marks_files);
    ask_for_opening_for_writing(filter);
    ask(filter, FILTER_CONNECTS, connects);
    ask(filter, FILTER_BINDS, binds);
    ask(filter, FILTER_LISTENS, listens);
    ask_for_fast_open(filter);
    ask(filter, FILTER_EXITS, exits);
    return filter;
}

/* Where nothing may be opened any more, and Landlock cannot say so to every thread. */
static scmp_filter_ctx seal_filter(uint32_t architecture)
{
    scmp_filter_ctx filter = filter_new(architecture);
    for (const char *const *name = opens; *name; name++) {
        int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), number_of(*name), 0);
        if (r < 0 && r != -EDOM) {
            die(*name, -r);
        }
    }
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
    write_filter(out, "enter", enter_filter(architecture));
    write_filter(out, "seal", seal_filter(architecture));
    return fclose(out) == 0 ? 0 : 1;
}
