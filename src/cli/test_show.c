/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/declaration.h"

/* A call that is made by hand: arguments, then what the function did. */
struct fixture {
    struct declaration declaration;
    struct arguments arguments;
    struct message why;
    struct cordon_value result;
    struct json_out out;
    struct show show;
};

static void begin(struct fixture *fixture, const char *prototype, const char *const *texts)
{
    size_t count = 0;
    while (texts[count]) {
        count++;
    }
    memset(fixture, 0, sizeof *fixture);
    if (declaration_load(prototype, NULL, &fixture->declaration, &fixture->why) != 0) {
        fail_msg("%s", fixture->why.text);
    }
    arguments_init(&fixture->arguments, fixture->declaration.plan, 1 << 20, &fixture->why);
    if (arguments_parse(&fixture->arguments, (char *const *)(uintptr_t)texts, count) != 0) {
        fail_msg("%s", fixture->why.text);
    }
    show_init(&fixture->show, &fixture->arguments, &fixture->result, &fixture->out);
}

#define BEGIN(fixture, prototype, ...)                                                             \
    begin(fixture, prototype, (const char *const[]){__VA_ARGS__, NULL})

static void expect(struct fixture *fixture, const char *json)
{
    assert_string_equal(json_out_text(&fixture->out), json);
    json_out_deinit(&fixture->out);
}

static void end(struct fixture *fixture)
{
    arguments_deinit(&fixture->arguments);
    declaration_deinit(&fixture->declaration);
}

static void *memory_of(const struct fixture *fixture, size_t position)
{
    return fixture->arguments.values[position].memory;
}

static void test_output_ends_at_the_length_that_came_back(void **state)
{
    (void)state;
    struct fixture fixture;
    BEGIN(&fixture, "int f(out uint8_t d[*n], inout size_t *n)", "10");
    memcpy(memory_of(&fixture, 0), "abcdef", 6);
    *(size_t *)memory_of(&fixture, 1) = 3;
    show_output(&fixture.show, 0);
    expect(&fixture, "{\"base64\":\"YWJj\"}");
    show_output(&fixture.show, 1);
    expect(&fixture, "3");
    end(&fixture);
}

static void test_length_beyond_the_capacity_is_shown_and_the_bytes_are_cut(void **state)
{
    (void)state;
    struct fixture fixture;
    BEGIN(&fixture, "int f(out uint8_t d[*n], inout size_t *n)", "3");
    memcpy(memory_of(&fixture, 0), "abc", 3);
    *(size_t *)memory_of(&fixture, 1) = SIZE_MAX / 4;
    show_output(&fixture.show, 0);
    expect(&fixture, "{\"base64\":\"YWJj\"}");
    show_output(&fixture.show, 1);
    expect(&fixture, "4611686018427387903");
    end(&fixture);
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
    struct fixture fixture;
    BEGIN(&fixture,
          "enum colour { RED, GREEN }; struct item { char name[8]; enum colour c; float weight; "
          "uint8_t raw[2]; }; void f(out struct item *i)",
          NULL);
    struct item *item = memory_of(&fixture, 0);
    *item = (struct item){"box", 1, 0.5f, {1, 2}};
    show_output(&fixture.show, 0);
    expect(&fixture,
           "{\"name\":\"box\",\"c\":\"GREEN\",\"weight\":0.5,\"raw\":{\"base64\":\"AQI=\"}}");
    item->colour = 9;
    show_output(&fixture.show, 0);
    assert_non_null(strstr(json_out_text(&fixture.out), "\"c\":9"));
    json_out_deinit(&fixture.out);
    end(&fixture);
}

static void test_results_are_exact(void **state)
{
    (void)state;
    struct fixture fixture;
    BEGIN(&fixture, "uint64_t f(void)", NULL);
    fixture.result = cordon_uint(UINT64_MAX);
    show_return(&fixture.show, NULL);
    expect(&fixture, "18446744073709551615");
    end(&fixture);
    BEGIN(&fixture, "float f(void)", NULL);
    fixture.result = cordon_float((double)0.1f);
    show_return(&fixture.show, NULL);
    expect(&fixture, "0.1");
    end(&fixture);
    BEGIN(&fixture, "const char *f(void)", NULL);
    fixture.result = cordon_string("1.2.13");
    show_return(&fixture.show, NULL);
    expect(&fixture, "\"1.2.13\"");
    fixture.result = cordon_null();
    show_return(&fixture.show, NULL);
    expect(&fixture, "null");
    end(&fixture);
}

static void test_handles_name_their_type(void **state)
{
    (void)state;
    struct fixture fixture;
    BEGIN(&fixture, "struct db; int db_open(const char *name, out struct db **db)", ":memory:");
    struct cordon_handle handle = {.worker = 3, .generation = 2, .index = 1};
    memcpy(memory_of(&fixture, 1), &handle, sizeof handle);
    show_output(&fixture.show, 1);
    assert_non_null(strstr(json_out_text(&fixture.out), "{\"handle\":\""));
    assert_non_null(strstr(json_out_text(&fixture.out), "db:3.2.1\"}"));
    json_out_deinit(&fixture.out);
    memset(memory_of(&fixture, 1), 0, sizeof handle);
    show_output(&fixture.show, 1);
    expect(&fixture, "null");
    end(&fixture);
}

static void test_pointers_to_foreign_memory_are_not_followed(void **state)
{
    (void)state;
    struct node {
        const char *text;
    };
    struct fixture fixture;
    BEGIN(&fixture, "struct node { const char *text; }; void f(inout struct node *n)",
          "{\"text\":\"mine\"}");
    show_output(&fixture.show, 0);
    expect(&fixture, "{\"text\":\"mine\"}");
    struct node *node = memory_of(&fixture, 0);
    node->text = (const char *)(uintptr_t)0x1234;
    show_output(&fixture.show, 0);
    expect(&fixture, "{\"text\":null}");
    end(&fixture);
}

static void test_outputs_inside_of_inputs_are_shown(void **state)
{
    (void)state;
    struct vector {
        uint8_t *base;
        size_t length;
    };
    struct fixture fixture;
    BEGIN(&fixture,
          "struct v { out void base[len]; size_t len; }; "
          "long readv(int fd, const struct v v[n], int n)",
          "0", "[{\"len\":3},{\"len\":1}]");
    assert_true(show_is_output(fixture.declaration.plan, 1));
    assert_false(show_is_output(fixture.declaration.plan, 0));
    const struct vector *vectors = memory_of(&fixture, 1);
    memcpy(vectors[0].base, "abc", 3);
    show_output(&fixture.show, 1);
    expect(&fixture, "[{\"base\":{\"base64\":\"YWJj\"},\"len\":3},"
                     "{\"base\":{\"base64\":\"AA==\"},\"len\":1}]");
    end(&fixture);
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
