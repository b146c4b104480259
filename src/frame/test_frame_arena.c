/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena, which both sides write at any moment, and the work that a request may cause: what the host takes of
 * a hostile worker's callback.
 */
#include "frame/test_trip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void host_refuses(struct trip *trip, const char *sentence)
{
    assert_int_equal(trip_accept_by(trip, &trip->host), -EBADMSG);
    assert_string_equal(trip->why.text, sentence);
}

static const char *const too_often = "frame of 'f': parameter 'p' uses the frame's bytes too many "
                                     "times";

static void test_host_takes_strings_out_of_the_arena(void **state)
{
    (void)state;
    TRIP(trip, "int f(const char *s)");
    char *s = (char *)trip.arena + TRIP_ARENA - 8;
    memcpy(s, "string", 7);
    MUST(trip, trip_encode(&trip, ARGS(cordon_string(s))));
    trip.sent.words[0] = FRAME_IN_ARENA | (uintptr_t)s;
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_ptr_not_equal(trip_pointer(trip.call.arguments, 0), s);
    memset(s, 'x', 8); /* the worker goes on */
    assert_string_equal(trip_pointer(trip.call.arguments, 0), "string");
    host_refuses(&trip, "frame of 'f': parameter 's' is a string without an end");
    memcpy(s, "string", 7);
    MUST(trip, trip_accept(&trip)); /* a worker believes its host */
    assert_ptr_equal(trip_pointer(trip.call.arguments, 0), s);
    trip.sent.words[0] = FRAME_IN_ARENA | ((uintptr_t)trip.arena + TRIP_ARENA);
    host_refuses(&trip, "frame of 'f': parameter 's' lies outside the arena");
    trip_close(&trip);
}

static void test_host_takes_no_string_that_may_grow(void **state)
{
    (void)state;
    TRIP(trip, "int f(inout char *s)");
    char text[] = "text";
    MUST(trip, trip_encode(&trip, ARGS(cordon_string(text))));
    memcpy(trip.arena, "text", 5);
    trip.sent.words[0] = FRAME_IN_ARENA | (uintptr_t)trip.arena;
    host_refuses(&trip, "frame of 'f': parameter 's' is a string in the arena that may grow while "
                        "it is read");
    trip_close(&trip);
}

static void test_room_for_strings_in_the_arena_is_used_in_place(void **state)
{
    (void)state;
    TRIP(trip, "int f(out char s[cap], size_t cap)");
    char s[16];
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(s, 16), cordon_uint(16))));
    uint64_t place = trip.sent.words[0];
    trip.sent.words[0] = FRAME_IN_ARENA | (uintptr_t)trip.arena;
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_ptr_equal(trip_pointer(trip.call.arguments, 0), trip.arena);
    trip.sent.words[1] = TRIP_ARENA + 1;
    host_refuses(&trip, "frame of 'f': parameter 's' lies outside the arena");
    trip.sent.words[0] = place;
    host_refuses(&trip, "frame of 'f': parameter 's' lies outside the reply");
    trip_close(&trip);
}

/* What the language does not say, but a plan may: a string both ways, with room. */
static void test_strings_with_room_stay_within_it(void **state)
{
    (void)state;
    TRIP(trip, "int f(out char s[cap], size_t cap)");
    trip_unlock(&trip, trip_type(&trip, CORDON_PLAN_STRING))->direction = CORDON_PLAN_INOUT;
    trip_replan(&trip);
    char s[16] = "string";
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(s, 16), cordon_uint(16))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_string_equal(trip_pointer(trip.call.arguments, 0), "string");
    uint64_t room = trip.sent.words[1];
    trip.sent.words[1] = 6;
    host_refuses(&trip, "frame of 'f': parameter 's' is a string longer than its room");
    trip.sent.words[1] = room;
    trip.sent.words[0] = FRAME_IN_ARENA | (uintptr_t)trip.arena;
    memcpy(trip.arena, "string", 7);
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_ptr_equal(trip_pointer(trip.call.arguments, 0), trip.arena);
    trip_close(&trip);
}

