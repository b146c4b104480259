/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/test_trip.h"

#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS(...)                                                                                  \
    (const struct cordon_value[]){__VA_ARGS__},                                                    \
        sizeof((const struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value)

#define TRIP(name, prototype)                                                                      \
    struct trip name;                                                                              \
    trip_open(&(name), prototype)

/* The call must go well; otherwise its sentence is shown. */
#define MUST(name, call)                                                                           \
    do {                                                                                           \
        int must_r = (call);                                                                       \
        if (must_r != 0) {                                                                         \
            fail_msg("%d: %s", must_r, (name).why.text);                                           \
        }                                                                                          \
    } while (0)

static void echo(void *const *arguments, void *result)
{
    memcpy(result, arguments[0], 8);
}

static void check_integer(const char *type, int64_t low, uint64_t high)
{
    char prototype[64];
    (void)snprintf(prototype, sizeof prototype, "%s f(%s x)", type, type);
    TRIP(trip, prototype);
    MUST(trip, trip_call(&trip, echo, ARGS(cordon_int(low))));
    assert_int_equal(trip.result.value.i, low);
    MUST(trip, trip_call(&trip, echo, ARGS(cordon_uint(high))));
    assert_true(trip.result.value.u == high);
    assert_int_equal(trip.sent.frame_bytes, 0);
    if (low != INT64_MIN) {
        assert_int_equal(trip_call(&trip, echo, ARGS(cordon_int(low - 1))), -EINVAL);
    }
    if (high != UINT64_MAX) {
        assert_int_equal(trip_call(&trip, echo, ARGS(cordon_uint(high + 1))), -EINVAL);
    }
    assert_int_equal(trip_call(&trip, echo, ARGS(cordon_float(1.0))), -EINVAL);
    trip_close(&trip);
}

static void test_integers_pass_at_their_edges_and_are_refused_beyond(void **state)
{
    (void)state;
    check_integer("int8_t", INT8_MIN, INT8_MAX);
    check_integer("uint8_t", 0, UINT8_MAX);
    check_integer("int16_t", INT16_MIN, INT16_MAX);
    check_integer("uint16_t", 0, UINT16_MAX);
    check_integer("int", INT32_MIN, INT32_MAX);
    check_integer("uint32_t", 0, UINT32_MAX);
    check_integer("int64_t", INT64_MIN, INT64_MAX);
    check_integer("uint64_t", 0, UINT64_MAX);
    check_integer("bool", 0, 1);
}

static void test_floats_pass_and_take_integers(void **state)
{
    (void)state;
    TRIP(single, "float f(float x)");
    MUST(single, trip_call(&single, echo, ARGS(cordon_float((double)FLT_MAX))));
    assert_true(single.result.value.f == (double)FLT_MAX);
    MUST(single, trip_call(&single, echo, ARGS(cordon_int(-3))));
    assert_true(single.result.value.f == -3.0);
    assert_int_equal(trip_call(&single, echo, ARGS(cordon_float(1e300))), -EINVAL);
    trip_close(&single);
    TRIP(wide, "double f(double x)");
    MUST(wide, trip_call(&wide, echo, ARGS(cordon_float(DBL_MAX))));
    assert_true(wide.result.value.f == DBL_MAX);
    trip_close(&wide);
}

static void sum_bytes(void *const *arguments, void *result)
{
    const uint8_t *bytes = trip_pointer(arguments, 1);
    uint32_t count = *(uint32_t *)arguments[2];
    uint64_t sum = *(uint32_t *)arguments[0];
    for (uint32_t i = 0; i < count; i++) {
        sum += bytes[i];
    }
    memcpy(result, &sum, sizeof sum);
}

static void test_input_array_is_passed_in_place_and_fills_its_length(void **state)
{
    (void)state;
    TRIP(trip, "uint32_t sum(uint32_t start, const uint8_t buf[len], uint32_t len)");
    uint8_t bytes[] = {1, 2, 3, 250};
    MUST(trip, trip_call(&trip, sum_bytes, ARGS(cordon_uint(10), cordon_in(bytes, 4))));
    assert_int_equal(trip.result.value.u, 266);
    MUST(trip, trip_encode(&trip, ARGS(cordon_uint(10), cordon_in(bytes, 4))));
    MUST(trip, trip_accept(&trip));
    uint8_t *native = trip_pointer(trip.call.arguments, 1);
    assert_true(native >= trip.request && native < trip.request + trip.sent.frame_bytes);
    MUST(trip, trip_call(&trip, sum_bytes, ARGS(cordon_uint(5), cordon_null())));
    assert_int_equal(trip.result.value.u, 5);
    trip_close(&trip);
}

static void reverse(void *const *arguments, void *result)
{
    int32_t *numbers = trip_pointer(arguments, 0);
    int32_t count = *(int32_t *)arguments[1];
    (void)result;
    for (int32_t i = 0; i < count / 2; i++) {
        int32_t kept = numbers[i];
        numbers[i] = numbers[count - 1 - i];
        numbers[count - 1 - i] = kept;
    }
}

static void test_inout_array_comes_back_and_the_request_keeps_the_original(void **state)
{
    (void)state;
    TRIP(trip, "void reverse(int numbers[count], int count)");
    int32_t numbers[] = {1, 2, 3};
    const struct cordon_value args[] = {cordon_out(numbers, 3), cordon_int(3)};
    size_t count = trip.function->passed_count;
    MUST(trip, trip_call(&trip, reverse, args, count));
    assert_memory_equal(numbers, ((int32_t[]){3, 2, 1}), sizeof numbers);
    uint32_t at = (uint32_t)(trip.sent.words[0] & 0x7fffffff);
    assert_memory_equal(trip.request + at, ((int32_t[]){1, 2, 3}), sizeof numbers);
    trip_close(&trip);
}

static void compress_like(void *const *arguments, void *result)
{
    uint8_t *destination = trip_pointer(arguments, 0);
    uint64_t *length = trip_pointer(arguments, 1);
    memset(destination, 0x11, *length);
    uint64_t given = *length;
    *length = given == 8 ? 3 : 1000;
    memcpy(result, &(int64_t){given == 8 ? 0 : -5}, 8);
}

static void test_output_length_is_taken_after_the_call_and_clamped(void **state)
{
    (void)state;
    TRIP(trip, "int compress(out uint8_t dest[*destLen], inout unsigned long *destLen)");
    uint8_t out[9];
    uint64_t length = 8;
    memset(out, 0xee, sizeof out);
    MUST(trip, trip_call(&trip, compress_like, ARGS(cordon_out(out, 8), cordon_out(&length, 1))));
    assert_int_equal(length, 3);
    assert_memory_equal(out, "\x11\x11\x11\xee\xee\xee\xee\xee\xee", 9);
    length = 7;
    MUST(trip, trip_call(&trip, compress_like, ARGS(cordon_out(out, 8), cordon_out(&length, 1))));
    assert_int_equal(length, 1000); /* shown as it is */
    assert_int_equal(out[6], 0x11);
    assert_int_equal(out[7], 0xee); /* the bytes are clamped */
    assert_int_equal(trip.result.value.i, -5);
    trip_close(&trip);
}

static void read_like(void *const *arguments, void *result)
{
    memset(trip_pointer(arguments, 0), 0x22, 4);
    memcpy(result, &(int64_t){*(uint64_t *)arguments[1] == 4 ? 2 : -1}, 8);
}

static void test_output_length_may_be_the_result(void **state)
{
    (void)state;
    TRIP(trip, "ssize_t read(out uint8_t buf[cap : result], size_t cap)");
    uint8_t out[8] = {0};
    MUST(trip, trip_call(&trip, read_like, ARGS(cordon_out(out, 4), cordon_uint(4))));
    assert_memory_equal(out, "\x22\x22\0\0", 4);
    memset(out, 0, sizeof out);
    MUST(trip, trip_call(&trip, read_like, ARGS(cordon_out(out, 5), cordon_uint(5))));
    assert_memory_equal(out, "\0\0\0\0", 4); /* -1: nothing is there */
    assert_int_equal(trip.result.value.i, -1);
    trip_close(&trip);
}

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

static void open_object(void *const *arguments, void *result)
{
    static int object;
    void **opened = trip_pointer(arguments, 0);
    *opened = &object;
    memcpy(result, &(int64_t){14}, 8);
}

static void same_object(void *const *arguments, void *result)
{
    void *object = trip_pointer(arguments, 0);
    memcpy(result, &object, sizeof object);
}

static void test_handles_come_and_go_as_values(void **state)
{
    (void)state;
    TRIP(opening, "int db_open(out struct db **opened)");
    struct cordon_handle handle = {0};
    MUST(opening, trip_call(&opening, open_object, ARGS(cordon_out(&handle, 1))));
    assert_int_equal(handle.worker, 3);
    assert_int_equal(handle.generation, 7);
    trip_close(&opening);
    TRIP(same, "struct db *db_same(struct db *db)");
    MUST(same, trip_call(&same, same_object, ARGS(cordon_object(handle))));
    assert_memory_equal(&same.result.value.handle, &handle, sizeof handle);
    handle.worker = 4;
    assert_int_equal(trip_call(&same, same_object, ARGS(cordon_object(handle))), -116);
    assert_string_equal(same.why.text, "the handle's worker is gone");
    handle.worker = 3;
    handle.tag ^= 1;
    assert_int_equal(trip_call(&same, same_object, ARGS(cordon_object(handle))), -EINVAL);
    trip_close(&same);
}

struct point {
    int32_t x;
    double y;
};

static void mirror(void *const *arguments, void *result)
{
    struct point point;
    memcpy(&point, arguments[0], sizeof point);
    struct point mirrored = {-point.x, -point.y};
    memcpy(result, &mirrored, sizeof mirrored);
}

static void test_structs_by_value_pass_both_ways(void **state)
{
    (void)state;
    TRIP(trip, "struct point { int x; double y; }; struct point mirror(struct point p)");
    struct point point = {3, 0.5};
    MUST(trip, trip_call(&trip, mirror, ARGS(cordon_in(&point, 1))));
    const struct point *mirrored = trip.result.value.memory;
    assert_int_equal(mirrored->x, -3);
    assert_true(mirrored->y == -0.5);
    assert_null(trip.result.owned);
    trip_close(&trip);
}

static void move_point(void *const *arguments, void *result)
{
    struct point *point = trip_pointer(arguments, 0);
    point->x++;
    point->y *= 2;
    (void)result;
}

static void test_struct_behind_a_pointer_comes_back(void **state)
{
    (void)state;
    TRIP(trip, "struct point { int x; double y; }; void move(inout struct point *p)");
    struct point point = {3, 0.5};
    MUST(trip, trip_call(&trip, move_point, ARGS(cordon_out(&point, 1))));
    assert_int_equal(point.x, 4);
    assert_true(point.y == 1.0);
    trip_close(&trip);
}

struct piece {
    void *base;
    size_t bytes;
};

static void scatter(void *const *arguments, void *result)
{
    const struct piece *pieces = trip_pointer(arguments, 0);
    int32_t count = *(int32_t *)arguments[1];
    uint64_t total = 0;
    for (int32_t i = 0; i < count; i++) {
        memset(pieces[i].base, 'a' + i, pieces[i].bytes);
        total += pieces[i].bytes;
    }
    memcpy(result, &total, sizeof total);
}

static void test_outputs_inside_an_array_of_structs_come_back(void **state)
{
    (void)state;
    TRIP(trip, "struct iovec { out count(length) void *base; size_t length; };"
               "ssize_t readv(const struct iovec iov[count], int count)");
    char first[3] = "..";
    char second[5] = "....";
    struct piece pieces[] = {{first, 2}, {second, 3}};
    const struct cordon_value args[] = {cordon_in(pieces, 2), cordon_int(2)};
    MUST(trip, trip_call(&trip, scatter, args, trip.function->passed_count));
    assert_string_equal(first, "aa");
    assert_string_equal(second, "bbb.");
    assert_ptr_equal(pieces[1].base, second);
    trip_close(&trip);
}

struct node {
    int32_t value;
    struct node *next;
};

/* The language makes a handle of a pointer to its own struct; a plan may say otherwise. */
static void *open_list(struct trip *trip, const char *prototype)
{
    trip_open(trip, prototype);
    uint32_t bytes = plan_header(trip->plan)->plan_bytes;
    uint8_t *copy = malloc(bytes);
    assert_non_null(copy);
    memcpy(copy, trip->plan, bytes);
    struct cordon_plan_type *types =
        (struct cordon_plan_type *)(void *)(copy + plan_header(trip->plan)->types_at);
    uint32_t list = 0;
    while (types[list].kind != CORDON_PLAN_STRUCT) {
        list++;
    }
    uint32_t next = plan_field(trip->plan, types[list].first + 1)->type;
    types[next].kind = CORDON_PLAN_POINTER;
    types[next].target = list;
    trip->plan = (const struct plan *)(void *)copy;
    trip->function = plan_function(trip->plan, 0);
    return copy;
}

static void sum_list(void *const *arguments, void *result)
{
    int64_t sum = 0;
    for (const struct node *node = trip_pointer(arguments, 0); node; node = node->next) {
        sum += node->value;
    }
    memcpy(result, &sum, sizeof sum);
}

static void test_linked_list_is_followed_up_to_the_limit(void **state)
{
    (void)state;
    struct trip trip;
    void *plan = open_list(&trip, "struct node { int value; const struct node *next; };"
                                  "int sum(const struct node *list)");
    struct node nodes[FRAME_DEPTH_MAX + 1];
    for (size_t i = 0; i < FRAME_DEPTH_MAX + 1; i++) {
        nodes[i] = (struct node){1, i < FRAME_DEPTH_MAX ? &nodes[i + 1] : NULL};
    }
    MUST(trip, trip_call(&trip, sum_list, ARGS(cordon_in(&nodes[1], 1))));
    assert_int_equal(trip.result.value.i, FRAME_DEPTH_MAX);
    assert_int_equal(trip_call(&trip, sum_list, ARGS(cordon_in(&nodes[0], 1))), -E2BIG);
    assert_non_null(strstr(trip.why.text, "FRAME_DEPTH_MAX"));
    trip_close(&trip);
    free(plan);
}

static void make_list(void *const *arguments, void *result)
{
    static struct node nodes[3];
    (void)arguments;
    for (int i = 0; i < 3; i++) {
        nodes[i] = (struct node){10 + i, i < 2 ? &nodes[i + 1] : NULL};
    }
    memcpy(result, &(struct node *){nodes}, sizeof(void *));
}

static void test_returned_list_is_copied_whole_into_one_allocation(void **state)
{
    (void)state;
    struct trip trip;
    void *plan = open_list(&trip, "struct node { int value; const struct node *next; };"
                                  "count(1) const struct node *list(int unused)");
    MUST(trip, trip_call(&trip, make_list, ARGS(cordon_int(0))));
    const struct node *node = trip.result.value.memory;
    assert_int_equal(node->value, 10);
    assert_int_equal(node->next->value, 11);
    assert_int_equal(node->next->next->value, 12);
    assert_null(node->next->next->next);
    trip_close(&trip);
    free(plan);
}

static void join(void *const *arguments, void *result)
{
    const char *const *words = trip_pointer(arguments, 0);
    uint64_t total = 0;
    for (size_t i = 0; words[i]; i++) {
        total = total * 10 + strlen(words[i]);
    }
    memcpy(result, &total, sizeof total);
}

static void test_strings_ended_by_null_pass(void **state)
{
    (void)state;
    TRIP(trip, "int join(const char *words[null])");
    const char *words[] = {"a", "bb", "", NULL};
    MUST(trip, trip_call(&trip, join, ARGS(cordon_in(words, 4))));
    assert_int_equal(trip.result.value.i, 120);
    MUST(trip, trip_call(&trip, join, ARGS(cordon_in(words, 2)))); /* the end is added */
    assert_int_equal(trip.result.value.i, 12);
    trip_close(&trip);
}

static void test_variadic_arguments_travel_with_their_types(void **state)
{
    (void)state;
    TRIP(trip, "int snprintf(out char s[cap], size_t cap, const char *format, ...)");
    char out[8];
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(out, 8), cordon_uint(8), cordon_string("%d"),
                                       cordon_int(-7), cordon_string("text"), cordon_float(2.5),
                                       cordon_typed(cordon_uint(UINT64_MAX), CORDON_TYPE_SIZE))));
    MUST(trip, trip_accept(&trip));
    const uint64_t *pairs = trip.call.variadic.pairs;
    double number;
    memcpy(&number, &pairs[5], sizeof number);
    assert_int_equal(trip.call.variadic.count, 4);
    assert_int_equal(pairs[0], CORDON_TYPE_INT);
    assert_int_equal((int64_t)pairs[1], -7);
    assert_int_equal(pairs[2], CORDON_TYPE_STRING);
    assert_string_equal((const char *)(uintptr_t)pairs[3], "text");
    assert_true(number == 2.5);
    assert_true(pairs[7] == UINT64_MAX);
    assert_int_equal(trip_encode(&trip, ARGS(cordon_out(out, 8), cordon_uint(8),
                                             cordon_string("%d"), cordon_int(1ll << 31))),
                     -EINVAL);
    assert_string_equal(trip.why.text, "argument 4 (one of '...') does not fit its type");
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(out, 8), cordon_uint(8), cordon_string("none"))));
    trip_close(&trip);
}

