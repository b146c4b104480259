/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/fault.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "cell/test_child.h"
#include "faults/faults.h"

struct misdeed {
    int (*function)(int value);
    int result;
};

static void commit(void *context)
{
    struct misdeed *misdeed = context;
    misdeed->result = misdeed->function(41);
}

static struct fault expect_fault(int (*function)(int), int signal)
{
    struct misdeed misdeed = {.function = function};
    struct fault fault = {0};
    CHECK(fault_install() == 0);
    CHECK(fault_guard(commit, &misdeed, &fault) == FAULT_HIT);
    CHECK(fault.signal == signal);
    return fault;
}

static void expect_clean_run(void)
{
    struct misdeed misdeed = {.function = fault_none};
    CHECK(fault_guard(commit, &misdeed, NULL) == FAULT_NONE);
    CHECK(misdeed.result == 41);
}

/* ---- What a guarded run reports ---------------------------------------------------------------- */

static void each_fault(void)
{
    for (int round = 0; round < 3; round++) {
        struct fault fault = expect_fault(fault_null_read, SIGSEGV);
        CHECK(fault.address == 0 && !fault.stack_overflow);
        fault = expect_fault(fault_null_write, SIGSEGV);
        CHECK(fault.address == 0 && !fault.stack_overflow);
        (void)expect_fault(fault_wild_write, SIGSEGV);
        fault = expect_fault(fault_code_write, SIGSEGV);
        CHECK(fault.address == (uintptr_t)fault_code_write);
        fault = expect_fault(fault_bus, SIGBUS);
        CHECK(fault.address != 0);
        (void)expect_fault(fault_fpe, SIGFPE);
        (void)expect_fault(fault_ill, SIGILL);
        (void)expect_fault(fault_raise_segv, SIGSEGV);
        (void)expect_fault(fault_abort, SIGABRT);
        (void)expect_fault(fault_trap, SIGTRAP);
        (void)expect_fault(fault_bad_call, SIGSYS);
        expect_clean_run();
    }
}

static void test_guard_reports_each_fault_again_and_again(void **state)
{
    (void)state;
    assert_int_equal(in_child(each_fault), 0);
}

static void overflow_twice(void)
{
    CHECK(expect_fault(fault_overflow, SIGSEGV).stack_overflow);
    CHECK(expect_fault(fault_overflow, SIGSEGV).stack_overflow);
    expect_clean_run();
}

static void *overflow_in_thread(void *context)
{
    overflow_twice();
    return context;
}

static void overflow_in_both(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, overflow_in_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    overflow_twice();
}

static void test_guard_tells_stack_overflow_on_main_and_other_threads(void **state)
{
    (void)state;
    assert_int_equal(in_child(overflow_in_both), 0);
}

static void *abort_in_thread(void *context)
{
    (void)expect_fault(fault_abort, SIGABRT);
    return context;
}

/* The first abort() was left by a jump: the second, elsewhere, must not wait for its lock. */
static void abort_in_two_threads(void)
{
    (void)expect_fault(fault_abort, SIGABRT);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, abort_in_thread, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    (void)expect_fault(fault_abort, SIGABRT);
}

static void test_abort_that_was_guarded_blocks_no_later_abort(void **state)
{
    (void)state;
    assert_int_equal(in_child(abort_in_two_threads), 0);
}

static void abort_guarded_then_not(void)
{
    (void)expect_fault(fault_abort, SIGABRT);
    (void)fault_abort(0);
}

