/* SPDX-License-Identifier: Apache-2.0 */

/*
 * soak SECONDS: eight threads call, each in a session of its own, while a hundred times a second a call crashes
 * or a worker is killed. At the end every call has been answered, once, rightly or by an outcome, and host and
 * keeper hold what they held when a shorter run of the same had ended.
 *
 * Half of the blows are crashes, which a caller takes from a counter that grows with the time; the others are
 * SIGKILL to any worker, from a thread of its own.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "harness/harness.h"
#include "protocol/killing.h"
#include "holdings.h"

#define CALLERS          8
#define BLOWS_PER_SECOND 100u
#define OUTCOMES         8
#define BUFFER_BYTES     3000u
#define BATCH            8
#define SETTLING_NS      (20 * CLOCK_SECOND_NS)

static const char interface[] =
    "struct soak_counter;\n"
    "int soak_add(int a, int b);\n"
    "void soak_fill(out uint8_t bytes[count], size_t count, int value);\n"
    "owned(free) char *soak_repeat(const char *text);\n"
    "struct soak_counter *soak_counter_new(int value);\n"
    "int soak_counter_add(struct soak_counter *counter, int more);\n"
    "void soak_counter_free(release struct soak_counter *counter);\n"
    "int soak_sum(int count, int (*next)(int index) fails(-1));\n"
    "void soak_crash(void);\n";

enum name { ADD, FILL, REPEAT, NEW, USE, FREE, SUM, CRASH, NAMES };
static const char *const names[NAMES] = {
    "soak_add",         "soak_fill",         "soak_repeat", "soak_counter_new",
    "soak_counter_add", "soak_counter_free", "soak_sum",    "soak_crash",
};

struct soak {
    struct cordon_cell *cell;
    struct cordon_function *functions[NAMES];
    struct cordon_callback *callback;
    uint64_t until_ns;
    atomic_uint crashes_due; /* by the clock, not yet taken */
    atomic_uint kills;
    atomic_ullong asked;
    atomic_ullong ended[OUTCOMES];
    atomic_uint wrong; /* answers, and errors that are no outcome */
};

/* ---- Calls ------------------------------------------------------------------------------------- */

struct caller {
    struct soak *soak;
    struct cordon_session *session;
    uint32_t number;
};

static void complain(struct soak *soak, const char *what, int r, const char *why)
{
    if (atomic_fetch_add(&soak->wrong, 1) < 20) {
        printf("%s: %d (%s): %s\n", what, r, r < 0 ? strerror(-r) : cordon_outcome_name(r), why);
    }
}

static void count(struct soak *soak, const char *what, int r, const struct cordon_result *result)
{
    if (r < 0 || r >= OUTCOMES) {
        complain(soak, what, r, result->error.text);
    } else {
        atomic_fetch_add(&soak->ended[r], 1);
    }
}

static bool call(struct caller *caller, enum name name, const struct cordon_value *args,
                 size_t arg_count, struct cordon_result *ret_result)
{
    struct soak *soak = caller->soak;
    atomic_fetch_add(&soak->asked, 1);
    ret_result->error.text[0] = '\0';
    int r = cordon_session_call(caller->session, soak->functions[name], args, arg_count,
                                CORDON_DEFAULT, ret_result);
    count(soak, names[name], r, ret_result);
    return r == CORDON_DONE;
}

static void expect(struct caller *caller, const char *what, bool right)
{
    if (!right) {
        complain(caller->soak, what, 0, "a wrong answer");
    }
}

static void call_scalars(struct caller *caller)
{
    struct cordon_result result;
    int a = (int)caller->number++;
    const struct cordon_value args[] = {cordon_int(a), cordon_int(7)};
    if (call(caller, ADD, args, 2, &result)) {
        expect(caller, "soak_add", result.value.i == a + 7);
    }
}

static void call_buffers(struct caller *caller)
{
    unsigned char bytes[BUFFER_BYTES];
    struct cordon_result result;
    int value = (int)(caller->number++ & 0xff);
    const struct cordon_value args[] = {cordon_out(bytes, sizeof bytes), cordon_uint(sizeof bytes),
                                        cordon_int(value)};
    if (call(caller, FILL, args, 3, &result)) {
        expect(caller, "soak_fill", bytes[0] == value && bytes[BUFFER_BYTES - 1] == value);
    }
}

static void call_strings(struct caller *caller)
{
    char text[32];
    char twice[64];
    struct cordon_result result;
    (void)snprintf(text, sizeof text, "text %u ", caller->number++);
    (void)snprintf(twice, sizeof twice, "%s%s", text, text);
    const struct cordon_value arg = cordon_string(text);
    if (call(caller, REPEAT, &arg, 1, &result)) {
        expect(caller, "soak_repeat",
               result.value.kind == CORDON_VALUE_MEMORY && strcmp(result.value.memory, twice) == 0);
        cordon_result_release(&result);
    }
}