static void test_arena_memory_is_passed_where_it_is(void **state)
{
    (void)state;
    TRIP(trip, "void reverse(int numbers[count], int count)");
    int32_t *numbers = (int32_t *)(void *)trip.arena;
    numbers[0] = 5;
    numbers[1] = 6;
    const struct cordon_value args[] = {cordon_out(numbers, 2), cordon_int(2)};
    size_t count = trip.function->passed_count;
    MUST(trip, trip_encode(&trip, args, count));
    assert_true(trip.sent.words[0] == (FRAME_IN_ARENA | (uintptr_t)numbers));
    MUST(trip, trip_call(&trip, reverse, args, count));
    assert_int_equal(numbers[0], 6);
    /* Memory that only begins there is copied. */
    uint8_t *last = trip.arena + TRIP_ARENA - 4;
    const struct cordon_value edge[] = {cordon_out(last, 2), cordon_int(2)};
    MUST(trip, trip_encode(&trip, edge, count));
    assert_false(trip.sent.words[0] & FRAME_IN_ARENA);
    trip.sent.words[0] = FRAME_IN_ARENA | (uintptr_t)last;
    assert_int_equal(trip_accept(&trip), -EBADMSG);
    trip_close(&trip);
}

static void test_kept_memory_lives_where_the_keeper_says(void **state)
{
    (void)state;
    TRIP(trip, "int bind(kept const uint8_t data[count], int count)");
    uint8_t data[] = {1, 2, 3};
    const struct cordon_value args[] = {cordon_in(data, 3), cordon_int(3)};
    MUST(trip, trip_encode(&trip, args, trip.function->passed_count));
    MUST(trip, trip_accept(&trip));
    assert_int_equal(trip.kept_count, 1);
    assert_ptr_equal(trip_pointer(trip.call.arguments, 0), trip.kept[0]);
    assert_memory_equal(trip.kept[0], data, 3);
    trip_close(&trip);
}

