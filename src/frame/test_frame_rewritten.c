/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reply that is rewritten while it is decoded, behind each of its reads in turn: what comes of it is one
 * reply or the other, never the length of one and the bytes of the other's room.
 */
#include "frame/test_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if TEST_PAGE_WORKS

#define ROOM 40u

/* What the caller gave; bytes behind the room must stay as they are. */
static char array[ROOM + 8];
static uint64_t length;
static size_t array_at;
static size_t length_at;

static void write_five(void *const *arguments, void *result)
{
    (void)result;
    memcpy(trip_pointer(arguments, array_at), "text", 5);
    *(uint64_t *)trip_pointer(arguments, length_at) = 5;
}

static void check_array(struct trip *trip, int r)
{
    MUST(*trip, r);
    assert_memory_equal(array + ROOM, "........", 8);
    assert_true(length == 5 || length == UINT64_MAX / 4);
    /* As much as the length says that the caller is told. */
    size_t there = length == 5 ? 5 : ROOM;
    assert_memory_equal(array, "text", 5);
    for (size_t i = there; i < ROOM; i++) {
        assert_int_equal(array[i], '.');
    }
    assert_true(there == 5 || array[ROOM - 1] != '.');
    memset(array, '.', sizeof array);
    length = ROOM;
}

/* @once: how the reply may be read. */
static void run_array(const char *prototype, size_t array_index, const struct test_range *once,
                      size_t count)
{
    TRIP(trip, prototype);
    array_at = array_index;
    length_at = 1 - array_index;
    memset(array, '.', sizeof array);
    length = ROOM;
    struct cordon_value args[2];
    args[array_at] = cordon_out(array, ROOM);
    args[length_at] = cordon_out(&length, 1);
    test_page_check_once(&trip, write_five, args, 2, once, count);
    memset(array, '.', sizeof array);
    length = ROOM;
    uint64_t at = trip.sent.words[length_at] >> 32;
    test_page_rewrite(&trip, args, 2, at, UINT64_MAX / 4, check_array);
    trip_close(&trip);
}

static void test_length_before_its_array(void **state)
{
    (void)state;
    run_array("void f(nullable inout size_t *n, out uint8_t a[*n])", 1, RANGES({16, 8}, {32, 5}));
    run_array("void f(nullable inout size_t *n, inout uint8_t a[*n])", 1, RANGES({16, 8}, {32, 5}));
    run_array("void f(kept inout size_t *n, out uint8_t a[*n])", 1, RANGES({16, 8}, {32, 5}));
    run_array("void f(nullable out size_t *n, out uint8_t a[40 : *n])", 1,
              RANGES({16, 8}, {32, 5}));
}

static void test_length_behind_its_array(void **state)
{
    (void)state;
    run_array("void f(out uint8_t a[*n], nullable inout size_t *n)", 0, RANGES({16, 8}, {32, 5}));
    run_array("void f(inout uint8_t a[*n], nullable inout size_t *n)", 0, RANGES({16, 8}, {32, 5}));
    run_array("void f(out uint8_t a[40 : *n], nullable out size_t *n)", 0,
              RANGES({16, 8}, {32, 5}));
}

static void check_two(struct trip *trip, int r)
{
    MUST(*trip, r);
    bool few = length == 5;
    assert_true(few || length == ROOM);
    assert_int_equal(array[5] == '.', few);
    assert_int_equal(array[ROOM / 2 + 5] == '.', few);
    memset(array, '.', sizeof array);
    length = ROOM / 2;
}

static void write_two(void *const *arguments, void *result)
{
    (void)result;
    memcpy(trip_pointer(arguments, 0), "text", 5);
    memcpy(trip_pointer(arguments, 2), "text", 5);
    *(uint64_t *)trip_pointer(arguments, 1) = 5;
}