static void call_handles(struct caller *caller)
{
    struct cordon_result result;
    struct cordon_value arg = cordon_int(40);
    if (!call(caller, NEW, &arg, 1, &result)) {
        return;
    }
    const struct cordon_value counter = result.value;
    const struct cordon_value args[] = {counter, cordon_int(2)};
    if (call(caller, USE, args, 2, &result)) {
        expect(caller, "soak_counter_add", result.value.i == 42);
    }
    (void)call(caller, FREE, &counter, 1, &result);
}

static int next_number(void *context, struct cordon_session *session,
                       const struct cordon_value *args, size_t arg_count,
                       struct cordon_value *ret_value)
{
    (void)context;
    (void)session;
    *ret_value = cordon_int(arg_count == 1 ? args[0].i : 0);
    return 0;
}

static void call_callbacks(struct caller *caller)
{
    struct cordon_result result;
    const struct cordon_value args[] = {cordon_int(5),
                                        cordon_function_pointer(caller->soak->callback)};
    if (call(caller, SUM, args, 2, &result)) {
        expect(caller, "soak_sum", result.value.i == 0 + 1 + 2 + 3 + 4);
    }
}

static void call_batch(struct caller *caller)
{
    struct soak *soak = caller->soak;
    struct cordon_pending *pending[BATCH];
    uint32_t submitted = 0;
    struct cordon_result result;
    for (int i = 0; i < BATCH; i++) {
        const struct cordon_value args[] = {cordon_int(i), cordon_int(1)};
        atomic_fetch_add(&soak->asked, 1);
        result.error.text[0] = '\0';
        int r = cordon_submit(caller->session, soak->functions[ADD], args, 2, CORDON_DEFAULT,
                              &pending[submitted], &result.error);
        if (r != 0) {
            count(soak, "cordon_submit", r, &result);
            break;
        }
        submitted++;
    }
    cordon_flush(caller->session);
    for (uint32_t i = 0; i < submitted; i++) {
        int r = cordon_collect(pending[i], CORDON_NEVER, &result);
        count(soak, "cordon_collect", r, &result);
        expect(caller, "a batch", r != CORDON_DONE || result.value.i == (int)i + 1);
    }
}

static void crash_if_due(struct caller *caller)
{
    struct cordon_result result;
    unsigned due = atomic_load(&caller->soak->crashes_due);
    if (due > 0 && atomic_compare_exchange_strong(&caller->soak->crashes_due, &due, due - 1)) {
        expect(caller, "soak_crash", !call(caller, CRASH, NULL, 0, &result));
    }
}

static void *run_caller(void *context)
{
    static void (*const kinds[])(struct caller *) = {
        call_scalars, call_buffers, call_strings, call_handles, call_callbacks, call_batch,
    };
    struct caller *caller = context;
    for (uint32_t round = 0; clock_now_ns() < caller->soak->until_ns; round++) {
        kinds[round % HARNESS_COUNT(kinds)](caller);
        crash_if_due(caller);
    }
    return NULL;
}

