/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lean_lock.h"

#include "base/clock.h"
#include "base/futex.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Between looks at a favourite that may have left without a wake-up. */
#define LOOK_FIRST_NS 50000ull
#define LOOK_MOST_NS  (20 * CLOCK_MS_NS)

static int membarrier(int command)
{
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

static bool has_barrier(void)
{
    int needed = MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    int commands = membarrier(MEMBARRIER_CMD_QUERY);
    return commands > 0 && (commands & needed) == needed;
}

/*
 * A full barrier in every thread of this process that runs. Registered only here: a process whose
 * sessions have one thread each never is.
 */
static int barrier_all(void)
{
    bool made = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
                membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
    return made || membarrier(MEMBARRIER_CMD_GLOBAL) == 0 ? 0 : -errno;
}

void lean_lock_init(struct lean_lock *lock)
{
    atomic_init(&lock->leans, 0);
    atomic_init(&lock->busy, 0);
    lock->is_lean = false;
    lock->is_settled = false;
    (void)pthread_mutex_init(&lock->mutex, NULL);
}

void lean_lock_deinit(struct lean_lock *lock)
{
    (void)pthread_mutex_destroy(&lock->mutex);
}

static int enter_mutex(struct lean_lock *lock, uint64_t until_ns)
{
    if (pthread_mutex_trylock(&lock->mutex) == 0) {
        return 0;
    }
    struct timespec until = clock_timespec(until_ns);
    int r = until_ns == 0 ? EBUSY
            : until_ns == CLOCK_NEVER
                ? pthread_mutex_lock(&lock->mutex)
                : pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &until);
    return r == 0 ? 0 : -ETIMEDOUT;
}

/* Afterwards no thread enters by plain stores; one may still be inside. The mutex is held. */
static int take_lean_away(struct lean_lock *lock, uintptr_t self)
{
    uintptr_t favoured = atomic_load_explicit(&lock->leans, memory_order_relaxed);
    if (favoured == 0 || favoured == self) {
        return 0;
    }
    /* Relaxed: the barrier is between this and the look at `busy`. */
    atomic_store_explicit(&lock->leans, 0, memory_order_relaxed);
    int r = barrier_all();
    if (r < 0) {
        /* A filter that came after lean_lock_init(): it stays as it is, and only one thread gets in. */
        atomic_store_explicit(&lock->leans, favoured, memory_order_relaxed);
    }
    return r;
}

/*
 * A favourite that leaves wakes whom it saw want the lock. One that had just looked does not: hence the
 * slices, of which there are few, and that once in a lock's life.
 */
static int await_idle(struct lean_lock *lock, uint64_t until_ns)
{
    uint64_t slice_ns = LOOK_FIRST_NS;
    /* Pairs with the release of leaving. */
    while (atomic_load_explicit(&lock->busy, memory_order_acquire) != 0) {
        uint64_t now_ns = until_ns == 0 ? 0 : clock_now_ns();
        if (now_ns >= until_ns) {
            return -ETIMEDOUT;
        }
        uint64_t left_ns = until_ns - now_ns;
        (void)futex_wait(&lock->busy, 1, now_ns + (slice_ns < left_ns ? slice_ns : left_ns));
        slice_ns = slice_ns * 2 < LOOK_MOST_NS ? slice_ns * 2 : LOOK_MOST_NS;
    }
    return 0;
}

int lean_lock_enter_slowly(struct lean_lock *lock, uintptr_t self, uint64_t until_ns)
{
    int r = enter_mutex(lock, until_ns);
    if (r < 0) {
        return r;
    }
    if (!lock->is_settled) {
        /* From the next time on; nobody else gets past the mutex before that. */
        lock->is_settled = true;
        atomic_store_explicit(&lock->leans, has_barrier() ? self : 0, memory_order_relaxed);
        return 0;
    }
    if (take_lean_away(lock, self) < 0 || await_idle(lock, until_ns) < 0) {
        (void)pthread_mutex_unlock(&lock->mutex);
        return -ETIMEDOUT;
    }
    return 0;
}

void lean_lock_leave_slowly(struct lean_lock *lock)
{
    (void)pthread_mutex_unlock(&lock->mutex);
}

void lean_lock_withdraw(struct lean_lock *lock)
{
    atomic_store_explicit(&lock->busy, 0, memory_order_release);
    lean_lock_wake(&lock->busy);
}

void lean_lock_wake(const _Atomic uint32_t *busy)
{
    futex_wake(busy, 1);
}
