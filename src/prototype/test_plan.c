/* SPDX-License-Identifier: Apache-2.0 */
/* Plans as bytes: what is in them, what plan_validate() refuses, what lengths come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "prototype/builder.h"
#include "prototype/plan.h"
#include "prototype/prototype.h"

static struct interface *parse(const char *text)
{
    struct interface *interface = NULL;
    struct message why = {{0}};
    if (interface_parse("prototype", text, strlen(text), &interface, &why) < 0) {
        fail_msg("%s", why.text);
    }
    return interface;
}

static const struct plan *plan_of(const struct interface *interface, size_t index)
{
    size_t bytes = 0;
    const void *raw = interface_plan(interface, index, &bytes);
    const struct plan *plan = NULL;
    struct message why = {{0}};
    if (plan_validate(raw, bytes, &plan, &why) < 0) {
        fail_msg("%s", why.text);
    }
    return plan;
}

static void test_words_are_numbered_in_order(void **state)
{
    (void)state;
    struct interface *interface =
        parse("int f(int a, out int *b, const char *s, inout size_t *n, out owned(free) char **t)");
    const struct plan *plan = plan_of(interface, 0);
    const struct cordon_plan_function *function = plan_function(plan, 0);
    static const struct {
        uint16_t in, out;
    } expected[] = {{0, CORDON_PLAN_NO_WORD},
                    {CORDON_PLAN_NO_WORD, 1},
                    {1, CORDON_PLAN_NO_WORD},
                    {2, 2},
                    {CORDON_PLAN_NO_WORD, 3}};
    assert_int_equal(function->result.out_word, 0);
    assert_int_equal(function->in_words, 3);
    assert_int_equal(function->out_words, 4);
    for (uint32_t i = 0; i < 5; i++) {
        const struct cordon_plan_param *param = plan_function_param(plan, function, i);
        assert_int_equal(param->in_word, expected[i].in);
        assert_int_equal(param->out_word, expected[i].out);
        assert_int_equal(param->position, i);
    }
    interface_free(interface);
}

static uint32_t flags_of(const char *text)
{
    struct interface *interface = parse(text);
    uint32_t flags = plan_function(plan_of(interface, 0), 0)->flags;
    interface_free(interface);
    return flags;
}

static void test_six_words_fit_the_mailbox_and_seven_do_not(void **state)
{
    (void)state;
    assert_int_equal(flags_of("int add(int, int)"), CORDON_PLAN_MAILBOX);
    assert_int_equal(flags_of("int f(int, int, int, int, int, int)"), CORDON_PLAN_MAILBOX);
    assert_int_equal(flags_of("int f(int, int, int, int, int, int, int)"), 0);
    assert_int_equal(flags_of("stateless int f(const char *s)"), CORDON_PLAN_STATELESS);
    assert_int_equal(flags_of("int f(int, ...)"), CORDON_PLAN_VARIADIC);
}

static void test_names_symbols_and_comments_are_kept(void **state)
{
    (void)state;
    struct interface *interface = parse("library \"libx.so.1\";\n"
                                        "/*\n * First line.\n *\n * Second line.\n */\n"
                                        "symbol(\"f_v2\") int f(void);\n"
                                        "// One.\n// Two.\nint g(void);\nint h(void)");
    size_t index = 0;
    const struct plan *f = plan_of(interface, 0);
    assert_string_equal(interface_library(interface), "libx.so.1");
    assert_string_equal(plan_name(f, plan_function(f, 0)->name), "f");
    assert_string_equal(plan_name(f, plan_function(f, 0)->symbol), "f_v2");
    assert_string_equal(plan_name(f, plan_function(f, 0)->comment), "First line.\nSecond line.");
    assert_int_equal(interface_find(interface, "g", &index), 0);
    const struct plan *g = plan_of(interface, index);
    assert_string_equal(plan_name(g, plan_function(g, 0)->comment), "One.\nTwo.");
    assert_int_equal(interface_find(interface, "h", &index), 0);
    const struct plan *h = plan_of(interface, index);
    assert_int_equal(plan_function(h, 0)->comment, 0);
    assert_int_equal(interface_find(interface, "missing", &index), -ENOENT);
    assert_int_equal(interface_find(interface, NULL, &index), -ENOENT);
    interface_free(interface);
}

