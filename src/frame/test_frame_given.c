/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of the caller that is changed while its call is under way, as a callback or another thread can: what
 * comes back is written to what was given, or not at all. The smaller buffers end where nothing is mapped: a byte
 * too many ends the test.
 */
#include "frame/test_trip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM  40u
#define SMALL 3u
#define PAGE  65536u /* or several */

struct piece {
    char *at;
    uint64_t bytes;
};

#define PIECE  "struct p { inout uint8_t at[bytes]; size_t bytes; }; "
#define PIECES PIECE "void f(inout struct p p[2])"

static char rooms[2][ROOM];
static uint8_t *mapped;

/* SMALL bytes, and nothing behind them. */
static char *small_buffer(void)
{
    char *buffer = (char *)mapped + PAGE - SMALL;
    memset(buffer, '.', SMALL);
    return buffer;
}

static int open_memory(void **state)
{
    (void)state;
    mapped =
        mmap(NULL, 2 * (size_t)PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mapped == MAP_FAILED || mprotect(mapped + PAGE, PAGE, PROT_NONE) != 0;
}

static int close_memory(void **state)
{
    (void)state;
    return munmap(mapped, 2 * (size_t)PAGE);
}

static void fill_rooms(struct piece *pieces)
{
    for (size_t i = 0; i < 2; i++) {
        memset(rooms[i], '.', ROOM);
        pieces[i] = (struct piece){rooms[i], ROOM};
    }
}

static void write_piece(struct piece *piece)
{
    memset(piece->at, 'x', piece->bytes);
}

static void write_pieces(void *const *arguments, void *result)
{
    (void)result;
    struct piece *pieces = trip_pointer(arguments, 0);
    write_piece(&pieces[0]);
    write_piece(&pieces[1]);
}

/* Refused, in words, and nothing of what was given or put in its place was written. */
static void expect_refused(struct trip *trip, const struct cordon_value *args, size_t count)
{
    assert_int_equal(trip_decode(trip, args, count), -EFAULT);
    assert_non_null(strstr(trip->why.text, "changed while the call was under way"));
    assert_null(memchr(rooms, 'x', sizeof rooms));
    assert_null(memchr(mapped + PAGE - SMALL, 'x', SMALL));
}

static void test_what_nobody_changed_is_written(void **state)
{
    (void)state;
    TRIP(trip, PIECES);
    struct piece pieces[2];
    fill_rooms(pieces);
    MUST(trip, trip_call(&trip, write_pieces, ARGS(cordon_out(pieces, 2))));
    assert_null(memchr(rooms, '.', sizeof rooms));
    trip_close(&trip);
}

static void test_pointer_to_a_smaller_buffer_is_refused(void **state)
{
    (void)state;
    TRIP(trip, PIECES);
    struct piece pieces[2];
    const struct cordon_value args[] = {cordon_out(pieces, 2)};
    fill_rooms(pieces);
    trip_perform(&trip, write_pieces, args, 1);
    pieces[1] = (struct piece){small_buffer(), SMALL};
    expect_refused(&trip, args, 1);
    assert_ptr_equal(pieces[1].at, mapped + PAGE - SMALL);
    assert_int_equal(pieces[1].bytes, SMALL);
    trip_close(&trip);
}

/* As realloc() may leave it: smaller, at the same place. */
static void test_length_that_shrank_is_refused(void **state)
{
    (void)state;
    TRIP(trip, PIECES);
    struct piece pieces[2];
    const struct cordon_value args[] = {cordon_out(pieces, 2)};
    fill_rooms(pieces);
    trip_perform(&trip, write_pieces, args, 1);
    pieces[0].bytes = SMALL;
    expect_refused(&trip, args, 1);
    trip_close(&trip);
}

static void test_pointers_that_changed_places_are_refused(void **state)
{
    (void)state;
    TRIP(trip, PIECES);
    struct piece pieces[2];
    const struct cordon_value args[] = {cordon_out(pieces, 2)};
    fill_rooms(pieces);
    trip_perform(&trip, write_pieces, args, 1);
    pieces[0].at = rooms[1];
    pieces[1].at = rooms[0];
    expect_refused(&trip, args, 1);
    trip_close(&trip);
}

/* What may change: numbers that no length names, and a length that grew. It comes back as the library left it. */
static void test_other_members_may_change(void **state)
{
    (void)state;
    TRIP(trip, "struct p { inout uint8_t at[bytes]; size_t bytes; int other; };"
               "void f(inout struct p p[1])");
    struct {
        struct piece piece;
        int other;
    } given = {{rooms[0], ROOM}, 7};
    struct piece unused[2];
    const struct cordon_value args[] = {cordon_out(&given, 1)};
    fill_rooms(unused);
    MUST(trip, trip_encode(&trip, args, 1));
    MUST(trip, trip_accept(&trip));
    write_piece(trip_pointer(trip.call.arguments, 0));
    MUST(trip, trip_answer(&trip, &(uint64_t){0}));
    given.other = 8;
    given.piece.bytes = ROOM + 1;
    MUST(trip, trip_decode(&trip, args, 1));
    assert_int_equal(given.other, 7);
    assert_int_equal(given.piece.bytes, ROOM);
    assert_null(memchr(rooms[0], '.', ROOM));
    trip_close(&trip);
}

/* Constant itself, with room behind its pointers: nothing of it comes back that could be compared. */
static void test_pointer_in_a_constant_struct_is_refused(void **state)
{
    (void)state;
    TRIP(trip, "struct p { out uint8_t at[bytes]; size_t bytes; }; void f(const struct p p[2])");
    struct piece pieces[2];
    const struct cordon_value args[] = {cordon_in(pieces, 2)};
    fill_rooms(pieces);
    trip_perform(&trip, write_pieces, args, 1);
    pieces[0].at = small_buffer();
    expect_refused(&trip, args, 1);
    trip_close(&trip);
}

static void write_by_value(void *const *arguments, void *result)
{
    (void)result;
    write_piece(arguments[0]);
}

static void test_pointer_in_a_struct_by_value_is_refused(void **state)
{
    (void)state;
    TRIP(trip, "struct p { out uint8_t at[bytes]; size_t bytes; }; void f(struct p p)");
    struct piece pieces[2];
    const struct cordon_value args[] = {cordon_in(pieces, 1)};
    fill_rooms(pieces);
    trip_perform(&trip, write_by_value, args, 1);
    pieces[0] = (struct piece){small_buffer(), SMALL};
    expect_refused(&trip, args, 1);
    trip_close(&trip);
}

struct node {
    struct piece piece;
    struct piece *next;
};

static void write_node(void *const *arguments, void *result)
{
    (void)result;
    struct node *node = trip_pointer(arguments, 0);
    write_piece(&node->piece);
    write_piece(node->next);
}

#define NODE PIECE "struct n { struct p p; inout struct p *next; }; void f(inout struct n *n)"

/* Each link by itself is looked at before anything is looked for behind it. */
static void test_changed_links_are_refused_and_not_followed(void **state)
{
    (void)state;
    for (size_t changed = 0; changed < 3; changed++) {
        TRIP(trip, NODE);
        struct piece pieces[2];
        fill_rooms(pieces);
        struct node first = {pieces[0], &pieces[1]};
        const struct cordon_value args[] = {cordon_out(&first, 1)};
        trip_perform(&trip, write_node, args, 1);
        if (changed == 0) {
            pieces[1].at = small_buffer();
        } else if (changed == 1) {
            first.next = (struct piece *)(void *)(mapped + PAGE); /* not to be read at all */
        } else {
            first.next = NULL;
        }
        expect_refused(&trip, args, 1);
        trip_close(&trip);
    }
}

static void replace_piece(void *const *arguments, void *result)
{
    (void)result;
    struct piece **piece = trip_pointer(arguments, 0);
    assert_memory_equal((*piece)->at, "....", 4);
    free(*piece); /* it is the library's: owned */
    *piece = NULL;
}

/* The memory of what a pointer of the caller's pointed to is never written. */
static void test_replaced_object_may_have_changed(void **state)
{
    (void)state;
    TRIP(trip, "struct p { const uint8_t at[bytes]; size_t bytes; };"
               "void f(inout owned(free) struct p **p)");
    struct piece pieces[2];
    struct piece *piece = pieces;
    const struct cordon_value args[] = {cordon_out(&piece, 1)};
    fill_rooms(pieces);
    trip_perform(&trip, replace_piece, args, 1);
    pieces[0].at = small_buffer();
    MUST(trip, trip_decode(&trip, args, 1));
    assert_null(piece);
    trip_close(&trip);
}

static void write_words(void *const *arguments, void *result)
{
    (void)result;
    char **words = trip_pointer(arguments, 0);
    memset(words[0], 'x', ROOM);
    memset(words[1], 'x', ROOM);
}

static void test_element_of_an_array_of_pointers_is_refused(void **state)
{
    (void)state;
    TRIP(trip, "void f(inout count(40) uint8_t *words[2])");
    struct piece pieces[2];
    fill_rooms(pieces);
    char *words[] = {rooms[0], rooms[1]};
    const struct cordon_value args[] = {cordon_out(words, 2)};
    trip_perform(&trip, write_words, args, 1);
    words[1] = small_buffer();
    expect_refused(&trip, args, 1);
    trip_close(&trip);
}

/* The member in use is another by now: a number stands where the pointer was. */
static void test_other_member_of_a_union_is_refused(void **state)
{
    (void)state;
    TRIP(trip,
         "struct u { long kind; union { case 1: inout count(40) uint8_t *at; case 2: long n; }"
         " u switch(kind); }; void f(inout struct u *u)");
    struct {
        int64_t kind;
        uint64_t u;
    } given = {1, (uintptr_t)rooms[0]};
    struct piece unused[2];
    const struct cordon_value args[] = {cordon_out(&given, 1)};
    fill_rooms(unused);
    MUST(trip, trip_encode(&trip, args, 1));
    MUST(trip, trip_accept(&trip));
    const uint64_t *native = trip_pointer(trip.call.arguments, 0);
    memset((void *)(uintptr_t)native[1], 'x', ROOM);
    MUST(trip, trip_answer(&trip, &(uint64_t){0}));
    given.kind = 2;
    given.u = 24;
    expect_refused(&trip, args, 1);
    trip_close(&trip);
}

static void write_all(void *const *arguments, void *result)
{
    (void)result;
    size_t *length = trip_pointer(arguments, 1);
    memset(trip_pointer(arguments, 0), 'x', *length);
}

/* The word is no pointer: the array is where it was, and as large. */
static void test_length_word_of_an_array_may_change(void **state)
{
    (void)state;
    static const char *const prototypes[] = {
        "void f(out uint8_t a[*n], inout size_t *n)",
        "void f(out uint8_t a[*n], nullable inout size_t *n)",
    };
    for (size_t i = 0; i < 2; i++) {
        for (size_t other = 0; other < 2; other++) {
            TRIP(trip, prototypes[i]);
            struct piece unused[2];
            size_t length = ROOM;
            const struct cordon_value args[] = {cordon_out(rooms[0], ROOM), cordon_out(&length, 1)};
            fill_rooms(unused);
            trip_perform(&trip, write_all, args, 2);
            length = other ? SIZE_MAX : SMALL;
            MUST(trip, trip_decode(&trip, args, 2));
            assert_int_equal(length, ROOM);
            assert_null(memchr(rooms[0], '.', ROOM));
            assert_null(memchr(rooms[1], 'x', ROOM));
            trip_close(&trip);
        }
    }
}

/* A callback may make calls of its own, with the same array of arguments. */
static void test_arguments_used_for_another_call_are_refused(void **state)
{
    (void)state;
    struct piece unused[2];
    size_t length = ROOM;
    size_t other = SMALL;
    for (size_t i = 0; i < 2; i++) {
        TRIP(trip, "void f(out uint8_t a[*n], inout size_t *n)");
        struct cordon_value args[] = {cordon_out(rooms[0], ROOM), cordon_out(&length, 1)};
        fill_rooms(unused);
        trip_perform(&trip, write_all, args, 2);
        args[i] = i == 0 ? cordon_out(small_buffer(), SMALL) : cordon_out(&other, 1);
        expect_refused(&trip, args, 2);
        assert_int_equal(other, SMALL);
        args[i] = i == 0 ? cordon_out(rooms[0], ROOM) : cordon_out(&length, 1);
        MUST(trip, trip_decode(&trip, args, 2)); /* as they were */
        trip_close(&trip);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_nobody_changed_is_written),
        cmocka_unit_test(test_pointer_to_a_smaller_buffer_is_refused),
        cmocka_unit_test(test_length_that_shrank_is_refused),
        cmocka_unit_test(test_pointers_that_changed_places_are_refused),
        cmocka_unit_test(test_other_members_may_change),
        cmocka_unit_test(test_pointer_in_a_constant_struct_is_refused),
        cmocka_unit_test(test_pointer_in_a_struct_by_value_is_refused),
        cmocka_unit_test(test_changed_links_are_refused_and_not_followed),
        cmocka_unit_test(test_replaced_object_may_have_changed),
        cmocka_unit_test(test_element_of_an_array_of_pointers_is_refused),
        cmocka_unit_test(test_other_member_of_a_union_is_refused),
        cmocka_unit_test(test_length_word_of_an_array_may_change),
        cmocka_unit_test(test_arguments_used_for_another_call_are_refused),
    };
    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
