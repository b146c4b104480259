/* SPDX-License-Identifier: Apache-2.0 */
#include "json/method.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json/test_rig.h"

static const char digest_text[] =
    "int digest(const uint8_t data[n], size_t n, out uint8_t md[cap], int cap, "
    "nullable out int *size, nullable const char *kind)";

static void test_fixed_parameters_are_not_sent(void **state)
{
    (void)state;
    struct rig rig;
    assert_int_equal(rig_method(&rig, digest_text,
                                (struct json_method_options){
                                    .fixed = "{\"cap\":32,\"size\":null,\"kind\":\"sha256\"}",
                                    .result = "md",
                                    .encoding = JSON_HEX}),
                     0);
    assert_int_equal(rig_send(&rig, "{\"data\":\"hello\"}"), 0);
    assert_int_equal(rig.call.args[2].i, 32);
    assert_int_equal(rig.call.args[3].kind, CORDON_VALUE_NULL);
    assert_memory_equal(rig_memory(&rig, 4), "sha256", 7);
    rig_expect(&rig, "\"0000000000000000000000000000000000000000000000000000000000000000\"");
    rig_refused(&rig, rig_send(&rig, "{\"data\":\"\",\"cap\":1}"), -EINVAL,
                "parameter 'cap' is not sent: it is fixed");
    assert_true(json_method_takes(&rig.method, "data"));
    assert_false(json_method_takes(&rig.method, "cap"));
    assert_false(json_method_takes(&rig.method, "md"));
    assert_false(json_method_takes(&rig.method, ""));
    rig_end(&rig);
}

static void test_methods_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *fixed;
        const char *result;
        const char *sentence;
    } wrong[] = {
        {"{\"x\":1}", NULL, "fixed 'x' is no parameter: digest takes data (bytes), cap (int)"},
        {"{\"n\":1}", NULL, "fixed 'n' is not sent: it follows from another one"},
        {"{\"md\":1}", NULL, "fixed 'md' only comes back: it can be null at most"},
        {"{\"md\":null}", NULL, "fixed 'md' only comes back"},
        {"{\"cap\":\"many\"}", NULL, "fixed 'cap': 'many' is no integer"},
        {"{\"kind\":7}", NULL, "fixed 'kind': a number given where bytes are wanted"},
        {"{\"cap\":1,\"cap\":2}", NULL, "fixed is to be an object of parameters"},
        {"[1]", NULL, "fixed is to be an object of parameters"},
        {"{", NULL, "fixed: a member of an object without a key at byte 1"},
        {NULL, "data", "result 'data' does not come back from digest; what does: return, md, size"},
        {"{\"size\":null}", "size", "result 'size' does not come back from digest"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rig rig;
        int r = rig_method(
            &rig, digest_text,
            (struct json_method_options){.fixed = wrong[i].fixed, .result = wrong[i].result});
        rig_refused(&rig, r, -EINVAL, wrong[i].sentence);
        rig_end(&rig);
    }
    struct rig rig;
    int r = rig_method(&rig, "void f(void)", (struct json_method_options){.result = "return"});
    rig_refused(&rig, r, -EINVAL, "result 'return' does not come back from f");
    rig_end(&rig);
    r = rig_method(&rig, "struct s { int x; }; int f(resident struct s *object)",
                   (struct json_method_options){0});
    rig_refused(&rig, r, -ENOTSUP, "parameter 'object' is a resident object");
    rig_end(&rig);
}

static void test_description_says_what_clients_send(void **state)
{
    (void)state;
    struct rig rig;
    assert_int_equal(rig_method(&rig, digest_text, (struct json_method_options){0}), 0);
    json_out_object(&rig.out);
    json_method_describe(&rig.method, &rig.out);
    json_out_object_end(&rig.out);
    assert_string_equal(
        json_out_text(&rig.out),
        "{\"parameters\":[{\"name\":\"data\",\"type\":\"bytes\",\"direction\":\"in\",\"optional\":"
        "false},{\"name\":\"cap\",\"type\":\"int\",\"direction\":\"in\",\"optional\":false},"
        "{\"name\":\"kind\",\"type\":\"string\",\"direction\":\"in\",\"optional\":true}],"
        "\"result\":[{\"name\":\"return\",\"type\":\"int\"},{\"name\":\"md\",\"type\":\"bytes\"},"
        "{\"name\":\"size\",\"type\":\"int\"}]}");
    rig_end(&rig);
}

static void test_fixed_memory_is_made_anew_for_each_call(void **state)
{
    (void)state;
    struct rig rig;
    assert_int_equal(rig_method(&rig, "void f(inout uint8_t b[4])",
                                (struct json_method_options){.fixed = "{\"b\":\"abcd\"}"}),
                     0);
    assert_int_equal(rig_send(&rig, "{}"), 0);
    memset(rig_memory(&rig, 0), 0, 4);
    assert_int_equal(rig_send(&rig, "{}"), 0);
    assert_memory_equal(rig_memory(&rig, 0), "abcd", 4);
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_parameters_are_not_sent),
        cmocka_unit_test(test_methods_that_cannot_be_are_refused),
        cmocka_unit_test(test_description_says_what_clients_send),
        cmocka_unit_test(test_fixed_memory_is_made_anew_for_each_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
