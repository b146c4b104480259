/* SPDX-License-Identifier: Apache-2.0 */
#include "lane/violation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ACTS 200000u

static struct lane_host_page page;

static int clear(void **state)
{
    (void)state;
    memset(&page, 0, sizeof page);
    return 0;
}

static void list(uint32_t value)
{
    struct lane_act act = {.seq = value, .system_call = (int32_t)value, .error = (int32_t)value};
    (void)snprintf(act.act, sizeof act.act, "act %u", value);
    memset(act.grant, 'a' + (int)(value % 26), sizeof act.grant - 1);
    assert_int_equal(lane_violation_list(&page, &act), value);
}

static void expect_whole(const struct lane_act *act, uint32_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "act %u", number);
    assert_int_equal(act->number, number);
    assert_int_equal(act->seq, number);
    assert_int_equal(act->error, number);
    assert_string_equal(act->act, text);
    for (size_t i = 0; i < sizeof act->grant - 1; i++) {
        assert_int_equal(act->grant[i], 'a' + (int)(number % 26));
    }
    assert_int_equal(act->grant[sizeof act->grant - 1], 0);
}

static void test_last_ones_can_be_read_and_no_others(void **state)
{
    (void)state;
    struct lane_act act;
    assert_int_equal(lane_violation_count(&page), 0);
    assert_false(lane_violation_read(&page, 0, &act));
    assert_false(lane_violation_read(&page, 1, &act));
    for (uint32_t i = 1; i <= LANE_VIOLATIONS + 3; i++) {
        list(i);
        assert_int_equal(lane_violation_count(&page), i);
    }
    assert_false(lane_violation_read(&page, 3, &act));
    for (uint32_t i = 4; i <= LANE_VIOLATIONS + 3; i++) {
        assert_true(lane_violation_read(&page, i, &act));
        expect_whole(&act, i);
    }
    assert_false(lane_violation_read(&page, LANE_VIOLATIONS + 4, &act));
}

static void test_record_that_is_being_written_is_skipped(void **state)
{
    (void)state;
    struct lane_act act;
    list(1);
    atomic_store(&page.violation[0].number, 0);
    assert_false(lane_violation_read(&page, 1, &act));
}

static void test_text_without_end_is_cut(void **state)
{
    (void)state;
    struct lane_act act;
    list(1);
    memset(page.violation[0].act, 'x', sizeof page.violation[0].act);
    assert_true(lane_violation_read(&page, 1, &act));
    assert_int_equal(strlen(act.act), sizeof act.act - 1);
}

/* A reader that looks at bytes which are being written, and drops them: a race by design. */
#if !defined(__SANITIZE_THREAD__)
static void *write_all(void *unused)
{
    (void)unused;
    for (uint32_t i = 1; i <= ACTS; i++) {
        list(i);
    }
    return NULL;
}

/* Whatever a reader gets while another thread lists, it is whole. */
static void test_reader_beside_the_writer_sees_whole_records(void **state)
{
    (void)state;
    pthread_t writer;
    uint32_t count = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_all, NULL), 0);
    while (count < ACTS) {
        count = lane_violation_count(&page);
        for (uint32_t i = 0; i < LANE_VIOLATIONS && i < count; i++) {
            struct lane_act act;
            if (lane_violation_read(&page, count - i, &act)) {
                expect_whole(&act, count - i);
            }
        }
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_last_ones_can_be_read_and_no_others, clear),
        cmocka_unit_test_setup(test_record_that_is_being_written_is_skipped, clear),
        cmocka_unit_test_setup(test_text_without_end_is_cut, clear),
#if !defined(__SANITIZE_THREAD__)
        cmocka_unit_test_setup(test_reader_beside_the_writer_sees_whole_records, clear),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
