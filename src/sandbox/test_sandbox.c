/* SPDX-License-Identifier: Apache-2.0 */
/* What Landlock, limits and a changed user take away, and the seal. */
#include "sandbox/test_claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/landlock.h"
#include "sandbox/limits.h"
#include "sandbox/privileges.h"
#include "sandbox/sandbox.h"

/* ---- The seal ---------------------------------------------------------------------------------- */

static int pipe_to_thread[2];

static void *try_opening_when_told(void *argument)
{
    char go;
    (void)argument;
    CLAIM(read(pipe_to_thread[0], &go, 1) == 1);
    CLAIM(open("/usr/lib", O_RDONLY) == -1 && errno == EACCES);
    return NULL;
}

/* A constructor may have made threads before stage two: Landlock's second layer misses them. */
static void claim_seal_reaches_threads(void)
{
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    struct sandbox_wish wish = {.policy = &policy,
                                .mechanisms =
                                    ERRAND_SECCOMP | ERRAND_LANDLOCK | ERRAND_NO_NEW_PRIVILEGES,
                                .library = "",
                                .alarm_call = ALARM_CALL};
    struct sandbox sandbox = SANDBOX_NONE;
    struct message why;
    pthread_t thread;
    CLAIM(pipe(pipe_to_thread) == 0);
    CLAIM(sandbox_enter(&wish, &sandbox, &why) == 0);
    CLAIM(open("/usr/lib", O_RDONLY) >= 0);
    CLAIM(pthread_create(&thread, NULL, try_opening_when_told, NULL) == 0);
    CLAIM(sandbox_seal(&wish, &sandbox, &why) == 0);
    CLAIM(write(pipe_to_thread[1], "x", 1) == 1);
    CLAIM(pthread_join(thread, NULL) == 0);
}

static void test_seal_reaches_every_thread(void **state)
{
    (void)state;
    need(ERRAND_SECCOMP | ERRAND_LANDLOCK);
    expect(claim_seal_reaches_threads);
}

/* ---- Landlock ---------------------------------------------------------------------------------- */

static char secret_folder[] = "/tmp/cordon-secret-XXXXXX";

static void claim_files_by_path(void)
{
    char path[sizeof secret_folder + 8];
    (void)snprintf(path, sizeof path, "%s/secret", secret_folder);
    CLAIM(chdir("/usr") == 0);
    OWN_FD before = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    CLAIM(before >= 0);
    enter(POLICY_STRICT, ERRAND_LANDLOCK);
    CLAIM(open(path, O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open(path, O_WRONLY) == -1 && errno == EACCES);
    CLAIM(unlink(path) == -1 && errno == EACCES);
    CLAIM(open("/proc/1/environ", O_RDONLY) == -1);
    CLAIM(open("/usr/include/stdio.h", O_RDONLY) == -1);
    CLAIM(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open("/usr/lib", O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open("/dev/null", O_RDWR) == -1 && errno == EACCES);
    CLAIM(write(before, "x", 1) == 1);
}

static void test_strict_policy_opens_nothing_once_loaded(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK);
    expect(claim_files_by_path);
}

static void claim_all_files(void)
{
    char path[sizeof secret_folder + 8];
    (void)snprintf(path, sizeof path, "%s/written", secret_folder);
    enter(POLICY_FILES, ERRAND_LANDLOCK | ERRAND_SECCOMP);
    CLAIM(open(path, O_WRONLY | O_CREAT, 0600) >= 0);
    CLAIM(unlink(path) == 0);
    CLAIM(refused(socket(AF_UNIX, SOCK_STREAM, 0)));
}

static void test_files_policy_writes(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK | ERRAND_SECCOMP);
    expect(claim_all_files);
}

/* While it is loaded, and no longer. */
static void claim_library_folder(void)
{
    char path[sizeof secret_folder + 8];
    (void)snprintf(path, sizeof path, "%s/libx.so", secret_folder);
    OWN_FD before = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    CLAIM(before >= 0 && chdir("/usr") == 0 && privileges_forbid_new() == 0);
    int seal;
    CLAIM(landlock_enter(&policy, path) == 0);
    CLAIM(landlock_prepare_seal(&policy, &seal) == 0 && seal >= 0);
    CLAIM(open(path, O_RDONLY) >= 0);
    CLAIM(open("/usr/lib", O_RDONLY) >= 0);
    CLAIM(open("/etc/ld.so.cache", O_RDONLY) >= 0 || errno == ENOENT);
    CLAIM(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open("/proc/self/maps", O_RDONLY) == -1 && errno == EACCES);
    CLAIM(open(path, O_WRONLY) == -1 && errno == EACCES);
    CLAIM(landlock_seal(seal) == 0);
    CLAIM(open(path, O_RDONLY) == -1 && errno == EACCES);
}

static void test_folder_of_the_library_is_readable_while_loading(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK);
    expect(claim_library_folder);
}

