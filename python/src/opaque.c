/* SPDX-License-Identifier: Apache-2.0 */
/* What has no bytes of its own in this process: handles, tokens, offsets, functions. */
#include "taking.h"

static int refuse_opaque(struct taking *taking, const struct cordon_plan_type *type,
                         PyObject *object, const char *wanted)
{
    char text[128];
    return take_refuse(taking, PyExc_TypeError, "%s wants %s, not %.80s",
                       view_type_text(taking->function->plan, type, text, sizeof text), wanted,
                       Py_TYPE(object)->tp_name);
}

static int take_handle(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                       struct cordon_value *ret_value)
{
    struct cordon_handle handle;
    if (!object_handle(object, &handle)) {
        return refuse_opaque(taking, type, object, "a handle or None");
    }
    if (Py_TYPE(object) == &handle_type && ((struct handle_object *)object)->closed) {
        return take_refuse(taking, PyExc_ValueError, "the handle is closed");
    }
    *ret_value = cordon_object(handle);
    return 0;
}

int take_opaque(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                struct cordon_value *ret_value)
{
    static const struct cordon_plan_type word_type = {.kind = CORDON_PLAN_U64, .size = 8};
    struct cordon_callback *callback;
    uint64_t word;
    *ret_value = cordon_null();
    if (object == Py_None) {
        return 0;
    }
    if (type->kind == CORDON_PLAN_HANDLE) {
        return take_handle(taking, type, object, ret_value);
    }
    if (type->kind == CORDON_PLAN_CALLBACK && !PyIndex_Check(object)) {
        if (!PyCallable_Check(object)) {
            return refuse_opaque(taking, type, object, "a callable, a constant's number or None");
        }
        if (take_callable(taking, type, object, &callback) < 0) {
            return -1;
        }
        *ret_value = cordon_function_pointer(callback);
        return 0;
    }
    if (!PyIndex_Check(object)) {
        return refuse_opaque(taking, type, object, "an int or None");
    }
    if (take_number(taking, &word_type, object, &word) < 0) {
        return -1;
    }
    *ret_value = cordon_uint(word);
    return 0;
}
