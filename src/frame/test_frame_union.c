/* SPDX-License-Identifier: Apache-2.0 */
/* Unions with a selector: which member is in use decides what is copied, followed and zeroed. */
#include "frame/test_trip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VALUE                                                                                      \
    "enum kind { NONE, INT, REAL, TEXT, BYTES };"                                                  \
    "struct value { enum kind kind; unsigned size; union { case NONE: ; case INT: long i;"         \
    " case REAL: double d; case TEXT: const char *s; case BYTES: count(size) uint8_t *b; } u"      \
    " switch(kind); };"

enum kind { NONE, INT, REAL, TEXT, BYTES };

struct value {
    uint32_t kind;
    uint32_t size;
    union {
        int64_t i;
        double d;
        const char *s;
        uint8_t *b;
    } u;
};

static void must(const struct trip *trip, int r)
{
    if (r != 0) {
        fail_msg("%d: %s", r, trip->why.text);
    }
}

/* What the native side finds: a number for each kind. */
static void weigh(void *const *arguments, void *result)
{
    const struct value *value = trip_pointer(arguments, 0);
    int64_t weight = -1;
    switch (value->kind) {
    case NONE:
        weight = value->u.i; /* zeroed, whatever the caller left there */
        break;
    case INT:
        weight = value->u.i;
        break;
    case REAL:
        weight = (int64_t)(value->u.d * 2);
        break;
    case TEXT:
        weight = value->u.s ? (int64_t)strlen(value->u.s) : -2;
        break;
    default:
        weight = value->u.b[value->size - 1];
        break;
    }
    memcpy(result, &weight, sizeof weight);
}

static void test_selected_member_travels_by_its_type(void **state)
{
    (void)state;
    TRIP(trip, VALUE "long weigh(const struct value *v)");
    uint8_t bytes[] = {1, 2, 99};
    const struct {
        struct value value;
        int64_t weight;
    } cases[] = {
        {{NONE, 0, {.i = 0x1234}}, 0}, {{INT, 0, {.i = -5}}, -5},    {{REAL, 0, {.d = 1.5}}, 3},
        {{TEXT, 0, {.s = "four"}}, 4}, {{TEXT, 0, {.s = NULL}}, -2}, {{BYTES, 3, {.b = bytes}}, 99},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct value value = cases[i].value;
        must(&trip, trip_call(&trip, weigh, ARGS(cordon_in(&value, 1))));
        assert_int_equal(trip.result.value.i, cases[i].weight);
    }
    trip_close(&trip);
}

static void test_selector_without_a_case_is_refused(void **state)
{
    (void)state;
    TRIP(trip, VALUE "long weigh(const struct value *v)");
    struct value value = {7, 0, {.i = 1}};
    assert_int_equal(trip_call(&trip, weigh, ARGS(cordon_in(&value, 1))), -EINVAL);
    assert_non_null(strstr(trip.why.text, "'v' has a union whose selector is none of its cases"));
    trip_close(&trip);
}

static void test_default_takes_what_no_case_names(void **state)
{
    (void)state;
    TRIP(trip,
         "struct value { int kind; int size; union { case -1: const char *s; case 1: case 3:"
         " long i; default: char raw[8]; } u switch(kind); }; long weigh(const struct value *v)");
    struct value value = {3, 0, {.i = 11}};
    value.kind = 3;
    must(&trip, trip_encode(&trip, ARGS(cordon_in(&value, 1))));
    value.kind = 77;
    must(&trip, trip_encode(&trip, ARGS(cordon_in(&value, 1))));
    assert_memory_equal(trip.request + (trip.sent.words[0] & 0x7fffffff), &value, sizeof value);
    value.kind = UINT32_MAX;
    value.u.s = "negative selectors are cases as well";
    must(&trip, trip_encode(&trip, ARGS(cordon_in(&value, 1))));
    assert_non_null(memmem(trip.request, trip.sent.frame_bytes, "negative", 8));
    trip_close(&trip);
}

/* The library answers with another member than the caller sent. */
static void turn_into_int(void *const *arguments, void *result)
{
    struct value *value = trip_pointer(arguments, 0);
    (void)result;
    value->kind = INT;
    value->u.i = 42;
}

static void turn_into_text(void *const *arguments, void *result)
{
    struct value *value = trip_pointer(arguments, 0);
    (void)result;
    value->kind = TEXT; /* what was the number is a pointer now */
}

static void turn_into_nonsense(void *const *arguments, void *result)
{
    struct value *value = trip_pointer(arguments, 0);
    (void)result;
    value->kind = 1000;
    value->u.i = 0x4141414141414141;
}

static void write_bytes(void *const *arguments, void *result)
{
    struct value *value = trip_pointer(arguments, 0);
    (void)result;
    memset(value->u.b, 7, value->size);
}