/* The worker's side of a callback: native arguments -> values -> frame; then the host's side. */
static void test_callback_frame_carries_arguments_sized_by_the_outer_call(void **state)
{
    (void)state;
    TRIP(trip, "void qsort(void base[count * size], size_t count, size_t size,"
               " int (*compare)(const void a[size], const void b[size]))");
    const uint32_t shape = 1;
    uint32_t a = 5;
    uint32_t b = 9;
    uint32_t elements[2] = {a, b};
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(elements, 8), cordon_uint(2), cordon_uint(4),
                                       cordon_function_pointer(NULL))));
    struct frame_outer outer = {trip.plan, 0, trip.sent.words, trip.request, trip.sent.frame_bytes};
    const void *natives[2] = {&(const void *){&a}, &(const void *){&b}};
    struct cordon_value values[2];
    MUST(trip, frame_values(trip.plan, shape, (void *const *)(uintptr_t)natives, &trip.worker,
                            &outer, values, &trip.why));
    assert_int_equal(values[0].count, 4);

    uint8_t request[512] __attribute__((aligned(16)));
    uint8_t reply[512] __attribute__((aligned(16)));
    struct frame_space space = {request, sizeof request, sizeof reply, {0, 0}, outer};
    struct frame_request sent;
    MUST(trip,
         frame_encode(trip.plan, shape, 1, values, 2, &trip.worker, &space, &sent, &trip.why));
    struct frame_call call = {
        .plan = trip.plan,
        .function = shape,
        .hooks = &trip.host,
        .outer = outer,
        .words = sent.words,
        .request = request,
        .request_bytes = sent.frame_bytes,
        .reply = reply,
        .reply_fixed = sent.reply_fixed,
        .reply_bytes_max = sent.reply_bytes_max,
    };
    MUST(trip, frame_accept(&call, &trip.why));
    struct cordon_value seen[2];
    MUST(trip, frame_values(trip.plan, shape, call.arguments, &trip.host, &outer, seen, &trip.why));
    assert_int_equal(*(uint32_t *)seen[0].memory, 5);
    assert_int_equal(*(uint32_t *)seen[1].memory, 9);

    uint64_t native;
    uint64_t words[1];
    uint32_t bytes;
    struct cordon_value less = cordon_int(-1);
    MUST(trip, frame_native_result(trip.plan, shape, &less, &trip.host, &native, &trip.why));
    MUST(trip, frame_answer(&call, &native, words, &bytes, &trip.why));
    frame_finish(&call);
    struct frame_result result;
    MUST(trip, frame_decode(trip.plan, shape, values, 2, &trip.worker, &space, &sent, words, reply,
                            &result, &trip.why));
    assert_int_equal(result.value.i, -1);
    trip_close(&trip);
}

