/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/scalar.h"

const struct scalar_range scalar_ranges[CORDON_PLAN_KIND_COUNT] = {
    [CORDON_PLAN_BOOL] = {0, 1},         [CORDON_PLAN_I8] = {INT8_MIN, INT8_MAX},
    [CORDON_PLAN_U8] = {0, UINT8_MAX},   [CORDON_PLAN_I16] = {INT16_MIN, INT16_MAX},
    [CORDON_PLAN_U16] = {0, UINT16_MAX}, [CORDON_PLAN_I32] = {INT32_MIN, INT32_MAX},
    [CORDON_PLAN_U32] = {0, UINT32_MAX}, [CORDON_PLAN_I64] = {INT64_MIN, INT64_MAX},
    [CORDON_PLAN_U64] = {0, UINT64_MAX},
};

static const struct {
    const char *name;
    uint8_t size;
} scalar_shapes[CORDON_PLAN_KIND_COUNT] = {
    [CORDON_PLAN_VOID] = {"void", 0},       [CORDON_PLAN_BOOL] = {"bool", 1},
    [CORDON_PLAN_I8] = {"int8_t", 1},       [CORDON_PLAN_U8] = {"uint8_t", 1},
    [CORDON_PLAN_I16] = {"int16_t", 2},     [CORDON_PLAN_U16] = {"uint16_t", 2},
    [CORDON_PLAN_I32] = {"int32_t", 4},     [CORDON_PLAN_U32] = {"uint32_t", 4},
    [CORDON_PLAN_I64] = {"int64_t", 8},     [CORDON_PLAN_U64] = {"uint64_t", 8},
    [CORDON_PLAN_F32] = {"float", 4},       [CORDON_PLAN_F64] = {"double", 8},
    [CORDON_PLAN_STRUCT] = {"struct", 0},   [CORDON_PLAN_ARRAY] = {"array", 0},
    [CORDON_PLAN_POINTER] = {"pointer", 0}, [CORDON_PLAN_STRING] = {"string", 0},
    [CORDON_PLAN_HANDLE] = {"handle", 0},   [CORDON_PLAN_CALLBACK] = {"callback", 0},
    [CORDON_PLAN_TOKEN] = {"void *", 0},    [CORDON_PLAN_WITHIN] = {"pointer into an argument", 0},
    [CORDON_PLAN_VARARGS] = {"...", 0},     [CORDON_PLAN_UNION] = {"union", 0},
};

uint64_t scalar_load(uint8_t kind, const void *memory)
{
    uint64_t word = 0;
    memcpy(&word, memory, scalar_shapes[kind].size);
    return scalar_narrow(kind, word);
}

void scalar_store(uint8_t kind, void *memory, uint64_t word)
{
    memcpy(memory, &word, scalar_shapes[kind].size);
}

const char *scalar_name(uint8_t kind)
{
    return kind < CORDON_PLAN_KIND_COUNT ? scalar_shapes[kind].name : "unknown";
}