/* Every pointer of the request's array, @count of them, names what the first one does. */
static void repeat_first(struct trip *trip, size_t count, size_t stride)
{
    uint8_t *image = trip->request + (trip->sent.words[0] & 0x7fffffff);
    for (size_t i = 1; i < count; i++) {
        memcpy(image + stride * i, image, stride);
    }
}

static void test_one_arena_string_is_not_copied_without_end(void **state)
{
    (void)state;
    TRIP(trip, "int f(const char *p[200])");
    static const char *words[200];
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(words, 200))));
    memset(trip.arena, 'x', TRIP_ARENA - 1);
    uint64_t place = FRAME_IN_ARENA | (uintptr_t)trip.arena;
    memcpy(trip.request + trip.sent.words[0], &place, sizeof place);
    repeat_first(&trip, 200, 8);
    host_refuses(&trip, too_often);
    trip_close(&trip);
}

struct part {
    void *bytes;
    uint64_t size;
};

static void test_one_array_is_not_copied_without_end(void **state)
{
    (void)state;
    static uint8_t bytes[4096];
    static struct part parts[200];
    parts[0] = (struct part){bytes, sizeof bytes};
    TRIP(trip, "struct part { const uint8_t bytes[size]; size_t size; }; int f(const struct part"
               " p[200])");
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(parts, 200))));
    repeat_first(&trip, 200, sizeof parts[0]);
    host_refuses(&trip, too_often);
    trip_close(&trip);
}

/* Nothing to copy is paid for as well: each such pointer is given an element of its own. */
static void test_empty_arrays_are_paid_for(void **state)
{
    (void)state;
    static struct part parts[200];
    static uint8_t large[8192];
    parts[0] = (struct part){large, 0};
    TRIP(trip, "struct large { uint8_t bytes[8192]; };"
               "struct part { const struct large bytes[size]; size_t size; };"
               "int f(const struct part p[200])");
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(parts, 200))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    repeat_first(&trip, 200, sizeof parts[0]);
    host_refuses(&trip, too_often);
    trip_close(&trip);
}

/* A struct that comes back costs three times its size; wherever the budget ends, it is refused. */
static void test_structs_both_ways_are_paid_for(void **state)
{
    (void)state;
    static void *deep[1024];
    static void *pointers[200];
    pointers[0] = deep;
    TRIP(trip, "struct deep { const char *s[1024]; }; int f(inout struct deep *p[200])");
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(pointers, 200))));
    repeat_first(&trip, 200, 8);
    uint32_t request_bytes = trip.sent.frame_bytes;
    for (uint32_t more = 0; more < 4096; more += 512) {
        trip.sent.frame_bytes = request_bytes + more;
        host_refuses(&trip, too_often);
    }
    trip_close(&trip);
}

static void test_large_outputs_begin_empty(void **state)
{
    (void)state;
    TRIP(trip, "int f(out uint8_t b[300], kept const uint8_t k[4])");
    uint8_t b[300];
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(b, 300), cordon_in(b, 4))));
    MUST(trip, trip_accept_by(&trip, NULL));
    const uint8_t *native = trip_pointer(trip.call.arguments, 0);
    assert_int_equal(native[0], 0);
    assert_int_equal(native[1], 0x5a); /* left there by an earlier call */
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_takes_strings_out_of_the_arena),
        cmocka_unit_test(test_host_takes_no_string_that_may_grow),
        cmocka_unit_test(test_room_for_strings_in_the_arena_is_used_in_place),
        cmocka_unit_test(test_strings_with_room_stay_within_it),
        cmocka_unit_test(test_one_arena_string_is_not_copied_without_end),
        cmocka_unit_test(test_one_array_is_not_copied_without_end),
        cmocka_unit_test(test_empty_arrays_are_paid_for),
        cmocka_unit_test(test_structs_both_ways_are_paid_for),
        cmocka_unit_test(test_large_outputs_begin_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
