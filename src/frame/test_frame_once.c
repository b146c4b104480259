/* SPDX-License-Identifier: Apache-2.0 */
/* A reply is read once: see test_page.h. */
#include "frame/test_page.h"

#include <stdlib.h>
#include <string.h>

#if TEST_PAGE_WORKS

static void write_text(void *const *arguments, void *result)
{
    (void)result;
    memcpy(trip_pointer(arguments, 0), "text", 5);
}

static void test_output_string_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void name(out char s[cap], size_t cap)");
    char name[40];
    test_page_check_once(&trip, write_text, ARGS(cordon_out(name, 40), cordon_uint(40)),
                         RANGES({16, 40}));
    assert_string_equal(name, "text");
    trip_close(&trip);
}

static void test_changed_string_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void up(inout char *s)");
    char name[] = "a name that is longer than text";
    test_page_check_once(&trip, write_text, ARGS(cordon_string(name)), RANGES({16, sizeof name}));
    assert_string_equal(name, "text");
    trip_close(&trip);
}

static void test_arrays_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void f(out uint8_t a[n], size_t n, inout uint8_t b[24])");
    char a[40];
    char b[24] = "unchanged";
    test_page_check_once(&trip, write_text,
                         ARGS(cordon_out(a, 40), cordon_uint(40), cordon_out(b, 24)),
                         RANGES({16, 40}, {64, 24}));
    assert_string_equal(a, "text");
    assert_string_equal(b, "unchanged");
    trip_close(&trip);
}

static void write_counted(void *const *arguments, void *result)
{
    (void)result;
    memcpy(trip_pointer(arguments, 0), "text", 5);
    *(uint64_t *)trip_pointer(arguments, 1) = 5;
}

static void test_array_and_its_length_in_a_word_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void f(out uint8_t a[*n], inout size_t *n)");
    char a[40];
    uint64_t n = 40;
    test_page_check_once(&trip, write_counted, ARGS(cordon_out(a, 40), cordon_out(&n, 1)),
                         RANGES({16, 5}));
    assert_string_equal(a, "text");
    assert_int_equal(n, 5);
    trip_close(&trip);
}

struct cursor {
    char *at;
    size_t left;
    const char *label;
};

static void move_cursor(void *const *arguments, void *result)
{
    struct cursor *cursor = trip_pointer(arguments, 0);
    (void)result;
    cursor->at[0] = 'T';
    cursor->left = 3;
    cursor->label++;
}

static void test_structs_and_what_they_point_to_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "struct cursor { inout count(left) uint8_t *at; size_t left; const char *label; };"
               "void move(inout struct cursor *c)");
    char text[] = "text";
    struct cursor cursor = {text, 4, "label"};
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(&cursor, 1))));
    uint64_t place;
    memcpy(&place, trip.request + (trip.sent.words[0] & 0x7fffffff), 8);
    test_page_check_once(&trip, move_cursor, ARGS(cordon_out(&cursor, 1)),
                         RANGES({trip.sent.words[0] >> 32, sizeof cursor}, {place >> 32, 3}));
    assert_string_equal(text, "Text");
    assert_int_equal(cursor.left, 3);
    assert_string_equal(cursor.label, "abel");
    trip_close(&trip);
}

struct value {
    int64_t kind;
    union {
        int64_t i;
        const char *s;
    } u;
};

static void change_value(void *const *arguments, void *result)
{
    (void)result;
    *(struct value *)trip_pointer(arguments, 0) = (struct value){2, {.i = 42}};
}

static void test_unions_and_their_selectors_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "struct v { int64_t kind; union { case 1: const char *s; case 2: int64_t i; } u"
               " switch(kind); }; void f(inout struct v *v)");
    struct value value = {1, {.s = "text"}};
    test_page_check_once(&trip, change_value, ARGS(cordon_out(&value, 1)),
                         RANGES({16, sizeof value}));
    assert_int_equal(value.kind, 2);
    assert_int_equal(value.u.i, 42);
    trip_close(&trip);
}

static void give_text(void *const *arguments, void *result)
{
    (void)arguments;
    memcpy(result, &(const char *){"text"}, sizeof(char *));
}

static void test_given_string_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "const char *name(int x)");
    test_page_check_once(&trip, give_text, ARGS(cordon_int(1)), RANGES({trip.sent.reply_fixed, 4}));
    assert_string_equal(trip.result.value.memory, "text");
    trip_close(&trip);
}

static void give_text_out(void *const *arguments, void *result)
{
    (void)result;
    *(char **)trip_pointer(arguments, 0) = strdup("text");
}

static void test_string_given_through_a_parameter_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "void name(out owned(free) char **s)");
    void *s = NULL;
    test_page_check_once(&trip, give_text_out, ARGS(cordon_out(&s, 1)),
                         RANGES({trip.sent.reply_fixed, 4}));
    assert_string_equal(s, "text");
    free(s);
    trip_close(&trip);
}

static void give_point(void *const *arguments, void *result)
{
    (void)arguments;
    memcpy(result, (const double[]){1, 2, 3}, 3 * sizeof(double));
}

static void test_struct_by_value_is_read_once(void **state)
{
    (void)state;
    TRIP(trip, "struct p { double x; double y; double z; }; struct p f(int x)");
    test_page_check_once(&trip, give_point, ARGS(cordon_int(1)),
                         RANGES({trip.sent.reply_fixed, 24}));
    assert_true(((const double *)trip.result.value.memory)[2] == 3);
    trip_close(&trip);
}

static void give_labels(void *const *arguments, void *result)
{
    static const char *labels[] = {"first", "second"};
    (void)arguments;
    memcpy(result, &(const char **){labels}, sizeof(char **));
}

static void test_given_structs_and_their_strings_are_read_once(void **state)
{
    (void)state;
    TRIP(trip, "struct s { const char *label; }; count(2) const struct s *f(int x)");
    /* Where the parts lie is up to the answerer: sizes decide how often a copy faults, places do not. */
    test_page_check_once(&trip, give_labels, ARGS(cordon_int(1)),
                         RANGES({0, 16}, {16, 5}, {32, 6}));
    assert_string_equal(((const char *const *)trip.result.value.memory)[1], "second");
    trip_close(&trip);
}

/* The trap itself: what is read twice is counted twice. */
static void test_second_read_of_a_byte_is_one_more_fault(void **state)
{
    (void)state;
    volatile const uint8_t *byte = test_page() + 100;
    test_page_watch();
    assert_int_equal(*byte, 0);
    assert_int_equal(test_page_reads(), 1);
    assert_int_equal(*byte, 0);
    assert_int_equal(test_page_reads(), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_read_of_a_byte_is_one_more_fault),
        cmocka_unit_test(test_output_string_is_read_once),
        cmocka_unit_test(test_changed_string_is_read_once),
        cmocka_unit_test(test_arrays_are_read_once),
        cmocka_unit_test(test_array_and_its_length_in_a_word_are_read_once),
        cmocka_unit_test(test_structs_and_what_they_point_to_are_read_once),
        cmocka_unit_test(test_unions_and_their_selectors_are_read_once),
        cmocka_unit_test(test_given_string_is_read_once),
        cmocka_unit_test(test_string_given_through_a_parameter_is_read_once),
        cmocka_unit_test(test_struct_by_value_is_read_once),
        cmocka_unit_test(test_given_structs_and_their_strings_are_read_once),
    };
    return cmocka_run_group_tests(tests, test_page_open, test_page_close);
}

#endif
