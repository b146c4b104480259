/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FRAME_TEST_PAGE_H
#define FRAME_TEST_PAGE_H

/*
 * Page: a reply whose reads are counted, and that changes between two of them.
 *
 * A writer may change its reply while it is read, so that what was judged is not what is used; a test that races
 * with the reader finds that by luck, this one for sure.
 *
 * How it works. The reply lies in a page that nobody may touch. Each load faults, is counted, and runs by itself,
 * single-stepped, with the page open; then the page is shut again, and may have been changed. What frame_decode()
 * may do is known for each case: copy_out() of certain ranges, once. So it must fault exactly as often as these
 * copies do by themselves: a byte that is looked at twice, or judged in place, is one fault more.
 */

#include "frame/test_trip.h"

#if defined(__x86_64__)
#define TEST_PAGE_WORKS 1
#else
#define TEST_PAGE_WORKS                                                                            \
    0 /* no single steps on this processor: test_page.c has the main() of such tests, which says so */
#endif

#define TEST_PAGE_BYTES 4096u

/* For cmocka_run_group_tests(). */
int test_page_open(void **state);
int test_page_close(void **state);

/* Shut the page, and count from 0. Handlers are the test library's own between tests. */
void test_page_watch(void);
volatile const uint8_t *test_page(void);
int test_page_reads(void);

/* Bytes of the reply that may be copied out, once. */
struct test_range {
    uint64_t at;
    uint64_t bytes;
};

#define RANGES(...)                                                                                \
    (const struct test_range[]){__VA_ARGS__},                                                      \
        sizeof((const struct test_range[]){__VA_ARGS__}) / sizeof(struct test_range)

/* Call and answer, then decode from the page: it must fault as the copies of @ranges do. */
void test_page_check_once(struct trip *trip, trip_native *native, const struct cordon_value *args,
                          size_t count, const struct test_range *ranges, size_t range_count);

/*
 * Decode a reply that was answered, again and again: the word at @at becomes @forged behind the first read, the
 * second, and so on, until there are no more. @check is called with the result of each.
 */
typedef void test_page_check(struct trip *trip, int r);
void test_page_rewrite(struct trip *trip, const struct cordon_value *args, size_t count,
                       uint64_t at, uint64_t forged, test_page_check *check);

/*
 * Empty the page, and count from now on the writes behind which @bytes lie somewhere in it: it stands for
 * memory that the other side may look at in between. Returns it, shut.
 */
uint8_t *test_page_hide(const void *bytes, size_t count);
/* How many those were; the page is open again. */
int test_page_seen(void);

#endif
