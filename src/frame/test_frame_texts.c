/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/test_trip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void string_length(void *const *arguments, void *result)
{
    const char *string = trip_pointer(arguments, 0);
    memcpy(result, &(uint64_t){string ? strlen(string) : 99}, 8);
}

static void test_strings_pass(void **state)
{
    (void)state;
    TRIP(trip, "size_t strlen(const char *s)");
    MUST(trip, trip_call(&trip, string_length, ARGS(cordon_string("hello"))));
    assert_int_equal(trip.result.value.u, 5);
    MUST(trip, trip_call(&trip, string_length, ARGS(cordon_string(""))));
    assert_int_equal(trip.result.value.u, 0);
    assert_int_equal(trip_call(&trip, string_length, ARGS(cordon_in("a\0b", 3))), -EINVAL);
    assert_int_equal(trip_call(&trip, string_length, ARGS(cordon_null())), -EINVAL);
    trip_close(&trip);
    TRIP(nullable, "size_t strlen(nullable const char *s)");
    MUST(nullable, trip_call(&nullable, string_length, ARGS(cordon_string(NULL))));
    assert_int_equal(nullable.result.value.u, 99);
    trip_close(&nullable);
}

static void write_name(void *const *arguments, void *result)
{
    char *name = trip_pointer(arguments, 0);
    assert_int_equal(name[0], '\0');
    memcpy(name, "worker", 7);
    (void)result;
}

static void test_output_string_comes_back_to_its_end(void **state)
{
    (void)state;
    TRIP(trip, "void name(out char s[cap], size_t cap)");
    char name[12];
    memset(name, 'x', sizeof name);
    MUST(trip, trip_call(&trip, write_name, ARGS(cordon_out(name, 10), cordon_uint(10))));
    assert_memory_equal(name, "worker\0xxxxx", 12);
    trip_close(&trip);
}

static void cut(void *const *arguments, void *result)
{
    char *string = trip_pointer(arguments, 0);
    char *comma = strchr(string, ',');
    if (comma) {
        *comma = '\0';
    }
    char *rest = comma ? comma + 1 : NULL;
    memcpy(result, &rest, sizeof rest);
}

static void test_inout_string_and_pointer_within_it(void **state)
{
    (void)state;
    TRIP(trip, "within(s) char *cut(inout char *s)");
    char text[] = "one,two";
    MUST(trip, trip_call(&trip, cut, ARGS(cordon_string(text))));
    assert_memory_equal(text, "one\0two", 8);
    assert_int_equal(trip.result.value.kind, CORDON_VALUE_UINT);
    assert_int_equal(trip.result.value.u, 4);
    char plain[] = "none";
    MUST(trip, trip_call(&trip, cut, ARGS(cordon_string(plain))));
    assert_int_equal(trip.result.value.kind, CORDON_VALUE_NULL);
    trip_close(&trip);
}

static void parse_number(void *const *arguments, void *result)
{
    char **end = trip_pointer(arguments, 1);
    long value = strtol(trip_pointer(arguments, 0), end, *(int32_t *)arguments[2]);
    memcpy(result, &value, sizeof value);
}

static void test_output_pointer_within_an_argument_is_an_offset(void **state)
{
    (void)state;
    TRIP(trip, "long strtol(const char *s, out within(s) char **end, int base)");
    uint64_t end = 0;
    MUST(trip, trip_call(&trip, parse_number,
                         ARGS(cordon_string("123 apples"), cordon_out(&end, 1), cordon_int(10))));
    assert_int_equal(trip.result.value.i, 123);
    assert_int_equal(end, 3);
    trip.reply_words[1] = 13; /* beyond the string's NUL */
    assert_int_equal(
        trip_decode(&trip, ARGS(cordon_string("123 apples"), cordon_out(&end, 1), cordon_int(10))),
        -EBADMSG);
    trip_close(&trip);
}

static void version(void *const *arguments, void *result)
{
    static const char text[] = "1.2.13";
    const char *pointer = *(int32_t *)arguments[0] ? text : NULL;
    memcpy(result, &pointer, sizeof pointer);
}

static void test_returned_string_is_copied(void **state)
{
    (void)state;
    TRIP(trip, "nullable const char *version(int known)");
    MUST(trip, trip_call(&trip, version, ARGS(cordon_int(1))));
    assert_string_equal(trip.result.value.memory, "1.2.13");
    assert_int_equal(trip.result.value.count, 6);
    MUST(trip, trip_call(&trip, version, ARGS(cordon_int(0))));
    assert_int_equal(trip.result.value.kind, CORDON_VALUE_NULL);
    trip_close(&trip);
}

static void give(void *const *arguments, void *result)
{
    char **message = trip_pointer(arguments, 0);
    *message = strdup("no such table");
    memcpy(result, &(int64_t){1}, 8);
}

static void test_owned_output_is_copied_and_freed(void **state)
{
    (void)state;
    TRIP(trip, "int give(out owned(free) char **message)");
    void *message = NULL;
    MUST(trip, trip_call(&trip, give, ARGS(cordon_out(&message, 1))));
    assert_string_equal(message, "no such table");
    assert_int_equal(trip.freed, 1);
    free(message);
    trip_close(&trip);
}

static void grow_line(void *const *arguments, void *result)
{
    char **line = trip_pointer(arguments, 0);
    size_t length = *line ? strlen(*line) : 0;
    char *grown = realloc(*line, length + 2);
    assert_non_null(grown);
    memcpy(grown + length, "+", 2);
    *line = grown;
    memcpy(result, &(int64_t){(int64_t)length + 1}, 8);
}

static void test_inout_owned_memory_may_be_reallocated(void **state)
{
    (void)state;
    TRIP(trip, "ssize_t grow(inout owned(free) char **line)");
    char first[] = "line";
    void *line = first;
    MUST(trip, trip_call(&trip, grow_line, ARGS(cordon_out(&line, 1))));
    assert_string_equal(line, "line+");
    assert_ptr_not_equal(line, first);
    free(line);
    line = NULL;
    MUST(trip, trip_call(&trip, grow_line, ARGS(cordon_out(&line, 1))));
    assert_string_equal(line, "+");
    free(line);
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(&(void *){first}, 1))));
    MUST(trip, trip_accept(&trip)); /* never answered: freed with the call */
    trip_close(&trip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_pass),
        cmocka_unit_test(test_output_string_comes_back_to_its_end),
        cmocka_unit_test(test_inout_string_and_pointer_within_it),
        cmocka_unit_test(test_output_pointer_within_an_argument_is_an_offset),
        cmocka_unit_test(test_returned_string_is_copied),
        cmocka_unit_test(test_owned_output_is_copied_and_freed),
        cmocka_unit_test(test_inout_owned_memory_may_be_reallocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
