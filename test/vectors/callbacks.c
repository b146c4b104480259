/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "vectors/vectors.h"

/* Values that JSON has no words for: functions of the host. */

static int compare(void *context, const struct cordon_value *args, struct cordon_value *ret_result)
{
    int32_t a;
    int32_t b;
    (void)context;
    memcpy(&a, args[0].memory, sizeof a);
    memcpy(&b, args[1].memory, sizeof b);
    *ret_result = cordon_int(a - b);
    return 0;
}

static int32_t sorted[3];

static size_t sort_values(struct scene *scene, struct cordon_value *ret_values)
{
    memcpy(sorted, (const int32_t[]){3, 1, 2}, sizeof sorted);
    ret_values[0] = cordon_out(sorted, 3);
    ret_values[1] = scene_callback(scene, compare, NULL);
    return 2;
}

static void sort_result(const struct frame_result *result, struct json_out *out)
{
    (void)result;
    json_out_object(out);
    json_out_key(out, "v");
    json_out_array(out);
    for (size_t i = 0; i < 3; i++) {
        json_out_int(out, sorted[i]);
    }
    json_out_array_end(out);
    json_out_object_end(out);
}

static void number_result(const struct frame_result *result, struct json_out *out)
{
    json_out_int(out, result->value.i);
}

static int visit(void *context, const struct cordon_value *args, struct cordon_value *ret_result)
{
    (void)context;
    *ret_result = cordon_int((int64_t)(args[0].u + args[1].u));
    return 0;
}

static int visit_failing(void *context, const struct cordon_value *args,
                         struct cordon_value *ret_result)
{
    (void)context, (void)args, (void)ret_result;
    return -EINVAL;
}

static size_t each_values(struct scene *scene, struct cordon_value *ret_values)
{
    ret_values[0] = cordon_uint(4);
    ret_values[1] = scene_callback(scene, visit, NULL);
    ret_values[2] = cordon_uint(99);
    return 3;
}

static size_t each_failing_values(struct scene *scene, struct cordon_value *ret_values)
{
    ret_values[0] = cordon_uint(2);
    ret_values[1] = scene_callback(scene, visit_failing, NULL);
    ret_values[2] = cordon_null();
    return 3;
}

static int reads;

static int read_some(void *context, const struct cordon_value *args,
                     struct cordon_value *ret_result)
{
    (void)context;
    uint8_t *data = args[0].memory;
    int got = reads > 0 ? reads + 1 : 0;
    memset(data, 0x10 * reads, (size_t)got);
    reads -= reads > 0;
    *ret_result = cordon_int(got);
    return 0;
}

static size_t drain_values(struct scene *scene, struct cordon_value *ret_values)
{
    reads = 2;
    ret_values[0] = scene_callback(scene, read_some, NULL);
    return 1;
}

static size_t drain_nothing_values(struct scene *scene, struct cordon_value *ret_values)
{
    reads = 0;
    ret_values[0] = scene_callback(scene, read_some, NULL);
    return 1;
}

const struct vectors_by_hand vectors_sort = {sort_values, sort_result};
const struct vectors_by_hand vectors_each = {each_values, number_result};
const struct vectors_by_hand vectors_each_failing = {each_failing_values, number_result};
const struct vectors_by_hand vectors_drain = {drain_values, number_result};
const struct vectors_by_hand vectors_drain_nothing = {drain_nothing_values, number_result};
