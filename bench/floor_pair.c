/* SPDX-License-Identifier: Apache-2.0 */
#include "floor_pair.h"

#include "base/clock.h"
#include "base/futex.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static uint32_t await_change(const _Atomic uint32_t *word, uint32_t seen)
{
    uint32_t value;
    while ((value = atomic_load_explicit(word, memory_order_acquire)) == seen) {
        (void)futex_wait(word, seen, clock_after_ns(CLOCK_SECOND_NS));
    }
    return value;
}

static void set_and_wake(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
    futex_wake(word, 1);
}

static void do_job(struct floor_shared *shared, uint32_t job)
{
    switch (job) {
    case FLOOR_PINGPONG:
        floor_pingpong_partner(shared);
        break;
    case FLOOR_FUTEX:
        floor_futex_partner(shared);
        break;
    case FLOOR_WRITE:
        floor_write_partner(shared);
        break;
    default:
        _exit(0);
    }
}

static _Noreturn void run_partner(struct floor_shared *shared, int cpu)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cpu >= 0) {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(cpu, &only);
        (void)sched_setaffinity(0, sizeof only, &only);
    }
    for (;;) {
        uint32_t job = await_change(&shared->job, FLOOR_REST);
        set_and_wake(&shared->awake, 1);
        do_job(shared, job);
        atomic_store_explicit(&shared->job, FLOOR_REST, memory_order_release);
        set_and_wake(&shared->awake, 0);
    }
}

int floor_pair_open(int partner_cpu, struct floor_pair **ret_pair)
{
    struct floor_pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL) {
        return -ENOMEM;
    }
    pair->copy = calloc(1, FLOOR_COPY_BYTES_MAX);
    void *shared = mmap(NULL, sizeof *pair->shared, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    pair->shared = shared == MAP_FAILED ? NULL : shared;
    if (pair->copy == NULL || pair->shared == NULL) {
        floor_pair_close(pair);
        return -ENOMEM;
    }
    memset(pair->copy, 1, FLOOR_COPY_BYTES_MAX);
    pid_t partner = fork();
    if (partner < 0) {
        int error = errno;
        floor_pair_close(pair);
        return -error;
    }
    if (partner == 0) {
        run_partner(pair->shared, partner_cpu);
    }
    pair->partner = partner;
    *ret_pair = pair;
    return 0;
}

void floor_pair_close(struct floor_pair *pair)
{
    if (pair == NULL) {
        return;
    }
    if (pair->partner > 0) {
        set_and_wake(&pair->shared->job, FLOOR_LEAVE);
        (void)waitpid(pair->partner, NULL, 0);
    }
    if (pair->shared != NULL) {
        (void)munmap(pair->shared, sizeof *pair->shared);
    }
    free(pair->copy);
    free(pair);
}

void floor_pair_begin(struct floor_pair *pair, enum floor_job job)
{
    atomic_store_explicit(&pair->shared->ball, 0, memory_order_relaxed);
    set_and_wake(&pair->shared->job, job);
    (void)await_change(&pair->shared->awake, 0);
}

void floor_pair_end(struct floor_pair *pair)
{
    set_and_wake(&pair->shared->ball, FLOOR_BALL_OUT);
    (void)await_change(&pair->shared->awake, 1);
}
