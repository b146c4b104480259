/* SPDX-License-Identifier: Apache-2.0 */
/* Forged requests: places, lists, lengths and structs. */
#include "frame/test_forge.h"

static int accept_changed(struct trip *trip, const struct frame_call *changed)
{
    frame_finish(&trip->call);
    trip->call = *changed;
    trip->call.scratch = NULL;
    return frame_accept(&trip->call, &trip->why);
}

static void test_reply_without_room_for_its_words_is_refused(void **state)
{
    (void)state;
    TRIP(trip, "int f(out int *a, out int *b, out int *c, out int *d, out int *e, out int *g,"
               " out uint8_t bytes[16])");
    int32_t n[6];
    uint8_t bytes[16];
    MUST(trip,
         trip_encode(&trip, ARGS(cordon_out(&n[0], 1), cordon_out(&n[1], 1), cordon_out(&n[2], 1),
                                 cordon_out(&n[3], 1), cordon_out(&n[4], 1), cordon_out(&n[5], 1),
                                 cordon_out(bytes, 16))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    const char *sentence = "frame of 'f': the reply has no room for its words";
    struct frame_call call = trip.call;
    call.reply_fixed = call.reply_bytes_max + 16;
    check_refused(&trip, accept_changed(&trip, &call), sentence);
    call.reply_fixed = 48;
    check_refused(&trip, accept_changed(&trip, &call), sentence);
    call.reply_fixed = trip.sent.reply_fixed;
    call.reply = NULL;
    check_refused(&trip, accept_changed(&trip, &call), sentence);
    call.reply_fixed = call.reply_bytes_max = 0; /* none at all: then it has no place there */
    check_refused(&trip, accept_changed(&trip, &call),
                  "frame of 'f': parameter 'bytes' lies outside the reply");
    call = trip.call;
    call.reply = trip.reply;
    call.reply_fixed = call.reply_bytes_max = trip.sent.reply_fixed;
    call.request = NULL;
    check_refused(&trip, accept_changed(&trip, &call), "frame of 'f': the request is too short");
    const char *outside = "frame of 'f': parameter 'bytes' lies outside the reply";
    host_refuses_word(&trip, 0, 16ull << 32, outside); /* where the words are */
    host_refuses_word(&trip, 0, ((uint64_t)trip.sent.reply_fixed + 16) << 32, outside);
    host_refuses_word(&trip, 0, (uint64_t)trip.sent.reply_fixed << 32, outside);
    trip_close(&trip);
}

static void test_places_with_the_wrong_halves_are_refused(void **state)
{
    (void)state;
    TRIP(trip, "int f(const char *words[null], out uint8_t b[16])");
    const char *wrong =
        "frame of 'f': parameter 'words' has a place that its direction does not allow";
    const char *words[] = {"a", NULL};
    uint8_t b[16];
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(words, 1), cordon_out(b, 16))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    host_refuses_word(&trip, 0, 16ull << 32, wrong);
    host_refuses_word(&trip, 0, trip.sent.words[0] | 16ull << 32, wrong);
    host_refuses_word(&trip, 0, trip.sent.words[0] | 1ull << 31, wrong);
    trip_close(&trip);
}

static void test_lists_end_before_the_request_does(void **state)
{
    (void)state;
    TRIP(trip, "int f(const char *words[null])");
    const char *words[] = {"a", "b", NULL};
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(words, 2))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    host_refuses_word(&trip, 0, in_arena(&trip, 0),
                      "frame of 'f': parameter 'words' ends by a NULL in the arena that may go "
                      "while it is read");
    trip.sent.words[0] = in_arena(&trip, 0);
    MUST(trip, trip_accept(&trip)); /* a worker believes its host */
    assert_ptr_equal(trip_pointer(trip.call.arguments, 0), trip.arena);
    host_refuses_word(&trip, 0, in_arena(&trip, TRIP_ARENA - 4),
                      "frame of 'f': parameter 'words' lies outside the arena");
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(words, 2))));
    uint8_t *list = request_of(&trip, 0);
    memset(list, 1, (size_t)(trip.request + trip.sent.frame_bytes - list));
    host_refuses(&trip, "frame of 'f': parameter 'words' has no NULL at its end");
    trip_close(&trip);
}

static void test_lengths_beyond_memory_are_refused(void **state)
{
    (void)state;
    TRIP(trip, "int f(const uint64_t a[n * 2], int64_t n)");
    uint64_t a[4] = {0};
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(a, 4), cordon_int(2))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    const char *unknown = "frame of 'f': parameter 'a' has a length that cannot be computed";
    host_refuses_word(&trip, 1, (uint64_t)-1, unknown);
    host_refuses_word(&trip, 1, INT64_MAX, unknown);
    host_refuses_word(&trip, 1, INT64_MAX / 4,
                      "frame of 'f': parameter 'a' is larger than memory can be");
    host_refuses_word(&trip, 1, 3, "frame of 'f': parameter 'a' lies outside the request");
    host_refuses_word(&trip, 1, INT64_MAX / 16,
                      "frame of 'f': parameter 'a' lies outside the request");
    trip_close(&trip);
}

static void test_unions_without_a_case_are_refused_in_either_direction(void **state)
{
    (void)state;
    static const char *const prototypes[] = {
        "struct v { int kind; union { case 1: const char *s; case 2: long i; } u switch(kind); };"
        "int f(const struct v *v)",
        "struct v { int kind; union { case 1: const char *s; case 2: long i; } u switch(kind); };"
        "int f(inout struct v *v)",
    };
    for (size_t i = 0; i < 2; i++) {
        TRIP(trip, prototypes[i]);
        struct {
            int64_t kind;
            const char *s;
        } v = {1, "text"};
        MUST(trip, trip_encode(&trip, ARGS(cordon_out(&v, 1))));
        MUST(trip, trip_accept_by(&trip, &trip.host));
        request_of(&trip, 0)[0] = 3;
        host_refuses(&trip, "frame of 'f': parameter 'v' has a union whose selector is none of its "
                            "cases");
        trip_close(&trip);
    }
}

static void test_structs_by_value_come_in_the_request(void **state)
{
    (void)state;
    TRIP(trip, "struct p { int x; double y; }; int f(struct p p)");
    struct {
        int32_t x;
        double y;
    } p = {1, 2};
    MUST(trip, trip_encode(&trip, ARGS(cordon_in(&p, 1))));
    MUST(trip, trip_accept_by(&trip, &trip.host));
    host_refuses_word(&trip, 0, in_arena(&trip, 0),
                      "frame of 'f': parameter 'p' is a struct by value, but its place is in the "
                      "arena");
    host_refuses_word(&trip, 0, trip.sent.words[0] + 16,
                      "frame of 'f': parameter 'p' lies outside the request");
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply_without_room_for_its_words_is_refused),
        cmocka_unit_test(test_places_with_the_wrong_halves_are_refused),
        cmocka_unit_test(test_lists_end_before_the_request_does),
        cmocka_unit_test(test_lengths_beyond_memory_are_refused),
        cmocka_unit_test(test_unions_without_a_case_are_refused_in_either_direction),
        cmocka_unit_test(test_structs_by_value_come_in_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
