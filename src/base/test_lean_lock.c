/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/lean_lock.h"

#define ROUNDS 20000u

static _Thread_local char mark; /* its address names the thread */

static uintptr_t self(void)
{
    return (uintptr_t)&mark;
}

struct shared {
    struct lean_lock lock;
    uint64_t count; /* guarded by lock */
    uint64_t until_ns;
    _Atomic int entered; /* what lean_lock_enter() of the other thread returned, or 1: not yet */
};

static void shared_init(struct shared *shared)
{
    lean_lock_init(&shared->lock);
    shared->count = 0;
    shared->until_ns = CLOCK_NEVER;
    atomic_init(&shared->entered, 1);
}

static void count(struct shared *shared)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (lean_lock_enter(&shared->lock, self(), CLOCK_NEVER) == 0) {
            shared->count++;
            lean_lock_leave(&shared->lock, self());
        }
    }
}

static void *count_too(void *shared)
{
    count(shared);
    return NULL;
}

static void *enter_once(void *context)
{
    struct shared *shared = context;
    int r = lean_lock_enter(&shared->lock, self(), shared->until_ns);
    atomic_store(&shared->entered, r);
    if (r == 0) {
        shared->count++;
        lean_lock_leave(&shared->lock, self());
    }
    return NULL;
}

/* The lock leans to this thread afterwards, where the kernel lets it. */
static void make_it_lean(struct shared *shared)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lean_lock_enter(&shared->lock, self(), 0), 0);
        lean_lock_leave(&shared->lock, self());
    }
}

static void test_lock_keeps_others_out_while_its_favourite_is_inside(void **state)
{
    (void)state;
    struct shared shared;
    pthread_t other;
    shared_init(&shared);
    make_it_lean(&shared);
    assert_int_equal(lean_lock_enter(&shared.lock, self(), 0), 0);
    shared.until_ns = clock_after_ns(20 * CLOCK_MS_NS);
    assert_int_equal(pthread_create(&other, NULL, enter_once, &shared), 0);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(atomic_load(&shared.entered), -ETIMEDOUT);
    assert_int_equal(shared.count, 0);
    lean_lock_leave(&shared.lock, self());
    lean_lock_deinit(&shared.lock);
}

static void test_lock_wakes_who_waits_when_its_favourite_leaves(void **state)
{
    (void)state;
    struct shared shared;
    pthread_t other;
    shared_init(&shared);
    make_it_lean(&shared);
    assert_int_equal(lean_lock_enter(&shared.lock, self(), 0), 0);
    shared.until_ns = clock_after_ns(20 * CLOCK_SECOND_NS);
    assert_int_equal(pthread_create(&other, NULL, enter_once, &shared), 0);
    while (atomic_load(&shared.lock.leans) == self()) {
        /* Until the other thread has taken the lean away: it waits now, or soon. */
    }
    assert_int_equal(atomic_load(&shared.entered), 1);
    lean_lock_leave(&shared.lock, self());
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(atomic_load(&shared.entered), 0);
    assert_int_equal(shared.count, 1);
    lean_lock_deinit(&shared.lock);
}

static void test_lock_is_a_mutex_once_two_threads_want_it(void **state)
{
    (void)state;
    for (int run = 0; run < 20; run++) {
        struct shared shared;
        pthread_t others[2];
        shared_init(&shared);
        make_it_lean(&shared);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pthread_create(&others[i], NULL, count_too, &shared), 0);
        }
        count(&shared);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pthread_join(others[i], NULL), 0);
        }
        assert_int_equal(shared.count, 3 * ROUNDS);
        assert_int_equal(atomic_load(&shared.lock.leans), 0);
        lean_lock_deinit(&shared.lock);
    }
}

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define TRAP_FLAG  0x100ull
#define PAGE_BYTES 4096u

/* Between two instructions of a thread that leaves: another one gets the lock, and frees it. */
static struct {
    struct shared *shared; /* alone on a page */
    volatile bool freed;
    volatile bool touched; /* afterwards */
} stepping;

static void on_step(int signal)
{
    (void)signal;
    if (!stepping.freed &&
        atomic_load_explicit(&stepping.shared->lock.busy, memory_order_relaxed) == 0) {
        stepping.freed = true;
        (void)mprotect(stepping.shared, PAGE_BYTES, PROT_NONE);
    }
}

static void on_touch(int signal)
{
    (void)signal;
    stepping.touched = true;
    (void)mprotect(stepping.shared, PAGE_BYTES, PROT_READ | PROT_WRITE);
}

static void leave_by_steps(struct shared *shared)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
    lean_lock_leave(&shared->lock, self());
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~TRAP_FLAG);
}

static void leave_and_free(struct shared *shared, bool is_wanted)
{
    shared_init(shared);
    make_it_lean(shared);
    if (atomic_load(&shared->lock.leans) != self()) {
        skip(); /* no membarrier here */
    }
    assert_int_equal(lean_lock_enter(&shared->lock, self(), 0), 0);
    if (is_wanted) {
        atomic_store(&shared->lock.leans, 0);
    }
    stepping.freed = stepping.touched = false;
    leave_by_steps(shared);
    (void)mprotect(shared, PAGE_BYTES, PROT_READ | PROT_WRITE);
    assert_true(stepping.freed);
    assert_false(stepping.touched);
    lean_lock_deinit(&shared->lock);
}

static void test_lock_is_not_touched_once_another_thread_may_have_it(void **state)
{
    (void)state;
    struct sigaction step = {.sa_handler = on_step};
    struct sigaction touch = {.sa_handler = on_touch};
    struct sigaction before[2];
    struct shared *shared =
        mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    stepping.shared = shared;
    assert_int_equal(sigaction(SIGTRAP, &step, &before[0]), 0);
    assert_int_equal(sigaction(SIGSEGV, &touch, &before[1]), 0);
    leave_and_free(shared, false);
    leave_and_free(shared, true);
    assert_int_equal(sigaction(SIGTRAP, &before[0], NULL), 0);
    assert_int_equal(sigaction(SIGSEGV, &before[1], NULL), 0);
    assert_int_equal(munmap(shared, PAGE_BYTES), 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock_keeps_others_out_while_its_favourite_is_inside),
        cmocka_unit_test(test_lock_wakes_who_waits_when_its_favourite_leaves),
        cmocka_unit_test(test_lock_is_a_mutex_once_two_threads_want_it),
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(test_lock_is_not_touched_once_another_thread_may_have_it),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
