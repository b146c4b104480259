/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/fault.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "cell/fault_look.h"
#include "cell/fault_owner.h"

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

enum {
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
    struct fault_scene *scene; /* NULL: of no interest */
    struct fault fault;
};

/* A thread's own, made when it first runs guarded. */
struct fault_thread {
    struct fault_frame *volatile innermost; /* what the handler reads, on this very thread */
    uintptr_t stack_low;                    /* 0: not known */
    uint64_t serial;                        /* its number, ever; 0: not ready */
    pid_t id;                               /* another one: this is a child that the library made */
    void *alternate;                        /* mapping of ours, guards included; NULL: none */
    size_t alternate_bytes;
    bool ready;
};

/* initial-exec: the first access of a thread may be in the handler, and must not allocate there. */
static _Thread_local struct fault_thread self __attribute__((tls_model("initial-exec")));

static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;
static bool installed;           /* guarded by install_lock */
static pthread_key_t thread_key; /* its destructor frees the alternate stack */
static _Atomic uint64_t serials;

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

/*
 * The innermost run, or NULL. A process that the library has made has a copy of everything, or even shares
 * it, and must not come back as a second host.
 */
static struct fault_frame *guarded_here(void)
{
    struct fault_frame *frame = self.innermost;
    return frame != NULL && gettid() == self.id ? frame : NULL;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    int error_number = errno;
    struct fault_frame *frame = guarded_here();
    if (look_answer(info, context, self.serial, (uintptr_t)frame)) {
        errno = error_number;
        return;
    }
    if (frame == NULL || !is_own_fault(info)) {
        owner_call(signal, info, context);
        errno = error_number;
        return;
    }
    frame->fault = (struct fault){
        .signal = signal,
        .address = info->si_code > 0 ? (uintptr_t)info->si_addr : 0,
        .stack_overflow = is_stack_overflow(signal, info),
    };
    if (frame->scene != NULL) {
        scene_take(frame->scene, info, context, (uintptr_t)frame);
    }
    (void)pthread_sigmask(SIG_SETMASK, &((const ucontext_t *)context)->uc_sigmask, NULL);
    siglongjmp(frame->jump, FAULT_HIT);
}

static const struct sigaction handler = {.sa_sigaction = on_fault,
                                         .sa_flags = SA_SIGINFO | SA_ONSTACK};

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
    /* Relaxed: only uniqueness matters. */
    self.serial = 1 + atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed);
    self.id = gettid();
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
    owners_take(&handler);
    return 0;
}

int fault_install(void)
{
    int r = 0;
    if (self.ready && self.innermost == NULL) {
        self.id = gettid(); /* it may be a child of the host's */
    }
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
    return fault_guard_seen(run, context, NULL, ret_fault);
}

int fault_guard_seen(void (*run)(void *context), void *context, struct fault_scene *scene,
                     struct fault *ret_fault)
{
    if (!self.ready) {
        int r = prepare_thread();
        if (r < 0) {
            return r;
        }
    }
    struct fault_frame frame = {.outer = self.innermost, .scene = scene};
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

bool fault_is_guarded(void)
{
    return guarded_here() != NULL;
}

void fault_exit(const char *name, int status, const void *context)
{
    struct fault_frame *frame = self.innermost;
    assert(frame != NULL);
    frame->fault = (struct fault){.exited = name, .status = status};
    if (frame->scene != NULL) {
        scene_take(frame->scene, NULL, context, (uintptr_t)frame);
    }
    siglongjmp(frame->jump, FAULT_HIT);
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

void fault_self(pid_t *ret_thread, uint64_t *ret_serial)
{
    *ret_thread = gettid();
    *ret_serial = self.serial;
}

int fault_look(pid_t thread, uint64_t serial, struct fault_scene *scene, uint64_t until_ns,
               struct message *why)
{
    return look_at(thread, serial, &handler, scene, until_ns, why);
}

void fault_describe(const struct fault *fault, char *text, size_t bytes)
{
    char place[40] = "";
    if (fault->exited != NULL) {
        (void)snprintf(text, bytes, "%s(%d)", fault->exited, fault->status);
        return;
    }
    if (fault->signal != SIGABRT && fault->signal != SIGTRAP && fault->signal != SIGSYS) {
        (void)snprintf(place, sizeof place, " at address %#lx", (unsigned long)fault->address);
    }
    (void)snprintf(text, bytes, "%s%s%s", strsignal(fault->signal),
                   fault->stack_overflow ? " (stack overflow)" : "", place);
}
