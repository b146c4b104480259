/* SPDX-License-Identifier: Apache-2.0 */
#include "json/image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PIECES 5000u

static void test_room_ends_with_its_piece_in_any_chunk(void **state)
{
    (void)state;
    struct image image = {0};
    static uint8_t *pieces[PIECES];
    image_begin(&image, NULL, NULL, 64u << 20, NULL, NULL);
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = image_take(&image, i % 700, 3);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
    }
    for (size_t i = 0; i < PIECES; i++) {
        size_t bytes = i % 700 * 3;
        assert_int_equal(image_room(&image, pieces[i]), bytes);
        assert_int_equal(image_room(&image, pieces[i] + bytes), 0);
        if (bytes > 0) {
            assert_int_equal(image_room(&image, pieces[i] + bytes - 1), 1);
        }
    }
    assert_int_equal(image_room(&image, &image), 0);
    assert_int_equal(image_room(&image, NULL), 0);
    image_deinit(&image);
}

static void test_small_calls_use_the_same_memory_again(void **state)
{
    (void)state;
    struct image image = {0};
    static const uint8_t zeros[1000];
    image_begin(&image, NULL, NULL, 1u << 20, NULL, NULL);
    uint8_t *first = image_take(&image, 1, sizeof zeros);
    memset(first, 0xff, sizeof zeros);
    image_begin(&image, NULL, NULL, 1u << 20, NULL, NULL);
    uint8_t *second = image_take(&image, 1, sizeof zeros);
    assert_ptr_equal(first, second);
    assert_memory_equal(second, zeros, sizeof zeros);
    assert_int_equal(image_room(&image, second), sizeof zeros);
    /* One chunk that suffices for the largest of small ones stays; what is large goes. */
    assert_non_null(image_take(&image, 1, 100000));
    image_reset(&image);
    assert_non_null(image_take(&image, 1, sizeof zeros));
    assert_ptr_equal(image_take(&image, 0, 1), first + 1024);
    image_deinit(&image);
}

static void test_limit_is_named_and_kept(void **state)
{
    (void)state;
    struct image image = {0};
    struct message why;
    struct image_step step = {.text = "b", .index = 1};
    image_begin(&image, NULL, NULL, 4096, NULL, &why);
    image.noun = "parameter";
    image.step = &step;
    assert_null(image_take(&image, 4097, 1));
    assert_string_equal(why.text,
                        "parameter 'b': needs 4097 x 1 bytes; one call carries at most 4096");
    assert_null(image_take(&image, UINT64_MAX, 16));
    assert_non_null(image_take(&image, 4096, 1));
    assert_null(image_take(&image, 1, 1));
    image_deinit(&image);
}

static void test_endless_empty_pieces_meet_the_limit(void **state)
{
    (void)state;
    struct image image = {0};
    size_t taken = 0;
    image_begin(&image, NULL, NULL, 1u << 20, NULL, NULL);
    while (taken <= 1u << 20 && image_take(&image, 1, 1)) {
        taken++;
    }
    assert_true(taken < 1u << 16);
    image_deinit(&image);
}

static void test_saved_memory_comes_back(void **state)
{
    (void)state;
    struct image image = {0};
    image_begin(&image, NULL, NULL, 1u << 20, NULL, NULL);
    char *small = image_take(&image, 4, 1);
    char *large = image_take(&image, 100000, 1);
    memcpy(small, "abc", 4);
    large[99999] = 'z';
    assert_int_equal(image_save(&image), 0);
    memcpy(small, "xyz", 4);
    large[99999] = 'y';
    image_restore(&image);
    assert_string_equal(small, "abc");
    assert_int_equal(large[99999], 'z');
    image_deinit(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_ends_with_its_piece_in_any_chunk),
        cmocka_unit_test(test_small_calls_use_the_same_memory_again),
        cmocka_unit_test(test_limit_is_named_and_kept),
        cmocka_unit_test(test_endless_empty_pieces_meet_the_limit),
        cmocka_unit_test(test_saved_memory_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