/* Blows come by the clock: what a busy machine made late is made up for, as long as there are callers. */
static void *run_killer(void *context)
{
    struct soak *soak = context;
    unsigned seed = 1;
    uint64_t begin_ns = clock_now_ns();
    uint32_t blows = 0;
    while (clock_now_ns() < soak->until_ns) {
        uint64_t due = (clock_now_ns() - begin_ns) * BLOWS_PER_SECOND / CLOCK_SECOND_NS;
        for (; blows < due && clock_now_ns() < soak->until_ns; blows++) {
            if (blows % 2 == 0) {
                atomic_fetch_add(&soak->crashes_due, 1);
            } else {
                atomic_fetch_add(&soak->kills, kill_some_worker(getpid(), &seed));
            }
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return NULL;
}

/* ---- Runs -------------------------------------------------------------------------------------- */

static void open_soak(struct soak *soak, const char *library)
{
    struct cordon_cell_options options = CORDON_CELL_OPTIONS;
    struct cordon_error error;
    options.library = library;
    options.interface_text = interface;
    options.reports = "";
    /* What is broken on purpose is no reason to stop. */
    options.breaker_percent = CORDON_NONE;
    options.function_breaker_percent = CORDON_NONE;
    int r = cordon_cell_open(&options, &soak->cell, &error);
    for (int i = 0; r == 0 && i < NAMES; i++) {
        r = cordon_bind(soak->cell, names[i], 0, &soak->functions[i], &error);
    }
    if (r != 0 || cordon_callback_new(next_number, NULL, &soak->callback) != 0) {
        printf("the soak's cell: %d: %s\n", r, r ? error.text : "no callback");
        exit(2);
    }
}

static void run(struct soak *soak, uint64_t seconds)
{
    pthread_t threads[CALLERS + 1];
    struct caller callers[CALLERS];
    atomic_store(&soak->crashes_due, 0);
    soak->until_ns = clock_after_ns(seconds * CLOCK_SECOND_NS);
    for (int i = 0; i < CALLERS; i++) {
        struct cordon_error error = {{0}};
        callers[i] = (struct caller){.soak = soak, .number = (uint32_t)i};
        if (cordon_session_open(soak->cell, &callers[i].session, &error) != 0 ||
            pthread_create(&threads[i], NULL, run_caller, &callers[i]) != 0) {
            printf("a session: %s\n", error.text);
            exit(2);
        }
    }
    if (pthread_create(&threads[CALLERS], NULL, run_killer, soak) != 0) {
        exit(2);
    }
    for (int i = 0; i <= CALLERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < CALLERS; i++) {
        cordon_session_close(callers[i].session);
    }
}

static bool only_the_spare(void *context)
{
    struct soak *soak = context;
    struct cordon_cell_stats stats;
    cordon_cell_stats(soak->cell, &stats);
    return stats.spares == 1 && harness_descendants(getpid(), "cordon-worker", NULL, 0) == 1;
}

static bool serves_beside_spare(void *context)
{
    struct caller *caller = context;
    struct cordon_cell_stats stats;
    call_scalars(caller); /* callers order spares, nobody else */
    cordon_cell_stats(caller->soak->cell, &stats);
    return stats.spares == 1 && harness_descendants(getpid(), "cordon-worker", NULL, 0) == 2;
}

/*
 * A cell keeps one spare. Which the last blow hit is not known, so each look is made at the same state: a crash
 * uses up the spare that is there, living or dead, calls order another, and the session goes.
 */
static void leave_one_spare(struct soak *soak)
{
    struct cordon_error error = {{0}};
    struct cordon_result result;
    struct caller caller = {.soak = soak};
    if (cordon_session_open(soak->cell, &caller.session, &error) != 0) {
        printf("a session: %s\n", error.text);
        exit(2);
    }
    (void)call(&caller, CRASH, NULL, 0, &result);
    bool ready = harness_wait(serves_beside_spare, &caller, SETTLING_NS / CLOCK_MS_NS);
    cordon_session_close(caller.session);
    if (!ready || !harness_wait(only_the_spare, soak, SETTLING_NS / CLOCK_MS_NS)) {
        printf("no spare, or more than one\n");
        exit(2);
    }
}

/* What a run leaves while it ends (workers on their way out, a spare on its way in) is waited for. */
static bool settle(const struct holdings *before, struct holdings *ret_now)
{
    uint64_t until_ns = clock_after_ns(SETTLING_NS);
    for (;;) {
        (void)malloc_trim(0);
        holdings_take(ret_now);
        if (holdings_are_back(before, ret_now, false)) {
            return true;
        }
        if (clock_now_ns() > until_ns) {
            return holdings_are_back(before, ret_now, true);
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
}

/* Nothing to compare with yet: until two looks in a row say the same. */
static void settle_first(struct holdings *ret_holdings)
{
    struct holdings last;
    uint64_t until_ns = clock_after_ns(SETTLING_NS);
    holdings_take(ret_holdings);
    do {
        last = *ret_holdings;
        (void)nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
        (void)malloc_trim(0);
        holdings_take(ret_holdings);
    } while (memcmp(&last, ret_holdings, sizeof last) != 0 && clock_now_ns() < until_ns);
}

static bool all_answered(struct soak *soak)
{
    unsigned long long ended = 0;
    printf("%llu calls asked:", atomic_load(&soak->asked));
    for (int i = 0; i < OUTCOMES; i++) {
        unsigned long long these = atomic_load(&soak->ended[i]);
        ended += these;
        if (these > 0) {
            printf(" %s %llu", cordon_outcome_name(i), these);
        }
    }
    printf("; %u kills from outside\n", atomic_load(&soak->kills));
    return ended == atomic_load(&soak->asked) && atomic_load(&soak->wrong) == 0;
}

int main(int argc, char **argv)
{
    static struct soak soak;
    struct holdings before;
    struct holdings now;
    uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    if (seconds == 0) {
        printf("usage: soak LIBRARY SECONDS\n");
        return 2;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    open_soak(&soak, argv[1]);
    run(&soak, seconds / 4 + 1);
    leave_one_spare(&soak);
    settle_first(&before);
    holdings_print("after the warm-up", &before);
    run(&soak, seconds);
    leave_one_spare(&soak);
    bool answered = all_answered(&soak);
    bool back = settle(&before, &now);
    holdings_print("at the end", &now);
    uint64_t blows = atomic_load(&soak.ended[CORDON_CRASHED]) + atomic_load(&soak.kills);
    if (blows < seconds * BLOWS_PER_SECOND / 4) {
        printf("only %llu crashes and kills: nothing was tried\n", (unsigned long long)blows);
        answered = false;
    }
    cordon_callback_free(soak.callback);
    cordon_cell_close(soak.cell);
    printf("%s\n", answered && back ? "all answered, all given back" : "FAILED");
    return answered && back ? 0 : 1;
}
