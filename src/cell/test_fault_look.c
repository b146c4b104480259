/* SPDX-License-Identifier: Apache-2.0 */

/* Where a thread of this process stands, asked by a signal: it goes on. */
#include "cell/fault.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cell/test_child.h"

static pid_t looked_thread;
static uint64_t looked_serial;
static _Atomic int looked_ready;
static _Atomic int looked_enough;
static _Atomic int looked_rounds;
static bool looked_blocks;

/* As it is written: a sanitizer's part of the loop would be where it stands. */
__attribute__((no_sanitize("thread"), noinline)) static void stay(void)
{
    while (!looked_enough) {
        looked_rounds++;
    }
}

static void wait_to_be_seen(void *context)
{
    (void)context;
    sigset_t all;
    fault_self(&looked_thread, &looked_serial);
    (void)sigfillset(&all);
    if (looked_blocks) {
        CHECK(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
    }
    looked_ready = 1;
    stay();
    if (looked_blocks) {
        CHECK(pthread_sigmask(SIG_UNBLOCK, &all, NULL) == 0);
    }
}

static void *be_seen(void *context)
{
    CHECK(fault_guard(wait_to_be_seen, NULL, NULL) == FAULT_NONE);
    return context;
}

static pthread_t start_to_be_seen(bool blocks)
{
    pthread_t thread;
    looked_blocks = blocks;
    looked_ready = looked_enough = 0;
    CHECK(fault_install() == 0);
    CHECK(pthread_create(&thread, NULL, be_seen, NULL) == 0);
    while (!looked_ready) {
        (void)sched_yield();
    }
    return thread;
}

static int look(struct fault_scene *scene, struct message *why)
{
    return fault_look(looked_thread, looked_serial, scene, clock_after_ns(5 * CLOCK_SECOND_NS),
                      why);
}

static void look_at_one_that_spins(void)
{
    struct message why;
    pthread_t thread = start_to_be_seen(false);
    for (int i = 0; i < 100; i++) {
        struct fault_scene *scene = scene_new();
        CHECK(scene != NULL && look(scene, &why) == 0);
        CHECK(scene->taken && !scene->has_info && scene->thread == looked_thread);
        uintptr_t pc = scene->registers.registers[CAPTURE_REGISTER_PC];
        CHECK(pc - (uintptr_t)stay < 256);
        CHECK(scene->stack_bytes > 128 && scene->stack_bytes < 16384);
        scene_free(scene);
        int before = looked_rounds;
        while (looked_rounds == before) { /* it goes on */
            (void)sched_yield();
        }
    }
    /* Another thread's number is nobody's. */
    struct fault_scene *scene = scene_new();
    CHECK(fault_look(looked_thread, looked_serial + 1, scene, clock_after_ns(CLOCK_MS_NS), &why) ==
          -ETIMEDOUT);
    CHECK(!scene->taken);
    scene_free(scene);
    looked_enough = 1;
    CHECK(pthread_join(thread, NULL) == 0);
}

static void look_at_one_that_blocks(void)
{
    struct message why;
    struct fault_scene *scene = scene_new();
    pthread_t thread = start_to_be_seen(true);
    CHECK(look(scene, &why) == -EPERM);
    CHECK(strstr(why.text, "it blocks the signals"));
    looked_enough = 1;
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(look(scene, &why) == -EPERM && strstr(why.text, "it is gone"));
    CHECK(!scene->taken);
    scene_free(scene);
}

static void look_past_other_handlers(void)
{
    struct message why;
    struct fault_scene *scene = scene_new();
    pthread_t thread = start_to_be_seen(false);
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        CHECK(signal(signals[i], SIG_DFL) != SIG_ERR);
    }
    CHECK(look(scene, &why) == -EPERM && strstr(why.text, "another handler"));
    looked_enough = 1;
    CHECK(pthread_join(thread, NULL) == 0);
    scene_free(scene);
}

static void test_thread_is_looked_at_where_it_stands_and_goes_on(void **state)
{
    (void)state;
    assert_int_equal(in_child(look_at_one_that_spins), 0);
}

static void test_thread_that_cannot_be_asked_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(in_child(look_at_one_that_blocks), 0);
    assert_int_equal(in_child(look_past_other_handlers), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_is_looked_at_where_it_stands_and_goes_on),
        cmocka_unit_test(test_thread_that_cannot_be_asked_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
