/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Level thread and inline: the library runs in this process. Cells that crash at once on many threads end
 * each for itself, and what is the host's own fault goes to the host's own handler, in a callback too.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/harness.h"

#define THREADS    6u
#define ROUNDS     12u
#define PAGE_BYTES 4096u

/* ---- Many cells -------------------------------------------------------------------------------- */

static const struct {
    const char *prototype;
    int signal;
} misdeeds[] = {
    {"int fault_null_read(int value)", SIGSEGV}, {"int fault_fpe(int value)", SIGFPE},
    {"int fault_abort(int value)", SIGABRT},     {"int fault_ill(int value)", SIGILL},
    {"int fault_overflow(int value)", SIGSEGV},  {"int fault_code_write(int value)", SIGSEGV},
};

struct victim {
    const struct harness *harness;
    unsigned number;
    unsigned crashed;
    char sentence[256]; /* what went wrong; "": nothing */
};

/* Assertions belong to the case's thread. */
static bool crash_once(struct victim *victim, struct cordon_cell *cell, unsigned round)
{
    size_t i = (victim->number + round) % HARNESS_COUNT(misdeeds);
    struct cordon_function *behave = NULL;
    struct cordon_function *misbehave = NULL;
    struct cordon_error error;
    struct cordon_value arg = cordon_int(5);
    struct cordon_result result;
    if (cordon_bind(cell, "int fault_none(int value)", 0, &behave, &error) != 0 ||
        cordon_bind(cell, misdeeds[i].prototype, 0, &misbehave, &error) != 0) {
        (void)snprintf(victim->sentence, sizeof victim->sentence, "bind: %.200s", error.text);
        return false;
    }
    int good = cordon_call(behave, &arg, 1, CORDON_DEFAULT, &result);
    int64_t value = good == CORDON_DONE ? result.value.i : 0;
    int bad = cordon_call(misbehave, &arg, 1, CORDON_DEFAULT, &result);
    int signal = bad == CORDON_CRASHED ? result.signal : 0;
    int after = cordon_call(behave, &arg, 1, CORDON_DEFAULT, &result);
    if (good != CORDON_DONE || value != 5 || bad != CORDON_CRASHED ||
        signal != misdeeds[i].signal || after != CORDON_OPEN) {
        (void)snprintf(victim->sentence, sizeof victim->sentence, "%s: %d, %d (signal %d), %d",
                       misdeeds[i].prototype, good, bad, signal, after);
        return false;
    }
    return strstr(result.error.text, "poisoned") != NULL;
}

static void *crash_again_and_again(void *context)
{
    struct victim *victim = context;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct cordon_cell_options options = harness_options(victim->harness);
        struct cordon_cell *cell = NULL;
        struct cordon_error error;
        options.library = harness_faults();
        int r = cordon_cell_open(&options, &cell, &error);
        if (r != 0) {
            (void)snprintf(victim->sentence, sizeof victim->sentence, "open: %.200s", error.text);
            return NULL;
        }
        victim->crashed += crash_once(victim, cell, round) ? 1u : 0u;
        cordon_cell_close(cell);
    }
    return NULL;
}

static void test_cells_that_crash_at_once_end_each_for_itself(const struct harness *harness)
{
    struct victim victims[THREADS];
    pthread_t threads[THREADS];
    struct cordon_cell_options options = harness_options(harness);
    options.library = harness_faults();
    struct cordon_cell *bystander = harness_open_with(&options);
    struct cordon_function *behave = harness_bind(bystander, "int fault_none(int value)");
    for (unsigned i = 0; i < THREADS; i++) {
        victims[i] = (struct victim){.harness = harness, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, crash_again_and_again, &victims[i]), 0);
    }
    for (unsigned i = 0; i < 500; i++) {
        struct cordon_value arg = cordon_int((int)i);
        assert_int_equal(harness_value(NULL, behave, &arg, 1).i, i);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_string_equal(victims[i].sentence, "");
        assert_int_equal(victims[i].crashed, ROUNDS);
    }
    struct cordon_value arg = cordon_int(9);
    assert_int_equal(harness_value(NULL, behave, &arg, 1).i, 9);
    cordon_cell_close(bystander);
}

