/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/launch_clone.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNALS      64
#define SIGNAL_BYTES (SIGNALS / 8)

/* ---- The clone --------------------------------------------------------------------------------- */

#if defined(__x86_64__)
CHILD_SIDE long launch_clone_onto(unsigned long flags, unsigned char *stack_end, int *ret_pidfd,
                                  void (*function)(void *argument), void *argument)
{
    register long tid asm("r10") = 0;
    register long tls asm("r8") = 0;
    register void (*run)(void *) asm("r12") = function;
    register void *given asm("r13") = argument;
    long result;
    asm volatile("syscall\n\t"
                 "test %%rax, %%rax\n\t"
                 "jnz 1f\n\t"
                 "xor %%ebp, %%ebp\n\t"
                 "mov %%r13, %%rdi\n\t"
                 "call *%%r12\n\t"
                 "hlt\n"
                 "1:"
                 : "=a"(result)
                 : "a"(SYS_clone), "D"(flags), "S"(stack_end), "d"(ret_pidfd), "r"(tid), "r"(tls),
                   "r"(run), "r"(given)
                 : "rcx", "r11", "memory", "cc");
    return result;
}
#elif defined(__aarch64__)
CHILD_SIDE long launch_clone_onto(unsigned long flags, unsigned char *stack_end, int *ret_pidfd,
                                  void (*function)(void *argument), void *argument)
{
    register unsigned long x0 asm("x0") = flags;
    register unsigned char *x1 asm("x1") = stack_end;
    register int *x2 asm("x2") = ret_pidfd;
    register long x3 asm("x3") = 0;
    register long x4 asm("x4") = 0;
    register long x8 asm("x8") = SYS_clone;
    register void (*run)(void *) asm("x19") = function;
    register void *given asm("x20") = argument;
    asm volatile("svc #0\n\t"
                 "cbnz x0, 1f\n\t"
                 "mov x29, xzr\n\t"
                 "mov x30, xzr\n\t"
                 "mov x0, x20\n\t"
                 "blr x19\n\t"
                 "brk #1\n"
                 "1:"
                 : "+r"(x0)
                 : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x8), "r"(run), "r"(given)
                 : "memory", "cc");
    return (long)x0;
}
#endif

/* As the kernel knows it; glibc's refuses its own signals. */
struct kernel_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

CHILD_SIDE void launch_reset_signals(void)
{
    struct kernel_sigaction fresh = {.handler = SIG_DFL};
    uint64_t none = 0;
    for (int number = 1; number <= SIGNALS; number++) {
        (void)syscall(SYS_rt_sigaction, number, &fresh, NULL, SIGNAL_BYTES);
    }
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, SIGNAL_BYTES);
}

CHILD_SIDE int launch_place_fd(int fd, int number)
{
    if (fd < 0) {
        (void)syscall(SYS_close, number);
        return 0;
    }
    return syscall(SYS_dup3, fd, number, 0) < 0 ? -errno : 0;
}

/* CLONE_FILES: see launch.c. No CLONE_SIGHAND: a child's dispositions must not be ours. */
int launch_between(void (*function)(void *argument), void *argument, unsigned char *stack_end)
{
    uint64_t all = ~UINT64_C(0);
    uint64_t before;
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, SIGNAL_BYTES);
    long pid = launch_clone_onto(CLONE_VM | CLONE_VFORK | CLONE_FILES, stack_end, NULL, function,
                                 argument);
    if (pid > 0) {
        /* Only its own parent thread group may wait for it, and only with __WALL (or __WCLONE). */
        while (syscall(SYS_wait4, pid, NULL, __WALL, NULL) < 0 && errno == EINTR) {
        }
    }
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGNAL_BYTES);
    return pid < 0 ? (int)pid : 0;
}
