/* SPDX-License-Identifier: Apache-2.0 */
/* When there is no memory: each allocation fails once, the call says so, and nothing is lost. */
#include "frame/test_trip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The linker leads the calls of all that is linked in here first (--wrap). */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void __real_free(void *memory);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void __wrap_free(void *memory);

static size_t left; /* allocations until one fails; 0: none does */
static size_t live;

static bool fails(void)
{
    return left != 0 && --left == 0;
}

static void *taken(void *memory)
{
    live += memory != NULL;
    return memory;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : taken(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : taken(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    if (fails()) {
        return NULL;
    }
    void *grown = __real_realloc(memory, bytes);
    live += !memory && grown;
    return grown;
}

void __wrap_free(void *memory)
{
    live -= memory != NULL;
    __real_free(memory);
}

enum { STEP_ACCEPT, STEP_DECODE };

static int run_step(struct trip *trip, int step, const struct cordon_value *args, size_t count)
{
    if (step == STEP_ACCEPT) {
        return trip_accept_by(trip, &trip->host);
    }
    trip->result.owned = NULL;
    return trip_decode(trip, args, count);
}

/* Let allocation 1, 2, ... of @step fail until it does not come that far. Returns how many failed. */
static size_t starve(struct trip *trip, int step, const struct cordon_value *args, size_t count)
{
    for (size_t failing = 1;; failing++) {
        frame_finish(&trip->call);
        size_t before = live;
        left = failing;
        int r = run_step(trip, step, args, count);
        bool failed = left == 0;
        left = 0;
        if (!failed) {
            MUST(*trip, r);
            return failing - 1;
        }
        assert_int_equal(r, -ENOMEM);
        frame_finish(&trip->call);
        assert_int_equal(live, before);
    }
}

static void answer(struct trip *trip, trip_native *native, const struct cordon_value *args,
                   size_t count)
{
    trip_perform(trip, native, args, count);
    frame_finish(&trip->call);
}

static void nothing(void *const *arguments, void *result)
{
    (void)arguments, (void)result;
}

static void check_accept(const char *prototype, size_t allocations, const struct cordon_value *args,
                         size_t count)
{
    TRIP(trip, prototype);
    MUST(trip, trip_encode(&trip, args, count));
    assert_int_equal(starve(&trip, STEP_ACCEPT, args, count), allocations);
    trip_close(&trip);
}

/* Scratch comes in chunks of a page: what is larger has its own. */
static void test_accept_survives_each_allocation_that_fails(void **state)
{
    (void)state;
    static uint8_t bytes[8192];
    static const char *words[600];
    char text[] = "line";
    void *line = text;
    check_accept("void f(const uint8_t b[8192])", 2, ARGS(cordon_in(bytes, 8192)));
    check_accept("void f(inout owned(free) char **s)", 3, ARGS(cordon_out(&line, 1)));
    check_accept("void f(kept inout uint8_t b[4096])", 3, ARGS(cordon_out(bytes, 4096)));
    check_accept("void f(const uint8_t b[0])", 2, ARGS(cordon_in(bytes, 0)));
    check_accept("void f(const char *words[600])", 2, ARGS(cordon_in(words, 600)));
    check_accept("struct s { const char *words[600]; }; void f(inout struct s *s)", 5,
                 ARGS(cordon_out(words, 1)));
    static struct cordon_value many[64];
    many[0] = cordon_string("");
    for (size_t i = 1; i < 64; i++) {
        many[i] = cordon_int(1);
    }
    check_accept("void f(const char *s, ...)", 2, many, 64);
}

static void test_variadic_words_need_memory(void **state)
{
    (void)state;
    static uint8_t bytes[4096 - 64];
    static struct cordon_value many[65];
    many[0] = cordon_in(bytes, sizeof bytes);
    for (size_t i = 1; i < 65; i++) {
        many[i] = cordon_int(1);
    }
    check_accept("void f(const uint8_t b[4032], ...)", 3, many, 65);
}

static void test_copies_that_the_keeper_has_no_memory_for_are_refused(void **state)
{
    (void)state;
    TRIP(trip, "void f(kept const uint8_t b[16])");
    uint8_t b[16] = {0};
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(b, 16))));
    trip.kept_count = sizeof trip.kept / sizeof trip.kept[0];
    assert_int_equal(trip_accept(&trip), -ENOMEM);
    assert_string_equal(trip.why.text, "no memory for an argument's copy");
    trip_close(&trip);
}

static void give_words(void *const *arguments, void *result)
{
    static const char *words[40];
    (void)arguments;
    for (size_t i = 0; i < 40; i++) {
        words[i] = "a word";
    }
    memcpy(result, &(const char **){words}, sizeof(char **));
}

static void give_line(void *const *arguments, void *result)
{
    (void)result;
    *(char **)trip_pointer(arguments, 0) = strdup("line");
}

static void check_decode(const char *prototype, trip_native *native,
                         const struct cordon_value *args, size_t count)
{
    TRIP(trip, prototype);
    answer(&trip, native, args, count);
    assert_true(starve(&trip, STEP_DECODE, args, count) >= 1);
    trip_close(&trip);
}

static void test_decode_survives_each_allocation_that_fails(void **state)
{
    (void)state;
    char text[64] = "text";
    struct {
        const char *s;
        int64_t n;
    } s = {"text", 1};
    void *line = NULL;
    check_decode("void f(out char s[cap], size_t cap)", nothing,
                 ARGS(cordon_out(text, 64), cordon_uint(64)));
    check_decode("struct s { const char *s; int64_t n; }; void f(inout struct s *s)", nothing,
                 ARGS(cordon_out(&s, 1)));
    check_decode("struct s { const char *s; }; count(40) const struct s *f(int x)", give_words,
                 ARGS(cordon_int(1)));
    check_decode("void f(out owned(free) char **s)", give_line, ARGS(cordon_out(&line, 1)));
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept_survives_each_allocation_that_fails),
        cmocka_unit_test(test_variadic_words_need_memory),
        cmocka_unit_test(test_copies_that_the_keeper_has_no_memory_for_are_refused),
        cmocka_unit_test(test_decode_survives_each_allocation_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
