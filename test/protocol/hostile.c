/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Workers that are the enemy (hostile_worker.c), one kind of enmity a case: whatever they write, each call
 * ends once, in time, by an outcome or an error, and leaves nothing behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "harness/harness.h"

#define DEADLINE_MS 150u
#define START_MS    400u
#define LATE_NS     (4 * CLOCK_SECOND_NS) /* beyond any deadline, on a busy machine under sanitizers */
#define ARENA_BYTES 8192u
#define ANY         (-10000)

static const char interface[] =
    "struct thing;\n"
    "struct piece { out void base[size]; size_t size; };\n"
    "int number(int j);\n"
    "int other(int j);\n"
    "int last(int j);\n"
    "void many(out int *a, out int *b, out int *c, out int *d, out int *e, out int *f, out int *g,"
    " out int *h);\n"
    "int fill(out uint8_t bytes[n], size_t n);\n"
    "int grow(inout uint8_t bytes[*n], inout size_t *n);\n"
    "owned(free) char *text(const char *s);\n"
    "within(s) char *chr(const char *s, int c);\n"
    "struct thing *make(int i);\n"
    "int use(struct thing *t, out struct thing **more);\n"
    "int gather(inout struct piece pieces[n], size_t n);\n"
    "int sort(int base[n], size_t n, int (*cmp)(const int *a, const int *b) fails(0));\n"
    "int ask(size_t room, int (*cb)(const uint8_t data[n], size_t n, out uint8_t reply[room],"
    " inout size_t *got, out char text[*got]) fails(-1));\n"
    "int each(int (*cb)(const char *s, const char *list[null], const uint8_t tail[n], int n) "
    "fails(-1));\n"
    "int keep(kept int (*cb)(int a, int b));\n";

struct field {
    struct cordon_cell *cell;
    struct cordon_session *session;
    struct cordon_function *number;
    struct cordon_function *other; /* which the session's worker does not know yet */
    struct cordon_callback *callback;
    uint32_t callbacks; /* that came */
    uint32_t ended;
    uint64_t sum; /* of what callbacks were given, so that it is read */
};

/* ---- Callbacks --------------------------------------------------------------------------------- */

/* Every byte that the values say is there, written where that is allowed. */
static void touch(struct field *field, const struct cordon_value *value)
{
    if (value->kind != CORDON_VALUE_MEMORY || !value->memory) {
        return;
    }
    if (value->type == CORDON_TYPE_STRING && value->count == 0) {
        field->sum += strlen(value->memory);
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        field->sum += ((const uint8_t *)value->memory)[i];
    }
}

static int called_back(void *context, struct cordon_session *session,
                       const struct cordon_value *args, size_t count,
                       struct cordon_value *ret_value)
{
    struct field *field = context;
    for (size_t i = 0; i < count; i++) {
        touch(field, &args[i]);
    }
    if (count == 5 && args[2].kind == CORDON_VALUE_MEMORY) {
        memset(args[2].memory, 1, args[2].count);
    }
    if (count == 5 && args[4].kind == CORDON_VALUE_MEMORY) {
        memset(args[4].memory, 1, args[4].count);
    }
    *ret_value = cordon_int(0);
    if (field->callbacks++ % 16 == 0) {
        struct cordon_result result;
        struct cordon_value arg = cordon_int(1);
        int r = cordon_session_call(session, field->other ? field->other : field->number, &arg, 1,
                                    CORDON_DEFAULT, &result);
        assert_true(r >= -4095 && r <= 7);
        if (r == CORDON_DONE) {
            cordon_result_release(&result);
        }
    }
    return field->callbacks % 5 == 0 ? -ETIME : 0;
}

/* ---- Calls ------------------------------------------------------------------------------------- */

static int call(struct field *field, const char *name, const struct cordon_value *args,
                size_t count, struct cordon_result *ret_result)
{
    struct cordon_function *function;
    uint64_t begin_ns = clock_now_ns();
    memset(ret_result, 0, sizeof *ret_result);
    int r = cordon_bind(field->cell, name, CORDON_BEST_EFFORT, &function, NULL);
    if (r == 0) {
        r = cordon_session_call(field->session, function, args, count, CORDON_DEFAULT, ret_result);
    }
    assert_true(clock_now_ns() - begin_ns < LATE_NS);
    assert_true(r >= -4095 && r <= 7);
    assert_int_not_equal(r, -ETIME);
    field->ended++;
    return r;
}

static int call_number(struct field *field)
{
    struct cordon_result result;
    struct cordon_value arg = cordon_int(5);
    return call(field, "number", &arg, 1, &result);
}

static void call_words(struct field *field)
{
    struct cordon_result result;
    int values[8];
    struct cordon_value args[8];
    for (int i = 0; i < 8; i++) {
        args[i] = cordon_out(&values[i], 1);
    }
    (void)call(field, "many", args, 8, &result);
}

