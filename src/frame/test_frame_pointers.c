/* SPDX-License-Identifier: Apache-2.0 */
/* Forged requests: callbacks, pointers within others, and what is owned. */
#include "frame/test_forge.h"

#include "base/limits.h"

static void test_callbacks_are_refused_where_none_can_be_taken(void **state)
{
    (void)state;
    TRIP(trip, "int f(int (*cb)(int), const char *s)");
    const char *sentence = "frame of 'f': parameter 'cb' is a callback, and none can be taken here";
    MUST(trip, trip_encode(&trip, ARGS(cordon_function_pointer(NULL), cordon_string("x"))));
    trip.sent.words[0] = 0;
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_null(trip_pointer(trip.call.arguments, 0));
    host_refuses_word(&trip, 0, 5, sentence);
    trip.sent.words[0] = 5;
    check_refused(&trip, trip_accept_by(&trip, NULL), sentence);
    MUST(trip, trip_accept(&trip));
    assert_ptr_equal(trip_pointer(trip.call.arguments, 0), (void *)0x10005);
    trip_close(&trip);
}

static void test_callbacks_in_structs_are_refused_as_well(void **state)
{
    (void)state;
    TRIP(trip, "struct s { int (*cb)(int); void *token; }; int f(const struct s *s)");
    void *s[2] = {NULL, NULL};
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(s, 1))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    put(request_of(&trip, 0), 5);
    host_refuses(&trip, "frame of 'f': parameter 's' is a callback, and none can be taken here");
    trip_close(&trip);
}

static void test_pointers_within_lie_in_their_argument(void **state)
{
    (void)state;
    TRIP(trip, "int f(nullable const char *s, inout within(s) char **end)");
    const char *outside =
        "frame of 'f': parameter 'end' points outside the argument that it belongs to";
    uint64_t end = 0;
    const struct cordon_value args[] = {cordon_string("four"), cordon_out(&end, 1)};
    MUST(trip, trip_encode(&trip, args, 2));
    trip.sent.words[1] = 6; /* the end */
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_ptr_equal(*(char **)trip_pointer(trip.call.arguments, 1),
                     (char *)trip_pointer(trip.call.arguments, 0) + 5);
    trip.sent.words[1] = 0;
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_null(*(char **)trip_pointer(trip.call.arguments, 1));
    host_refuses_word(&trip, 1, 7, outside);
    host_refuses_word(&trip, 1, UINT64_MAX, outside);
    trip.sent.words[0] = 0; /* NULL has no inside */
    host_refuses_word(&trip, 1, 1, outside);
    trip_close(&trip);
}

static void test_pointer_within_a_number_is_refused(void **state)
{
    (void)state;
    TRIP(trip, "int f(inout int *x, const char *s, inout within(s) char **at)");
    trip_unlock(&trip, trip_type(&trip, CORDON_PLAN_WITHIN))->within = 0;
    trip_replan(&trip);
    int32_t x = 1;
    uint64_t at = 0;
    const struct cordon_value args[] = {cordon_out(&x, 1), cordon_string(""), cordon_out(&at, 1)};
    MUST(trip, trip_encode(&trip, args, 3));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    host_refuses_word(
        &trip, 2, 2, "frame of 'f': parameter 'at' points outside the argument that it belongs to");
    trip_close(&trip);
}

static void test_pointer_within_words_only_has_no_inside(void **state)
{
    (void)state;
    TRIP(trip, "int f(inout int *x, inout token void **at)");
    struct cordon_plan_type *type = trip_unlock(&trip, trip_type(&trip, CORDON_PLAN_TOKEN));
    type->kind = CORDON_PLAN_WITHIN;
    type->within = 0;
    trip_replan(&trip);
    assert_true(trip.function->flags & CORDON_PLAN_MAILBOX);
    int32_t x = 1;
    uint64_t at = 0;
    const struct cordon_value args[] = {cordon_out(&x, 1), cordon_out(&at, 1)};
    MUST(trip, trip_encode(&trip, args, 2));
    host_refuses_word(
        &trip, 1, 1, "frame of 'f': parameter 'at' points outside the argument that it belongs to");
    trip_close(&trip);
}

static void test_room_of_owned_strings_is_bounded(void **state)
{
    (void)state;
    TRIP(trip, "ssize_t grow(inout owned(free) count(*n) char **line, inout ssize_t *n)");
    char text[] = "line";
    void *line = text;
    int64_t room = 64;
    const struct cordon_value args[] = {cordon_out(&line, 1), cordon_out(&room, 1)};
    MUST(trip, trip_encode(&trip, args, 2));
    const int64_t rooms[] = {64, 0, 3, 5, -1, LIMIT_STRING_BYTES + 1};
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        trip.sent.words[1] = (uint64_t)rooms[i];
        MUST(trip, trip_accept_by(&trip, &trip.host));
        char *copy = *(char **)trip_pointer(trip.call.arguments, 0);
        assert_string_equal(copy, "line");
        memset(copy, 'x', rooms[i] > 5 ? (size_t)rooms[i] : 5); /* it is as large as it says */
    }
    host_refuses_word(&trip, 1, LIMIT_STRING_BYTES + 2,
                      "frame of 'grow': parameter 'line' wants more room than LIMIT_STRING_BYTES");
    host_refuses_word(&trip, 0, trip.sent.words[0] + 1,
                      "frame of 'grow': parameter 'line' lies outside the request");
    trip_close(&trip);
}

static void test_what_is_only_lent_is_not_freed_with_the_call(void **state)
{
    (void)state;
    TRIP(trip, "int f(int x, inout const char **lent, inout owned(free) char **owned)");
    char text[] = "lent";
    void *lent = text;
    void *owned = text;
    MUST(trip,
         trip_encode(&trip, ARGS(cordon_int(1), cordon_out(&lent, 1), cordon_out(&owned, 1))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_string_equal(*(char **)trip_pointer(trip.call.arguments, 1), "lent");
    assert_string_equal(*(char **)trip_pointer(trip.call.arguments, 2), "lent");
    trip_close(&trip); /* sanitizers see it, if either is wrong */
}

static void test_owned_arrays_are_copied_like_strings(void **state)
{
    (void)state;
    TRIP(trip, "int f(inout owned(free) count(n) int **p, int n)");
    int32_t numbers[3] = {1, 2, 3};
    void *p = numbers;
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(&p, 1), cordon_int(3))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_memory_equal(*(void **)trip_pointer(trip.call.arguments, 0), numbers, sizeof numbers);
    host_refuses_word(&trip, 1, 4, "frame of 'f': parameter 'p' lies outside the request");
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callbacks_are_refused_where_none_can_be_taken),
        cmocka_unit_test(test_callbacks_in_structs_are_refused_as_well),
        cmocka_unit_test(test_pointers_within_lie_in_their_argument),
        cmocka_unit_test(test_pointer_within_a_number_is_refused),
        cmocka_unit_test(test_pointer_within_words_only_has_no_inside),
        cmocka_unit_test(test_room_of_owned_strings_is_bounded),
        cmocka_unit_test(test_what_is_only_lent_is_not_freed_with_the_call),
        cmocka_unit_test(test_owned_arrays_are_copied_like_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
