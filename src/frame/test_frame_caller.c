/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's memory: what a reply may do to it, also where one argument lies in another's, and when. */
#include "frame/test_trip.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    char *at;
    size_t left;
};

static void move_one_and_fill_the_other(void *const *arguments, void *result)
{
    (void)result;
    struct cursor *moved = trip_pointer(arguments, 0);
    struct cursor *filled = trip_pointer(arguments, 1);
    moved->at += moved->left;
    memset(filled->at, 'x', filled->left);
}

/* Both arguments are one struct: what the first brings back must not lead the second elsewhere. */
static void test_struct_given_twice_keeps_its_pointers_until_all_is_read(void **state)
{
    (void)state;
    TRIP(trip, "struct cursor { inout count(left : all) char *at; size_t left; };"
               "void f(inout struct cursor *a, inout struct cursor *b)");
    char text[17] = "........--------";
    struct cursor cursor = {text, 8};
    MUST(trip, trip_call(&trip, move_one_and_fill_the_other,
                         ARGS(cordon_out(&cursor, 1), cordon_out(&cursor, 1))));
    assert_string_equal(text + 8, "--------");
    assert_true(cursor.at >= text && cursor.at <= text + 8);
    trip_close(&trip);
}

static void write_address(void *const *arguments, void *result)
{
    (void)result;
    memset(trip_pointer(arguments, 0), 0x41, sizeof(struct cursor));
    memset(((struct cursor *)trip_pointer(arguments, 1))->at, 'x', 8);
}

/* Bytes that lie where another argument has its pointers: they are not followed. */
static void test_output_over_a_struct_does_not_become_its_pointer(void **state)
{
    (void)state;
    TRIP(trip, "struct cursor { inout count(left : all) char *at; size_t left; };"
               "void f(out uint8_t bytes[16], inout struct cursor *c)");
    char text[9] = "........";
    struct cursor cursor = {text, 8};
    MUST(trip, trip_call(&trip, write_address,
                         ARGS(cordon_out(&cursor, sizeof cursor), cordon_out(&cursor, 1))));
    assert_string_equal(text, "xxxxxxxx");
    trip_close(&trip);
}

static void fill_all(void *const *arguments, void *result)
{
    (void)result;
    memset(trip_pointer(arguments, 0), 'x', 4);
    memset(trip_pointer(arguments, 1), 'y', 3);
    *(int32_t *)trip_pointer(arguments, 2) = 7;
    *(int32_t *)trip_pointer(arguments, 3) = 8;
}

static int no_handle(void *context, const struct cordon_plan_type *type, uint64_t word,
                     struct cordon_handle *ret_handle)
{
    (void)context, (void)type, (void)word, (void)ret_handle;
    return -ESTALE;
}

/* What the hooks refuse, too, is found out before the first byte is written. */
static void test_reply_that_lies_changes_nothing(void **state)
{
    (void)state;
    TRIP(trip, "struct db; void f(out uint8_t a[4], inout char *s, out int *x, nullable out int *y,"
               " out struct db **db)");
    char a[5] = "....";
    char s[5] = "____";
    int32_t x = 1;
    int32_t y = 2;
    struct cordon_handle db = {0};
    const struct cordon_value args[] = {cordon_out(a, 4), cordon_string(s), cordon_out(&x, 1),
                                        cordon_out(&y, 1), cordon_out(&db, 1)};
    uint64_t result[16] = {0};
    MUST(trip, trip_encode(&trip, args, 5));
    MUST(trip, trip_accept(&trip));
    fill_all(trip.call.arguments, NULL);
    MUST(trip, trip_answer(&trip, result));
    trip.host.word_to_handle = no_handle;
    trip.reply_words[1] = 99ull << 32 | 5;
    assert_int_equal(trip_decode(&trip, args, 5), -EBADMSG);
    assert_string_equal(trip.why.text, "reply of 'f' holds no valid handle");
    assert_string_equal(a, "....");
    assert_string_equal(s, "____");
    assert_int_equal(x, 1);
    assert_int_equal(y, 2);
    trip_close(&trip);
}

struct flags {
    bool first;
    int32_t number;
    bool rest[3];
};

static void forge_bools(void *const *arguments, void *result)
{
    (void)result;
    memset(trip_pointer(arguments, 0), 0xee, 4);
    memset(trip_pointer(arguments, 1), 0xee, sizeof(struct flags));
    memset(trip_pointer(arguments, 2), 0xee, 1);
}

