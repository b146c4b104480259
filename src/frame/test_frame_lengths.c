/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lengths behind pointers that travel as memory (`nullable inout size_t *n`), in every place where they and
 * their array can stand. Each case runs with the length before its array and behind it.
 */
#include "frame/test_trip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Which arguments are which, as the prototype at hand has them. */
static size_t array_at;
static size_t length_at;

struct order {
    const char *prototype;
    size_t array;
    size_t length;
};

static void use(const struct order *order)
{
    array_at = order->array;
    length_at = order->length;
}

#define EITHER_ORDER(name, ...)                                                                    \
    for (const struct order *name = (const struct order[]){__VA_ARGS__, {0}}; name->prototype;     \
         name++)

/* "text" and its length, where there is room for 40. */
static void write_five(void *const *arguments, void *result)
{
    (void)result;
    uint64_t *length = trip_pointer(arguments, length_at);
    assert_int_equal(*length, 40);
    memcpy(trip_pointer(arguments, array_at), "text", 5);
    *length = 5;
}

static void test_output_has_the_length_that_came_back(void **state)
{
    (void)state;
    EITHER_ORDER(order, {"void f(out uint8_t a[*n], nullable inout size_t *n)", 0, 1},
                 {"void f(nullable inout size_t *n, out uint8_t a[*n])", 1, 0},
                 {"void f(inout uint8_t a[*n], nullable inout size_t *n)", 0, 1},
                 {"void f(nullable inout size_t *n, inout uint8_t a[*n])", 1, 0},
                 {"void f(out uint8_t a[*n], kept inout size_t *n)", 0, 1},
                 {"void f(kept inout size_t *n, out uint8_t a[*n])", 1, 0},
                 {"void f(out char a[*n], nullable inout size_t *n)", 0, 1},
                 {"void f(nullable inout size_t *n, out char a[*n])", 1, 0})
    {
        TRIP(trip, order->prototype);
        use(order);
        char a[41];
        memset(a, '.', sizeof a);
        uint64_t n = 40;
        struct cordon_value args[2];
        args[array_at] = cordon_out(a, 40);
        args[length_at] = cordon_out(&n, 1);
        MUST(trip, trip_call(&trip, write_five, args, 2));
        assert_int_equal(n, 5);
        assert_memory_equal(a, "text\0.", 6);
        trip_close(&trip);
    }
}

static void test_given_room_is_compared_with_the_length(void **state)
{
    (void)state;
    EITHER_ORDER(order, {"void f(out uint8_t a[*n], nullable inout size_t *n)", 0, 1},
                 {"void f(nullable inout size_t *n, out uint8_t a[*n])", 1, 0})
    {
        TRIP(trip, order->prototype);
        use(order);
        char a[40];
        uint64_t n = 41;
        struct cordon_value args[2];
        args[array_at] = cordon_out(a, 40);
        args[length_at] = cordon_out(&n, 1);
        assert_int_equal(trip_encode(&trip, args, 2), -EINVAL);
        assert_string_equal(
            trip.why.text,
            array_at ? "argument 2 'a' has room for 40 elements, but its length *n is 41"
                     : "argument 1 'a' has room for 40 elements, but its length *n is 41");
        args[length_at] = cordon_out(&n, 0);
        assert_int_equal(trip_encode(&trip, args, 2), -EINVAL);
        assert_string_equal(trip.why.text,
                            length_at ? "argument 2 'n' holds 0 elements, but its length 1 is 1"
                                      : "argument 1 'n' holds 0 elements, but its length 1 is 1");
        trip_close(&trip);
    }
}

static void write_nothing(void *const *arguments, void *result)
{
    (void)result;
    assert_null(trip_pointer(arguments, length_at));
}

static void test_length_that_is_null_means_none(void **state)
{
    (void)state;
    EITHER_ORDER(order, {"void f(out uint8_t a[*n], nullable inout size_t *n)", 0, 1},
                 {"void f(nullable inout size_t *n, out uint8_t a[*n])", 1, 0},
                 {"void f(const uint8_t a[*n], nullable const size_t *n)", 0, 1},
                 {"void f(nullable const size_t *n, const uint8_t a[*n])", 1, 0})
    {
        TRIP(trip, order->prototype);
        use(order);
        char a[4] = "...";
        struct cordon_value args[2];
        args[array_at] = cordon_out(a, 4);
        args[length_at] = cordon_null();
        MUST(trip, trip_call(&trip, write_nothing, args, 2));
        assert_string_equal(a, "...");
        args[array_at] = cordon_null(); /* of no elements, so NULL fits */
        MUST(trip, trip_call(&trip, write_nothing, args, 2));
        trip_close(&trip);
    }
}

