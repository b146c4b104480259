/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for what comes back, by the lengths that other arguments tell. Nothing of JSON is in it. */
#include <errno.h>

#include "json/image.h"

int image_refuse_length(struct image *image, int error)
{
    return image_refuse(image, -EINVAL, "its length %s", length_error_text(error));
}

int image_capacity(struct image *image, const struct cordon_plan_type *type, uint64_t *ret_capacity)
{
    *ret_capacity = 0;
    if (type->code == CORDON_PLAN_NONE || !(type->direction & CORDON_PLAN_OUT)) {
        return 0;
    }
    int r = length_evaluate(image->scope, type->code, ret_capacity);
    return r < 0 && r != -ENODATA ? image_refuse_length(image, r) : 0;
}

struct cordon_value image_memory_value(const struct cordon_plan_type *type, void *memory,
                                       size_t count, uint64_t capacity)
{
    bool grows = type->kind == CORDON_PLAN_STRING || type->flags & CORDON_PLAN_TEXT;
    struct cordon_value value =
        cordon_in(memory, grows && capacity > count ? (size_t)capacity : count);
    if (type->kind == CORDON_PLAN_STRING) {
        value.type = CORDON_TYPE_STRING;
    }
    return value;
}

int image_room_for(struct image *image, const struct cordon_plan_type *type,
                   struct cordon_value *ret_value)
{
    uint64_t count = 1;
    if (type->code != CORDON_PLAN_NONE) {
        int r = length_evaluate(image->scope, type->code, &count);
        if (r < 0) {
            return image_refuse_length(image, r);
        }
    }
    bool string = type->kind == CORDON_PLAN_STRING;
    size_t each = string ? 1 : view_element_bytes(image->plan, type);
    bool single = type->code == CORDON_PLAN_NONE && each < sizeof(struct cordon_handle);
    void *memory = image_take(image, count, single ? sizeof(struct cordon_handle) : each);
    *ret_value = cordon_out(memory, (size_t)count);
    return memory ? 0 : -E2BIG;
}
