/* SPDX-License-Identifier: Apache-2.0 */
#include "json/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json/test_rig.h"

/* A call that is made by hand: parameters, then what the function did. */
static void begin(struct rig *rig, struct show *show, const char *prototype, const char *json)
{
    rig_call(rig, prototype, json);
    show_init(show, &rig->call.values, &rig->result.value, &rig->out);
}

static void expect(struct rig *rig, const char *json)
{
    assert_string_equal(json_out_text(&rig->out), json);
    json_out_deinit(&rig->out);
}

static void test_output_ends_at_the_length_that_came_back(void **state)
{
    (void)state;
    struct rig rig;
    struct show show;
    begin(&rig, &show, "int f(out uint8_t d[*n], inout size_t *n)", "[10]");
    memcpy(rig_memory(&rig, 0), "abcdef", 6);
    *(size_t *)rig_memory(&rig, 1) = 3;
    show_output(&show, 0);
    expect(&rig, "{\"base64\":\"YWJj\"}");
    show_output(&show, 1);
    expect(&rig, "3");
    rig_end(&rig);
}

static void test_length_beyond_the_capacity_is_shown_and_the_bytes_are_cut(void **state)
{
    (void)state;
    struct rig rig;
    struct show show;
    begin(&rig, &show, "int f(out uint8_t d[*n], inout size_t *n)", "[3]");
    memcpy(rig_memory(&rig, 0), "abc", 3);
    *(size_t *)rig_memory(&rig, 1) = SIZE_MAX / 4;
    show_output(&show, 0);
    expect(&rig, "{\"base64\":\"YWJj\"}");
    show_output(&show, 1);
    expect(&rig, "4611686018427387903");
    rig_end(&rig);
}

static void test_structs_are_shown_by_member_and_enums_by_name(void **state)
{
    (void)state;
    struct item {
        char name[8];
        int colour;
        float weight;
        uint8_t raw[2];
    };
    struct rig rig;
    struct show show;
    begin(&rig, &show,
          "enum colour { RED, GREEN }; struct item { char name[8]; enum colour c; float weight; "
          "uint8_t raw[2]; }; void f(out struct item *i)",
          "[]");
    struct item *item = rig_memory(&rig, 0);
    *item = (struct item){"box", 1, 0.5f, {1, 2}};
    show_output(&show, 0);
    expect(&rig, "{\"name\":\"box\",\"c\":\"GREEN\",\"weight\":0.5,\"raw\":{\"base64\":\"AQI=\"}}");
    item->colour = 9;
    show_output(&show, 0);
    assert_non_null(strstr(json_out_text(&rig.out), "\"c\":9"));
    json_out_deinit(&rig.out);
    rig_end(&rig);
}

static void test_results_are_exact(void **state)
{
    (void)state;
    struct rig rig;
    struct show show;
    begin(&rig, &show, "uint64_t f(void)", "[]");
    rig.result.value = cordon_uint(UINT64_MAX);
    show_return(&show, NULL);
    expect(&rig, "18446744073709551615");
    rig_end(&rig);
    begin(&rig, &show, "float f(void)", "[]");
    rig.result.value = cordon_float((double)0.1f);
    show_return(&show, NULL);
    expect(&rig, "0.1");
    rig_end(&rig);
    begin(&rig, &show, "const char *f(void)", "[]");
    rig.result.value = cordon_string("1.2.13");
    show_return(&show, NULL);
    expect(&rig, "\"1.2.13\"");
    rig.result.value = cordon_null();
    show_return(&show, NULL);
    expect(&rig, "null");
    rig_end(&rig);
}

static void test_handles_name_their_type(void **state)
{
    (void)state;
    struct rig rig;
    struct show show;
    begin(&rig, &show, "struct db; int db_open(const char *name, out struct db **db)",
          "[\":memory:\"]");
    struct cordon_handle handle = {.worker = 3, .generation = 2, .index = 1};
    memcpy(rig_memory(&rig, 1), &handle, sizeof handle);
    show_output(&show, 1);
    assert_non_null(strstr(json_out_text(&rig.out), "{\"handle\":\""));
    assert_non_null(strstr(json_out_text(&rig.out), "db:3.2.1\"}"));
    json_out_deinit(&rig.out);
    memset(rig_memory(&rig, 1), 0, sizeof handle);
    show_output(&show, 1);
    expect(&rig, "null");
    rig_end(&rig);
}

static void test_pointers_to_foreign_memory_are_not_followed(void **state)
{
    (void)state;
    struct node {
        const char *text;
    };
    struct rig rig;
    struct show show;
    begin(&rig, &show, "struct node { const char *text; }; void f(inout struct node *n)",
          "[{\"text\":\"mine\"}]");
    show_output(&show, 0);
    expect(&rig, "{\"text\":\"mine\"}");
    struct node *node = rig_memory(&rig, 0);
    node->text = (const char *)(uintptr_t)0x1234;
    show_output(&show, 0);
    expect(&rig, "{\"text\":null}");
    rig_end(&rig);
}

static void test_outputs_inside_of_inputs_are_shown(void **state)
{
    (void)state;
    struct vector {
        uint8_t *base;
        size_t length;
    };
    struct rig rig;
    struct show show;
    begin(&rig, &show,
          "struct v { out void base[len]; size_t len; }; "
          "long readv(int fd, const struct v v[n], int n)",
          "[0,[{\"len\":3},{\"len\":1}]]");
    assert_true(show_is_output(rig.method.plan, 1));
    assert_false(show_is_output(rig.method.plan, 0));
    const struct vector *vectors = rig_memory(&rig, 1);
    memcpy(vectors[0].base, "abc", 3);
    show_output(&show, 1);
    expect(&rig, "[{\"base\":{\"base64\":\"YWJj\"},\"len\":3},"
                 "{\"base\":{\"base64\":\"AA==\"},\"len\":1}]");
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_ends_at_the_length_that_came_back),
        cmocka_unit_test(test_length_beyond_the_capacity_is_shown_and_the_bytes_are_cut),
        cmocka_unit_test(test_structs_are_shown_by_member_and_enums_by_name),
        cmocka_unit_test(test_results_are_exact),
        cmocka_unit_test(test_handles_name_their_type),
        cmocka_unit_test(test_outputs_inside_of_inputs_are_shown),
        cmocka_unit_test(test_pointers_to_foreign_memory_are_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
