/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lane/provision.h"

/* A BIND with a plan of 5 bytes, a TYPE with a name, a CALL with two words, a SEAL. */
struct book {
    struct provision_header header;
    struct provision_record bind;
    uint8_t plan[16];
    struct provision_record type;
    char name[16];
    uint8_t type_plan[16];
    struct provision_record call;
    uint64_t words[2];
    struct provision_record seal;
};

static struct book make_book(void)
{
    return (struct book){
        .header = {PROVISION_MAGIC, PROVISION_VERSION, sizeof(struct book), 4},
        .bind = {.kind = PROVISION_BIND, .id = 3, .bytes = 5},
        .plan = "plan",
        .type = {.kind = PROVISION_TYPE, .name_bytes = 9, .bytes = 16},
        .name = "struct x",
        .call = {.kind = PROVISION_CALL, .id = 3, .word_count = 2},
        .words = {7, 8},
        .seal = {.kind = PROVISION_SEAL},
    };
}

static int64_t walk(const struct book *book, uint64_t bytes, uint32_t *ret_count)
{
    struct provision_item item;
    int64_t at = provision_begin(book, bytes);
    *ret_count = 0;
    while (at > 0 && (at = provision_next(book, at, &item)) > 0) {
        const uint8_t *end = (const uint8_t *)book + book->header.bytes;
        assert_true(item.bytes + item.record.bytes <= end);
        assert_true((const uint8_t *)(item.words + item.record.word_count) <= end);
        assert_true(!item.name || item.name[item.record.name_bytes - 1] == '\0');
        ++*ret_count;
    }
    return at;
}

static void test_records_come_as_they_were_written(void **state)
{
    (void)state;
    struct book book = make_book();
    struct provision_item item;
    uint32_t count;
    assert_int_equal(walk(&book, sizeof book, &count), 0);
    assert_int_equal(count, 4);
    int64_t at = provision_next(&book, provision_begin(&book, sizeof book), &item);
    assert_int_equal(item.record.id, 3);
    assert_memory_equal(item.bytes, "plan", 5);
    at = provision_next(&book, at, &item);
    assert_string_equal(item.name, "struct x");
    (void)provision_next(&book, at, &item);
    assert_int_equal(item.words[1], 8);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    uint32_t count;
    struct book book = make_book();
    assert_int_equal(walk(&book, sizeof book - 1, &count), -EBADMSG);
    assert_int_equal(walk(&book, 15, &count), -EBADMSG);
    book.header.magic++;
    assert_int_equal(walk(&book, sizeof book, &count), -EBADMSG);
    book = make_book();
    book.header.version++;
    assert_int_equal(walk(&book, sizeof book, &count), -EBADMSG);
    book = make_book();
    book.name[8] = 'y'; /* a name without an end */
    assert_int_equal(walk(&book, sizeof book, &count), -EBADMSG);
    book = make_book();
    book.call.word_count = CORDON_PLAN_WORDS_MAX + 1;
    assert_int_equal(walk(&book, sizeof book, &count), -EBADMSG);
    book = make_book();
    book.bind.kind = 9;
    assert_int_equal(walk(&book, sizeof book, &count), -EBADMSG);
    book = make_book();
    book.seal.bytes = 1; /* behind the end */
    assert_int_equal(walk(&book, sizeof book, &count), -EBADMSG);
    assert_int_equal(count, 3);
    book = make_book();
    book.bind.bytes = UINT32_MAX;
    assert_int_equal(walk(&book, sizeof book, &count), -EBADMSG);
}

static void test_any_bytes_are_walked_inside_their_bounds(void **state)
{
    (void)state;
    unsigned seed = 3;
    for (int round = 0; round < 300000; round++) {
        struct book book = make_book();
        uint32_t count;
        for (int i = 0; i < 1 + round % 4; i++) {
            ((uint8_t *)&book)[16 + (size_t)rand_r(&seed) % (sizeof book - 16)] =
                (uint8_t)rand_r(&seed);
        }
        int64_t r = walk(&book, sizeof book, &count);
        assert_true(r == 0 || r == -EBADMSG);
        const size_t bytes = sizeof book;
        assert_in_range(count, 0, bytes / sizeof(struct provision_record));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_come_as_they_were_written),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_any_bytes_are_walked_inside_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
