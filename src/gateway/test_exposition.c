/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/exposition.h"

/* What a gauge's one sample looks like whose label has this value. */
static void expose(const char *value, struct json_out *ret_out)
{
    *ret_out = (struct json_out){0};
    struct exposition x = {.out = ret_out};
    exposition_family(&x, EXPOSITION_GAUGE, "cordon_thing", "A thing.");
    exposition_labels(&x, (struct exposition_label[]){{"cell", value}}, 1);
    exposition_sample(&x, NULL, 3);
    assert_false(ret_out->failed);
}

static void test_values_of_labels_are_anybodys(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *shown;
    } cases[] = {
        {"zlib", "{cell=\"zlib\"} 3\n"},
        {"a\"b\\c\nd", "{cell=\"a\\\"b\\\\c\\nd\"} 3\n"},
        {"gr\xc3\xbc\xc3\x9f", "{cell=\"gr\xc3\xbc\xc3\x9f\"} 3\n"},
        {"\xff", "{cell=\"?\"} 3\n"},
        {"", "{cell=\"\"} 3\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_out out;
        expose(cases[i].value, &out);
        const char *shown = memmem(out.text, out.length, "cordon_thing{", 13);
        assert_non_null(shown);
        assert_memory_equal(shown + 12, cases[i].shown, strlen(cases[i].shown));
        json_out_deinit(&out);
    }
}

static void test_long_values_are_cut(void **state)
{
    (void)state;
    char value[4 * EXPOSITION_VALUE_BYTES];
    struct json_out out;
    memset(value, '"', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    expose(value, &out);
    assert_in_range(out.length, EXPOSITION_VALUE_BYTES, 3 * EXPOSITION_VALUE_BYTES);
    assert_int_equal(out.text[out.length - 1], '\n');
    json_out_deinit(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_labels_are_anybodys),
        cmocka_unit_test(test_long_values_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