/* C reads a bool that is neither 0 nor 1 as it likes: as an index, beyond any array. */
static void test_bools_are_0_or_1(void **state)
{
    (void)state;
    TRIP(trip, "struct flags { bool first; int n; bool rest[3]; };"
               "void f(inout bool a[4], inout struct flags *flags, nullable out bool *one)");
    uint8_t a[4] = {0};
    uint8_t one = 0;
    uint8_t flags[sizeof(struct flags)] = {0};
    MUST(trip, trip_call(&trip, forge_bools,
                         ARGS(cordon_out(a, 4), cordon_out(flags, 1), cordon_out(&one, 1))));
    assert_memory_equal(a, "\1\1\1\1", 4);
    assert_int_equal(one, 1);
    assert_int_equal(flags[offsetof(struct flags, first)], 1);
    assert_int_equal(flags[offsetof(struct flags, number)], 0xee);
    assert_memory_equal(flags + offsetof(struct flags, rest), "\1\1\1", 3);
    trip_close(&trip);
}

static void give_flags(void *const *arguments, void *result)
{
    static uint8_t flags[2 * sizeof(struct flags)];
    (void)arguments;
    memset(flags, 0xee, sizeof flags);
    memcpy(result, &(uint8_t *){flags}, sizeof(uint8_t *));
}

static void test_bools_in_results_are_0_or_1(void **state)
{
    (void)state;
    TRIP(trip, "struct flags { bool first; int n; bool rest[3]; };"
               "count(2) const struct flags *f(int x)");
    MUST(trip, trip_call(&trip, give_flags, ARGS(cordon_int(1))));
    const uint8_t *second = (const uint8_t *)trip.result.value.memory + sizeof(struct flags);
    assert_int_equal(second[offsetof(struct flags, first)], 1);
    assert_memory_equal(second + offsetof(struct flags, rest), "\1\1\1", 3);
    trip_close(&trip);
}

static void test_bools_in_callbacks_are_0_or_1(void **state)
{
    (void)state;
    TRIP(trip, "struct flags { bool first; int n; bool rest[3]; };"
               "void f(const bool a[4], const struct flags *flags, struct flags value)");
    uint8_t bytes[sizeof(struct flags)] = {0};
    const struct cordon_value args[] = {cordon_in(bytes, 4), cordon_in(bytes, 1),
                                        cordon_in(bytes, 1)};
    MUST(trip, trip_encode(&trip, args, 3));
    memset(trip.request + (trip.sent.words[0] & 0x7fffffff), 0xee, 4);
    memset(trip.request + (trip.sent.words[1] & 0x7fffffff), 0xee, sizeof bytes);
    memset(trip.request + (trip.sent.words[2] & 0x7fffffff), 0xee, sizeof bytes);
    MUST(trip, trip_accept_by(&trip, &trip.host));
    assert_memory_equal(trip_pointer(trip.call.arguments, 0), "\1\1\1\1", 4);
    const uint8_t *flags = trip_pointer(trip.call.arguments, 1);
    assert_memory_equal(flags + offsetof(struct flags, rest), "\1\1\1", 3);
    flags = trip.call.arguments[2];
    assert_memory_equal(flags + offsetof(struct flags, rest), "\1\1\1", 3);
    trip_close(&trip);
}

struct host {
    const char **names;
    uint64_t unused;
};

static void give_host(void *const *arguments, void *result)
{
    static const char *names[] = {"a", "b", "c", NULL};
    static const struct host host = {names, 1};
    (void)arguments;
    memcpy(result, &(const struct host *){&host}, sizeof(struct host *));
}

/* Nobody tells a caller how many there are. */
static void test_lists_in_results_end_with_null(void **state)
{
    (void)state;
    (void)mallopt(M_PERTURB, 0xee); /* what is not set is not 0 by luck */
    TRIP(trip, "struct host { const char *names[null]; uint64_t u; };"
               "count(1) const struct host *f(int x)");
    MUST(trip, trip_call(&trip, give_host, ARGS(cordon_int(1))));
    const struct host *host = trip.result.value.memory;
    assert_string_equal(host->names[2], "c");
    assert_null(host->names[3]);
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_struct_given_twice_keeps_its_pointers_until_all_is_read),
        cmocka_unit_test(test_output_over_a_struct_does_not_become_its_pointer),
        cmocka_unit_test(test_reply_that_lies_changes_nothing),
        cmocka_unit_test(test_bools_are_0_or_1),
        cmocka_unit_test(test_bools_in_results_are_0_or_1),
        cmocka_unit_test(test_bools_in_callbacks_are_0_or_1),
        cmocka_unit_test(test_lists_in_results_end_with_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