static void test_what_comes_back_follows_the_selector_that_came_back(void **state)
{
    (void)state;
    TRIP(trip, VALUE "void turn(inout struct value *v)");
    uint8_t bytes[] = {1, 2, 3};
    struct value value = {BYTES, 3, {.b = bytes}};
    must(&trip, trip_call(&trip, write_bytes, ARGS(cordon_out(&value, 1))));
    assert_ptr_equal(value.u.b, bytes);
    assert_memory_equal(bytes, "\7\7\7", 3);
    must(&trip, trip_call(&trip, turn_into_int, ARGS(cordon_out(&value, 1))));
    assert_int_equal(value.kind, INT);
    assert_int_equal(value.u.i, 42);
    must(&trip, trip_call(&trip, turn_into_text, ARGS(cordon_out(&value, 1))));
    assert_int_equal(value.kind, TEXT);
    assert_null(value.u.s); /* nothing that the caller sent */
    must(&trip, trip_call(&trip, turn_into_nonsense, ARGS(cordon_out(&value, 1))));
    assert_int_equal(value.kind, 1000);
    assert_int_equal(value.u.i, 0);
    trip_close(&trip);
}

/* A hostile worker changes the selector and the word behind it. */
static void test_forged_selector_makes_no_place_of_the_callers_number(void **state)
{
    (void)state;
    TRIP(trip, VALUE "void turn(inout struct value *v)");
    static const uint32_t kinds[] = {TEXT, BYTES, NONE, REAL, 12345};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        /* As a place this number would name memory far outside of request and reply. */
        struct value value = {INT, 1u << 30, {.i = 0x7fffff007fffff00}};
        const struct cordon_value args[] = {cordon_out(&value, 1)};
        must(&trip, trip_encode(&trip, args, 1));
        must(&trip, trip_accept(&trip));
        must(&trip, trip_answer(&trip, NULL));
        uint8_t *answered = trip.reply + (trip.sent.words[0] >> 32 & 0x7fffffff);
        struct value forged = {kinds[i], 1u << 30, {.i = 1}};
        memcpy(answered, &forged, sizeof forged);
        (void)trip_decode(&trip, args, 1);
        assert_int_equal(value.kind, kinds[i]);
        assert_int_equal(value.u.i, kinds[i] == REAL ? 1 : 0);
    }
    trip_close(&trip);
}

static void give_values(void *const *arguments, void *result)
{
    static struct value values[3];
    (void)arguments;
    values[0] = (struct value){TEXT, 0, {.s = "given"}};
    values[1] = (struct value){REAL, 0, {.d = 0.25}};
    values[2] = (struct value){99, 0, {.i = 0x4242}};
    memcpy(result, &(struct value *){values}, sizeof(void *));
}

static void test_given_structs_are_copied_by_their_selectors(void **state)
{
    (void)state;
    TRIP(trip, VALUE "count(3) const struct value *give(int unused)");
    must(&trip, trip_call(&trip, give_values, ARGS(cordon_int(0))));
    const struct value *values = trip.result.value.memory;
    assert_string_equal(values[0].u.s, "given");
    assert_true(values[1].u.d == 0.25);
    assert_int_equal(values[2].u.i, 0); /* no case: nothing of it comes back */
    trip_close(&trip);
}

static void test_unions_nest_and_stand_in_arrays(void **state)
{
    (void)state;
    TRIP(trip, "struct deep { int outer; int inner; union { case 1: union { case 1: const char *s;"
               " default: int i; } in switch(inner); case 2: long n; } all[2] switch(outer); };"
               "long weigh(const struct deep *d)");
    struct {
        int32_t outer, inner;
        const char *all[2];
    } deep = {1, 1, {"first text", "second text"}};
    must(&trip, trip_encode(&trip, ARGS(cordon_in(&deep, 1))));
    assert_non_null(memmem(trip.request, trip.sent.frame_bytes, "first text", 10));
    assert_non_null(memmem(trip.request, trip.sent.frame_bytes, "second text", 11));
    deep.inner = 2;
    must(&trip, trip_encode(&trip, ARGS(cordon_in(&deep, 1))));
    assert_null(memmem(trip.request, trip.sent.frame_bytes, "first text", 10));
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selected_member_travels_by_its_type),
        cmocka_unit_test(test_selector_without_a_case_is_refused),
        cmocka_unit_test(test_default_takes_what_no_case_names),
        cmocka_unit_test(test_what_comes_back_follows_the_selector_that_came_back),
        cmocka_unit_test(test_forged_selector_makes_no_place_of_the_callers_number),
        cmocka_unit_test(test_given_structs_are_copied_by_their_selectors),
        cmocka_unit_test(test_unions_nest_and_stand_in_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