/* ---- The host's own faults --------------------------------------------------------------------- */

static volatile char *page;
static volatile sig_atomic_t repairs;

/* As runtimes do: the page becomes writable, and the interrupted instruction runs again. */
static void repair(int signal, siginfo_t *info, void *context)
{
    (void)context;
    if (signal != SIGSEGV || info->si_addr != page) {
        static const char text[] = "a fault that is not the host's came to the host's handler\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        _exit(1);
    }
    repairs++;
    (void)mprotect((void *)(uintptr_t)page, PAGE_BYTES, PROT_READ | PROT_WRITE);
}

/* Cordon keeps the handlers that it has set; the harness wants to see none left. */
static const int taken[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
static struct sigaction before_us[HARNESS_COUNT(taken)];

static void give_back(void)
{
    for (size_t i = 0; i < HARNESS_COUNT(taken); i++) {
        assert_int_equal(sigaction(taken[i], &before_us[i], NULL), 0);
    }
}

static void own_faults(void)
{
    for (size_t i = 0; i < HARNESS_COUNT(taken); i++) {
        assert_int_equal(sigaction(taken[i], NULL, &before_us[i]), 0);
    }
    struct sigaction action = {.sa_sigaction = repair,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    assert_int_equal(sigemptyset(&action.sa_mask), 0);
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    page = mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
}

static void touch(void)
{
    (void)mprotect((void *)(uintptr_t)page, PAGE_BYTES, PROT_NONE);
    *page = 1;
}

static int number_of(const struct cordon_value *value)
{
    int number;
    memcpy(&number, value->memory, sizeof number);
    return number;
}

/* The host's function, between the library's frames: its fault is the host's. */
static int compare(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    (void)context, (void)session, (void)count;
    touch();
    *ret_value = cordon_int(number_of(&args[0]) - number_of(&args[1]));
    return 0;
}

static void sort(struct cordon_cell *cell)
{
    int numbers[] = {3, 1, 2};
    struct cordon_callback *callback = NULL;
    assert_int_equal(cordon_callback_new(compare, NULL, &callback), 0);
    struct cordon_value args[] = {cordon_out(numbers, 3), cordon_uint(sizeof numbers[0]),
                                  cordon_function_pointer(callback)};
    struct cordon_function *function =
        harness_bind(cell, "void qsort(int base[n], size_t n, size_t size,"
                           " int (*compare)(const int *a, const int *b) fails(0))");
    int before = repairs;
    struct cordon_result result = harness_call(NULL, function, args, 3);
    cordon_result_release(&result);
    assert_in_range(repairs - before, 2, 6);
    assert_true(numbers[0] == 1 && numbers[1] == 2 && numbers[2] == 3);
    cordon_callback_free(callback);
}

static void test_fault_of_the_host_goes_to_its_handler(const struct harness *harness)
{
    own_faults();
    struct cordon_cell *cell = harness_open(harness, "", NULL);
    for (int i = 0; i < 3; i++) {
        touch();
        assert_int_equal(repairs, 1);
        sort(cell);
        repairs = 0;
    }
    struct cordon_result result;
    harness_expect(
        cordon_call(harness_bind(cell, "void abort(void)"), NULL, 0, CORDON_DEFAULT, &result),
        CORDON_CRASHED, &result);
    touch();
    assert_int_equal(repairs, 1);
    cordon_cell_close(cell);
    give_back();
}

int main(int argc, char **argv)
{
    static const struct harness_case cases[] = {
        {"cells_that_crash_at_once_end_each_for_itself",
         test_cells_that_crash_at_once_end_each_for_itself, HARNESS_THREAD | HARNESS_INLINE,
         HARNESS_ABANDONS, 60},
        {"fault_of_the_host_goes_to_its_handler", test_fault_of_the_host_goes_to_its_handler,
         HARNESS_ALL_LEVELS, HARNESS_ABANDONS | HARNESS_COLD, 0},
    };
    return harness_main(argc, argv, cases, HARNESS_COUNT(cases));
}