/* As iconv() does: pointers and counts move on over what was read and written. */
static void convert(void *const *arguments, void *result)
{
    char **in = trip_pointer(arguments, 0);
    size_t *in_left = trip_pointer(arguments, 1);
    char **out = trip_pointer(arguments, 2);
    size_t *out_left = trip_pointer(arguments, 3);
    while (*in_left > 1 && *out_left > 0) {
        *(*out)++ = (char)(*(*in)++ - 'a' + 'A');
        --*in_left;
        --*out_left;
    }
    memcpy(result, &(int64_t){0}, 8);
}

static void test_pointers_that_are_moved_on_move_at_the_callers(void **state)
{
    (void)state;
    TRIP(trip, "struct cursor { inout count(left) char *at; size_t left; };"
               "int convert(inout struct cursor *in, inout struct cursor *out)");
    struct {
        char *at;
        size_t left;
    } in, out;
    char text[] = "abcdef";
    char upper[] = "......";
    in.at = text;
    in.left = 6;
    out.at = upper;
    out.left = 4;
    MUST(trip, trip_encode(&trip, ARGS(cordon_out(&in, 1), cordon_out(&out, 1))));
    MUST(trip, trip_accept(&trip));
    uint8_t *native_in = trip_pointer(trip.call.arguments, 0);
    uint8_t *native_out = trip_pointer(trip.call.arguments, 1);
    void *cursors[4] = {&native_in, &(void *){native_in + 8}, &native_out,
                        &(void *){native_out + 8}};
    uint64_t result[1];
    convert(cursors, result);
    MUST(trip, trip_answer(&trip, result));
    MUST(trip, trip_decode(&trip, ARGS(cordon_out(&in, 1), cordon_out(&out, 1))));
    assert_string_equal(upper, "ABCD..");
    assert_ptr_equal(in.at, text + 4);
    assert_ptr_equal(out.at, upper + 4);
    assert_int_equal(in.left, 2);
    assert_int_equal(out.left, 0);
    trip_close(&trip);
}

