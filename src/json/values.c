/* SPDX-License-Identifier: Apache-2.0 */
#include "json/values.h"

#include <stdlib.h>
#include <string.h>

void call_values_free_owned(struct call_values *values)
{
    for (uint32_t i = 0; i < view_function(values->plan)->param_count; i++) {
        const struct cordon_plan_param *param = view_param(values->plan, i);
        if (param->passing != CORDON_PLAN_PASS_DYNAMIC || param->position >= values->count) {
            continue;
        }
        const struct cordon_value *value = &values->values[param->position];
        void *owned = NULL;
        if (value->kind == CORDON_VALUE_MEMORY && value->memory) {
            memcpy(&owned, value->memory, sizeof owned);
        }
        /* An `inout` one that was not replaced still is ours. */
        if (owned && image_room(&values->image, owned) == 0) {
            memset(value->memory, 0, sizeof owned);
            free(owned);
        }
    }
}
