/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/alarm.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lane/alarm.h"

#define GUARD_BYTES (64u * 1024u)
#define STACK_BYTES (64u * 1024u) /* beyond what the CPU's registers take */

static struct lane_end *serving; /* NULL: no calls yet */
static pid_t serving_thread;

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

/*
 * The signal is raised anew, because not every fault comes again by itself (a breakpoint, abort()). It
 * stays blocked until this returns. Where raising is refused, the faulting instruction is tried again.
 */
static void on_fault(int signal, siginfo_t *info, void *context)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    if (serving && gettid() == serving_thread) {
        /* The host first: it may be looking at its mail this very moment. */
        lane_end_alarm(serving, signal, alarm_flags(signal, info, context),
                       (uintptr_t)info->si_addr);
    }
    alarm_tell(signal, info, context);
    (void)sigaction(signal, &plain, NULL);
    (void)syscall(SYS_tgkill, getpid(), gettid(), signal);
}

static int give_stack(void)
{
    long least = sysconf(_SC_MINSIGSTKSZ);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = ((least > 0 ? (size_t)least : 0) + STACK_BYTES + page - 1) / page * page;
    char *memory = mmap(NULL, bytes + 2 * GUARD_BYTES, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    stack_t stack = {.ss_sp = memory + GUARD_BYTES, .ss_size = bytes};
    if (mprotect(stack.ss_sp, bytes, PROT_READ | PROT_WRITE) != 0 ||
        sigaltstack(&stack, NULL) != 0) {
        return -errno;
    }
    /* What a crash writes first is there already: only time is lost where this is refused. */
    (void)madvise(memory + GUARD_BYTES + bytes - 2 * page, 2 * page, MADV_POPULATE_WRITE);
    return 0;
}

int alarm_install(struct message *why)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigfillset(&action.sa_mask);
    int r = give_stack();
    for (size_t i = 0; r == 0 && i < sizeof signals / sizeof signals[0]; i++) {
        r = sigaction(signals[i], &action, NULL) == 0 ? 0 : -errno;
    }
    return r < 0 ? message_set(why, r, "the crash handler cannot be set: %s", strerror(-r)) : 0;
}

void alarm_serve(struct lane_end *end)
{
    serving = end;
    serving_thread = gettid(); /* a child's thread is another one, too */
}
