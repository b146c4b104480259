/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/test_trip.h"

#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <string.h>

static void echo(void *const *arguments, void *result)
{
    memcpy(result, arguments[0], 8);
}

static void check_integer(const char *type, int64_t low, uint64_t high)
{
    char prototype[64];
    (void)snprintf(prototype, sizeof prototype, "%s f(%s x)", type, type);
    TRIP(trip, prototype);
    MUST(trip, trip_call(&trip, echo, ARGS(cordon_int(low))));
    assert_int_equal(trip.result.value.i, low);
    MUST(trip, trip_call(&trip, echo, ARGS(cordon_uint(high))));
    assert_true(trip.result.value.u == high);
    assert_int_equal(trip.sent.frame_bytes, 0);
    if (low != INT64_MIN) {
        assert_int_equal(trip_call(&trip, echo, ARGS(cordon_int(low - 1))), -EINVAL);
    }
    if (high != UINT64_MAX) {
        assert_int_equal(trip_call(&trip, echo, ARGS(cordon_uint(high + 1))), -EINVAL);
    }
    assert_int_equal(trip_call(&trip, echo, ARGS(cordon_float(1.0))), -EINVAL);
    trip_close(&trip);
}

static void test_integers_pass_at_their_edges_and_are_refused_beyond(void **state)
{
    (void)state;
    check_integer("int8_t", INT8_MIN, INT8_MAX);
    check_integer("uint8_t", 0, UINT8_MAX);
    check_integer("int16_t", INT16_MIN, INT16_MAX);
    check_integer("uint16_t", 0, UINT16_MAX);
    check_integer("int", INT32_MIN, INT32_MAX);
    check_integer("uint32_t", 0, UINT32_MAX);
    check_integer("int64_t", INT64_MIN, INT64_MAX);
    check_integer("uint64_t", 0, UINT64_MAX);
    check_integer("bool", 0, 1);
}

static void test_floats_pass_and_take_integers(void **state)
{
    (void)state;
    TRIP(single, "float f(float x)");
    MUST(single, trip_call(&single, echo, ARGS(cordon_float((double)FLT_MAX))));
    assert_true(single.result.value.f == (double)FLT_MAX);
    MUST(single, trip_call(&single, echo, ARGS(cordon_int(-3))));
    assert_true(single.result.value.f == -3.0);
    assert_int_equal(trip_call(&single, echo, ARGS(cordon_float(1e300))), -EINVAL);
    trip_close(&single);
    TRIP(wide, "double f(double x)");
    MUST(wide, trip_call(&wide, echo, ARGS(cordon_float(DBL_MAX))));
    assert_true(wide.result.value.f == DBL_MAX);
    trip_close(&wide);
}

static void sum_bytes(void *const *arguments, void *result)
{
    const uint8_t *bytes = trip_pointer(arguments, 1);
    uint32_t count = *(uint32_t *)arguments[2];
    uint64_t sum = *(uint32_t *)arguments[0];
    for (uint32_t i = 0; i < count; i++) {
        sum += bytes[i];
    }
    memcpy(result, &sum, sizeof sum);
}

static void test_input_array_is_passed_in_place_and_fills_its_length(void **state)
{
    (void)state;
    TRIP(trip, "uint32_t sum(uint32_t start, const uint8_t buf[len], uint32_t len)");
    uint8_t bytes[] = {1, 2, 3, 250};
    MUST(trip, trip_call(&trip, sum_bytes, ARGS(cordon_uint(10), cordon_in(bytes, 4))));
    assert_int_equal(trip.result.value.u, 266);
    MUST(trip, trip_encode(&trip, ARGS(cordon_uint(10), cordon_in(bytes, 4))));
    MUST(trip, trip_accept(&trip));
    uint8_t *native = trip_pointer(trip.call.arguments, 1);
    assert_true(native >= trip.request && native < trip.request + trip.sent.frame_bytes);
    MUST(trip, trip_call(&trip, sum_bytes, ARGS(cordon_uint(5), cordon_in(bytes, 0))));
    assert_int_equal(trip.result.value.u, 5);
    trip_close(&trip);
}

static void reverse(void *const *arguments, void *result)
{
    int32_t *numbers = trip_pointer(arguments, 0);
    int32_t count = *(int32_t *)arguments[1];
    (void)result;
    for (int32_t i = 0; i < count / 2; i++) {
        int32_t kept = numbers[i];
        numbers[i] = numbers[count - 1 - i];
        numbers[count - 1 - i] = kept;
    }
}

