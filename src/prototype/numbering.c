/* SPDX-License-Identifier: Apache-2.0 */
#include "prototype/numbering.h"

static enum cordon_plan_passing pointer_passing(const struct cordon_plan_type *types,
                                                const struct cordon_plan_type *pointer)
{
    if (pointer->code != CORDON_PLAN_NONE || (pointer->flags & CORDON_PLAN_NULL_ENDED)) {
        return CORDON_PLAN_PASS_BYTES;
    }
    switch (types[pointer->target].kind) {
    case CORDON_PLAN_STRING:
    case CORDON_PLAN_POINTER:
        return pointer->direction & CORDON_PLAN_OUT ? CORDON_PLAN_PASS_DYNAMIC
                                                    : CORDON_PLAN_PASS_BYTES;
    case CORDON_PLAN_VOID:
    case CORDON_PLAN_STRUCT:
    case CORDON_PLAN_ARRAY:
        return CORDON_PLAN_PASS_BYTES;
    default:
        /* A word cannot tell NULL from zero, nor stay where it is after the call. */
        return pointer->flags & (CORDON_PLAN_NULLABLE | CORDON_PLAN_KEPT) ? CORDON_PLAN_PASS_BYTES
                                                                          : CORDON_PLAN_PASS_WORD;
    }
}

enum cordon_plan_passing numbering_passing(const struct cordon_plan_type *types, uint32_t index,
                                           bool is_result)
{
    const struct cordon_plan_type *type = &types[index];
    switch (type->kind) {
    case CORDON_PLAN_VOID:
        return CORDON_PLAN_PASS_NOTHING;
    case CORDON_PLAN_STRUCT:
    case CORDON_PLAN_ARRAY:
        return CORDON_PLAN_PASS_BYTES;
    case CORDON_PLAN_STRING:
        return is_result ? CORDON_PLAN_PASS_DYNAMIC : CORDON_PLAN_PASS_BYTES;
    case CORDON_PLAN_POINTER:
        return is_result ? CORDON_PLAN_PASS_DYNAMIC : pointer_passing(types, type);
    case CORDON_PLAN_VARARGS:
        return CORDON_PLAN_PASS_VARARGS;
    default:
        return CORDON_PLAN_PASS_WORD;
    }
}

static bool goes_in(const struct cordon_plan_type *type, uint16_t passing)
{
    if (passing == CORDON_PLAN_PASS_BYTES || passing == CORDON_PLAN_PASS_VARARGS) {
        return true; /* the word is a place, also where only the reply has bytes */
    }
    return passing != CORDON_PLAN_PASS_NOTHING &&
           (type->kind != CORDON_PLAN_POINTER || (type->direction & CORDON_PLAN_IN));
}

static bool comes_back(const struct cordon_plan_type *type, uint16_t passing)
{
    return type->kind == CORDON_PLAN_POINTER && (type->direction & CORDON_PLAN_OUT) &&
           (passing == CORDON_PLAN_PASS_WORD || passing == CORDON_PLAN_PASS_DYNAMIC);
}

static bool is_word(uint16_t passing)
{
    return passing == CORDON_PLAN_PASS_WORD || passing == CORDON_PLAN_PASS_NOTHING;
}

void numbering_assign(const struct cordon_plan_type *types, struct cordon_plan_function *function,
                      struct cordon_plan_param *params)
{
    struct cordon_plan_param *result = &function->result;
    uint16_t in_words = 0;
    uint16_t out_words = 0;
    uint16_t passed = 0;
    result->passing = (uint16_t)numbering_passing(types, result->type, true);
    result->in_word = CORDON_PLAN_NO_WORD;
    result->out_word = CORDON_PLAN_NO_WORD;
    result->position = CORDON_PLAN_NO_WORD;
    if (result->passing != CORDON_PLAN_PASS_NOTHING) {
        result->out_word = out_words++;
    }
    bool words_only = is_word(result->passing);
    for (uint32_t i = 0; i < function->param_count; i++) {
        struct cordon_plan_param *param = &params[i];
        const struct cordon_plan_type *type = &types[param->type];
        param->passing = (uint16_t)numbering_passing(types, param->type, false);
        param->in_word = goes_in(type, param->passing) ? in_words++ : CORDON_PLAN_NO_WORD;
        param->out_word = comes_back(type, param->passing) ? out_words++ : CORDON_PLAN_NO_WORD;
        param->position = param->flags & CORDON_PLAN_FILLED ? CORDON_PLAN_NO_WORD : passed++;
        words_only = words_only && is_word(param->passing);
    }
    function->in_words = in_words;
    function->out_words = out_words;
    function->passed_count = passed;
    function->flags &= ~(uint32_t)CORDON_PLAN_MAILBOX;
    if (words_only && in_words <= CORDON_PLAN_MAILBOX_WORDS &&
        out_words <= CORDON_PLAN_MAILBOX_WORDS) {
        function->flags |= CORDON_PLAN_MAILBOX;
    }
}