static void test_one_length_of_two_arrays(void **state)
{
    (void)state;
    TRIP(trip, "void f(out uint8_t a[*n], nullable inout size_t *n, out uint8_t b[*n])");
    memset(array, '.', sizeof array);
    length = ROOM / 2;
    const struct cordon_value args[] = {cordon_out(array, ROOM / 2), cordon_out(&length, 1),
                                        cordon_out(array + ROOM / 2, ROOM / 2)};
    test_page_check_once(&trip, write_two, args, 3, RANGES({16, 8}, {32, 5}, {64, 5}));
    memset(array, '.', sizeof array);
    length = ROOM / 2;
    test_page_rewrite(&trip, args, 3, trip.sent.words[1] >> 32, ROOM, check_two);
    trip_close(&trip);
}

static void write_through(void *const *arguments, void *result)
{
    (void)result;
    char **to = trip_pointer(arguments, array_at);
    memcpy(*to, "text", 5);
    *(uint64_t *)trip_pointer(arguments, length_at) = 5;
}

static void test_length_of_what_a_pointer_in_an_array_points_to(void **state)
{
    (void)state;
    static const char *const prototypes[] = {
        "void f(nullable inout size_t *n, out count(*n) uint8_t *to[1])",
        "void f(out count(*n) uint8_t *to[1], nullable inout size_t *n)",
    };
    for (size_t i = 0; i < 2; i++) {
        TRIP(trip, prototypes[i]);
        char *to = array;
        memset(array, '.', sizeof array);
        length = ROOM;
        array_at = 1 - i;
        length_at = i;
        struct cordon_value args[2];
        args[array_at] = cordon_out(&to, 1);
        args[length_at] = cordon_out(&length, 1);
        trip_perform(&trip, write_through, args, 2);
        test_page_rewrite(&trip, args, 2, trip.sent.words[length_at] >> 32, UINT64_MAX / 4,
                          check_array);
        assert_ptr_equal(to, array);
        trip_close(&trip);
    }
}

struct piece {
    char *at;
    uint64_t bytes;
};
static struct piece pieces[2];

static void write_pieces(void *const *arguments, void *result)
{
    (void)result;
    struct piece *native = trip_pointer(arguments, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(native[i].bytes, ROOM / 2);
        memcpy(native[i].at, "text", 5);
        native[i].bytes = 5;
    }
}

static void reset_pieces(void)
{
    memset(array, '.', sizeof array);
    for (size_t i = 0; i < 2; i++) {
        pieces[i] = (struct piece){array + i * ROOM / 2, ROOM / 2};
    }
}

static void check_pieces(struct trip *trip, int r)
{
    MUST(*trip, r);
    for (size_t i = 0; i < 2; i++) {
        char *at = array + i * ROOM / 2;
        assert_ptr_equal(pieces[i].at, at);
        assert_true(pieces[i].bytes == 5 || pieces[i].bytes == UINT64_MAX / 4);
        assert_int_equal(at[5] == '.', pieces[i].bytes == 5);
    }
    assert_memory_equal(array + ROOM, "........", 8);
    reset_pieces();
}

static void test_lengths_in_structs(void **state)
{
    (void)state;
    static const char *const prototypes[] = {
        "struct p { out uint8_t at[bytes]; size_t bytes; }; void f(inout struct p p[2])",
        "struct p { out uint8_t at[bytes]; size_t bytes; }; struct two { struct p p[2]; };"
        "void f(inout struct two *two)",
    };
    for (size_t i = 0; i < 2; i++) {
        TRIP(trip, prototypes[i]);
        reset_pieces();
        const struct cordon_value args[] = {cordon_out(pieces, i == 0 ? 2 : 1)};
        trip_perform(&trip, write_pieces, args, 1);
        uint64_t at = trip.sent.words[0] >> 32;
        for (size_t word = 0; word < 4; word++) { /* the pointers as well: each stays or is moved */
            reset_pieces();
            if (word % 2 == 1) {
                test_page_rewrite(&trip, args, 1, at + 8 * word, UINT64_MAX / 4, check_pieces);
            }
        }
        trip_close(&trip);
    }
}

