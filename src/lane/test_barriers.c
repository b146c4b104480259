/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who publishes looks whether the other side sleeps; who goes to sleep looks whether something was published.
 * Each needs a full barrier in between, and what happens without one happens too rarely to be waited for.
 * So the thread goes by single steps here: once its own word stands, the next barrier is looked for, and right
 * behind it the other side's word is written. Who looks only then sees it; who had looked before does not.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#include "base/clock.h"
#include "lane/host.h"
#include "lane/worker.h"

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define TRAP_FLAG 0x100ull

enum phase {
    PHASE_OWN,     /* the thread has not written its own word */
    PHASE_BARRIER, /* no barrier came since */
    PHASE_BEHIND,  /* one is executed now */
    PHASE_OVER,    /* the other side's word is written */
};

static struct {
    enum phase phase;
    const _Atomic uint32_t *own;
    uint32_t own_before;
    _Atomic uint32_t *other;
    uint32_t other_value;
} steps;

static bool is_barrier(const uint8_t *code)
{
    uint32_t at = code[0] >= 0x40 && code[0] <= 0x4f ? 1 : 0;
    bool is_locked = code[0] == 0xf0;
    bool is_exchange = (code[at] == 0x86 || code[at] == 0x87) && code[at + 1] < 0xc0;
    bool is_fence = code[0] == 0x0f && code[1] == 0xae && (code[2] & 0xf8) == 0xf0;
    return is_locked || is_exchange || is_fence;
}

/* Before each instruction. */
static void on_step(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    const ucontext_t *thread = context;
    const uint8_t *code = (const uint8_t *)(uintptr_t)thread->uc_mcontext.gregs[REG_RIP];
    bool sleeps =
        code[0] == 0x0f && code[1] == 0x05; /* a system call: too late, but no test may hang */
    if (steps.phase == PHASE_OWN &&
        atomic_load_explicit(steps.own, memory_order_relaxed) != steps.own_before) {
        steps.phase = PHASE_BARRIER;
    }
    if (steps.phase == PHASE_BEHIND || (steps.phase == PHASE_BARRIER && sleeps)) {
        atomic_store_explicit(steps.other, steps.other_value, memory_order_relaxed);
        steps.phase = PHASE_OVER;
    } else if (steps.phase == PHASE_BARRIER && is_barrier(code)) {
        steps.phase = PHASE_BEHIND;
    }
}

static void begin_steps(const _Atomic uint32_t *own, _Atomic uint32_t *other, uint32_t other_value)
{
    steps.phase = PHASE_OWN;
    steps.own = own;
    steps.own_before = atomic_load(own);
    steps.other = other;
    steps.other_value = other_value;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
}

static void end_steps(void)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~TRAP_FLAG);
    assert_int_equal(steps.phase, PHASE_OVER);
}

struct scene {
    struct lane *lane;
    struct lane_host_page *h;
    struct lane_worker_page *w;
    struct lane_end end;
};

static const struct lane_message call = {.verb = LANE_CALL, .tag = 1};

static int open_scene(void **state)
{
    static struct scene scene;
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    struct lane_options options = {.private_memory = true};
    if (sigaction(SIGTRAP, &action, NULL) != 0 || lane_open(&options, &scene.lane) != 0) {
        return -1;
    }
    scene.h = lane_peek_h(scene.lane);
    scene.w = lane_peek_w(scene.lane);
    *state = &scene;
    int r = lane_end_init(&scene.end, scene.h, scene.h->h_bytes, scene.w, scene.h->w_bytes, -1);
    scene.end.spin_limit = 0;
    return r;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    lane_close(scene->lane);
    (void)signal(SIGTRAP, SIG_DFL);
    return 0;
}

static uint32_t submit(struct scene *scene)
{
    uint32_t seq = 0;
    assert_int_equal(lane_submit(scene->lane, &call, CLOCK_NEVER, true, &seq), 0);
    return seq;
}

