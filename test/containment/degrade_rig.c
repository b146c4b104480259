/* SPDX-License-Identifier: Apache-2.0 */
#include "containment/degrade_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/harness.h"

/* ---- Cells ------------------------------------------------------------------------------------- */

struct cordon_cell_options degrade_libc_options(void)
{
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    options.library = "";
    return options;
}

static int64_t call_int(struct cordon_cell *cell, const char *prototype,
                        const struct cordon_value *args, size_t count, int *ret_errno)
{
    struct cordon_result result = harness_call(NULL, harness_bind(cell, prototype), args, count);
    int64_t value = result.value.i;
    if (ret_errno) {
        *ret_errno = result.error_number;
    }
    cordon_result_release(&result);
    return value;
}

static int64_t open_file(struct cordon_cell *cell, const char *path, int flags)
{
    struct cordon_value args[] = {cordon_string(path), cordon_int(flags)};
    int64_t fd = call_int(cell, "int open(const char *path, int flags)", args, 2, NULL);
    if (fd >= 0) {
        struct cordon_value arg = cordon_int(fd);
        (void)call_int(cell, "int close(int fd)", &arg, 1, NULL);
    }
    return fd;
}

/* What is promised is enforced: each promise is put to the test. Returns the promises. */
uint32_t degrade_judge(struct cordon_cell *cell)
{
    uint32_t promised = cordon_cell_isolation(cell);
    struct cordon_value seven = cordon_int(-7);
    assert_int_equal(call_int(cell, "int abs(int x)", &seven, 1, NULL), 7);
    if (promised & CORDON_NO_WRITES) {
        assert_int_equal(open_file(cell, "/dev/full", O_WRONLY), -1);
    }
    if (promised & CORDON_CONFINES_READS) {
        assert_int_equal(open_file(cell, "/proc/1/maps", O_RDONLY), -1);
        assert_int_equal(open_file(cell, "/proc/version", O_RDONLY), -1);
    }
    if (promised & CORDON_NO_NETWORK) {
        struct cordon_value args[] = {cordon_int(AF_INET), cordon_int(SOCK_STREAM), cordon_int(0)};
        assert_int_equal(call_int(cell, "int socket(int a, int b, int c)", args, 3, NULL), -1);
    }
    if (promised & CORDON_LISTS_VIOLATIONS) {
        struct cordon_value args[] = {cordon_int(AF_INET), cordon_int(SOCK_STREAM), cordon_int(0)};
        struct cordon_result result =
            harness_call(NULL, harness_bind(cell, "int socket(int a, int b, int c)"), args, 3);
        assert_int_equal(result.violations, 1);
        cordon_result_release(&result);
    }
    if (promised & CORDON_NO_PROCESSES) {
        assert_int_equal(call_int(cell, "int fork(void)", NULL, 0, NULL), -1);
    }
    if (promised & CORDON_NO_SIGNALS) {
        struct cordon_value args[] = {cordon_int(getpid()), cordon_int(0)};
        int number = 0;
        assert_int_equal(call_int(cell, "int kill(int pid, int signal)", args, 2, &number), -1);
        assert_int_not_equal(number, ESRCH); /* refused, not merely out of sight */
    }
    if (promised & CORDON_UNPRIVILEGED) {
        assert_int_not_equal(call_int(cell, "unsigned geteuid(void)", NULL, 0, NULL), 0);
        struct cordon_value args[] = {cordon_int(PR_GET_NO_NEW_PRIVS), cordon_int(0), cordon_int(0),
                                      cordon_int(0), cordon_int(0)};
        assert_int_equal(
            call_int(cell, "int prctl(int a, long b, long c, long d, long e)", args, 5, NULL), 1);
    }
    if (promised & CORDON_LIMITS_MEMORY) {
        struct cordon_value args[] = {
            cordon_int(0),         cordon_uint(UINT64_C(8) << 30),
            cordon_int(PROT_NONE), cordon_int(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE),
            cordon_int(-1),        cordon_int(0)};
        int number = 0;
        assert_int_equal(
            call_int(cell, "long mmap(long a, unsigned long n, int p, int f, int fd, long at)",
                     args, 6, &number),
            -1);
        assert_int_equal(number, ENOMEM);
    }
    return promised;
}

/* The promises of a strict cell as things are around this process. */
uint32_t degrade_promises_with(uint32_t without)
{
    struct cordon_cell_options options = degrade_libc_options();
    options.without = without;
    struct cordon_cell *cell = harness_open_with(&options);
    uint32_t promised = degrade_judge(cell);
    cordon_cell_close(cell);
    return promised;
}

void degrade_expect_refusal(const struct cordon_cell_options *options, const char *name,
                            const char *why)
{
    struct cordon_cell *cell = NULL;
    struct cordon_error error = {{0}};
    assert_int_equal(cordon_cell_open(options, &cell, &error), -ENOTSUP);
    if (!strstr(error.text, name) || !strstr(error.text, why)) {
        fail_msg("'%s' and '%s' expected in: %s", name, why, error.text);
    }
}

void degrade_expect_mechanism_refused(uint32_t mechanism, const char *why)
{
    struct cordon_cell_options options = degrade_libc_options();
    options.require_mechanisms = mechanism;
    degrade_expect_refusal(&options, cordon_mechanism_name(mechanism), why);
}

void degrade_expect_promise_refused(uint32_t promise, const char *why)
{
    struct cordon_cell_options options = degrade_libc_options();
    options.require = promise;
    degrade_expect_refusal(&options, cordon_isolation_name(promise), why);
    options.require |= CORDON_BEST_EFFORT;
    cordon_cell_close(harness_open_with(&options));
}

void degrade_expect_same(uint32_t promised, uint32_t expected)
{
    for (uint32_t bit = 1; bit < CORDON_BEST_EFFORT; bit <<= 1) {
        if ((promised ^ expected) & bit) {
            fail_msg("%s: %s", cordon_isolation_name(bit), promised & bit ? "kept" : "lost");
        }
    }
}

/* ---- Around this process ----------------------------------------------------------------------- */

/* A filter as containers have them; it stays for every process from here on. Returns its listener. */
int degrade_forbid(const struct degrade_forbidden *calls, size_t count, unsigned flags)
{
    struct sock_filter code[64];
    size_t n = 0;
    assert_in_range(count, 0, 8);
    for (size_t i = 0; i < count; i++) {
        const struct degrade_forbidden *call = &calls[i];
        struct sock_filter part[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->number, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                     (uint32_t)offsetof(struct seccomp_data, args) + 8 * call->argument),
            BPF_JUMP((uint16_t)(BPF_JMP | (call->test ? call->test : BPF_JGE) | BPF_K), call->value,
                     0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)call->error),
        };
        memcpy(code + n, part, sizeof part);
        n += HARNESS_COUNT(part);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    assert_true(fd >= 0);
    return (int)fd;
}

void degrade_forbid_one(long number, int error)
{
    struct degrade_forbidden call = {.number = number, .error = error};
    (void)degrade_forbid(&call, 1, 0);
}

void degrade_become_nobody(void)
{
    if (geteuid() != 0) {
        return;
    }
    assert_int_equal(setgroups(0, NULL), 0);
    assert_int_equal(setresgid(NOBODY, NOBODY, NOBODY), 0);
    assert_int_equal(setresuid(NOBODY, NOBODY, NOBODY), 0);
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
}

void degrade_write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t length = (ssize_t)strlen(text);
    if (fd < 0 || write(fd, text, (size_t)length) != length) {
        harness_skip("%s cannot be written here", path);
    }
    assert_int_equal(close(fd), 0);
}
