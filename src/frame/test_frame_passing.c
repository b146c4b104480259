/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/test_trip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_object(void *const *arguments, void *result)
{
    static int object;
    void **opened = trip_pointer(arguments, 0);
    *opened = &object;
    memcpy(result, &(int64_t){14}, 8);
}

static void same_object(void *const *arguments, void *result)
{
    void *object = trip_pointer(arguments, 0);
    memcpy(result, &object, sizeof object);
}

static void test_handles_come_and_go_as_values(void **state)
{
    (void)state;
    TRIP(opening, "int db_open(out struct db **opened)");
    struct cordon_handle handle = {0};
    MUST(opening, trip_call(&opening, open_object, ARGS(cordon_out(&handle, 1))));
    assert_int_equal(handle.worker, 3);
    assert_int_equal(handle.generation, 7);
    trip_close(&opening);
    TRIP(same, "struct db *db_same(struct db *db)");
    MUST(same, trip_call(&same, same_object, ARGS(cordon_object(handle))));
    assert_memory_equal(&same.result.value.handle, &handle, sizeof handle);
    handle.worker = 4;
    assert_int_equal(trip_call(&same, same_object, ARGS(cordon_object(handle))), -116);
    assert_string_equal(same.why.text, "argument 1 'db' the handle's worker is gone");
    handle.worker = 3;
    handle.tag ^= 1;
    assert_int_equal(trip_call(&same, same_object, ARGS(cordon_object(handle))), -EINVAL);
    trip_close(&same);
}

static void join(void *const *arguments, void *result)
{
    const char *const *words = trip_pointer(arguments, 0);
    uint64_t total = 0;
    for (size_t i = 0; words[i]; i++) {
        total = total * 10 + strlen(words[i]);
    }
    memcpy(result, &total, sizeof total);
}

static void test_strings_ended_by_null_pass(void **state)
{
    (void)state;
    TRIP(trip, "int join(const char *words[null])");
    const char *words[] = {"a", "bb", "", NULL};
    MUST(trip, trip_call(&trip, join, ARGS(cordon_in(words, 4))));
    assert_int_equal(trip.result.value.i, 120);
    MUST(trip, trip_call(&trip, join, ARGS(cordon_in(words, 2)))); /* the end is added */
    assert_int_equal(trip.result.value.i, 12);
    trip_close(&trip);
}

static void test_variadic_arguments_travel_with_their_types(void **state)
{
    (void)state;
    TRIP(trip, "int snprintf(out char s[cap], size_t cap, const char *format, ...)");
    char out[8];
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(out, 8), cordon_uint(8), cordon_string("%d"),
                                       cordon_int(-7), cordon_string("text"), cordon_float(2.5),
                                       cordon_typed(cordon_uint(UINT64_MAX), CORDON_TYPE_SIZE))));
    MUST(trip, trip_accept(&trip));
    const uint64_t *pairs = trip.call.variadic.pairs;
    double number;
    memcpy(&number, &pairs[5], sizeof number);
    assert_int_equal(trip.call.variadic.count, 4);
    assert_int_equal(pairs[0], CORDON_TYPE_INT);
    assert_int_equal((int64_t)pairs[1], -7);
    assert_int_equal(pairs[2], CORDON_TYPE_STRING);
    assert_string_equal((const char *)(uintptr_t)pairs[3], "text");
    assert_true(number == 2.5);
    assert_true(pairs[7] == UINT64_MAX);
    assert_int_equal(trip_encode(&trip, ARGS(cordon_out(out, 8), cordon_uint(8),
                                             cordon_string("%d"), cordon_int(1ll << 31))),
                     -EINVAL);
    assert_string_equal(trip.why.text, "argument 4 (one of '...') does not fit its type");
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(out, 8), cordon_uint(8), cordon_string("none"))));
    trip_close(&trip);
}

static void test_kept_memory_lives_where_the_keeper_says(void **state)
{
    (void)state;
    TRIP(trip, "int bind(kept const uint8_t data[count], int count)");
    uint8_t data[] = {1, 2, 3};
    const struct cordon_value args[] = {cordon_in(data, 3), cordon_int(3)};
    MUST(trip, trip_encode(&trip, args, trip.function->passed_count));
    MUST(trip, trip_accept(&trip));
    assert_int_equal(trip.kept_count, 1);
    assert_ptr_equal(trip_pointer(trip.call.arguments, 0), trip.kept[0]);
    assert_memory_equal(trip.kept[0], data, 3);
    trip_close(&trip);
}