static void test_abort_outside_a_guarded_run_still_ends_the_process(void **state)
{
    (void)state;
    int status = in_child(abort_guarded_then_not);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void mask_survives(void)
{
    sigset_t before;
    sigset_t after;
    CHECK(sigemptyset(&before) == 0 && sigaddset(&before, SIGUSR1) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    static int (*const misdeeds[])(int) = {fault_null_read, fault_bus,  fault_fpe,     fault_ill,
                                           fault_abort,     fault_trap, fault_bad_call};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)expect_fault(misdeeds[i], signals[i]);
        CHECK(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
        for (int signal = 1; signal < 32; signal++) {
            CHECK(sigismember(&before, signal) == sigismember(&after, signal));
        }
    }
}

static void test_signal_mask_is_the_same_behind_a_fault(void **state)
{
    (void)state;
    assert_int_equal(in_child(mask_survives), 0);
}

/* ---- Nested and suspended runs ----------------------------------------------------------------- */

static struct fault inner_fault;

static void run_inner_then_fault(void *context)
{
    struct misdeed misdeed = {.function = fault_ill};
    CHECK(fault_guard(commit, &misdeed, &inner_fault) == FAULT_HIT);
    commit(context);
}

static void nested_faults(void)
{
    struct misdeed misdeed = {.function = fault_null_read};
    struct fault fault = {0};
    CHECK(fault_install() == 0);
    CHECK(fault_guard(run_inner_then_fault, &misdeed, &fault) == FAULT_HIT);
    CHECK(inner_fault.signal == SIGILL);
    CHECK(fault.signal == SIGSEGV);
}

static void test_nested_fault_ends_only_the_inner_run(void **state)
{
    (void)state;
    assert_int_equal(in_child(nested_faults), 0);
}

static void leave_at_once(void *context)
{
    *(bool *)context = true;
    fault_leave();
}

static void leave_run(void)
{
    bool began = false;
    CHECK(fault_install() == 0);
    CHECK(fault_guard(leave_at_once, &began, NULL) == FAULT_LEFT);
    CHECK(began);
    expect_clean_run();
}

static void test_run_can_be_left_from_within(void **state)
{
    (void)state;
    assert_int_equal(in_child(leave_run), 0);
}

static void suspend_and_fault(void *context)
{
    struct fault_frame *suspended = fault_suspend();
    commit(context);
    fault_resume(suspended);
}

static void fault_while_suspended(void)
{
    struct misdeed misdeed = {.function = fault_null_read};
    CHECK(fault_install() == 0);
    (void)fault_guard(suspend_and_fault, &misdeed, NULL);
}

static void test_fault_of_the_hosts_own_function_is_not_swallowed(void **state)
{
    (void)state;
    int status = in_child(fault_while_suspended);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void guard_inside_suspension_then_fault(void *context)
{
    struct fault_frame *suspended = fault_suspend();
    (void)expect_fault(fault_ill, SIGILL);
    fault_resume(suspended);
    commit(context);
}

static void resume_after_suspension(void)
{
    struct misdeed misdeed = {.function = fault_null_write};
    struct fault fault = {0};
    CHECK(fault_install() == 0);
    CHECK(fault_guard(guard_inside_suspension_then_fault, &misdeed, &fault) == FAULT_HIT);
    CHECK(fault.signal == SIGSEGV);
}

static void test_guard_holds_again_after_a_suspension_with_a_run_inside(void **state)
{
    (void)state;
    assert_int_equal(in_child(resume_after_suspension), 0);
}

/* ---- Processes that a library makes ------------------------------------------------------------ */

static int child_status;
static bool child_shares;

static void end_a_child(void *context)
{
    /* As libraries do. NOLINTNEXTLINE(clang-analyzer-*) */
    pid_t child = child_shares ? vfork() : fork();
    if (child == 0) {
        commit(context);
        CHECK(!fault_is_guarded());
        _exit(8);
    }
    CHECK(child > 0 && waitpid(child, &child_status, 0) == child);
}

static void child_ends(int (*function)(int), bool shares)
{
    struct misdeed misdeed = {.function = function};
    child_shares = shares;
    CHECK(fault_install() == 0);
    CHECK(fault_guard(end_a_child, &misdeed, NULL) == FAULT_NONE);
}

/* It must not come back as a second host. */
static void children_end_by_themselves(void)
{
    for (int shares = 0; shares < 2; shares++) {
        child_ends(fault_null_read, shares);
        CHECK(WIFSIGNALED(child_status) && WTERMSIG(child_status) == SIGSEGV);
        child_ends(fault_none, shares);
        CHECK(WIFEXITED(child_status) && WEXITSTATUS(child_status) == 8);
    }
}

static void test_child_of_the_library_ends_by_itself(void **state)
{
    (void)state;
    assert_int_equal(in_child(children_end_by_themselves), 0);
}

/* ---- Previous owners --------------------------------------------------------------------------- */

static sigjmp_buf owner_jump;
static volatile sig_atomic_t owner_called;

static void owner_with_info(int signal, siginfo_t *info, void *context)
{
    CHECK(signal == SIGSEGV && info->si_signo == SIGSEGV && context != NULL);
    owner_called++;
    siglongjmp(owner_jump, 1);
}

static void owner_plain(int signal)
{
    sigset_t mask;
    CHECK(signal == SIGSEGV);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    CHECK(sigismember(&mask, SIGSEGV) && sigismember(&mask, SIGUSR2)); /* as it asked for */
    owner_called++;
    siglongjmp(owner_jump, 1);
}

static void own_segv(struct sigaction *action)
{
    CHECK(sigemptyset(&action->sa_mask) == 0 && sigaddset(&action->sa_mask, SIGUSR2) == 0);
    CHECK(sigaction(SIGSEGV, action, NULL) == 0);
}

static void fault_unguarded(int times)
{
    (void)expect_fault(fault_null_read, SIGSEGV);
    for (volatile int i = 0; i < times; i++) {
        if (sigsetjmp(owner_jump, 1) == 0) {
            (void)fault_null_read(0);
            CHECK(false);
        }
    }
    CHECK(owner_called == times);
    (void)expect_fault(fault_null_read, SIGSEGV);
}

static void owner_gets_info(void)
{
    struct sigaction action = {.sa_sigaction = owner_with_info, .sa_flags = SA_SIGINFO};
    own_segv(&action);
    fault_unguarded(3);
}

static void owner_gets_plain(void)
{
    struct sigaction action = {.sa_handler = owner_plain};
    own_segv(&action);
    fault_unguarded(3);
}

static void test_unguarded_fault_goes_to_the_previous_handler(void **state)
{
    (void)state;
    assert_int_equal(in_child(owner_gets_info), 0);
    assert_int_equal(in_child(owner_gets_plain), 0);
}

static void owner_once(void)
{
    struct sigaction action = {.sa_handler = owner_plain, .sa_flags = (int)SA_RESETHAND};
    own_segv(&action);
    fault_unguarded(1);
    (void)fault_null_read(0);
}

static void test_previous_handler_with_resethand_is_called_once(void **state)
{
    (void)state;
    int status = in_child(owner_once);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void fault_without_owner(void)
{
    CHECK(fault_install() == 0);
    (void)fault_null_read(0);
}

static void test_unguarded_fault_without_owner_ends_the_process(void **state)
{
    (void)state;
    int status = in_child(fault_without_owner);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void kill_from_within(void *context)
{
    (void)context;
    (void)kill(getpid(), SIGSEGV); /* sent to the process: not a fault of this thread */
    CHECK(false);
}

static void sent_signal(void)
{
    CHECK(fault_install() == 0);
    (void)fault_guard(kill_from_within, NULL, NULL);
}

static void test_sent_signal_is_not_taken_for_a_fault(void **state)
{
    (void)state;
    int status = in_child(sent_signal);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void ignored_signal(void)
{
    CHECK(signal(SIGBUS, SIG_IGN) != SIG_ERR);
    CHECK(fault_install() == 0);
    CHECK(kill(getpid(), SIGBUS) == 0);
    CHECK(raise(SIGBUS) == 0);
    (void)expect_fault(fault_bus, SIGBUS);
}

static void test_sent_signal_stays_ignored_where_it_was(void **state)
{
    (void)state;
    assert_int_equal(in_child(ignored_signal), 0);
}

/* ---- Alternate stacks -------------------------------------------------------------------------- */

static stack_t current_stack(void)
{
    stack_t stack;
    CHECK(sigaltstack(NULL, &stack) == 0);
    return stack;
}

static void *use_and_leave(void *context)
{
    const stack_t none = {.ss_flags = SS_DISABLE}; /* sanitizers have given it one */
    CHECK(sigaltstack(&none, NULL) == 0);
    (void)expect_fault(fault_null_read, SIGSEGV);
    *(stack_t *)context = current_stack();
    return NULL;
}

static void alternate_stack_is_freed(void)
{
    pthread_t thread;
    stack_t stack;
    unsigned char page;
    CHECK(pthread_create(&thread, NULL, use_and_leave, &stack) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(stack.ss_size >= 256 * 1024);
    CHECK(mincore(stack.ss_sp, 1, &page) < 0 && errno == ENOMEM);
}

static void test_threads_alternate_stack_is_freed_with_the_thread(void **state)
{
    (void)state;
    assert_int_equal(in_child(alternate_stack_is_freed), 0);
}

static void alternate_stack_is_kept(void)
{
    static char memory[64 * 1024];
    stack_t mine = {.ss_sp = memory, .ss_size = sizeof(memory)};
    CHECK(sigaltstack(&mine, NULL) == 0);
    (void)expect_fault(fault_null_read, SIGSEGV);
    CHECK(current_stack().ss_sp == memory);
    CHECK(current_stack().ss_size == sizeof(memory));
}

static void test_alternate_stack_of_another_owner_is_left(void **state)
{
    (void)state;
    assert_int_equal(in_child(alternate_stack_is_kept), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guard_reports_each_fault_again_and_again),
        cmocka_unit_test(test_guard_tells_stack_overflow_on_main_and_other_threads),
        cmocka_unit_test(test_abort_that_was_guarded_blocks_no_later_abort),
        cmocka_unit_test(test_abort_outside_a_guarded_run_still_ends_the_process),
        cmocka_unit_test(test_signal_mask_is_the_same_behind_a_fault),
        cmocka_unit_test(test_nested_fault_ends_only_the_inner_run),
        cmocka_unit_test(test_run_can_be_left_from_within),
        cmocka_unit_test(test_fault_of_the_hosts_own_function_is_not_swallowed),
        cmocka_unit_test(test_guard_holds_again_after_a_suspension_with_a_run_inside),
        cmocka_unit_test(test_child_of_the_library_ends_by_itself),
        cmocka_unit_test(test_unguarded_fault_goes_to_the_previous_handler),
        cmocka_unit_test(test_previous_handler_with_resethand_is_called_once),
        cmocka_unit_test(test_unguarded_fault_without_owner_ends_the_process),
        cmocka_unit_test(test_sent_signal_is_not_taken_for_a_fault),
        cmocka_unit_test(test_sent_signal_stays_ignored_where_it_was),
        cmocka_unit_test(test_threads_alternate_stack_is_freed_with_the_thread),
        cmocka_unit_test(test_alternate_stack_of_another_owner_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
