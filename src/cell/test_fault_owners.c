/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whose signals they are: the host's handlers, set before or after Cordon's, get every fault that is not
 * the library's, as if Cordon were not there; and threads that fault at once do not mix their faults up.
 */
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
#include <sys/syscall.h>
#include <ucontext.h>

#include <cmocka.h>

#include "cell/test_child.h"
#include "faults/faults.h"

#define PAGE_BYTES 4096u

struct misdeed {
    int (*function)(int value);
};

static void commit(void *context)
{
    struct misdeed *misdeed = context;
    (void)misdeed->function(41);
}

static void expect_contained(int (*function)(int), int signal)
{
    struct misdeed misdeed = {function};
    struct fault fault = {0};
    CHECK(fault_guard(commit, &misdeed, &fault) == FAULT_HIT);
    CHECK(fault.signal == signal);
}

static void expect_killed_by(void (*body)(void), int signal)
{
    int status = in_child(body);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), signal);
}

/* ---- A handler that repairs and goes on, as runtimes have them --------------------------------- */

/* A page that nobody may write, until somebody's handler gives the right to. */
static volatile char *page;
static volatile sig_atomic_t repairs;
static volatile sig_atomic_t strays; /* calls with something wrong about them */
static stack_t own_stack;

static bool on_own_stack(void)
{
    char here;
    uintptr_t low = (uintptr_t)own_stack.ss_sp;
    return (uintptr_t)&here >= low && (uintptr_t)&here < low + own_stack.ss_size;
}

/* As Go's: on the alternate stack, with the context, and the interrupted code goes on behind it. */
static void repair(int signal, siginfo_t *info, void *context)
{
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    bool sound = signal == SIGSEGV && info->si_addr == page && context != NULL && on_own_stack() &&
                 sigismember(&mask, SIGSEGV) && sigismember(&mask, SIGUSR1);
    strays += sound ? 0 : 1;
    repairs++;
    errno = EXDEV; /* what is interrupted keeps its own */
    CHECK(mprotect((void *)(uintptr_t)page, PAGE_BYTES, PROT_READ | PROT_WRITE) == 0);
}