static void test_named_types_have_plans_of_their_own(void **state)
{
    (void)state;
    struct interface *interface =
        parse("typedef struct z { char a; void *b; uint16_t c[3]; double d; } z_stream;");
    static const uint32_t offsets[] = {0, 8, 16, 24};
    static const char *const names[] = {"struct z", "z_stream"};
    for (size_t n = 0; n < 2; n++) {
        const void *raw = NULL;
        size_t bytes = 0;
        const struct plan *plan = NULL;
        assert_int_equal(interface_type_plan(interface, names[n], &raw, &bytes), 0);
        assert_int_equal(plan_validate(raw, bytes, &plan, NULL), 0);
        const struct cordon_plan_type *type = plan_type(plan, plan_header(plan)->root_type);
        assert_int_equal(type->kind, CORDON_PLAN_STRUCT);
        assert_int_equal(type->size, 32);
        assert_int_equal(type->align, 8);
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(plan_field(plan, type->first + i)->offset, offsets[i]);
        }
    }
    const void *raw = NULL;
    size_t bytes = 0;
    assert_int_equal(interface_type_plan(interface, "struct y", &raw, &bytes), -ENOENT);
    interface_free(interface);
}

struct numbers {
    int64_t params[4];
    int64_t derefs[4];
    int64_t result;
};

static int on_param(void *context, uint32_t index, int64_t *ret_value)
{
    *ret_value = ((const struct numbers *)context)->params[index];
    return 0;
}

static int on_deref(void *context, uint32_t index, int64_t *ret_value)
{
    *ret_value = ((const struct numbers *)context)->derefs[index];
    return 0;
}

static int on_result(void *context, int64_t *ret_value)
{
    *ret_value = ((const struct numbers *)context)->result;
    return 0;
}

static int on_call(void *context, const char *function, const int64_t *args, uint32_t count,
                   int64_t *ret_value)
{
    (void)context;
    assert_string_equal(function, "bytes_of");
    assert_int_equal(count, 2);
    *ret_value = args[0] * 100 + args[1];
    return 0;
}

static struct plan_scope scope_of(struct numbers *numbers)
{
    return (struct plan_scope){.context = numbers,
                               .param = on_param,
                               .deref = on_deref,
                               .result = on_result,
                               .call = on_call};
}

/* Length of the last parameter `b` of a function with the integers x and y and *z. */
static int evaluate(const char *length, struct numbers numbers, uint64_t *ret_value)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "enum { TWO = 2 }; int f(int x, int y, inout long *z, const uint8_t b[%s])",
                   length);
    struct interface *interface = parse(text);
    const struct plan *plan = plan_of(interface, 0);
    const struct cordon_plan_param *param = plan_function_param(plan, plan_function(plan, 0), 3);
    struct plan_scope scope = scope_of(&numbers);
    int r = plan_evaluate(plan, plan_type(plan, param->type)->code, &scope, ret_value);
    interface_free(interface);
    return r;
}

static void test_lengths_follow_the_rules_of_c(void **state)
{
    (void)state;
    static const struct {
        const char *length;
        uint64_t value;
    } cases[] = {
        {"32", 32},
        {"0x20", 32},
        {"040u", 32},
        {"'a'", 97},
        {"'\\n'", 10},
        {"x", 7},
        {"x * y + 1", 22},
        {"1 + x * y", 22},
        {"(1 + x) * y", 24},
        {"x - y - 1", 3},
        {"x / y", 2},
        {"x % y", 1},
        {"x << y", 56},
        {"x >> 1", 3},
        {"-y + x", 4},
        {"*z", 11},
        {"*z * sizeof(int)", 44},
        {"sizeof(struct s *) * TWO", 16},
        {"sizeof(long[4])", 32},
        {"TWO", 2},
        {"1 << 2 + 1", 8},
    };
    struct numbers numbers = {.params = {7, 3}, .derefs = {0, 0, 11}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 0;
        assert_int_equal(evaluate(cases[i].length, numbers, &value), 0);
        assert_int_equal(value, cases[i].value);
    }
}

static void test_lengths_are_evaluated_checked(void **state)
{
    (void)state;
    uint64_t value = 99;
    struct numbers numbers = {.params = {INT32_MAX, 0}, .derefs = {0, 0, INT64_MAX}};
    assert_int_equal(evaluate("x / y", numbers, &value), -EDOM);
    assert_int_equal(evaluate("x % y", numbers, &value), -EDOM);
    assert_int_equal(evaluate("y - 1", numbers, &value), -ERANGE);
    assert_int_equal(evaluate("*z + 1", numbers, &value), -EOVERFLOW);
    assert_int_equal(evaluate("*z * 2", numbers, &value), -EOVERFLOW);
    assert_int_equal(evaluate("x << 40", numbers, &value), -EOVERFLOW);
    assert_int_equal(evaluate("1 << x", numbers, &value), -EOVERFLOW);
    assert_int_equal(value, 99);
}

