/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/fault_look.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/futex.h"
#include "cell/fault_owner.h"

#define STATUS_BYTES 4096u
/* A handler that has begun needs microseconds, and a CPU. */
#define TAKING_NS (2 * CLOCK_SECOND_NS)

enum look_state {
    LOOK_NONE,
    LOOK_ASKED,  /* by who holds the lock; the thread may take it up */
    LOOK_TAKING, /* by the thread: the scene is its */
    LOOK_TAKEN,
    LOOK_LOST, /* it began and never came to an end: the scene stays its, nobody is looked at again */
};

static struct {
    pthread_mutex_t lock;
    _Atomic uint32_t state;  /* enum look_state; futex word */
    _Atomic uint64_t serial; /* of the thread that is meant; before the state */
    _Atomic(struct fault_scene *) scene;
} look = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- The thread's side ------------------------------------------------------------------------- */

bool look_answer(const siginfo_t *info, const void *context, uint64_t serial, uintptr_t stack_end)
{
    if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &look ||
        info->si_pid != getpid()) {
        return false;
    }
    uint32_t asked = LOOK_ASKED;
    /* Pairs with the release in ask(): for whom, and where to, before the question. */
    if (atomic_load_explicit(&look.serial, memory_order_acquire) != serial ||
        !atomic_compare_exchange_strong_explicit(&look.state, &asked, LOOK_TAKING,
                                                 memory_order_acq_rel, memory_order_relaxed)) {
        return true; /* a question of before: too late */
    }
    scene_take(atomic_load_explicit(&look.scene, memory_order_relaxed), NULL, context, stack_end);
    /* Pairs with the acquire in await(): the scene before its being taken. */
    atomic_store_explicit(&look.state, LOOK_TAKEN, memory_order_release);
    futex_wake(&look.state, 1);
    return true;
}

/* ---- The asking side --------------------------------------------------------------------------- */

/* SigBlk of /proc/self/task/TID/status; false: there is no such thread. */
static bool blocked_signals(pid_t thread, uint64_t *ret_mask)
{
    char path[64];
    char text[STATUS_BYTES];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)thread);
    OWN_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length < 0) {
        return false;
    }
    text[length] = '\0';
    const char *line = strstr(text, "\nSigBlk:");
    *ret_mask = line ? strtoull(line + 8, NULL, 16) : 0;
    return true;
}

/* A signal that Cordon handles and the thread lets through; 0 with @why. */
static int choose_signal(pid_t thread, const struct sigaction *action, struct message *why)
{
    static const int signals[] = {SIGBUS, SIGILL, SIGFPE, SIGSEGV};
    uint64_t blocked;
    if (!blocked_signals(thread, &blocked)) {
        (void)message_set(why, -ESRCH, "it is gone, or /proc is not there");
        return 0;
    }
    (void)message_set(why, -EPERM, "it blocks the signals that Cordon could ask it by");
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        bool blocks = (blocked & (uint64_t)1 << (signals[i] - 1)) != 0;
        if (!blocks && owners_hold(signals[i], action)) {
            return signals[i];
        }
        if (!blocks) {
            (void)message_set(why, -EPERM, "another handler than Cordon's is in force");
        }
    }
    return 0;
}

static int send_mark(pid_t thread, int signal)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = &look;
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, signal, &info) == 0 ? 0 : -errno;
}

static uint32_t await(uint32_t seen, uint64_t until_ns)
{
    /* Pairs with the release in look_answer(). */
    uint32_t state = atomic_load_explicit(&look.state, memory_order_acquire);
    while (state == seen && futex_wait(&look.state, seen, until_ns) != -ETIMEDOUT) {
        state = atomic_load_explicit(&look.state, memory_order_acquire);
    }
    return atomic_load_explicit(&look.state, memory_order_acquire);
}

static int ask(pid_t thread, int signal, uint64_t until_ns, struct message *why)
{
    int r = send_mark(thread, signal);
    if (r < 0) {
        atomic_store_explicit(&look.state, LOOK_NONE, memory_order_relaxed);
        return message_set(why, r, "it cannot be sent a signal: %s", strerror(-r));
    }
    uint32_t state = await(LOOK_ASKED, until_ns);
    uint32_t asked = LOOK_ASKED;
    if (state == LOOK_ASKED &&
        atomic_compare_exchange_strong_explicit(&look.state, &asked, LOOK_NONE,
                                                memory_order_acq_rel, memory_order_acquire)) {
        return message_set(why, -ETIMEDOUT, "it did not answer in time: it is in the kernel");
    }
    uint32_t taking = LOOK_TAKING;
    if (await(LOOK_TAKING, clock_after_ns(TAKING_NS)) != LOOK_TAKEN &&
        atomic_compare_exchange_strong_explicit(&look.state, &taking, LOOK_LOST,
                                                memory_order_acq_rel, memory_order_acquire)) {
        return message_set(why, -EINPROGRESS, "it was stopped while it answered");
    }
    atomic_store_explicit(&look.state, LOOK_NONE, memory_order_relaxed);
    return 0;
}

int look_at(pid_t thread, uint64_t serial, const struct sigaction *action,
            struct fault_scene *scene, uint64_t until_ns, struct message *why)
{
    int r = pthread_mutex_trylock(&look.lock);
    if (r != 0) {
        return message_set(why, -EBUSY, "another thread was asked at that moment");
    }
    int signal = choose_signal(thread, action, why);
    if (atomic_load_explicit(&look.state, memory_order_relaxed) == LOOK_LOST) {
        r = message_set(why, -EIO, "another thread was stopped while it answered");
    } else if (signal == 0) {
        r = -EPERM;
    } else {
        atomic_store_explicit(&look.scene, scene, memory_order_relaxed);
        atomic_store_explicit(&look.serial, serial, memory_order_relaxed);
        /* Pairs with look_answer(): for whom, and where to, before the question. */
        atomic_store_explicit(&look.state, LOOK_ASKED, memory_order_release);
        r = ask(thread, signal, until_ns, why);
    }
    (void)pthread_mutex_unlock(&look.lock);
    return r;
}
