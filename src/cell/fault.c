/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/fault.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

/*
 * How it works.
 *
 * A guarded run leaves a frame with a jump buffer on its stack and hangs it into a thread-local chain.
 * The handler looks at the chain: if this thread runs guarded and the signal is a fault of its own, it
 * jumps to the innermost frame; otherwise it does what the signal's previous owner would have done.
 *
 * The jump buffer is saved without the signal mask (4 ns instead of 176), so the handler restores by
 * hand what its own delivery blocked. The handlers run on an alternate stack, or a stack overflow could
 * not be told; they do without SA_NODEFER, so that a fault in the handler itself ends the process
 * rather than recursing.
 *
 * abort(): glibc unlocks its lock around the raise (2.36), so that leaving it by a jump blocks nobody,
 * and later calls of abort() find the same state. What the aborting code held itself - malloc's arena
 * lock, when it found its heap corrupt - stays held, as with every fault.
 */

static const int guarded_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

enum {
    SIGNALS = sizeof(guarded_signals) / sizeof(guarded_signals[0]),
    ALTERNATE_BYTES = 256 * 1024,
    ALTERNATE_SPARE_BYTES = 16 * 1024, /* above what the kernel itself needs for a frame */
    GUARD_BYTES = 64 * 1024,
    /* How far past its end an overflowing stack is written: big frames, and the main stack's gap. */
    OVERFLOW_BELOW_BYTES = 1024 * 1024 + GUARD_BYTES,
    OVERFLOW_ABOVE_BYTES = 64 * 1024,
};

struct fault_frame {
    sigjmp_buf jump;
    struct fault_frame *outer;
    struct fault fault;
};

/* A thread's own, made when it first runs guarded. */
struct fault_thread {
    struct fault_frame *volatile innermost; /* what the handler reads, on this very thread */
    uintptr_t stack_low;                    /* 0: not known */
    void *alternate;                        /* mapping of ours, guards included; NULL: none */
    size_t alternate_bytes;
    bool ready;
};

/* initial-exec: the first access of a thread may be in the handler, and must not allocate there. */
static _Thread_local struct fault_thread self __attribute__((tls_model("initial-exec")));

static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed;                   /* guarded by install_lock */
static struct sigaction owners[SIGNALS]; /* written before the handler of that signal is in force */
static pthread_key_t thread_key;         /* its destructor frees the alternate stack */

/* ---- The previous owner ------------------------------------------------------------------------ */

static struct sigaction *find_owner(int signal)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        if (guarded_signals[i] == signal) {
            return &owners[i];
        }
    }
    return NULL;
}

/* A fault comes again when its instruction does; what was sent must be sent again. */
static void default_action(int signal, const siginfo_t *info)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    (void)sigaction(signal, &plain, NULL);
    if (info->si_code <= 0) {
        (void)raise(signal); /* pending until the handler returns and unblocks it */
    }
}

/* Block what the kernel would have blocked for this owner. The handler's return restores the mask. */
static void mask_as_owner(int signal, const struct sigaction *owner)
{
    sigset_t mask = owner->sa_mask;
    if ((owner->sa_flags & SA_NODEFER) == 0) {
        (void)sigaddset(&mask, signal);
    }
    (void)pthread_sigmask(SIG_BLOCK, &mask, NULL);
    if ((owner->sa_flags & SA_NODEFER) != 0 && !sigismember(&owner->sa_mask, signal)) {
        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, signal);
        (void)pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    }
}