static void read_five(void *const *arguments, void *result)
{
    (void)result;
    assert_int_equal(*(const uint64_t *)trip_pointer(arguments, length_at), 5);
    assert_string_equal(trip_pointer(arguments, array_at), "text");
}

static void test_input_has_the_length_that_went_in(void **state)
{
    (void)state;
    EITHER_ORDER(order, {"void f(const uint8_t a[*n], nullable const size_t *n)", 0, 1},
                 {"void f(nullable const size_t *n, const uint8_t a[*n])", 1, 0})
    {
        TRIP(trip, order->prototype);
        use(order);
        uint64_t n = 5;
        struct cordon_value args[2];
        args[array_at] = cordon_in("text", 5);
        args[length_at] = cordon_in(&n, 1);
        MUST(trip, trip_call(&trip, read_five, args, 2));
        trip_close(&trip);
    }
}

static void write_both(void *const *arguments, void *result)
{
    (void)result;
    uint64_t *length = trip_pointer(arguments, 1);
    memcpy(trip_pointer(arguments, 0), "first", 6);
    memcpy(trip_pointer(arguments, 2), "other", 6);
    *length = 6;
}

static void test_two_arrays_share_one_length(void **state)
{
    (void)state;
    TRIP(trip, "void f(out uint8_t a[*n], nullable inout size_t *n, out uint8_t b[*n])");
    char a[10] = ".........";
    char b[10] = ".........";
    uint64_t n = 10;
    MUST(trip, trip_call(&trip, write_both,
                         ARGS(cordon_out(a, 10), cordon_out(&n, 1), cordon_out(b, 10))));
    assert_memory_equal(a, "first\0...", 10);
    assert_memory_equal(b, "other\0...", 10);
    trip_close(&trip);
}

static void write_out_only(void *const *arguments, void *result)
{
    (void)result;
    memcpy(trip_pointer(arguments, array_at), "text", 5);
    *(uint64_t *)trip_pointer(arguments, length_at) = 5;
}

static void test_length_that_only_comes_back_counts_what_is_there(void **state)
{
    (void)state;
    EITHER_ORDER(order, {"void f(out uint8_t a[8 : *n], nullable out size_t *n)", 0, 1},
                 {"void f(nullable out size_t *n, out uint8_t a[8 : *n])", 1, 0},
                 {"void f(out char a[8 : *n], nullable out size_t *n)", 0, 1},
                 {"void f(nullable out size_t *n, out char a[8 : *n])", 1, 0})
    {
        TRIP(trip, order->prototype);
        use(order);
        char a[9] = "........";
        uint64_t n = 99;
        struct cordon_value args[2];
        args[array_at] = cordon_out(a, 8);
        args[length_at] = cordon_out(&n, 1);
        MUST(trip, trip_call(&trip, write_out_only, args, 2));
        assert_int_equal(n, 5);
        assert_memory_equal(a, "text\0", 5);
        assert_int_equal(a[6], '.');
        trip_close(&trip);
    }
}

/* As iconv() does: through pointers in an array, whose lengths stand elsewhere. */
static void move_on(void *const *arguments, void *result)
{
    (void)result;
    char **out = trip_pointer(arguments, array_at);
    uint64_t *left = trip_pointer(arguments, length_at);
    assert_int_equal(*left, 8);
    memcpy(*out, "abc", 3);
    *left = 5;
}

static void test_pointers_in_arrays_have_lengths_elsewhere(void **state)
{
    (void)state;
    EITHER_ORDER(order,
                 {"void f(out count(*left : all) char *to[1], nullable inout size_t *left)", 0, 1},
                 {"void f(nullable inout size_t *left, out count(*left : all) char *to[1])", 1, 0})
    {
        TRIP(trip, order->prototype);
        use(order);
        char wide[9] = "........";
        char *to = wide;
        uint64_t left = 8;
        struct cordon_value args[2];
        args[array_at] = cordon_out(&to, 1);
        args[length_at] = cordon_out(&left, 1);
        MUST(trip, trip_call(&trip, move_on, args, 2));
        assert_int_equal(left, 5);
        assert_memory_equal(wide, "abc", 3);
        trip_close(&trip);
    }
}