static void call_bytes(struct field *field)
{
    struct cordon_result result;
    uint8_t *bytes = calloc(1, 100);
    size_t length = 100;
    const struct cordon_value fill[] = {cordon_out(bytes, 100), cordon_uint(100)};
    const struct cordon_value grow[] = {cordon_out(bytes, 100), cordon_out(&length, 1)};
    (void)call(field, "fill", fill, 2, &result);
    (void)call(field, "grow", grow, 2, &result);
    free(bytes);
}

static void call_text(struct field *field)
{
    struct cordon_result result;
    const struct cordon_value args[] = {cordon_string("where is it"), cordon_int('w')};
    if (call(field, "text", args, 1, &result) == CORDON_DONE &&
        result.value.kind == CORDON_VALUE_MEMORY) {
        field->sum += strlen(result.value.memory);
        cordon_result_release(&result);
    }
    if (call(field, "chr", args, 2, &result) == CORDON_DONE &&
        result.value.kind == CORDON_VALUE_UINT) {
        assert_true(result.value.u <= strlen("where is it") + 1);
    }
}

static void call_handles(struct field *field)
{
    struct cordon_result result;
    struct cordon_value arg = cordon_int(1);
    struct cordon_handle more = {0};
    if (call(field, "make", &arg, 1, &result) == CORDON_DONE &&
        result.value.kind == CORDON_VALUE_HANDLE) {
        const struct cordon_value args[] = {result.value, cordon_out(&more, 1)};
        (void)call(field, "use", args, 2, &result);
    }
}

static void call_structs(struct field *field)
{
    struct cordon_result result;
    struct {
        void *base;
        size_t size;
    } *pieces = calloc(2, sizeof *pieces);
    void *first = pieces[0].base = malloc(40);
    void *second = pieces[1].base = malloc(24);
    pieces[0].size = 40;
    pieces[1].size = 24;
    const struct cordon_value args[] = {cordon_out(pieces, 2)};
    if (call(field, "gather", args, 1, &result) == CORDON_DONE) {
        for (int i = 0; i < 2; i++) {
            uint8_t *base = pieces[i].base;
            uint8_t *begin = i ? second : first;
            assert_true(!base || (base >= begin && base <= begin + (i ? 24 : 40)));
        }
    }
    free(first);
    free(second);
    free(pieces);
}

static void call_callbacks(struct field *field)
{
    struct cordon_result result;
    int numbers[] = {3, 1, 2};
    struct cordon_value callback = cordon_function_pointer(field->callback);
    const struct cordon_value sort[] = {cordon_out(numbers, 3), callback};
    const struct cordon_value ask[] = {cordon_uint(48), callback};
    (void)call(field, "sort", sort, 2, &result);
    (void)call(field, "ask", ask, 2, &result);
    (void)call(field, "each", &callback, 1, &result);
    (void)call(field, "keep", &callback, 1, &result);
}

static void call_batch(struct field *field)
{
    struct cordon_pending *pending[12];
    struct cordon_function *sort = NULL;
    int numbers[] = {3, 1, 2};
    uint32_t count = 0;
    struct cordon_value arg = cordon_int(1);
    const struct cordon_value args[] = {cordon_out(numbers, 3),
                                        cordon_function_pointer(field->callback)};
    uint64_t begin_ns = clock_now_ns();
    if (cordon_bind(field->cell, "sort", CORDON_BEST_EFFORT, &sort, NULL) != 0) {
        sort = NULL;
    }
    for (int i = 0; i < 12; i++) {
        bool sorts = sort && i % 4 == 3;
        int r = cordon_submit(field->session, sorts ? sort : field->number, sorts ? args : &arg,
                              sorts ? 2 : 1, CORDON_DEFAULT, &pending[count], NULL);
        assert_true(r >= -4095 && r <= 7);
        count += r == 0;
    }
    cordon_flush(field->session);
    for (uint32_t i = 0; i < count; i++) {
        struct cordon_result result;
        int r;
        while ((r = cordon_collect(pending[i], cordon_after_ms(20), &result)) == -ETIME) {
            assert_true(clock_now_ns() - begin_ns < LATE_NS);
        }
        assert_true(r >= -4095 && r <= 7);
        if (r == CORDON_DONE) {
            cordon_result_release(&result);
        }
        field->ended++;
    }
}

/* ---- Cases ------------------------------------------------------------------------------------- */

