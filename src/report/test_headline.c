/* SPDX-License-Identifier: Apache-2.0 */
#include "report/headline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char whole[] =
    "{\n \"cordon_report\": 1, \"id\": \"x\", \"when_ns\": 1795424991684724271, \"what\": "
    "\"crash\",\n"
    " \"ended\": true, \"violation\": {\"what\": \"no\", \"summary\": \"no\"},\n"
    " \"summary\": \"SIG\\u001bSEGV in \\\"f\\\" \\u00e4\", \"cell\": {\"limits\": {\"library\": "
    "\"no\"},\n"
    " \"library\": \"libz.so.1\"}, \"other\": [{\"function\": \"no\", \"what\": [\"no\"]}],\n"
    " \"call\": {\"number\": 3, \"function\": \"crc32\", \"arguments\": [{\"function\": "
    "\"no\"}]}}\n";

static void test_headline_is_found(void **state)
{
    struct headline headline;
    (void)state;
    assert_int_equal(headline_read(whole, strlen(whole), &headline), 0);
    assert_string_equal(headline.what, "crash");
    assert_true(headline.ended);
    assert_true(headline.when_ns == 1795424991684724271u);
    assert_string_equal(headline.summary, "SIG?SEGV in \"f\" ?");
    assert_string_equal(headline.library, "libz.so.1");
    assert_string_equal(headline.function, "crc32");
}

/* Wherever the text ends, what came before stands. */
static void test_text_may_be_cut_anywhere(void **state)
{
    struct headline headline;
    size_t begins = 0;
    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        char *cut = malloc(length + 1); /* a sanitizer sees what is read beyond it */
        assert_non_null(cut);
        memcpy(cut, whole, length);
        int r = headline_read(cut, length, &headline);
        assert_true(r == 0 || r == -EBADMSG);
        begins += r == 0;
        free(cut);
    }
    assert_int_equal(begins, strlen(whole) - strlen("{\n \"cordon_report\": 1"));
}

static void test_what_is_no_report_is_refused(void **state)
{
    static const char *const texts[] = {"", "{}", "[1]", "{\"cordon_report\": 2}",
                                        "{\"what\": \"crash\", \"cordon_report\": 1}"};
    struct headline headline;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(headline_read(texts[i], strlen(texts[i]), &headline), -EBADMSG);
    }
}

static void test_odd_json_ends_the_reading(void **state)
{
    static const char *const texts[] = {
        "{\"cordon_report\": 1, \"what\": \"cr",
        "{\"cordon_report\": 1, \"what\" \"crash\"}",
        "{\"cordon_report\": 1, ]]]]]",
        ("{\"cordon_report\": 1, \"a\": "
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
        "{\"cordon_report\": 1, \"what\": \"\\u12",
        "{\"cordon_report\": 1}}}}, \"what\": \"late\"",
    };
    struct headline headline;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(headline_read(texts[i], strlen(texts[i]), &headline), 0);
        assert_string_not_equal(headline.what, "late");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headline_is_found),
        cmocka_unit_test(test_text_may_be_cut_anywhere),
        cmocka_unit_test(test_what_is_no_report_is_refused),
        cmocka_unit_test(test_odd_json_ends_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
