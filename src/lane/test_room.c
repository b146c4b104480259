/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lane/room.h"

#define BEGIN 8192u
#define END   (BEGIN + 64u * 100u)

static uint32_t take(struct lane_space *space, uint32_t bytes)
{
    uint32_t at = 0;
    assert_int_equal(lane_space_new(space, bytes, &at), 0);
    assert_int_equal(at % LANE_LINE, 0);
    assert_in_range(at, BEGIN, END - bytes);
    return at;
}

static void test_same_place_is_used_when_nothing_is_in_flight(void **state)
{
    (void)state;
    struct lane_space space;
    lane_space_init(&space, BEGIN, END);
    for (uint32_t i = 1; i < 50; i++) {
        uint32_t at = take(&space, i * 100);
        assert_int_equal(at, BEGIN);
        lane_space_free(&space, at);
    }
}

static void test_too_much_is_told_from_not_now(void **state)
{
    (void)state;
    struct lane_space space;
    uint32_t at;
    lane_space_init(&space, BEGIN, END);
    assert_int_equal(lane_space_new(&space, END - BEGIN + 1, &at), -E2BIG);
    assert_int_equal(lane_space_new(&space, UINT32_MAX, &at), -E2BIG);
    uint32_t all = take(&space, END - BEGIN);
    assert_int_equal(lane_space_new(&space, 1, &at), -EAGAIN);
    assert_int_equal(lane_space_new(&space, 0, &at), 0);
    lane_space_free(&space, all);
    (void)take(&space, 1);
}

static void test_shrunk_room_is_given_back(void **state)
{
    (void)state;
    struct lane_space space;
    lane_space_init(&space, BEGIN, END);
    uint32_t first = take(&space, END - BEGIN);
    lane_space_shrink(&space, first, 65);
    assert_int_equal(take(&space, 1), BEGIN + 128);
    lane_space_shrink(&space, first, 0);
    assert_int_equal(take(&space, 128), BEGIN);
}

static void test_table_of_pieces_has_an_end(void **state)
{
    (void)state;
    struct lane_space space;
    uint32_t at;
    lane_space_init(&space, 0, 64 * (LANE_PIECES_MAX + 1));
    for (uint32_t i = 0; i < LANE_PIECES_MAX; i++) {
        assert_int_equal(lane_space_new(&space, 1, &at), 0);
    }
    assert_int_equal(lane_space_new(&space, 1, &at), -EAGAIN);
}

/* Against a map of who owns which line. */
static void test_any_order_of_frees_never_overlaps(void **state)
{
    (void)state;
    enum { LIVE = 20, LINES = 100 };
    struct lane_space space;
    struct lane_piece live[LIVE] = {0};
    uint8_t owner[LINES] = {0};
    uint32_t seed = 1;
    lane_space_init(&space, BEGIN, END);
    for (uint32_t step = 0; step < 100000; step++) {
        seed = seed * 1664525u + 1013904223u;
        struct lane_piece *piece = &live[seed >> 16 & 15u];
        uint8_t mark = (uint8_t)(piece - live + 1);
        if (piece->bytes != 0) {
            for (uint32_t i = 0; i < (piece->bytes + 63) / 64; i++) {
                assert_int_equal(owner[(piece->at - BEGIN) / 64 + i], mark);
                owner[(piece->at - BEGIN) / 64 + i] = 0;
            }
            lane_space_free(&space, piece->at);
            piece->bytes = 0;
            continue;
        }
        uint32_t bytes = (seed >> 8) % 900 + 1;
        if (lane_space_new(&space, bytes, &piece->at) == 0) {
            piece->bytes = bytes;
            for (uint32_t i = 0; i < (bytes + 63) / 64; i++) {
                assert_int_equal(owner[(piece->at - BEGIN) / 64 + i], 0);
                owner[(piece->at - BEGIN) / 64 + i] = mark;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_place_is_used_when_nothing_is_in_flight),
        cmocka_unit_test(test_too_much_is_told_from_not_now),
        cmocka_unit_test(test_shrunk_room_is_given_back),
        cmocka_unit_test(test_table_of_pieces_has_an_end),
        cmocka_unit_test(test_any_order_of_frees_never_overlaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