static void test_what_a_scope_cannot_tell_is_no_data(void **state)
{
    (void)state;
    struct interface *interface = parse("int f(const uint8_t b[2 * n], int n)");
    const struct plan *plan = plan_of(interface, 0);
    uint32_t code = plan_type(plan, plan_param(plan, 0)->type)->code;
    struct plan_scope scope = {0};
    uint64_t value = 0;
    assert_int_equal(plan_evaluate(plan, code, &scope, &value), -ENODATA);
    interface_free(interface);
}

static void test_a_length_can_be_another_functions_result(void **state)
{
    (void)state;
    struct interface *interface =
        parse("count(bytes_of(s, col) + 1) const void *blob(stmt *s, int col)");
    const struct plan *plan = plan_of(interface, 0);
    struct numbers numbers = {.params = {5, 6}};
    struct plan_scope scope = scope_of(&numbers);
    uint64_t value = 0;
    uint32_t code = plan_type(plan, plan_function(plan, 0)->result.type)->code;
    assert_int_equal(plan_evaluate(plan, code, &scope, &value), 0);
    assert_int_equal(value, 507);
    interface_free(interface);
}

static void test_capacity_and_length_are_two_codes(void **state)
{
    (void)state;
    struct interface *interface =
        parse("ssize_t read(int fd, out uint8_t b[n : result], size_t n)");
    const struct plan *plan = plan_of(interface, 0);
    const struct cordon_plan_type *type = plan_type(plan, plan_param(plan, 1)->type);
    struct numbers numbers = {.params = {0, 0, 512}, .result = 17};
    struct plan_scope scope = scope_of(&numbers);
    uint64_t value = 0;
    assert_int_equal(plan_evaluate(plan, type->code, &scope, &value), 0);
    assert_int_equal(value, 512);
    assert_int_equal(plan_evaluate(plan, type->length_code, &scope, &value), 0);
    assert_int_equal(value, 17);
    interface_free(interface);
}

/* A copy of a plan to damage: 8-aligned, with its hash made right again. */
static unsigned char *copy_plan(const char *text, size_t *ret_bytes)
{
    struct interface *interface = parse(text);
    const void *raw = interface_plan(interface, 0, ret_bytes);
    unsigned char *copy = malloc(*ret_bytes);
    assert_non_null(copy);
    memcpy(copy, raw, *ret_bytes);
    interface_free(interface);
    return copy;
}

static void repair_hash(unsigned char *bytes, size_t length)
{
    struct cordon_plan_header *header = (struct cordon_plan_header *)(void *)bytes;
    header->layout_hash = 0;
    header->layout_hash = fnv64(FNV64_START, bytes, length);
}

static const char rich[] =
    "enum e { A, B }; struct p { enum e e; const char *name; const int v[n]; int n; };"
    "count(f_bytes(h, *len)) const void *f(handle *h, inout size_t *len, const uint8_t in[n], int "
    "n, "
    "out char text[*len], const struct p *p, int (*cb)(const void a[n], void *context) fails(1), "
    "nullable out within(in) char **where, ...)";

static void test_the_header_is_judged(void **state)
{
    (void)state;
    size_t length = 0;
    unsigned char *bytes = copy_plan(rich, &length);
    struct cordon_plan_header *header = (struct cordon_plan_header *)(void *)bytes;
    const struct plan *plan = NULL;
    struct message why;
    assert_int_equal(plan_validate(bytes, length, &plan, &why), 0);
    assert_int_equal(plan_validate(bytes, length - 8, &plan, &why), -EBADMSG);
    assert_int_equal(plan_validate(bytes, sizeof *header - 1, &plan, &why), -EBADMSG);
    bytes[length - 1] ^= 1;
    assert_int_equal(plan_validate(bytes, length, &plan, &why), -EBADMSG);
    assert_string_equal(why.text, "this plan is damaged: its hash is wrong");
    header->version = 2;
    assert_int_equal(plan_validate(bytes, length, &plan, &why), -ENOTSUP);
    header->version = CORDON_PLAN_VERSION;
    header->abi = 99;
    assert_int_equal(plan_validate(bytes, length, &plan, &why), -ENOTSUP);
    header->magic = 0;
    assert_int_equal(plan_validate(bytes, length, &plan, &why), -EBADMSG);
    free(bytes);
}

static int validate_damaged(unsigned char *bytes, size_t length)
{
    const struct plan *plan = NULL;
    struct message why;
    repair_hash(bytes, length);
    return plan_validate(bytes, length, &plan, &why);
}