static void own_as_runtime(void)
{
    static char memory[64 * 1024];
    own_stack = (stack_t){.ss_sp = memory, .ss_size = sizeof memory};
    CHECK(sigaltstack(&own_stack, NULL) == 0);
    struct sigaction action = {.sa_sigaction = repair,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    CHECK(sigemptyset(&action.sa_mask) == 0 && sigaddset(&action.sa_mask, SIGUSR1) == 0);
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    page = mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
}

static void touch_page(void)
{
    int before = repairs;
    CHECK(mprotect((void *)(uintptr_t)page, PAGE_BYTES, PROT_NONE) == 0);
    errno = ENOTTY;
    *page = 7;
    CHECK(errno == ENOTTY);
    CHECK(*page == 7 && repairs == before + 1 && strays == 0);
}

static void mask_is_clean(void)
{
    sigset_t mask;
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    CHECK(!sigismember(&mask, SIGSEGV) && !sigismember(&mask, SIGUSR1));
}

static void runtime_repairs(void)
{
    own_as_runtime();
    CHECK(fault_install() == 0);
    for (int i = 0; i < 3; i++) {
        touch_page();
        mask_is_clean();
        expect_contained(fault_null_write, SIGSEGV);
        mask_is_clean();
    }
}

static void test_runtime_repairs_its_own_faults_and_goes_on(void **state)
{
    (void)state;
    assert_int_equal(in_child(runtime_repairs), 0);
}

static void touch_suspended(void *context)
{
    struct fault_frame *suspended = fault_suspend();
    touch_page();
    fault_resume(suspended);
    commit(context);
}

/* A callback: the host's function, in the middle of the library's. */
static void runtime_repairs_in_callback(void)
{
    struct misdeed misdeed = {fault_fpe};
    struct fault fault = {0};
    own_as_runtime();
    CHECK(fault_install() == 0);
    CHECK(fault_guard(touch_suspended, &misdeed, &fault) == FAULT_HIT);
    CHECK(fault.signal == SIGFPE);
    touch_page();
}

static void test_runtime_repairs_its_faults_in_a_callback(void **state)
{
    (void)state;
    assert_int_equal(in_child(runtime_repairs_in_callback), 0);
}

/* ---- Handlers set behind ours ------------------------------------------------------------------ */

static struct sigaction chained;
static volatile sig_atomic_t passed;

/* What crash reporters do: look, then call who was there before. */
static void look_and_pass(int signal, siginfo_t *info, void *context)
{
    passed++;
    chained.sa_sigaction(signal, info, context);
}

static void chain(int flags)
{
    struct sigaction action = {.sa_sigaction = look_and_pass, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigemptyset(&action.sa_mask) == 0);
    CHECK(sigaction(SIGSEGV, &action, &chained) == 0);
}

static void later_handler_chains(void)
{
    own_as_runtime();
    CHECK(fault_install() == 0);
    chain(SA_ONSTACK);
    for (int i = 0; i < 3; i++) {
        expect_contained(fault_null_read, SIGSEGV);
        mask_is_clean();
        touch_page();
    }
    CHECK(passed == 6 && repairs == 3);
}

static void later_handler_chains_without_stack(void)
{
    CHECK(fault_install() == 0);
    chain(SA_NODEFER);
    expect_contained(fault_null_read, SIGSEGV);
    expect_contained(fault_code_write, SIGSEGV);
    mask_is_clean();
    CHECK(passed == 2);
}

static void test_handler_set_later_that_chains_leaves_faults_contained(void **state)
{
    (void)state;
    assert_int_equal(in_child(later_handler_chains), 0);
    assert_int_equal(in_child(later_handler_chains_without_stack), 0);
}

static void later_handler_chains_to_nobody(void)
{
    CHECK(fault_install() == 0);
    chain(SA_ONSTACK);
    (void)fault_null_read(0);
}

static void test_fault_of_the_host_ends_it_through_a_later_handler(void **state)
{
    (void)state;
    expect_killed_by(later_handler_chains_to_nobody, SIGSEGV);
}

/* ---- No handler -------------------------------------------------------------------------------- */

static const struct {
    int (*function)(int value);
    int signal;
} faults[] = {{fault_null_read, SIGSEGV}, {fault_bus, SIGBUS},    {fault_fpe, SIGFPE},
              {fault_ill, SIGILL},        {fault_abort, SIGABRT}, {fault_trap, SIGTRAP},
              {fault_bad_call, SIGSYS}};
#define FAULTS (sizeof faults / sizeof faults[0])

static size_t chosen;
static void (*disposition)(int);

/* After a contained one of the same kind: what that left must not matter. */
static void fault_outside(void)
{
    CHECK(signal(faults[chosen].signal, disposition) != SIG_ERR);
    CHECK(fault_install() == 0);
    expect_contained(faults[chosen].function, faults[chosen].signal);
    (void)faults[chosen].function(0);
}

static void test_every_fault_of_a_host_without_handlers_ends_it_as_ever(void **state)
{
    (void)state;
    for (chosen = 0; chosen < FAULTS; chosen++) {
        disposition = SIG_DFL;
        expect_killed_by(fault_outside, faults[chosen].signal);
        disposition = SIG_IGN; /* the kernel lets nobody ignore a fault, and abort() insists */
        expect_killed_by(fault_outside, faults[chosen].signal);
    }
}

/* From another process: not this one's fault, whatever runs. */
static void wait_for_signal(void *context)
{
    (void)context;
    pid_t target = getpid();
    pid_t child = fork();
    if (child == 0) {
        (void)kill(target, faults[chosen].signal);
        _exit(0);
    }
    for (;;) {
        (void)pause();
    }
}

static void sent_from_outside(void)
{
    CHECK(fault_install() == 0);
    (void)fault_guard(wait_for_signal, NULL, NULL);
}

static void test_signal_sent_by_another_process_ends_the_host(void **state)
{
    (void)state;
    for (chosen = 0; chosen < FAULTS; chosen++) {
        expect_killed_by(sent_from_outside, faults[chosen].signal);
    }
}

/* ---- Signals whose handlers mean the library as well ------------------------------------------- */

static volatile sig_atomic_t stops;
static volatile sig_atomic_t odd_stops;

/* A debugger inside the process: it sees a breakpoint, wherever that is, and lets go on. */
static void debugger(int signal, siginfo_t *info, void *context)
{
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    stops++;
    odd_stops += signal != SIGTRAP || info->si_signo != SIGTRAP || context == NULL ||
                 !on_own_stack() || !sigismember(&mask, SIGUSR2);
#if defined(__aarch64__)
    ((ucontext_t *)context)->uc_mcontext.pc += 4;
#endif
}

static void own_alternate_stack(void)
{
    static char memory[64 * 1024];
    own_stack = (stack_t){.ss_sp = memory, .ss_size = sizeof memory};
    CHECK(sigaltstack(&own_stack, NULL) == 0);
}

static void own(int signal, void (*function)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = function, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    own_alternate_stack();
    CHECK(sigemptyset(&action.sa_mask) == 0 && sigaddset(&action.sa_mask, SIGUSR2) == 0);
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static void expect_clean(int (*function)(int))
{
    struct misdeed misdeed = {function};
    CHECK(fault_guard(commit, &misdeed, NULL) == FAULT_NONE);
}

static void debugger_before(void)
{
    own(SIGTRAP, debugger);
    CHECK(fault_install() == 0);
    for (int i = 0; i < 3; i++) {
        expect_clean(fault_trap); /* in the library */
        (void)fault_trap(0);      /* and in the host */
        expect_contained(fault_null_read, SIGSEGV);
    }
    CHECK(stops == 6 && odd_stops == 0);
}

/* It takes the signal while Cordon has it, and gives it back as it found it. */
static void debugger_that_comes_and_goes(void)
{
    struct sigaction found;
    CHECK(fault_install() == 0);
    expect_contained(fault_trap, SIGTRAP);
    CHECK(sigaction(SIGTRAP, NULL, &found) == 0);
    own(SIGTRAP, debugger);
    expect_clean(fault_trap);
    CHECK(stops == 1 && odd_stops == 0);
    CHECK(sigaction(SIGTRAP, &found, NULL) == 0);
    expect_contained(fault_trap, SIGTRAP);
    CHECK(stops == 1);
}

static void test_debugger_in_the_process_keeps_its_breakpoints(void **state)
{
    (void)state;
    assert_int_equal(in_child(debugger_before), 0);
    assert_int_equal(in_child(debugger_that_comes_and_goes), 0);
}

/* Whoever sets such a filter answers for the calls itself. */
static void broker(int signal, siginfo_t *info, void *context)
{
    (void)context;
    stops++;
    odd_stops += signal != SIGSYS || info->si_syscall != SYS_getpriority;
}

static void broker_before(void)
{
    own(SIGSYS, broker);
    CHECK(fault_install() == 0);
    expect_clean(fault_bad_call);
    CHECK(stops == 1 && odd_stops == 0);
}

static void test_broker_of_system_calls_in_the_process_keeps_answering(void **state)
{
    (void)state;
    assert_int_equal(in_child(broker_before), 0);
}

/* ---- Many at once ------------------------------------------------------------------------------ */

enum {
    THREADS = 8,
    ROUNDS = 200,
};

static pthread_barrier_t barrier;

static void *fault_again_and_again(void *context)
{
    size_t number = *(size_t *)context;
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t i = (number + round) % FAULTS;
        if (round % 20 == 0) {
            (void)pthread_barrier_wait(&barrier);
        }
        expect_contained(faults[i].function, faults[i].signal);
    }
    expect_contained(fault_overflow, SIGSEGV);
    return NULL;
}

static void many_threads(void)
{
    pthread_t threads[THREADS];
    size_t numbers[THREADS];
    CHECK(fault_install() == 0);
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, fault_again_and_again, &numbers[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

static void test_threads_that_fault_at_once_have_each_their_own(void **state)
{
    (void)state;
    assert_int_equal(in_child(many_threads), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runtime_repairs_its_own_faults_and_goes_on),
        cmocka_unit_test(test_runtime_repairs_its_faults_in_a_callback),
        cmocka_unit_test(test_handler_set_later_that_chains_leaves_faults_contained),
        cmocka_unit_test(test_fault_of_the_host_ends_it_through_a_later_handler),
        cmocka_unit_test(test_every_fault_of_a_host_without_handlers_ends_it_as_ever),
        cmocka_unit_test(test_signal_sent_by_another_process_ends_the_host),
        cmocka_unit_test(test_debugger_in_the_process_keeps_its_breakpoints),
        cmocka_unit_test(test_broker_of_system_calls_in_the_process_keeps_answering),
        cmocka_unit_test(test_threads_that_fault_at_once_have_each_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