static void test_host_looks_behind_a_barrier_whether_the_worker_sleeps(void **state)
{
    struct scene *scene = *state;
    begin_steps(&scene->w->mail[0].turn, &scene->w->worker_state, LANE_WORKER_PARKED);
    uint32_t seq = 0;
    int r = lane_submit(scene->lane, &call, CLOCK_NEVER, true, &seq);
    end_steps();
    assert_int_equal(r, 0);
    assert_int_equal(lane_peek_counts(scene->lane).wakes, 1);
}

static void test_host_looks_so_when_it_continues_a_call(void **state)
{
    struct scene *scene = *state;
    struct lane_order order;
    struct lane_event event;
    uint32_t seq = submit(scene);
    assert_int_equal(lane_end_take(&scene->end, false, &order), 0);
    lane_end_callback(&scene->end, 1, NULL, 0, NULL, 0, 0);
    assert_int_equal(lane_await(scene->lane, seq, 0, NULL, NULL, &event), LANE_CAME);
    struct lane_message answer = {.verb = LANE_CALLBACK_RETURN};
    begin_steps(&scene->w->mail[0].turn, &scene->w->worker_state, LANE_WORKER_PARKED);
    int r = lane_continue(scene->lane, seq, &answer);
    end_steps();
    assert_int_equal(r, 0);
    assert_int_equal(lane_peek_counts(scene->lane).wakes, 1);
}

static void test_worker_looks_behind_a_barrier_whether_the_host_sleeps(void **state)
{
    struct scene *scene = *state;
    struct lane_order order;
    (void)submit(scene);
    assert_int_equal(lane_end_take(&scene->end, false, &order), 0);
    begin_steps(&scene->w->mail[0].turn, &scene->h->host_parked, 1);
    lane_end_return(&scene->end, true, 0, 0, NULL, 0, 0);
    end_steps();
    assert_int_equal(scene->end.counts.wakes, 1);
}

static void test_worker_looks_behind_a_barrier_before_it_sleeps(void **state)
{
    struct scene *scene = *state;
    struct lane_order order;
    begin_steps(&scene->w->worker_state, &scene->w->mail[0].turn, lane_turn(1, LANE_CALL));
    int r = lane_end_take(&scene->end, false, &order);
    end_steps();
    assert_int_equal(r, 0);
    assert_int_equal(scene->end.counts.parks, 0);
}

static void test_host_looks_behind_a_barrier_before_it_sleeps(void **state)
{
    struct scene *scene = *state;
    struct lane_event event;
    uint32_t seq = submit(scene);
    atomic_store(&scene->w->worker_state, LANE_WORKER_PARKED); /* No reason to spin. */
    begin_steps(&scene->h->host_parked, &scene->w->mail[0].turn, lane_turn(2, LANE_RETURN));
    int r = lane_await(scene->lane, seq, CLOCK_NEVER, NULL, NULL, &event);
    end_steps();
    assert_int_equal(r, LANE_CAME);
    assert_int_equal(lane_peek_counts(scene->lane).parks, 0);
}

/* The verdict instead of an answer: whoever gives it wakes who is marked, and nobody else. */
static void test_host_looks_for_a_verdict_before_it_sleeps(void **state)
{
    struct scene *scene = *state;
    struct lane_event event;
    uint32_t seq = submit(scene);
    atomic_store(&scene->w->worker_state, LANE_WORKER_PARKED);
    atomic_store(&scene->h->verdict_final, LANE_FINAL_SEQ);
    begin_steps(&scene->h->host_parked, &scene->h->verdict, LANE_CLOSED);
    int r = lane_await(scene->lane, seq, CLOCK_NEVER, NULL, NULL, &event);
    end_steps();
    assert_int_equal(r, LANE_VERDICT);
    assert_int_equal(lane_peek_counts(scene->lane).parks, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_host_looks_behind_a_barrier_whether_the_worker_sleeps),
        CASE(test_host_looks_so_when_it_continues_a_call),
        CASE(test_worker_looks_behind_a_barrier_whether_the_host_sleeps),
        CASE(test_worker_looks_behind_a_barrier_before_it_sleeps),
        CASE(test_host_looks_behind_a_barrier_before_it_sleeps),
        CASE(test_host_looks_for_a_verdict_before_it_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    return 77; /* no single steps here: skipped */
}
#endif