static void pass_to_owner(int signal, siginfo_t *info, void *context)
{
    struct sigaction *owner = find_owner(signal);
    struct sigaction action = *owner;

    if ((action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN) {
        /* The kernel does not let a fault be ignored: it would come back for ever. */
        if (info->si_code > 0) {
            default_action(signal, info);
        }
        return;
    }
    if ((action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL) {
        default_action(signal, info);
        return;
    }
    if ((action.sa_flags & (int)SA_RESETHAND) != 0) {
        *owner = (struct sigaction){.sa_handler = SIG_DFL};
    }
    mask_as_owner(signal, &action);
    if ((action.sa_flags & SA_SIGINFO) != 0) {
        action.sa_sigaction(signal, info, context);
    } else {
        action.sa_handler(signal);
    }
}

/* ---- The handler ------------------------------------------------------------------------------- */

/* Of an instruction (si_code > 0), or raised by this process as abort() and raise() do. */
static bool is_own_fault(const siginfo_t *info)
{
    if (info->si_signo == SIGBUS && info->si_code == BUS_MCEERR_AO) {
        return false; /* memory went bad somewhere: told to any thread, caused by none */
    }
    return info->si_code > 0 || (info->si_code == SI_TKILL && info->si_pid == getpid());
}

static bool is_stack_overflow(int signal, const siginfo_t *info)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    uintptr_t low = self.stack_low;
    return signal == SIGSEGV && info->si_code > 0 && low > OVERFLOW_BELOW_BYTES &&
           address >= low - OVERFLOW_BELOW_BYTES && address < low + OVERFLOW_ABOVE_BYTES;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    int error_number = errno;
    struct fault_frame *frame = self.innermost;
    if (frame == NULL || !is_own_fault(info)) {
        pass_to_owner(signal, info, context);
        errno = error_number;
        return;
    }
    frame->fault = (struct fault){
        .signal = signal,
        .address = info->si_code > 0 ? (uintptr_t)info->si_addr : 0,
        .stack_overflow = is_stack_overflow(signal, info),
    };
    (void)pthread_sigmask(SIG_SETMASK, &((const ucontext_t *)context)->uc_sigmask, NULL);
    siglongjmp(frame->jump, FAULT_HIT);
}

/* ---- Threads ----------------------------------------------------------------------------------- */

static size_t alternate_stack_bytes(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t needed = (size_t)getauxval(AT_MINSIGSTKSZ) + ALTERNATE_SPARE_BYTES;
    size_t bytes = needed > ALTERNATE_BYTES ? needed : ALTERNATE_BYTES;
    return (bytes + page - 1) / page * page;
}

/* Thread's end. Another owner's alternate stack, set since, is left. */
static void free_alternate_stack(void *value)
{
    struct fault_thread *thread = value;
    stack_t stack;
    if (sigaltstack(NULL, &stack) == 0 && stack.ss_sp == (char *)thread->alternate + GUARD_BYTES) {
        stack_t none = {.ss_flags = SS_DISABLE};
        (void)sigaltstack(&none, NULL);
    }
    (void)munmap(thread->alternate, thread->alternate_bytes);
    thread->alternate = NULL;
    thread->ready = false;
}

/* Guard, stack, guard. */
static int make_alternate_stack(void)
{
    size_t stack_bytes = alternate_stack_bytes();
    size_t bytes = stack_bytes + 2 * (size_t)GUARD_BYTES;
    char *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    stack_t stack = {.ss_sp = memory + GUARD_BYTES, .ss_size = stack_bytes};
    int r = 0;
    if (mprotect(stack.ss_sp, stack_bytes, PROT_READ | PROT_WRITE) < 0) {
        r = -errno;
    }
    if (r == 0) {
        r = -pthread_setspecific(thread_key, &self);
    }
    if (r == 0 && sigaltstack(&stack, NULL) < 0) {
        r = -errno;
        (void)pthread_setspecific(thread_key, NULL);
    }
    if (r < 0) {
        (void)munmap(memory, bytes);
        return r;
    }
    self.alternate = memory;
    self.alternate_bytes = bytes;
    return 0;
}

/* Best effort: without it an overflow is told as a plain SIGSEGV. */
static void learn_stack(void)
{
    pthread_attr_t attributes;
    void *low;
    size_t bytes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return;
    }
    if (pthread_attr_getstack(&attributes, &low, &bytes) == 0) {
        self.stack_low = (uintptr_t)low;
    }
    (void)pthread_attr_destroy(&attributes);
}

static int prepare_thread(void)
{
    stack_t current;
    if (sigaltstack(NULL, &current) < 0) {
        return -errno;
    }
    if ((current.ss_flags & SS_DISABLE) != 0) {
        int r = make_alternate_stack();
        if (r < 0) {
            return r;
        }
    }
    learn_stack();
    self.ready = true;
    return 0;
}

/* ---- Guarded runs ------------------------------------------------------------------------------ */

static int install_handlers(void)
{
    int r = -pthread_key_create(&thread_key, free_alternate_stack);
    if (r < 0) {
        return r;
    }
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        /* Asked first: the handler may run, and look at its owner, before sigaction() returns. */
        (void)sigaction(guarded_signals[i], NULL, &owners[i]);
        (void)sigaction(guarded_signals[i], &action, NULL);
    }
    return 0;
}

int fault_install(void)
{
    int r = 0;
    (void)pthread_mutex_lock(&install_lock);
    if (!installed) {
        r = install_handlers();
        installed = r == 0;
    }
    (void)pthread_mutex_unlock(&install_lock);
    return r;
}

int fault_guard(void (*run)(void *context), void *context, struct fault *ret_fault)
{
    if (!self.ready) {
        int r = prepare_thread();
        if (r < 0) {
            return r;
        }
    }
    struct fault_frame frame = {.outer = self.innermost};
    int end = sigsetjmp(frame.jump, 0);
    if (end == FAULT_NONE) {
        self.innermost = &frame;
        run(context);
    }
    self.innermost = frame.outer;
    if (end == FAULT_HIT && ret_fault != NULL) {
        *ret_fault = frame.fault;
    }
    return end;
}

void fault_leave(void)
{
    struct fault_frame *frame = self.innermost;
    assert(frame != NULL);
    siglongjmp(frame->jump, FAULT_LEFT);
}

void fault_strand(void)
{
    for (;;) {
        (void)pause(); /* returns whenever a handler has run */
    }
}

struct fault_frame *fault_suspend(void)
{
    struct fault_frame *suspended = self.innermost;
    self.innermost = NULL;
    return suspended;
}

void fault_resume(struct fault_frame *suspended)
{
    assert(self.innermost == NULL);
    self.innermost = suspended;
}

void fault_describe(const struct fault *fault, char *text, size_t bytes)
{
    char place[40] = "";
    if (fault->signal != SIGABRT) {
        (void)snprintf(place, sizeof place, " at address %#lx", (unsigned long)fault->address);
    }
    (void)snprintf(text, bytes, "%s%s%s", strsignal(fault->signal),
                   fault->stack_overflow ? " (stack overflow)" : "", place);
}
