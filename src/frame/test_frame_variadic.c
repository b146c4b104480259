/* SPDX-License-Identifier: Apache-2.0 */
/* Forged requests: the arguments of `...`. */
#include "frame/test_forge.h"

#include <stdio.h>

/* A variadic block's words, behind its count. */
static void put_pair(struct trip *trip, size_t index, uint64_t type, uint64_t word)
{
    put(request_of(trip, 1) + 8 + 16 * index, type);
    put(request_of(trip, 1) + 16 + 16 * index, word);
}

static void test_variadic_blocks_are_judged_word_by_word(void **state)
{
    (void)state;
    TRIP(trip, "int f(const char *format, ...)");
    MUST(trip, trip_encode(&trip, ARGS(cordon_string("%d"), cordon_int(1), cordon_string("s"))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    static const struct {
        uint64_t type;
        uint64_t word;
        const char *sentence; /* NULL: goes well */
    } cases[] = {
        {CORDON_TYPE_INT, INT32_MAX, NULL},
        {CORDON_TYPE_INT, 1ull << 31, "has a number beyond its type"},
        {CORDON_TYPE_UINT, UINT32_MAX, NULL},
        {CORDON_TYPE_UINT, 1ull << 32, "has a number beyond its type"},
        {CORDON_TYPE_LONG, UINT64_MAX, NULL},
        {CORDON_TYPE_ULONG, UINT64_MAX, NULL},
        {CORDON_TYPE_LLONG, UINT64_MAX, NULL},
        {CORDON_TYPE_ULLONG, UINT64_MAX, NULL},
        {CORDON_TYPE_SIZE, UINT64_MAX, NULL},
        {CORDON_TYPE_DOUBLE, UINT64_MAX, NULL},
        {CORDON_TYPE_POINTER, UINT64_MAX, NULL},
        {CORDON_TYPE_STRING, 0, NULL},
        {CORDON_TYPE_STRING, 16, "lies outside the request"},
        {CORDON_TYPE_STRING, 1ull << 31, "has a string outside the request"},
        {CORDON_TYPE_STRING, FRAME_IN_ARENA, "has a string outside the request"},
        {CORDON_TYPE_POINTER | FRAME_VARIADIC_HANDLE, 7ull << 32 | 1, NULL},
        {CORDON_TYPE_INT | FRAME_VARIADIC_HANDLE, 1, "has an argument of no known type"},
        {CORDON_TYPE_DECLARED, 1, "has an argument of no known type"},
        {UINT64_MAX, 1, "has an argument of no known type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_pair(&trip, 0, cases[i].type, cases[i].word);
        if (cases[i].sentence) {
            char sentence[128];
            (void)snprintf(
                sentence, sizeof sentence, "frame of 'f': parameter '%s' %s",
                plan_name(trip.plan, plan_function_param(trip.plan, trip.function, 1)->name),
                cases[i].sentence);
            host_refuses(&trip, sentence);
        } else {
            MUST(trip, trip_accept_by(&trip, &trip.host));
        }
    }
    put_pair(&trip, 0, CORDON_TYPE_POINTER | FRAME_VARIADIC_HANDLE, 6ull << 32 | 1);
    assert_int_equal(trip_accept(&trip), -116); /* the worker's hook knows no such object */
    trip_close(&trip);
}

static void test_variadic_blocks_lie_in_the_request(void **state)
{
    (void)state;
    TRIP(trip, "int f(const char *format, ...)");
    MUST(trip, trip_encode(&trip, ARGS(cordon_string("%d"), cordon_int(1))));
    char outside[96];
    char more[96];
    const char *name = plan_name(trip.plan, plan_function_param(trip.plan, trip.function, 1)->name);
    (void)snprintf(outside, sizeof outside, "frame of 'f': parameter '%s' lies outside the request",
                   name);
    (void)snprintf(more, sizeof more,
                   "frame of 'f': parameter '%s' has more arguments than the request", name);
    const uint64_t places[] = {0,
                               16,
                               UINT64_MAX,
                               1ull << 32,
                               trip.sent.frame_bytes,
                               trip.sent.frame_bytes - 7,
                               in_arena(&trip, 0)};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        host_refuses_word(&trip, 1, places[i], outside);
    }
    const uint64_t counts[] = {2, 64, 65, UINT64_MAX, 1ull << 60};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        put(request_of(&trip, 1), counts[i]);
        host_refuses(&trip, more);
    }
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variadic_blocks_are_judged_word_by_word),
        cmocka_unit_test(test_variadic_blocks_lie_in_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
