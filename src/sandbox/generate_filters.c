/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes sandbox_filters.h: the system calls that a worker's seccomp filter judges by their numbers alone,
 * by class (filter.h), so that the worker needs no libseccomp. Runs while Cordon is built:
 * generate_filters ARCHITECTURE OUTPUT.
 *
 * A filter forbids what lets a worker reach beyond itself and allows the rest: a library nobody tuned for
 * must be able to run. What a policy grants, and calls whose arguments matter, are compose.c's.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* What takes from a file that is open, also from one that the worker was given; io_submit() may. */
static const char *const cuts_files[] = {"ftruncate", "fallocate", "io_submit", NULL};

static const char *const connects[] = {"connect", NULL};
static const char *const binds[] = {"bind", NULL};
static const char *const listens[] = {"listen", "accept", "accept4", NULL};
static const char *const exits[] = {"exit_group", NULL};

/* Whose arguments lie in memory, where no filter can look: libc falls back on others. */
static const char *const unreadable[] = {"clone3", "openat2", NULL};

static void die(const char *what, int error)
{
    fprintf(stderr, "generate_filters: %s: %s\n", what, strerror(error));
    exit(1);
}

static void write_class(FILE *out, uint32_t architecture, const char *class,
                        const char *const *names)
{
    for (; *names; names++) {
        int number = seccomp_syscall_resolve_name_arch(architecture, *names);
        if (number == __NR_SCMP_ERROR) {
            die(*names, ENOENT);
        }
        if (number >= 0) { /* else this architecture never had it */
            fprintf(out, "    {%d, %s}, /* %s */\n", number, class, *names);
        }
    }
}

static const struct {
    const char *class;
    const char *const *names;
} classes[] = {
    {"FILTER_FORBIDDEN", always_forbidden},
    {"FILTER_UNREADABLE", unreadable},
    {"FILTER_PROCESSES", makes_processes},
    {"FILTER_MAKES_FILES", makes_files},
    {"FILTER_MARKS_FILES", marks_files},
    {"FILTER_CUTS_FILES", cuts_files},
    {"FILTER_CONNECTS", connects},
    {"FILTER_BINDS", binds},
    {"FILTER_LISTENS", listens},
    {"FILTER_EXITS", exits},
};

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
    fprintf(out, "/* Made by src/sandbox/generate_filters.c */\n\n"
                 "static const struct filter_call filter_calls[] = {\n");
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        write_class(out, architecture, classes[i].class, classes[i].names);
    }
    fprintf(out, "};\n");
    return fclose(out) == 0 ? 0 : 1;
}
