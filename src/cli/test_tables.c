/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/figures.h"
#include "cli/plain.h"
#include "cli/snapshot.h"
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *plain(const char *text)
{
    static char copy[64];
    (void)plain_copy(copy, sizeof copy, text, strlen(text));
    return copy;
}

static void test_plain_text_has_no_control_characters(void **state)
{
    (void)state;
    assert_string_equal(plain("a\033[2Jb\tc\177"), "a?[2Jb?c?");
    assert_string_equal(plain("\302\233x\xff\xe2\x82"), "?x???");
    assert_string_equal(plain("gr\303\274\303\237"), "gr\303\274\303\237");
    /* NOLINTNEXTLINE(misc-misleading-bidirectional) */
    assert_string_equal(plain("\342\200\256x\342\201\246\330\234"),
                        "?x??"); /* turn the direction around */
    assert_string_equal(plain("a\342\200\213b\357\273\277c\302\255d"), "a?b?c?d"); /* not seen */
    assert_int_equal(plain_columns("gr\303\274\303\237"), 4);
    assert_int_equal(plain_columns("\346\274\242\345\255\227"), 4); /* two wide ones */
    assert_int_equal(plain_fitting("\346\274\242\345\255\227", 3), 3);
    char text[] = "a\nb\033c\302\233";
    plain_filter(text, strlen(text));
    assert_string_equal(text, "a\nb?c??");
}

static void test_plain_text_is_cut_between_characters(void **state)
{
    char copy[5];
    (void)state;
    assert_int_equal(plain_copy(copy, sizeof copy, "abc\303\274d", 6), 3);
    assert_string_equal(copy, "abc");
    assert_int_equal(plain_copy(copy, 1, "abc", 3), 0);
    assert_string_equal(copy, "");
}

static void test_figures_have_units_and_few_digits(void **state)
{
    char text[FIGURE_BYTES];
    (void)state;
    assert_string_equal(figure_count(9999, text), "9999");
    assert_string_equal(figure_count(10000, text), "10.0k");
    assert_string_equal(figure_count(UINT64_MAX, text), "18.4E");
    assert_string_equal(figure_count(999499, text), "999k");
    assert_string_equal(figure_count(999500, text), "1.00M");
    assert_string_equal(figure_rate(0.04, text), "0.04");
    assert_string_equal(figure_rate(12.34, text), "12.3");
    assert_string_equal(figure_rate(99.96, text), "100");
    assert_string_equal(figure_rate(-1, text), "0");
    assert_string_equal(figure_rate(1e300, text), "?");
    assert_string_equal(figure_time(999, text), "999us");
    assert_string_equal(figure_time(1000, text), "1.00ms");
    assert_string_equal(figure_time(99960, text), "100ms");
    assert_string_equal(figure_time(1500000, text), "1.50s");
    assert_string_equal(figure_time(150000000, text), "2m 30s");
    assert_string_equal(figure_memory(1536, text), "1.50K");
    assert_string_equal(figure_memory(3u << 30, text), "3.00G");
    assert_string_equal(figure_duration(UINT64_MAX, text), "99999999d 14h");
}

static const struct table_column columns[] = {{"NAME", true, 0, 0},
                                              {"A", false, 2, 0},
                                              {"B", false, 1, 6},
                                              {"TEXT", true, 3, 0},
                                              {NULL, false, 0, 0}};

static void fill(struct table *table)
{
    static const char *const names[] = {"beta", "alpha", "gamma"};
    table_init(table, columns);
    for (uint32_t i = 0; i < 3; i++) {
        struct table_row *row = table_add(table, i);
        table_set(row, 0, TONE_PLAIN, 0, names[i]);
        table_set(row, 1, TONE_PLAIN, i == 2 ? 1 : 5, i == 2 ? "1" : "5");
        table_set(row, 3, TONE_PLAIN, 0, "a text that is longer than others are");
    }
}

