/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/plain.h"

#include <string.h>

#include "frame/scalar.h"

/* The length of @array is one parameter and nothing else. */
static bool length_is_param(const struct plan *plan, const struct cordon_plan_type *array,
                            uint32_t *ret_length)
{
    const uint8_t *code = PLAN_TABLE(plan, uint8_t, code_at) + array->code;
    uint16_t param;
    if (array->code == CORDON_PLAN_NONE || code[0] != CORDON_PLAN_OP_PARAM) {
        return false;
    }
    memcpy(&param, code + 1, sizeof param);
    *ret_length = param;
    return code[1 + sizeof param] == CORDON_PLAN_OP_END;
}

bool frame_plain_array(const struct plan *plan, const struct cordon_plan_function *function,
                       uint32_t index, struct frame_plain *ret_plain)
{
    const struct cordon_plan_param *param = plan_function_param(plan, function, index);
    const struct cordon_plan_type *type = plan_type(plan, param->type);
    uint32_t length;
    if (param->passing != CORDON_PLAN_PASS_BYTES || type->kind != CORDON_PLAN_POINTER ||
        type->direction != CORDON_PLAN_IN ||
        (type->flags & (CORDON_PLAN_CONST | CORDON_PLAN_KEPT | CORDON_PLAN_NULL_ENDED |
                        CORDON_PLAN_OWNED)) != CORDON_PLAN_CONST ||
        !length_is_param(plan, type, &length) || length >= function->param_count) {
        return false;
    }
    const struct cordon_plan_type *element = plan_type(plan, type->target);
    /* A bool's byte would have to be judged. */
    if (element->kind != CORDON_PLAN_VOID &&
        (!scalar_is(element->kind) || element->kind == CORDON_PLAN_BOOL)) {
        return false;
    }
    uint32_t bytes = element->kind == CORDON_PLAN_VOID ? 1 : element->size;
    *ret_plain = (struct frame_plain){.length_param = length, .element_bytes = bytes};
    return __builtin_popcount(bytes) == 1;
}