static const struct case_of {
    const char *mode;
    uint32_t rounds;
    int expected; /* how the scalar call ends */
    bool opens;   /* a cell can be had */
} cases[] = {
    {"honest", 2, CORDON_DONE, true},
    {"step-skipped", 1, CORDON_CRASHED, true},
    {"step-again", 1, CORDON_CRASHED, true},
    {"verb", 2, CORDON_CRASHED, true},
    {"long-reply", 1, CORDON_CRASHED, true},
    {"status", 12, ANY, true},
    {"words", 20, ANY, true},
    {"callback-invented", 1, CORDON_ABORTED, true},
    {"callback-outside", 2, ANY, true},
    {"callback-counts", 2, CORDON_CRASHED, true},
    {"callback-few", 4, ANY, true},
    {"callback-header", 20, ANY, true},
    {"callback-frame", 20, ANY, true},
    {"callback-flood", 1, ANY, true},
    {"twice", 2, ANY, true},
    {"wrong-slot", 1, CORDON_TIMEOUT, true},
    {"rewriting", 4, ANY, true},
    {"death", 1, CORDON_CRASHED, true},
    {"death-behind-callback", 1, ANY, true},
    {"silent", 1, CORDON_TIMEOUT, true},
    {"random", 12, ANY, true},
    {"late-callback", 1, CORDON_DONE, true},
    {"bind-status", 24, ANY, true},
    {"bind-callback", 1, ANY, true},
    {"bind-words", 4, ANY, true},
    {"bind-silent", 1, ANY, true},
    {"hello-status", 1, ANY, false},
    {"hello-words", 1, ANY, false},
    {"hello-callback", 1, ANY, false},
    {"hello-death", 1, ANY, false},
};

static const struct case_of *current;

static bool open_field(const struct harness *harness, uint64_t seed, struct field *field)
{
    char library[64];
    struct cordon_cell_options options = harness_options(harness);
    const char *worker = getenv("CORDON_TEST_HOSTILE_WORKER");
    assert_non_null(worker);
    (void)snprintf(library, sizeof library, "%s %llu", current->mode, (unsigned long long)seed);
    options.library = library;
    options.interface_text = interface;
    options.worker_path = worker;
    options.deadline_ms = DEADLINE_MS;
    options.start_ms = START_MS;
    options.arena_bytes = ARENA_BYTES;
    options.events = seed % 2;
    options.reports = seed > 2 ? "" : NULL; /* the host's end waits for them, each time */
    struct cordon_error error = {{0}};
    uint64_t begin_ns = clock_now_ns();
    int r = cordon_cell_open(&options, &field->cell, &error);
    assert_true(clock_now_ns() - begin_ns < LATE_NS);
    if (r != 0) {
        if (current->opens) {
            fail_msg("no cell: %d: %s", r, error.text);
        }
        assert_true(r < 0 && r >= -4095);
        return false;
    }
    return cordon_session_open(field->cell, &field->session, NULL) == 0;
}

static void play(struct field *field)
{
    struct cordon_result result;
    struct cordon_value arg = cordon_int(1);
    if (cordon_bind(field->cell, "other", CORDON_BEST_EFFORT, &field->other, NULL) != 0) {
        field->other = NULL;
    }
    call_words(field);
    call_bytes(field);
    call_text(field);
    call_handles(field);
    call_structs(field);
    call_callbacks(field);
    (void)call(field, "last", &arg, 1, &result);
    (void)call_number(field);
}

static void run(const struct harness *harness)
{
    /* Of what enmity needs chance for, as many rounds as the case says. */
    for (uint64_t seed = 1; seed <= current->rounds; seed++) {
        struct field field = {0};
        assert_int_equal(cordon_callback_new(called_back, &field, &field.callback), 0);
        if (open_field(harness, seed, &field)) {
            if (cordon_bind(field.cell, "number", CORDON_BEST_EFFORT, &field.number, NULL) == 0) {
                int r = call_number(&field);
                if (current->expected != ANY) {
                    assert_int_equal(r, current->expected);
                }
                play(&field);
                call_batch(&field);
                struct cordon_cell_stats stats;
                cordon_cell_stats(field.cell, &stats);
                uint64_t ended = stats.refused;
                for (size_t i = 0; i < HARNESS_COUNT(stats.ended); i++) {
                    ended += stats.ended[i];
                }
                assert_int_equal(ended, stats.calls);
            }
        }
        cordon_session_close(field.session);
        cordon_cell_close(field.cell);
        cordon_callback_free(field.callback);
    }
}

int main(int argc, char **argv)
{
    /* One program run for each mode would do as well; the harness forks per case anyway. */
    int failed = 0;
    for (size_t i = 0; i < HARNESS_COUNT(cases); i++) {
        current = &cases[i];
        const struct harness_case one = {
            .name = current->mode, .run = run, .levels = HARNESS_PROCESS, .seconds = 100};
        failed |= harness_main(argc, argv, &one, 1);
    }
    return failed;
}