static void grow_line(void *const *arguments, void *result)
{
    (void)result;
    char **line = trip_pointer(arguments, array_at);
    uint64_t *room = trip_pointer(arguments, length_at);
    assert_int_equal(*room, 64);
    assert_string_equal(*line, "line");
    memset(*line, 'x', 63); /* the room is there */
    (*line)[63] = '\0';
    *room = 63;
}

static void test_owned_text_has_the_room_that_its_length_says(void **state)
{
    (void)state;
    EITHER_ORDER(
        order, {"void f(inout owned(free) count(*n) char **line, nullable inout size_t *n)", 0, 1},
        {"void f(nullable inout size_t *n, inout owned(free) count(*n) char **line)", 1, 0})
    {
        TRIP(trip, order->prototype);
        use(order);
        char text[] = "line";
        void *line = text;
        uint64_t n = 64;
        struct cordon_value args[2];
        args[array_at] = cordon_out(&line, 1);
        args[length_at] = cordon_out(&n, 1);
        MUST(trip, trip_call(&trip, grow_line, args, 2));
        assert_int_equal(n, 63);
        assert_int_equal(strlen(line), 63);
        free(line);
        trip_close(&trip);
    }
}

static void give_numbers(void *const *arguments, void *result)
{
    static const uint8_t numbers[] = {1, 2, 3};
    *(uint64_t *)trip_pointer(arguments, 0) = 3;
    memcpy(result, &(const uint8_t *){numbers}, sizeof(uint8_t *));
}

static void test_result_has_the_length_that_a_parameter_tells(void **state)
{
    (void)state;
    TRIP(trip, "count(*n) const uint8_t *f(nullable out size_t *n)");
    uint64_t n = 0;
    MUST(trip, trip_call(&trip, give_numbers, ARGS(cordon_out(&n, 1))));
    assert_int_equal(n, 3);
    assert_int_equal(trip.result.value.count, 3);
    assert_memory_equal(trip.result.value.memory, "\1\2\3", 3);
    trip_close(&trip);
}

static void give_numbers_out(void *const *arguments, void *result)
{
    (void)result;
    uint8_t *numbers = malloc(3);
    assert_non_null(numbers);
    memcpy(numbers, "\1\2\3", 3);
    *(uint8_t **)trip_pointer(arguments, array_at) = numbers;
    *(uint64_t *)trip_pointer(arguments, length_at) = 3;
}

static void test_given_array_has_the_length_that_a_parameter_tells(void **state)
{
    (void)state;
    EITHER_ORDER(order,
                 {"void f(out owned(free) count(*n) uint8_t **a, nullable inout size_t *n)", 0, 1},
                 {"void f(nullable inout size_t *n, out owned(free) count(*n) uint8_t **a)", 1, 0},
                 {"void f(out owned(free) count(*n) uint8_t **a, nullable out size_t *n)", 0, 1})
    {
        TRIP(trip, order->prototype);
        use(order);
        uint64_t n = 0;
        void *a = NULL;
        struct cordon_value args[2];
        args[array_at] = cordon_out(&a, 1);
        args[length_at] = cordon_out(&n, 1);
        MUST(trip, trip_call(&trip, give_numbers_out, args, 2));
        assert_int_equal(n, 3);
        assert_memory_equal(a, "\1\2\3", 4);
        free(a);
        trip_close(&trip);
    }
}

static void test_variadic_arguments_change_nothing(void **state)
{
    (void)state;
    TRIP(trip, "int f(out char a[*n], nullable inout size_t *n, ...)");
    array_at = 0;
    length_at = 1;
    char a[40];
    uint64_t n = 40;
    MUST(trip, trip_call(&trip, write_five,
                         ARGS(cordon_out(a, 40), cordon_out(&n, 1), cordon_string("more"),
                              cordon_int(1))));
    assert_string_equal(a, "text");
    assert_int_equal(n, 5);
    trip_close(&trip);
}

static void test_length_in_the_arena_is_not_read(void **state)
{
    (void)state;
    EITHER_ORDER(order, {"void f(const uint8_t a[*n], nullable const size_t *n)", 0, 1},
                 {"void f(nullable const size_t *n, const uint8_t a[*n])", 1, 0},
                 {"void f(inout uint8_t a[*n], nullable inout size_t *n)", 0, 1})
    {
        TRIP(trip, order->prototype);
        use(order);
        char a[40] = "text";
        struct cordon_value args[2];
        args[array_at] = cordon_out(a, 40);
        args[length_at] = cordon_out(trip.arena, 1);
        assert_int_equal(trip_encode(&trip, args, 2), -EINVAL);
        assert_string_equal(trip.why.text + sizeof "argument 1" - 1,
                            " 'a' has the length *n, which cannot be computed here: lengths in "
                            "the arena are not read");
        trip_close(&trip);
    }
}

