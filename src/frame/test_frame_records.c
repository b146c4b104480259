/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/test_trip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structs_by_value_pass_both_ways),
        cmocka_unit_test(test_struct_behind_a_pointer_comes_back),
        cmocka_unit_test(test_outputs_inside_an_array_of_structs_come_back),
        cmocka_unit_test(test_linked_list_is_followed_up_to_the_limit),
        cmocka_unit_test(test_returned_list_is_copied_whole_into_one_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