/* The worker's side of a callback: native arguments -> values -> frame; then the host's side. */
static void test_callback_frame_carries_arguments_sized_by_the_outer_call(void **state)
{
    (void)state;
    TRIP(trip, "void qsort(void base[count * size], size_t count, size_t size,"
               " int (*compare)(const void a[size], const void b[size]))");
    const uint32_t shape = 1;
    uint32_t a = 5;
    uint32_t b = 9;
    uint32_t elements[2] = {a, b};
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(elements, 8), cordon_uint(2), cordon_uint(4),
                                       cordon_function_pointer(NULL))));
    struct frame_outer outer = {trip.plan, 0, trip.sent.words, trip.request, trip.sent.frame_bytes};
    const void *natives[2] = {&(const void *){&a}, &(const void *){&b}};
    struct cordon_value values[2];
    MUST(trip, frame_values(trip.plan, shape, (void *const *)(uintptr_t)natives, &trip.worker,
                            &outer, values, &trip.why));
    assert_int_equal(values[0].count, 4);

    uint8_t request[512] __attribute__((aligned(16)));
    uint8_t reply[512] __attribute__((aligned(16)));
    struct frame_space space = {request, sizeof request, sizeof reply, {0, 0}, outer};
    struct frame_request sent;
    MUST(trip,
         frame_encode(trip.plan, shape, 1, values, 2, &trip.worker, &space, &sent, &trip.why));
    struct frame_call call = {
        .plan = trip.plan,
        .function = shape,
        .hooks = &trip.host,
        .outer = outer,
        .words = sent.words,
        .request = request,
        .request_bytes = sent.frame_bytes,
        .reply = reply,
        .reply_fixed = sent.reply_fixed,
        .reply_bytes_max = sent.reply_bytes_max,
    };
    MUST(trip, frame_accept(&call, &trip.why));
    struct cordon_value seen[2];
    MUST(trip, frame_values(trip.plan, shape, call.arguments, &trip.host, &outer, seen, &trip.why));
    assert_int_equal(*(uint32_t *)seen[0].memory, 5);
    assert_int_equal(*(uint32_t *)seen[1].memory, 9);

    uint64_t native;
    uint64_t words[1];
    uint32_t bytes;
    struct cordon_value less = cordon_int(-1);
    MUST(trip, frame_native_result(trip.plan, shape, &less, &trip.host, &native, &trip.why));
    MUST(trip, frame_answer(&call, &native, words, &bytes, &trip.why));
    frame_finish(&call);
    struct frame_result result;
    MUST(trip, frame_decode(trip.plan, shape, values, 2, &trip.worker, &space, &sent, words, reply,
                            &result, &trip.why));
    assert_int_equal(result.value.i, -1);
    trip_close(&trip);
}

/* As iconv() does: pointers and counts move on over what was read and written. */
static void convert(void *const *arguments, void *result)
{
    char **in = trip_pointer(arguments, 0);
    size_t *in_left = trip_pointer(arguments, 1);
    char **out = trip_pointer(arguments, 2);
    size_t *out_left = trip_pointer(arguments, 3);
    while (*in_left > 1 && *out_left > 0) {
        *(*out)++ = (char)(*(*in)++ - 'a' + 'A');
        --*in_left;
        --*out_left;
    }
    memcpy(result, &(int64_t){0}, 8);
}

static void test_pointers_that_are_moved_on_move_at_the_callers(void **state)
{
    (void)state;
    TRIP(trip, "struct cursor { inout count(left) char *at; size_t left; };"
               "int convert(inout struct cursor *in, inout struct cursor *out)");
    struct {
        char *at;
        size_t left;
    } in, out;
    char text[] = "abcdef";
    char upper[] = "......";
    in.at = text;
    in.left = 6;
    out.at = upper;
    out.left = 4;
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(&in, 1), cordon_out(&out, 1))));
    MUST(trip, trip_accept(&trip));
    uint8_t *native_in = trip_pointer(trip.call.arguments, 0);
    uint8_t *native_out = trip_pointer(trip.call.arguments, 1);
    void *cursors[4] = {&native_in, &(void *){native_in + 8}, &native_out,
                        &(void *){native_out + 8}};
    uint64_t result[1];
    convert(cursors, result);
    MUST(trip, trip_answer(&trip, result));
    MUST(trip, trip_decode(&trip, ARGS(cordon_out(&in, 1), cordon_out(&out, 1))));
    assert_string_equal(upper, "ABCD..");
    assert_ptr_equal(in.at, text + 4);
    assert_ptr_equal(out.at, upper + 4);
    assert_int_equal(in.left, 2);
    assert_int_equal(out.left, 0);
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handles_come_and_go_as_values),
        cmocka_unit_test(test_strings_ended_by_null_pass),
        cmocka_unit_test(test_variadic_arguments_travel_with_their_types),
        cmocka_unit_test(test_kept_memory_lives_where_the_keeper_says),
        cmocka_unit_test(test_callback_frame_carries_arguments_sized_by_the_outer_call),
        cmocka_unit_test(test_pointers_that_are_moved_on_move_at_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
