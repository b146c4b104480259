/* SPDX-License-Identifier: Apache-2.0 */
#include "report/symbolize/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "report/symbolize.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_BYTES RLIM_INFINITY /* sanitizers reserve terabytes */
#else
#define MEMORY_BYTES (4ull << 30) /* of address space: copies of files are mapped */
#endif
#define FILE_BYTES (256u << 20)
#define FILES_MAX  1024u

/* ---- Files ------------------------------------------------------------------------------------- */

static void allow_reading(int rules, const char *path)
{
    OWN_FD folder = open(path, O_PATH | O_CLOEXEC | O_DIRECTORY);
    struct landlock_path_beneath_attr rule = {
        .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
        .parent_fd = folder,
    };
    if (folder >= 0) {
        (void)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
}

static void allow_library(int rules, const char *library)
{
    char *path = strchr(library, '/') ? realpath(library, NULL) : NULL;
    char *slash = path ? strrchr(path, '/') : NULL;
    if (slash && slash != path) {
        *slash = '\0';
        allow_reading(rules, path);
    }
    free(path);
}

static void confine_files(const char *library)
{
    static const char *const folders[] = {"/usr", "/lib",       "/lib64",
                                          "/opt", "/nix/store", "/gnu/store"};
    struct landlock_ruleset_attr attributes = {
        .handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1, /* all that version 1 knows */
    };
    OWN_FD rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (rules < 0) {
        return;
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        allow_reading(rules, folders[i]);
    }
    allow_library(rules, library);
    (void)syscall(SYS_landlock_restrict_self, rules, 0);
}

/* ---- System calls ------------------------------------------------------------------------------ */

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#endif

static const int allowed[] = {
    SYS_read,         SYS_pread64,       SYS_write,       SYS_pwrite64,     SYS_close,
    SYS_openat,       SYS_fstat,         SYS_newfstatat,  SYS_lseek,        SYS_mmap,
    SYS_munmap,       SYS_mprotect,      SYS_mremap,      SYS_madvise,      SYS_brk,
    SYS_memfd_create, SYS_ftruncate,     SYS_fcntl,       SYS_exit,         SYS_exit_group,
    SYS_futex,        SYS_clock_gettime, SYS_getrandom,   SYS_rt_sigreturn, SYS_rt_sigprocmask,
    SYS_rt_sigaction, SYS_getpid,        SYS_gettid,      SYS_readlinkat,   SYS_getcwd,
    SYS_faccessat,    SYS_statx,         SYS_sched_yield, SYS_prlimit64,    SYS_sigaltstack,
#if defined(__x86_64__)
    SYS_open,         SYS_stat,          SYS_lstat,       SYS_access,       SYS_readlink,
#endif
};
#define ALLOWED (sizeof allowed / sizeof allowed[0])

static int confine_calls(void)
{
    struct sock_filter code[ALLOWED + 8];
    unsigned short at = 0;
    code[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ALLOWED; i++) {
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i],
                                                  (unsigned char)(ALLOWED - i), 0);
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = at, .filter = code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0 ? -errno : 0;
}

/* ---- Limits ------------------------------------------------------------------------------------ */

static void limit(int resource, rlim_t most)
{
    struct rlimit limits;
    if (getrlimit((__rlimit_resource_t)resource, &limits) == 0 && limits.rlim_max > most) {
        limits = (struct rlimit){most, most};
        (void)setrlimit((__rlimit_resource_t)resource, &limits);
    }
}

int confine(const char *library)
{
    limit(RLIMIT_CPU, SYMBOLIZE_SECONDS);
    limit(RLIMIT_AS, MEMORY_BYTES);
    limit(RLIMIT_FSIZE, FILE_BYTES);
    limit(RLIMIT_NOFILE, FILES_MAX);
    limit(RLIMIT_CORE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -errno;
    }
    confine_files(library);
    return confine_calls();
}
