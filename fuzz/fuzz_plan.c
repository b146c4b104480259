/* SPDX-License-Identifier: Apache-2.0 */
/* Aims at plan_validate() and plan_evaluate(): whatever is accepted must be safe to use. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "prototype/builder.h"
#include "prototype/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int any_index(void *context, uint32_t index, int64_t *ret_value)
{
    (void)context;
    *ret_value = (int64_t)index + 3;
    return 0;
}

static int any_result(void *context, int64_t *ret_value)
{
    return any_index(context, 0, ret_value);
}

static int any_call(void *context, const char *function, const int64_t *args, uint32_t count,
                    int64_t *ret_value)
{
    (void)context;
    *ret_value = (int64_t)strlen(function);
    for (uint32_t i = 0; i < count; i++) {
        *ret_value ^= args[i];
    }
    return 0;
}

static void evaluate(const struct plan *plan, uint32_t code)
{
    const struct plan_scope scope = {
        .param = any_index,
        .deref = any_index,
        .field = any_index,
        .outer = any_index,
        .outer_deref = any_index,
        .result = any_result,
        .call = any_call,
    };
    uint64_t value = 0;
    if (code != CORDON_PLAN_NONE) {
        (void)plan_evaluate(plan, code, &scope, &value);
    }
}

/* Follow everything that the plan names, as a consumer would. */
static void use(const struct plan *plan)
{
    const struct cordon_plan_header *header = plan_header(plan);
    size_t touched = 0;
    for (uint32_t i = 0; i < header->function_count; i++) {
        const struct cordon_plan_function *function = plan_function(plan, i);
        touched += strlen(plan_name(plan, function->symbol));
        for (uint32_t j = 0; j < function->param_count; j++) {
            const struct cordon_plan_param *param = plan_function_param(plan, function, j);
            touched += strlen(plan_name(plan, param->name)) + plan_type(plan, param->type)->size;
        }
    }
    for (uint32_t i = 0; i < header->type_count; i++) {
        const struct cordon_plan_type *type = plan_type(plan, i);
        touched += strlen(plan_name(plan, type->name));
        evaluate(plan, type->code);
        evaluate(plan, type->length_code);
        for (uint32_t j = 0; type->kind == CORDON_PLAN_STRUCT && j < type->count; j++) {
            touched += plan_type(plan, plan_field(plan, type->first + j)->type)->size;
        }
    }
    if (touched == SIZE_MAX) {
        abort(); /* keeps the reads */
    }
}

/* Nearly all mutations only break the hash and the length: repair both, so that the rest is seen. */
static void repair(unsigned char *bytes, size_t size)
{
    struct cordon_plan_header header;
    memcpy(&header, bytes, sizeof header);
    header.plan_bytes = (uint32_t)size;
    header.layout_hash = 0;
    memcpy(bytes, &header, sizeof header);
    header.layout_hash = fnv64(FNV64_START, bytes, size);
    memcpy(bytes, &header, sizeof header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct plan *plan = NULL;
    struct message why;
    unsigned char *bytes = malloc(size + 1);
    if (!bytes) {
        return 0;
    }
    memcpy(bytes, data, size);
    if (plan_validate(bytes, size, &plan, &why) == 0) {
        use(plan);
    }
    if (size >= sizeof(struct cordon_plan_header)) {
        repair(bytes, size);
        if (plan_validate(bytes, size, &plan, &why) == 0) {
            use(plan);
        }
    }
    free(bytes);
    return 0;
}