static void claim_granted_paths(void)
{
    char path[sizeof secret_folder + 16];
    char reads[sizeof path + 8];
    char writes[sizeof path + 8];
    (void)snprintf(path, sizeof path, "%s/w", secret_folder);
    (void)snprintf(reads, sizeof reads, "read:%s", secret_folder);
    (void)snprintf(writes, sizeof writes, "write:%s", path);
    const char *const grants[] = {reads, writes, "device:/dev/zero", NULL};
    CLAIM(mkdir(path, 0777) == 0 && chmod(path, 0777) == 0);
    enter_grants(grants, ERRAND_LANDLOCK | ERRAND_SECCOMP);
    CLAIM(open(secret_folder, O_RDONLY) >= 0);
    CLAIM(open("/dev/zero", O_RDWR) >= 0);
    CLAIM(open("/dev/null", O_RDONLY) == -1 && errno == EACCES);
    (void)strcat(path, "/x");
    CLAIM(open(path, O_RDWR | O_CREAT, 0600) >= 0);
    CLAIM(refused(chmod(path, 0777))); /* Landlock would not look where */
    CLAIM(truncate(path, 10) == 0);
    CLAIM(unlink(path) == 0);
    (void)snprintf(path, sizeof path, "%s/x", secret_folder);
    CLAIM(open(path, O_RDWR | O_CREAT, 0600) == -1 && errno == EACCES);
    CLAIM(mkdir(path, 0700) == -1 && errno == EACCES);
}

static void test_granted_paths_are_open(void **state)
{
    (void)state;
    need(ERRAND_LANDLOCK | ERRAND_SECCOMP);
    expect(claim_granted_paths);
}

/* ---- Limits and privileges --------------------------------------------------------------------- */

static void claim_limits(void)
{
    struct rlimit limit;
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    policy.memory_bytes = 64u << 20;
    policy.file_bytes = 100;
    policy.cpu_ms = 1500;
    policy.fds = 20;
    OWN_FD file = memfd_create("file", MFD_CLOEXEC);
    CLAIM(limits_apply(&policy) == 0);
    CLAIM(pwrite(file, "x", 1, 99) == 1);
    CLAIM(pwrite(file, "x", 1, 100) == -1 && errno == EFBIG);
    CLAIM(getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_cur == 2 && limit.rlim_max == 3);
    CLAIM(fcntl(0, F_DUPFD, 20) == -1);
    void *within = malloc(32u << 20);
    CLAIM(within != NULL);
    CLAIM(malloc(128u << 20) == NULL);
    free(within);
    CLAIM(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max <= 1);
    CLAIM(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max == 20);
}

static void test_memory_beyond_the_limit_is_not_given(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* the sanitizer's own memory is beyond any limit */
#endif
    expect(claim_limits);
}

static void claim_nobody(void)
{
    uid_t before = geteuid();
    enter(POLICY_TRUSTED, ERRAND_UNPRIVILEGED_USER);
    CLAIM(geteuid() == (before == 0 ? PRIVILEGES_NOBODY : before));
    CLAIM(getgroups(0, NULL) == 0 || before != 0);
    CLAIM(setuid(0) == -1);
    CLAIM(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void test_root_becomes_nobody(void **state)
{
    (void)state;
    need(ERRAND_UNPRIVILEGED_USER);
    expect(claim_nobody);
}

static void claim_mechanism_is_named(void)
{
    struct policy policy;
    policy_init(&policy, POLICY_STRICT);
    struct sandbox_wish wish = {
        .policy = &policy, .mechanisms = ERRAND_SECCOMP, .library = "", .alarm_call = ALARM_CALL};
    struct sandbox sandbox = SANDBOX_NONE;
    struct message why;
    CLAIM(privileges_leave_root() == 0); /* and no_new_privs is not set */
    CLAIM(sandbox_enter(&wish, &sandbox, &why) == -EACCES);
    CLAIM(strcmp(why.text, "the sandbox cannot be entered: seccomp: Permission denied") == 0);
}

static void test_what_cannot_be_had_is_named(void **state)
{
    (void)state;
    expect(claim_mechanism_is_named);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(secret_folder) && chmod(secret_folder, 0777) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"secret", "libx.so"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[sizeof secret_folder + 16];
        (void)snprintf(path, sizeof path, "%s/%s", secret_folder, names[i]);
        (void)unlink(path);
    }
    char folder[sizeof secret_folder + 16];
    (void)snprintf(folder, sizeof folder, "%s/w", secret_folder);
    (void)rmdir(folder);
    return rmdir(secret_folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_reaches_every_thread),
        cmocka_unit_test(test_strict_policy_opens_nothing_once_loaded),
        cmocka_unit_test(test_files_policy_writes),
        cmocka_unit_test(test_folder_of_the_library_is_readable_while_loading),
        cmocka_unit_test(test_granted_paths_are_open),
        cmocka_unit_test(test_memory_beyond_the_limit_is_not_given),
        cmocka_unit_test(test_root_becomes_nobody),
        cmocka_unit_test(test_what_cannot_be_had_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
