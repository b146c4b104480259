/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/log_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_escaped(const char *text, bool keep_lines, const char *wanted)
{
    char escaped[256];
    size_t length = log_escape(text, keep_lines, escaped, sizeof escaped);
    assert_string_equal(escaped, wanted);
    assert_int_equal(length, strlen(wanted));
}

static void test_escape_writes_out_what_a_terminal_would_do(void **state)
{
    (void)state;
    expect_escaped("gr\xc3\xbc\xc3\x9f dich", false, "gr\xc3\xbc\xc3\x9f dich");
    expect_escaped("\x1b[2J\a\x7f", false, "\\x1b[2J\\x07\\x7f");
    expect_escaped("\xc2\x9b"
                   "31m",
                   false, "\\u009b31m"); /* CSI as one character */
    /* NOLINTNEXTLINE(misc-misleading-bidirectional) */
    expect_escaped("\xe2\x80\xae"
                   "txt",
                   false, "\\u202etxt"); /* right to left from here */
    expect_escaped("a\nb\tc", false, "a\\nb\\x09c");
    expect_escaped("a\nb", true, "a\nb");
}

static void test_escape_shows_bytes_that_are_no_utf8(void **state)
{
    (void)state;
    expect_escaped("\xff\xfe", false, "\\xff\\xfe");
    expect_escaped("\xc0\x80", false, "\\xc0\\x80");          /* too long for NUL */
    expect_escaped("\xed\xa0\x80", false, "\\xed\\xa0\\x80"); /* half of a pair */
    expect_escaped("\xe2\x82", false, "\\xe2\\x82");          /* cut */
    expect_escaped("\xf4\x90\x80\x80", false, "\\xf4\\x90\\x80\\x80");
}

static void test_escape_cuts_at_whole_characters(void **state)
{
    char escaped[6];
    (void)state;
    assert_int_equal(log_escape("abc\x1b", false, escaped, sizeof escaped), 3);
    assert_string_equal(escaped, "abc");
    assert_int_equal(log_escape("abcd\xc3\xbc", false, escaped, sizeof escaped), 4);
    assert_string_equal(escaped, "abcd");
}

static struct log_event event_of(const char *cell, const char *sentence,
                                 const struct log_field *fields)
{
    return (struct log_event){.level = LOG_WARNING,
                              .event = "crashed",
                              .cell = cell,
                              .sentence = sentence,
                              .fields = fields,
                              .when = {.tv_sec = 86400, .tv_nsec = 7000000}};
}

static void test_text_is_one_line_in_colour_only_if_asked(void **state)
{
    char line[LOG_LINE_BYTES + 1];
    struct log_event event = event_of("zlib", "two\nlines", NULL);
    (void)state;
    line[log_line_text(&event, false, line)] = '\0';
    assert_string_equal(line, "00:00:00.007 zlib: two\\nlines\n");
    line[log_line_text(&event, true, line)] = '\0';
    assert_string_equal(line, "\033[33m00:00:00.007 zlib: two\\nlines\033[0m\n");
}

static void test_json_is_one_line_with_its_fields(void **state)
{
    char line[LOG_LINE_BYTES + 1];
    struct log_field fields[] = {
        {.key = "pid", .number = -3}, {.key = "who", .text = "\x1b\"x"}, {0}};
    struct log_event event = event_of("zlib", "two\nlines", fields);
    (void)state;
    line[log_line_json(&event, line)] = '\0';
    assert_string_equal(line, "{\"time\":\"1970-01-02T00:00:00.007Z\",\"level\":\"warning\","
                              "\"event\":\"crashed\",\"cell\":\"zlib\",\"pid\":-3,"
                              "\"who\":\"\\\\x1b\\\"x\",\"message\":\"two\\nlines\"}\n");
}

/* What cannot be longer: every byte of the longest sentence is written out. */
static void test_the_longest_lines_fit(void **state)
{
    static const char worst[] = {'\x1b', '\\', '"', '\xff'};
    char line[LOG_LINE_BYTES + 1];
    struct message sentence;
    char cell[300];
    (void)state;
    for (size_t i = 0; i < sizeof worst; i++) {
        memset(sentence.text, worst[i], sizeof sentence.text - 1);
        sentence.text[sizeof sentence.text - 1] = '\0';
        memset(cell, worst[i], sizeof cell - 1);
        cell[sizeof cell - 1] = '\0';
        struct log_event event = event_of(cell, sentence.text, NULL);
        size_t length = log_line_text(&event, true, line);
        assert_in_range(length, 1000, LOG_LINE_BYTES);
        assert_ptr_equal(memchr(line, '\n', length), line + length - 1);
        length = log_line_json(&event, line);
        assert_in_range(length, 1000, LOG_LINE_BYTES);
        assert_ptr_equal(memchr(line, '\n', length), line + length - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape_writes_out_what_a_terminal_would_do),
        cmocka_unit_test(test_escape_shows_bytes_that_are_no_utf8),
        cmocka_unit_test(test_escape_cuts_at_whole_characters),
        cmocka_unit_test(test_text_is_one_line_in_colour_only_if_asked),
        cmocka_unit_test(test_json_is_one_line_with_its_fields),
        cmocka_unit_test(test_the_longest_lines_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
