/* SPDX-License-Identifier: Apache-2.0 */
/* Forged requests, as a hostile worker sends them with callbacks: each is refused by its own sentence. */
#include "frame/test_trip.h"

#include "base/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_refused(struct trip *trip, int r, const char *sentence)
{
    assert_int_equal(r, -EBADMSG);
    assert_string_equal(trip->why.text, sentence);
}

/* The host's side, which believes nothing. */
static void host_refuses(struct trip *trip, const char *sentence)
{
    check_refused(trip, trip_accept_by(trip, &trip->host), sentence);
}

/* With @word forged for once. */
static void host_refuses_word(struct trip *trip, size_t word, uint64_t forged, const char *sentence)
{
    uint64_t good = trip->sent.words[word];
    trip->sent.words[word] = forged;
    host_refuses(trip, sentence);
    trip->sent.words[word] = good;
}

static uint64_t in_arena(const struct trip *trip, size_t at)
{
    return FRAME_IN_ARENA | ((uintptr_t)trip->arena + at);
}

/* What request word @index leads to. */
static uint8_t *request_of(const struct trip *trip, size_t index)
{
    return trip->request + (trip->sent.words[index] & 0x7fffffff);
}

static void put(void *memory, uint64_t word)
{
    memcpy(memory, &word, sizeof word);
}

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
        cmocka_unit_test(test_callbacks_are_refused_where_none_can_be_taken),
        cmocka_unit_test(test_callbacks_in_structs_are_refused_as_well),
        cmocka_unit_test(test_pointers_within_lie_in_their_argument),
        cmocka_unit_test(test_pointer_within_a_number_is_refused),
        cmocka_unit_test(test_pointer_within_words_only_has_no_inside),
        cmocka_unit_test(test_room_of_owned_strings_is_bounded),
        cmocka_unit_test(test_what_is_only_lent_is_not_freed_with_the_call),
        cmocka_unit_test(test_owned_arrays_are_copied_like_strings),
        cmocka_unit_test(test_reply_without_room_for_its_words_is_refused),
        cmocka_unit_test(test_places_with_the_wrong_halves_are_refused),
        cmocka_unit_test(test_lists_end_before_the_request_does),
        cmocka_unit_test(test_lengths_beyond_memory_are_refused),
        cmocka_unit_test(test_unions_without_a_case_are_refused_in_either_direction),
        cmocka_unit_test(test_structs_by_value_come_in_the_request),
        cmocka_unit_test(test_variadic_blocks_are_judged_word_by_word),
        cmocka_unit_test(test_variadic_blocks_lie_in_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
