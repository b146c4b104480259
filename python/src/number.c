/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>

#include "giving.h"

struct range {
    const char *name;
    bool is_signed;
    int64_t least;
    uint64_t most;
};

static const struct range ranges[CORDON_PLAN_KIND_COUNT] = {
    [CORDON_PLAN_BOOL] = {"bool", false, 0, 1},
    [CORDON_PLAN_I8] = {"int8_t", true, INT8_MIN, INT8_MAX},
    [CORDON_PLAN_U8] = {"uint8_t", false, 0, UINT8_MAX},
    [CORDON_PLAN_I16] = {"int16_t", true, INT16_MIN, INT16_MAX},
    [CORDON_PLAN_U16] = {"uint16_t", false, 0, UINT16_MAX},
    [CORDON_PLAN_I32] = {"int32_t", true, INT32_MIN, INT32_MAX},
    [CORDON_PLAN_U32] = {"uint32_t", false, 0, UINT32_MAX},
    [CORDON_PLAN_I64] = {"int64_t", true, INT64_MIN, INT64_MAX},
    [CORDON_PLAN_U64] = {"uint64_t", false, 0, UINT64_MAX},
};

static int refuse_range(struct taking *taking, const struct range *range, PyObject *object)
{
    PyErr_Clear();
    PyObject *text = PyObject_Repr(object);
    const char *shown = text ? PyUnicode_AsUTF8(text) : NULL;
    int r = range->is_signed
                ? take_refuse(taking, PyExc_OverflowError, "%.40s does not fit %s (%lld to %llu)",
                              shown ? shown : "it", range->name, (long long)range->least,
                              (unsigned long long)range->most)
                : take_refuse(taking, PyExc_OverflowError, "%.40s does not fit %s (0 to %llu)",
                              shown ? shown : "it", range->name, (unsigned long long)range->most);
    Py_XDECREF(text);
    return r;
}

/* An int as a word. */
static int take_integer(struct taking *taking, const struct range *range, PyObject *object,
                        uint64_t *ret_word)
{
    int overflow = 0;
    long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow == 0 && (number != -1 || !PyErr_Occurred())) {
        bool fits = range->is_signed
                        ? number >= range->least && (number < 0 || (uint64_t)number <= range->most)
                        : number >= 0 && (uint64_t)number <= range->most;
        *ret_word = (uint64_t)number;
        return fits ? 0 : refuse_range(taking, range, object);
    }
    if (overflow > 0 && !range->is_signed && range->most == UINT64_MAX) {
        *ret_word = PyLong_AsUnsignedLongLong(object);
        return *ret_word == UINT64_MAX && PyErr_Occurred() ? refuse_range(taking, range, object)
                                                           : 0;
    }
    return overflow != 0 ? refuse_range(taking, range, object) : -1;
}

/* An enumerator by its name. 1: taken. */
static int take_enumerator(struct taking *taking, const struct cordon_plan_type *type,
                           PyObject *object, uint64_t *ret_word)
{
    const struct plan_view *plan = taking->function->plan;
    if (!(type->flags & CORDON_PLAN_ENUM) || !PyUnicode_Check(object)) {
        return 0;
    }
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_enumerator *enumerator = view_enumerator(plan, type, i);
        if (PyUnicode_CompareWithASCIIString(object, view_name(plan, enumerator->name)) == 0) {
            *ret_word = (uint64_t)enumerator->value;
            return 1;
        }
    }
    return take_refuse(taking, PyExc_ValueError, "%s has no such enumerator",
                       view_name(plan, type->name));
}

static int take_float(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                      uint64_t *ret_word)
{
    double number = PyFloat_AsDouble(object);
    if (number == -1.0 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
            return -1;
        }
        PyErr_Clear();
        return take_refuse(taking, PyExc_TypeError, "a float is wanted, not %.80s",
                           Py_TYPE(object)->tp_name);
    }
    *ret_word = 0;
    if (type->kind == CORDON_PLAN_F32) {
        if (isfinite(number) && fabs(number) > FLT_MAX && isinf((float)number)) {
            return take_refuse(taking, PyExc_OverflowError, "%g does not fit float", number);
        }
        float narrow = (float)number;
        memcpy(ret_word, &narrow, sizeof narrow);
    } else {
        memcpy(ret_word, &number, sizeof number);
    }
    return 0;
}

int take_number(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                uint64_t *ret_word)
{
    const struct range *range = &ranges[type->kind];
    if (type->kind == CORDON_PLAN_F32 || type->kind == CORDON_PLAN_F64) {
        return take_float(taking, type, object, ret_word);
    }
    if (PyLong_CheckExact(object)) {
        return take_integer(taking, range, object, ret_word);
    }
    int r = take_enumerator(taking, type, object, ret_word);
    if (r != 0) {
        return r < 0 ? -1 : 0;
    }
    PyObject *index = PyIndex_Check(object) ? PyNumber_Index(object) : NULL;
    if (!index) {
        return PyErr_Occurred()
                   ? -1
                   : take_refuse(taking, PyExc_TypeError, "an int (%s) is wanted, not %.80s",
                                 range->name, Py_TYPE(object)->tp_name);
    }
    r = take_integer(taking, range, index, ret_word);
    Py_DECREF(index);
    return r;
}

void number_put(const struct cordon_plan_type *type, uint64_t word, void *memory)
{
    memcpy(memory, &word, type->size); /* little-endian: the low bytes come first */
}

struct cordon_value number_as_value(const struct cordon_plan_type *type, uint64_t word)
{
    float narrow;
    double wide;
    switch (type->kind) {
    case CORDON_PLAN_F32:
        memcpy(&narrow, &word, sizeof narrow);
        return cordon_float((double)narrow);
    case CORDON_PLAN_F64:
        memcpy(&wide, &word, sizeof wide);
        return cordon_float(wide);
    default:
        return ranges[type->kind].is_signed ? cordon_int((int64_t)word) : cordon_uint(word);
    }
}

PyObject *give_number(const struct plan_view *plan, const struct cordon_plan_type *type,
                      const void *memory)
{
    float narrow;
    double wide;
    (void)plan;
    switch (type->kind) {
    case CORDON_PLAN_BOOL:
        return PyBool_FromLong(length_load(type->kind, memory) != 0);
    case CORDON_PLAN_F32:
        memcpy(&narrow, memory, sizeof narrow);
        return PyFloat_FromDouble((double)narrow);
    case CORDON_PLAN_F64:
        memcpy(&wide, memory, sizeof wide);
        return PyFloat_FromDouble(wide);
    default:
        return ranges[type->kind].is_signed
                   ? PyLong_FromLongLong((long long)length_load(type->kind, memory))
                   : PyLong_FromUnsignedLongLong(length_load(type->kind, memory));
    }
}

PyObject *give_word(const struct cordon_plan_type *type, const struct cordon_value *value)
{
    switch (type->kind) {
    case CORDON_PLAN_BOOL:
        return PyBool_FromLong(value->u != 0);
    case CORDON_PLAN_F32:
    case CORDON_PLAN_F64:
        return PyFloat_FromDouble(value->f);
    default:
        return ranges[type->kind].is_signed ? PyLong_FromLongLong(value->i)
                                            : PyLong_FromUnsignedLongLong(value->u);
    }
}