/* A small generator with a fixed seed: a failure can be repeated. */
static uint64_t random_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

#define SHAPE_PARAMS 8
#define SHAPE_BYTES  96

enum shape {
    SHAPE_NUMBER,
    SHAPE_ARRAY_IN,
    SHAPE_ARRAY_INOUT,
    SHAPE_ARRAY_OUT,
    SHAPE_TEXT,
    SHAPE_ONE,
    SHAPE_COUNT
};

struct shaped_call {
    enum shape shapes[SHAPE_PARAMS];
    size_t counts[SHAPE_PARAMS];
    uint8_t memory[SHAPE_PARAMS][SHAPE_BYTES];
    uint8_t expected[SHAPE_PARAMS][SHAPE_BYTES];
    struct cordon_value args[SHAPE_PARAMS];
    size_t count;
    char prototype[1024];
};

/* One more parameter: its text, its value, and what its memory must hold after the call. */
static void add_shape(struct shaped_call *shaped, uint64_t *seed)
{
    static const struct {
        const char *before;
        bool sized;
    } texts[SHAPE_COUNT] = {
        {"int64_t ", false},    {"const uint8_t ", true}, {"inout uint8_t ", true},
        {"out uint8_t ", true}, {"const char *", false},  {"inout uint64_t *", false},
    };
    size_t i = shaped->count++;
    enum shape shape = random_next(seed) % SHAPE_COUNT;
    size_t count = random_next(seed) % 64;
    uint8_t *memory = shaped->memory[i];
    shaped->shapes[i] = shape;
    shaped->counts[i] = shape == SHAPE_ONE ? 8 : count;
    for (size_t byte = 0; byte < SHAPE_BYTES; byte++) {
        memory[byte] = (uint8_t)(random_next(seed) | 1);
    }
    memory[count] = shape == SHAPE_TEXT ? 0 : memory[count];
    memcpy(shaped->expected[i], memory, SHAPE_BYTES);
    bool changes = shape == SHAPE_ARRAY_INOUT || shape == SHAPE_ARRAY_OUT || shape == SHAPE_ONE;
    for (size_t byte = 0; changes && byte < shaped->counts[i]; byte++) {
        shaped->expected[i][byte] =
            shape == SHAPE_ARRAY_OUT ? (uint8_t)(byte + i) : (uint8_t)~memory[byte];
    }
    shaped->args[i] = shape == SHAPE_NUMBER ? cordon_int((int64_t)random_next(seed) - (1 << 30))
                      : shape == SHAPE_TEXT ? cordon_string((const char *)memory)
                                            : cordon_out(memory, shape == SHAPE_ONE ? 1 : count);
    char brackets[16] = "";
    if (texts[shape].sized) {
        (void)snprintf(brackets, sizeof brackets, "[%zu]", count);
    }
    size_t used = strlen(shaped->prototype);
    (void)snprintf(shaped->prototype + used, sizeof shaped->prototype - used, "%s%sp%zu%s",
                   i ? ", " : "int64_t f(", texts[shape].before, i, brackets);
}

