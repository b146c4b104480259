/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/call_options.h"
#include "cli/requirements.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int parse(char *const *argv, struct call_options *options, struct message *why)
{
    int argc = 0;
    while (argv[argc]) {
        argc++;
    }
    return call_options_parse(argc, argv, options, why);
}

static void test_options_may_stand_anywhere_and_negative_numbers_are_none(void **state)
{
    (void)state;
    struct call_options options;
    struct message why;
    char *argv[] = {(char[]){"--level"}, (char[]){"thread"}, (char[]){"lib"},
                    (char[]){"proto"},   (char[]){"-5"},     (char[]){"--timeout=3s"},
                    (char[]){"--"},      (char[]){"--json"}, NULL};
    assert_int_equal(parse(argv, &options, &why), 0);
    assert_int_equal(options.cell.level, CORDON_LEVEL_THREAD);
    assert_int_equal(options.timeout_ns, 3000000000);
    assert_int_equal(options.text_count, 2);
    assert_string_equal(options.texts[0], "-5");
    assert_string_equal(options.texts[1], "--json");
    assert_false(options.json);
    call_options_deinit(&options);
}

static void test_wrong_options_are_named_with_a_guess(void **state)
{
    (void)state;
    struct call_options options;
    struct message why;
    char *misspelt[] = {(char[]){"--levle"}, (char[]){"thread"}, NULL};
    assert_int_equal(parse(misspelt, &options, &why), -EINVAL);
    assert_non_null(strstr(why.text, "did you mean '--level'?"));
    call_options_deinit(&options);
    char *bare[] = {(char[]){"--timeout"}, NULL};
    assert_int_equal(parse(bare, &options, &why), -EINVAL);
    assert_non_null(strstr(why.text, "needs a value"));
    call_options_deinit(&options);
    char *level[] = {(char[]){"--level=safe"}, NULL};
    assert_int_equal(parse(level, &options, &why), -EINVAL);
    assert_non_null(strstr(why.text, "process, thread, inline"));
    call_options_deinit(&options);
    char *repeat[] = {(char[]){"--repeat"}, (char[]){"0"}, NULL};
    assert_int_equal(parse(repeat, &options, &why), -EINVAL);
    call_options_deinit(&options);
    char *few[] = {(char[]){"lib"}, NULL};
    assert_int_equal(parse(few, &options, &why), -EINVAL);
    assert_non_null(strstr(why.text, "a PROTOTYPE"));
    call_options_deinit(&options);
}

static void test_mechanisms_and_promises_are_lists(void **state)
{
    (void)state;
    struct message why;
    uint32_t bits;
    uint32_t promises;
    assert_int_equal(requirements_parse("userns,landlock,madv_guard", &bits, NULL, &why), 0);
    assert_int_equal(bits, CORDON_USER_NAMESPACES | CORDON_LANDLOCK | CORDON_MADV_GUARD);
    assert_int_equal(requirements_parse("landlok", &bits, NULL, &why), -EINVAL);
    assert_non_null(strstr(why.text, "seccomp"));
    assert_int_equal(requirements_parse("no-writes", &bits, NULL, &why), -EINVAL);
    assert_int_equal(requirements_parse("no-writes,landlock,heals", &bits, &promises, &why), 0);
    assert_int_equal(bits, CORDON_LANDLOCK);
    assert_int_equal(promises, CORDON_NO_WRITES | CORDON_HEALS);
    assert_int_equal(requirements_parse("landlock,,heals", &bits, &promises, &why), -EINVAL);
    assert_non_null(strstr(why.text, "lists-violations"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_may_stand_anywhere_and_negative_numbers_are_none),
        cmocka_unit_test(test_wrong_options_are_named_with_a_guess),
        cmocka_unit_test(test_mechanisms_and_promises_are_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