/* Each word of the tables, set to values that no index, offset or count may have. */
static void test_no_index_that_lies_outside_is_accepted(void **state)
{
    (void)state;
    size_t length = 0;
    unsigned char *bytes = copy_plan(rich, &length);
    const struct cordon_plan_header *header = (const struct cordon_plan_header *)(void *)bytes;
    struct cordon_plan_type *types = (struct cordon_plan_type *)(void *)(bytes + header->types_at);
    struct cordon_plan_field *fields =
        (struct cordon_plan_field *)(void *)(bytes + header->fields_at);
    struct cordon_plan_function *functions =
        (struct cordon_plan_function *)(void *)(bytes + header->functions_at);
    struct cordon_plan_param *params =
        (struct cordon_plan_param *)(void *)(bytes + header->params_at);
    uint32_t *words[] = {
        &types[header->type_count - 1].name,
        &types[header->type_count - 1].size,
        &fields[1].type,
        &fields[1].offset,
        &fields[1].name,
        &functions[0].name,
        &functions[0].symbol,
        &functions[0].first_param,
        &functions[0].comment,
        &functions[0].param_count,
        &functions[1].outer,
        &functions[1].reserved,
        &functions[0].result.type,
        &params[2].type,
        &params[2].name,
        &params[3].filled_by,
        &params[3].flags,
        &functions[0].passed_count,
    };
    assert_int_equal(validate_damaged(bytes, length), 0);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        uint32_t kept = *words[i];
        *words[i] = 0x7ffffff0;
        assert_int_equal(validate_damaged(bytes, length), -EBADMSG);
        *words[i] = kept;
    }
    for (uint32_t i = 0; i < header->type_count; i++) {
        if (types[i].target != CORDON_PLAN_NONE && types[i].kind != CORDON_PLAN_CALLBACK) {
            uint32_t kept = types[i].target;
            types[i].target = i; /* itself */
            assert_int_equal(validate_damaged(bytes, length), -EBADMSG);
            types[i].target = kept;
        }
        if (types[i].code != CORDON_PLAN_NONE) {
            uint32_t kept = types[i].code;
            types[i].code = header->code_bytes;
            assert_int_equal(validate_damaged(bytes, length), -EBADMSG);
            types[i].code = kept;
        }
    }
    assert_int_equal(validate_damaged(bytes, length), 0);
    free(bytes);
}

static void test_code_that_breaks_its_stack_is_refused(void **state)
{
    (void)state;
    static const unsigned char codes[][12] = {
        {CORDON_PLAN_OP_END},
        {CORDON_PLAN_OP_ADD, CORDON_PLAN_OP_END},
        {CORDON_PLAN_OP_PARAM, 1, 0, CORDON_PLAN_OP_PARAM, 1, 0, CORDON_PLAN_OP_END},
        {CORDON_PLAN_OP_PARAM, 0, 0, CORDON_PLAN_OP_END},  /* an array, not an integer */
        {CORDON_PLAN_OP_PARAM, 64, 0, CORDON_PLAN_OP_END}, /* beyond all parameters */
        {CORDON_PLAN_OP_DEREF, 1, 0, CORDON_PLAN_OP_END},
        {CORDON_PLAN_OP_FIELD, 0, 0, CORDON_PLAN_OP_END},
        {CORDON_PLAN_OP_OUTER, 0, 0, CORDON_PLAN_OP_END},
        {CORDON_PLAN_OP_COUNT},
    };
    size_t length = 0;
    unsigned char *bytes = copy_plan("void f(const int v[n + 1], int n)", &length);
    const struct cordon_plan_header *header = (const struct cordon_plan_header *)(void *)bytes;
    assert_true(header->code_bytes >= sizeof codes[0]);
    assert_int_equal(validate_damaged(bytes, length), 0);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        memcpy(bytes + header->code_at, codes[i], sizeof codes[i]);
        assert_int_equal(validate_damaged(bytes, length), -EBADMSG);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_numbered_in_order),
        cmocka_unit_test(test_six_words_fit_the_mailbox_and_seven_do_not),
        cmocka_unit_test(test_names_symbols_and_comments_are_kept),
        cmocka_unit_test(test_named_types_have_plans_of_their_own),
        cmocka_unit_test(test_lengths_follow_the_rules_of_c),
        cmocka_unit_test(test_lengths_are_evaluated_checked),
        cmocka_unit_test(test_what_a_scope_cannot_tell_is_no_data),
        cmocka_unit_test(test_a_length_can_be_another_functions_result),
        cmocka_unit_test(test_capacity_and_length_are_two_codes),
        cmocka_unit_test(test_the_header_is_judged),
        cmocka_unit_test(test_no_index_that_lies_outside_is_accepted),
        cmocka_unit_test(test_code_that_breaks_its_stack_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