static void test_least_important_columns_give_way(void **state)
{
    struct table table;
    size_t widths[TABLE_COLUMNS_MAX];
    char text[256];
    (void)state;
    fill(&table);
    table_layout(&table, 200, widths);
    assert_int_equal(widths[0] * 1000 + widths[1] * 100 + widths[2] * 10, 5000 + 100 + 60);
    assert_int_equal(widths[3], 37);
    table_layout(&table, 45, widths); /* the text is cut first */
    assert_int_equal(widths[3], 45 - (5 + 1 + 1 + 1 + 6 + 1));
    table_layout(&table, 30, widths); /* then it goes */
    assert_true(widths[3] == 0 && widths[1] == 1 && widths[2] == 6);
    table_layout(&table, 12, widths);
    assert_true(widths[1] == 0 && widths[2] == 6);
    table_layout(&table, 6, widths); /* a name is never cut below eight */
    assert_true(widths[0] == 5 && widths[2] == 0);
    assert_string_equal(table_cell_text(&table, &table.rows[0], 0, 6, text, sizeof text), "beta  ");
    assert_string_equal(table_cell_text(&table, &table.rows[0], 1, 3, text, sizeof text), "  5");
    assert_string_equal(table_cell_text(&table, &table.rows[1], 0, 3, text, sizeof text),
                        "al\342\200\246");
    table_deinit(&table);
}

static void test_rows_are_sorted_both_ways(void **state)
{
    struct table table;
    (void)state;
    fill(&table);
    table_sort(&table, 0, false);
    assert_int_equal(table.rows[0].key * 10 + table.rows[1].key, 10);
    table_sort(&table, 1, false); /* largest first, equal ones by name */
    assert_int_equal(table.rows[0].key * 100 + table.rows[1].key * 10 + table.rows[2].key, 102);
    table_sort(&table, 1, true);
    assert_int_equal(table.rows[0].key * 100 + table.rows[1].key * 10 + table.rows[2].key, 210);
    table_deinit(&table);
}

/* Two snapshots of one cell with one method, a second apart. */
static void test_an_interval_is_the_difference(void **state)
{
    struct snapshot_method methods[2] = {{.name = "m"}, {.name = "m"}};
    struct snapshot_cell cells[2] = {
        {.name = "c", .generation = 1, .methods = &methods[0], .method_count = 1},
        {.name = "c", .generation = 1, .methods = &methods[1], .method_count = 1}};
    struct snapshot before = {
        .pid = 1, .cells = &cells[0], .cell_count = 1, .taken_ns = 5000000000, .uptime_ms = 9000};
    struct snapshot now = {.pid = 1,
                           .cells = &cells[1],
                           .cell_count = 1,
                           .taken_ns = 7000000000,
                           .uptime_ms = 10000,
                           .bounds_ns = {1000, 2000, 900000},
                           .bound_count = 3};
    (void)state;
    methods[0].figures =
        (struct snapshot_figures){.calls = 100, .ended = {90}, .buckets = {50, 50}};
    methods[1].figures =
        (struct snapshot_figures){.calls = 300, .ended = {280}, .buckets = {50, 240, 9, 1}};
    struct interval interval = interval_of(&before, &now, &cells[1], &methods[1]);
    assert_int_equal(interval.calls, 200);
    assert_true(interval.calls_rate == 100 && interval.errors_rate == 5);
    assert_int_equal(interval.p50_us, 2);
    assert_int_equal(interval.p99_us, 900);
    cells[1].generation = 2; /* another one: all of it is new */
    interval = interval_of(&before, &now, &cells[1], &methods[1]);
    assert_int_equal(interval.calls, 300);
    cells[1].generation = 1;
    interval = interval_of(NULL, &now, &cells[1], &methods[1]);
    assert_true(interval.calls == 300 && interval.calls_rate == 30);
    methods[0].figures.calls = 1000; /* counts that went back are no calls */
    interval = interval_of(&before, &now, &cells[1], &methods[1]);
    assert_true(interval.calls == 0 && interval.calls_rate == 0);
    memset(methods[1].figures.buckets, 0xff, sizeof methods[1].figures.buckets);
    interval = interval_of(&before, &now, &cells[1], &methods[1]);
    assert_int_equal(interval.p99_us, 900); /* behind the last bound: that one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_has_no_control_characters),
        cmocka_unit_test(test_plain_text_is_cut_between_characters),
        cmocka_unit_test(test_figures_have_units_and_few_digits),
        cmocka_unit_test(test_least_important_columns_give_way),
        cmocka_unit_test(test_rows_are_sorted_both_ways),
        cmocka_unit_test(test_an_interval_is_the_difference),
    };
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    plain_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