static void write_into_arena(void *const *arguments, void *result)
{
    (void)result;
    memset(trip_pointer(arguments, array_at), 'x', 40);
    *(uint64_t *)trip_pointer(arguments, length_at) = 5;
}

static void test_all_that_was_given_comes_back_when_its_length_lies_in_the_arena(void **state)
{
    (void)state;
    EITHER_ORDER(order, {"void f(out uint8_t a[*n], nullable inout size_t *n)", 0, 1},
                 {"void f(nullable inout size_t *n, out uint8_t a[*n])", 1, 0})
    {
        TRIP(trip, order->prototype);
        use(order);
        char a[41] = "";
        struct cordon_value args[2];
        args[array_at] = cordon_out(a, 40);
        args[length_at] = cordon_out(trip.arena, 1);
        MUST(trip, trip_call(&trip, write_into_arena, args, 2));
        assert_int_equal(strlen(a), 40);
        assert_int_equal(trip.arena[0], 5);
        trip_close(&trip);
    }
}

/* What a host's callback is told of its arguments: as much as was judged. */
static void test_callback_arguments_have_their_lengths(void **state)
{
    (void)state;
    EITHER_ORDER(order, {"void f(const uint8_t a[*n], nullable const size_t *n)", 0, 1},
                 {"void f(nullable const size_t *n, const uint8_t a[*n])", 1, 0},
                 {"void f(inout uint8_t a[*n], nullable inout size_t *n)", 0, 1},
                 {"void f(nullable inout size_t *n, inout uint8_t a[*n])", 1, 0})
    {
        TRIP(trip, order->prototype);
        use(order);
        char a[8] = "text";
        uint64_t n = 5;
        struct cordon_value args[2];
        struct cordon_value values[2];
        args[array_at] = cordon_out(a, 8);
        args[length_at] = cordon_out(&n, 1);
        MUST(trip, trip_encode(&trip, args, 2));
        MUST(trip, trip_accept_by(&trip, &trip.host));
        MUST(trip,
             frame_values(trip.plan, 0, trip.call.arguments, &trip.host, NULL, values, &trip.why));
        assert_int_equal(values[array_at].count, 5);
        assert_memory_equal(values[array_at].memory, "text", 5);
        /* Forged: more than there is. */
        uint64_t forged = 1u << 20;
        memcpy(trip.request + (trip.sent.words[length_at] & 0x7fffffff), &forged, sizeof forged);
        assert_int_equal(trip_accept_by(&trip, &trip.host), -EBADMSG);
        assert_non_null(strstr(trip.why.text, "parameter 'a' lies outside the re"));
        /* In the arena, where it could change between being judged and used. */
        trip.sent.words[length_at] = FRAME_IN_ARENA | (uintptr_t)trip.arena;
        assert_int_equal(trip_accept_by(&trip, &trip.host), -EBADMSG);
        assert_string_equal(trip.why.text,
                            "frame of 'f': parameter 'a' has a length that cannot be computed");
        trip_close(&trip);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_has_the_length_that_came_back),
        cmocka_unit_test(test_given_room_is_compared_with_the_length),
        cmocka_unit_test(test_length_that_is_null_means_none),
        cmocka_unit_test(test_input_has_the_length_that_went_in),
        cmocka_unit_test(test_two_arrays_share_one_length),
        cmocka_unit_test(test_length_that_only_comes_back_counts_what_is_there),
        cmocka_unit_test(test_pointers_in_arrays_have_lengths_elsewhere),
        cmocka_unit_test(test_owned_text_has_the_room_that_its_length_says),
        cmocka_unit_test(test_result_has_the_length_that_a_parameter_tells),
        cmocka_unit_test(test_given_array_has_the_length_that_a_parameter_tells),
        cmocka_unit_test(test_variadic_arguments_change_nothing),
        cmocka_unit_test(test_length_in_the_arena_is_not_read),
        cmocka_unit_test(test_all_that_was_given_comes_back_when_its_length_lies_in_the_arena),
        cmocka_unit_test(test_callback_arguments_have_their_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