static void test_inout_array_comes_back_and_the_request_keeps_the_original(void **state)
{
    (void)state;
    TRIP(trip, "void reverse(int numbers[count], int count)");
    int32_t numbers[] = {1, 2, 3};
    const struct cordon_value args[] = {cordon_out(numbers, 3), cordon_int(3)};
    size_t count = trip.function->passed_count;
    MUST(trip, trip_call(&trip, reverse, args, count));
    assert_memory_equal(numbers, ((int32_t[]){3, 2, 1}), sizeof numbers);
    uint32_t at = (uint32_t)(trip.sent.words[0] & 0x7fffffff);
    assert_memory_equal(trip.request + at, ((int32_t[]){1, 2, 3}), sizeof numbers);
    trip_close(&trip);
}

static void compress_like(void *const *arguments, void *result)
{
    uint8_t *destination = trip_pointer(arguments, 0);
    uint64_t *length = trip_pointer(arguments, 1);
    memset(destination, 0x11, *length);
    uint64_t given = *length;
    *length = given == 8 ? 3 : 1000;
    memcpy(result, &(int64_t){given == 8 ? 0 : -5}, 8);
}

static void test_output_length_is_taken_after_the_call_and_clamped(void **state)
{
    (void)state;
    TRIP(trip, "int compress(out uint8_t dest[*destLen], inout unsigned long *destLen)");
    uint8_t out[9];
    uint64_t length = 8;
    memset(out, 0xee, sizeof out);
    MUST(trip, trip_call(&trip, compress_like, ARGS(cordon_out(out, 8), cordon_out(&length, 1))));
    assert_int_equal(length, 3);
    assert_memory_equal(out, "\x11\x11\x11\xee\xee\xee\xee\xee\xee", 9);
    length = 7;
    MUST(trip, trip_call(&trip, compress_like, ARGS(cordon_out(out, 8), cordon_out(&length, 1))));
    assert_int_equal(length, 1000); /* shown as it is */
    assert_int_equal(out[6], 0x11);
    assert_int_equal(out[7], 0xee); /* the bytes are clamped */
    assert_int_equal(trip.result.value.i, -5);
    trip_close(&trip);
}

static void read_like(void *const *arguments, void *result)
{
    memset(trip_pointer(arguments, 0), 0x22, 4);
    memcpy(result, &(int64_t){*(uint64_t *)arguments[1] == 4 ? 2 : -1}, 8);
}

static void test_output_length_may_be_the_result(void **state)
{
    (void)state;
    TRIP(trip, "ssize_t read(out uint8_t buf[cap : result], size_t cap)");
    uint8_t out[8] = {0};
    MUST(trip, trip_call(&trip, read_like, ARGS(cordon_out(out, 4), cordon_uint(4))));
    assert_memory_equal(out, "\x22\x22\0\0", 4);
    memset(out, 0, sizeof out);
    MUST(trip, trip_call(&trip, read_like, ARGS(cordon_out(out, 5), cordon_uint(5))));
    assert_memory_equal(out, "\0\0\0\0", 4); /* -1: nothing is there */
    assert_int_equal(trip.result.value.i, -1);
    trip_close(&trip);
}

static void test_arena_memory_is_passed_where_it_is(void **state)
{
    (void)state;
    TRIP(trip, "void reverse(int numbers[count], int count)");
    int32_t *numbers = (int32_t *)(void *)trip.arena;
    numbers[0] = 5;
    numbers[1] = 6;
    const struct cordon_value args[] = {cordon_out(numbers, 2), cordon_int(2)};
    size_t count = trip.function->passed_count;
    MUST(trip, trip_encode(&trip, args, count));
    assert_true(trip.sent.words[0] == (FRAME_IN_ARENA | (uintptr_t)numbers));
    MUST(trip, trip_call(&trip, reverse, args, count));
    assert_int_equal(numbers[0], 6);
    /* Memory that only begins there is copied. */
    uint8_t *last = trip.arena + TRIP_ARENA - 4;
    const struct cordon_value edge[] = {cordon_out(last, 2), cordon_int(2)};
    MUST(trip, trip_encode(&trip, edge, count));
    assert_false(trip.sent.words[0] & FRAME_IN_ARENA);
    trip.sent.words[0] = FRAME_IN_ARENA | (uintptr_t)last;
    assert_int_equal(trip_accept(&trip), -EBADMSG);
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_pass_at_their_edges_and_are_refused_beyond),
        cmocka_unit_test(test_floats_pass_and_take_integers),
        cmocka_unit_test(test_input_array_is_passed_in_place_and_fills_its_length),
        cmocka_unit_test(test_inout_array_comes_back_and_the_request_keeps_the_original),
        cmocka_unit_test(test_output_length_is_taken_after_the_call_and_clamped),
        cmocka_unit_test(test_output_length_may_be_the_result),
        cmocka_unit_test(test_arena_memory_is_passed_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