/* The function: sees what the caller gave, and changes what it may. */
static void run_shaped(const struct shaped_call *shaped, void *const *arguments)
{
    for (size_t i = 0; i < shaped->count; i++) {
        uint8_t *native = trip_pointer(arguments, i);
        switch (shaped->shapes[i]) {
        case SHAPE_NUMBER:
            assert_int_equal(*(int64_t *)arguments[i], shaped->args[i].i);
            break;
        case SHAPE_TEXT:
            assert_string_equal((char *)native, (const char *)shaped->memory[i]);
            break;
        case SHAPE_ARRAY_OUT:
            for (size_t byte = 0; byte < shaped->counts[i]; byte++) {
                native[byte] = (uint8_t)(byte + i);
            }
            break;
        default:
            assert_memory_equal(native, shaped->memory[i], shaped->counts[i]);
            for (size_t byte = 0; shaped->shapes[i] != SHAPE_ARRAY_IN && byte < shaped->counts[i];
                 byte++) {
                native[byte] = (uint8_t)~native[byte];
            }
            break;
        }
    }
}

static void test_random_shapes_survive_the_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 20240229;
    for (int round = 0; round < 500; round++) {
        struct shaped_call shaped = {.count = 0};
        size_t count = 1 + random_next(&seed) % SHAPE_PARAMS;
        while (shaped.count < count) {
            add_shape(&shaped, &seed);
        }
        strcat(shaped.prototype, ")");
        TRIP(trip, shaped.prototype);
        trip.space.request_bytes = 4096;
        trip.space.reply_bytes = 4096;
        MUST(trip, trip_encode(&trip, shaped.args, count));
        MUST(trip, trip_accept(&trip));
        run_shaped(&shaped, trip.call.arguments);
        int64_t result = (int64_t)random_next(&seed);
        MUST(trip, trip_answer(&trip, &result));
        MUST(trip, trip_decode(&trip, shaped.args, count));
        assert_int_equal(trip.result.value.i, result);
        for (size_t i = 0; i < count; i++) {
            assert_memory_equal(shaped.memory[i], shaped.expected[i], SHAPE_BYTES);
        }
        trip_close(&trip);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_pass_at_their_edges_and_are_refused_beyond),
        cmocka_unit_test(test_floats_pass_and_take_integers),
        cmocka_unit_test(test_input_array_is_passed_in_place_and_fills_its_length),
        cmocka_unit_test(test_inout_array_comes_back_and_the_request_keeps_the_original),
        cmocka_unit_test(test_output_length_is_taken_after_the_call_and_clamped),
        cmocka_unit_test(test_output_length_may_be_the_result),
        cmocka_unit_test(test_strings_pass),
        cmocka_unit_test(test_output_string_comes_back_to_its_end),
        cmocka_unit_test(test_inout_string_and_pointer_within_it),
        cmocka_unit_test(test_output_pointer_within_an_argument_is_an_offset),
        cmocka_unit_test(test_returned_string_is_copied),
        cmocka_unit_test(test_owned_output_is_copied_and_freed),
        cmocka_unit_test(test_inout_owned_memory_may_be_reallocated),
        cmocka_unit_test(test_handles_come_and_go_as_values),
        cmocka_unit_test(test_structs_by_value_pass_both_ways),
        cmocka_unit_test(test_struct_behind_a_pointer_comes_back),
        cmocka_unit_test(test_outputs_inside_an_array_of_structs_come_back),
        cmocka_unit_test(test_linked_list_is_followed_up_to_the_limit),
        cmocka_unit_test(test_returned_list_is_copied_whole_into_one_allocation),
        cmocka_unit_test(test_strings_ended_by_null_pass),
        cmocka_unit_test(test_variadic_arguments_travel_with_their_types),
        cmocka_unit_test(test_arena_memory_is_passed_where_it_is),
        cmocka_unit_test(test_kept_memory_lives_where_the_keeper_says),
        cmocka_unit_test(test_callback_frame_carries_arguments_sized_by_the_outer_call),
        cmocka_unit_test(test_pointers_that_are_moved_on_move_at_the_callers),
        cmocka_unit_test(test_random_shapes_survive_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