/* A pointer that comes back moved, beyond its memory or within it. */
static void check_moved(struct trip *trip, int r)
{
    MUST(*trip, r);
    ptrdiff_t moved = pieces[0].at - array;
    assert_true(moved == 0 || moved == 3);
    assert_memory_equal(array + ROOM, "........", 8);
    reset_pieces();
}

static void test_pointers_in_structs(void **state)
{
    (void)state;
    TRIP(trip, "struct p { out uint8_t at[bytes]; size_t bytes; }; void f(inout struct p p[2])");
    reset_pieces();
    const struct cordon_value args[] = {cordon_out(pieces, 2)};
    trip_perform(&trip, write_pieces, args, 1);
    uint64_t at = trip.sent.words[0] >> 32;
    test_page_rewrite(&trip, args, 1, at, 4, check_moved);
    test_page_rewrite(&trip, args, 1, at, ROOM + 2, check_moved);
    test_page_rewrite(&trip, args, 1, at, UINT64_MAX - 7, check_moved);
    trip_close(&trip);
}

static void give_numbers(void *const *arguments, void *result)
{
    static const uint8_t numbers[] = {1, 2, 3};
    *(uint64_t *)trip_pointer(arguments, 0) = 3;
    memcpy(result, &(const uint8_t *){numbers}, sizeof(uint8_t *));
}

static void check_given(struct trip *trip, int r)
{
    MUST(*trip, r);
    assert_true(length == 3 || length == 1u << 20);
    assert_int_equal(trip->result.value.count, 3); /* the word's, which is private */
    assert_memory_equal(trip->result.value.memory, "\1\2\3", 4);
    free(trip->result.owned);
    trip->result.owned = NULL;
}

static void test_length_of_a_result(void **state)
{
    (void)state;
    TRIP(trip, "count(*n) const uint8_t *f(nullable out size_t *n)");
    const struct cordon_value args[] = {cordon_out(&length, 1)};
    trip_perform(&trip, give_numbers, args, 1);
    test_page_rewrite(&trip, args, 1, trip.sent.words[0] >> 32, 1u << 20, check_given);
    trip_close(&trip);
}

/* Nested: the words inside what was copied are judged in the copy. */
struct list {
    const char *text;
    uint64_t unused;
};

static void give_list(void *const *arguments, void *result)
{
    static const struct list lists[] = {{"first", 1}, {"second", 2}};
    (void)arguments;
    memcpy(result, &(const struct list *){lists}, sizeof(struct list *));
}

static void check_list(struct trip *trip, int r)
{
    assert_true(r == 0 || r == -EBADMSG);
    if (r == 0) {
        const struct list *lists = trip->result.value.memory;
        assert_true(strcmp(lists[0].text, "first") == 0 || strcmp(lists[0].text, "second") == 0);
        assert_string_equal(lists[1].text, "second");
        free(trip->result.owned);
        trip->result.owned = NULL;
    }
}

static void test_pointers_in_results(void **state)
{
    (void)state;
    TRIP(trip, "struct s { const char *text; uint64_t u; }; count(2) const struct s *f(int x)");
    const struct cordon_value args[] = {cordon_int(1)};
    trip_perform(&trip, give_list, args, 1);
    uint64_t at = trip.sent.reply_fixed;
    test_page_rewrite(&trip, args, 1, at, UINT64_MAX, check_list);
    test_page_rewrite(&trip, args, 1, at, 1000ull << 32 | (at + 16), check_list);
    test_page_rewrite(&trip, args, 1, at, 6ull << 32 | (at + 48), check_list);
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length_before_its_array),
        cmocka_unit_test(test_length_behind_its_array),
        cmocka_unit_test(test_one_length_of_two_arrays),
        cmocka_unit_test(test_length_of_what_a_pointer_in_an_array_points_to),
        cmocka_unit_test(test_lengths_in_structs),
        cmocka_unit_test(test_pointers_in_structs),
        cmocka_unit_test(test_length_of_a_result),
        cmocka_unit_test(test_pointers_in_results),
    };
    return cmocka_run_group_tests(tests, test_page_open, test_page_close);
}

#endif
