/* SPDX-License-Identifier: Apache-2.0 */
#include "taking.h"

static int refuse_kind(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                       const char *wanted)
{
    char text[128];
    return take_refuse(taking, PyExc_TypeError, "%s wants %s, not %.80s",
                       view_type_text(taking->function->plan, type, text, sizeof text), wanted,
                       Py_TYPE(object)->tp_name);
}

/* ---- Bytes and text ----------------------------------------------------------------------------- */

static int copy_bytes(struct taking *taking, const struct cordon_plan_type *type, const char *bytes,
                      size_t count, uint64_t capacity, void **ret_memory, size_t *ret_count)
{
    if (type->kind == CORDON_PLAN_STRING && memchr(bytes, '\0', count)) {
        return take_refuse(taking, PyExc_ValueError, "a string with a NUL inside");
    }
    size_t each =
        type->kind == CORDON_PLAN_STRING ? 1 : view_element_bytes(taking->function->plan, type);
    *ret_memory = image_copy(&taking->image, type, bytes, count / each, capacity);
    *ret_count = count / each;
    return *ret_memory ? 0 : take_raise(taking);
}

/* What stands for bytes: text where the declaration says text, anything with a buffer. */
static int take_bytes(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                      uint64_t capacity, void **ret_memory, size_t *ret_count)
{
    bool text = type->kind == CORDON_PLAN_STRING || type->flags & CORDON_PLAN_TEXT;
    if (PyUnicode_Check(object) && text) {
        PyObject *bytes = PyUnicode_AsEncodedString(object, "utf-8", "surrogateescape");
        int r = bytes ? copy_bytes(taking, type, PyBytes_AS_STRING(bytes),
                                   (size_t)PyBytes_GET_SIZE(bytes), capacity, ret_memory, ret_count)
                      : -1;
        Py_XDECREF(bytes);
        return r;
    }
    Py_buffer view;
    if (!PyObject_CheckBuffer(object)) {
        return refuse_kind(taking, type, object, text ? "str or bytes" : "bytes or a buffer");
    }
    if (PyObject_GetBuffer(object, &view, PyBUF_CONTIG_RO) < 0) {
        return -1;
    }
    int r = copy_bytes(taking, type, view.buf, (size_t)view.len, capacity, ret_memory, ret_count);
    PyBuffer_Release(&view);
    return r;
}

/* ---- Elements ----------------------------------------------------------------------------------- */

/* Its elements, into memory that has room for them. @items: a tuple, which no element can change when it is asked. */
static int store_items(struct taking *taking, const struct cordon_plan_type *target,
                       PyObject *items, uint8_t *memory)
{
    struct image_step step = {.outer = taking->image.step};
    size_t each = target->size == 0 ? 1 : target->size;
    int r = 0;
    taking->image.step = &step;
    for (; r == 0 && step.index < (size_t)PyTuple_GET_SIZE(items); step.index++) {
        r = take_store(taking, target, PyTuple_GET_ITEM(items, (Py_ssize_t)step.index),
                       memory + step.index * each);
    }
    taking->image.step = step.outer;
    return r;
}

static PyObject *items_of(struct taking *taking, const struct cordon_plan_type *type,
                          PyObject *object)
{
    if (PyUnicode_Check(object) || PyDict_Check(object) || PyNumber_Check(object) ||
        !(PySequence_Check(object) || PyIter_Check(object))) {
        (void)refuse_kind(taking, type, object, "a sequence");
        return NULL;
    }
    return PySequence_Tuple(object);
}

static int take_many(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                     uint64_t capacity, void **ret_memory, size_t *ret_count)
{
    const struct plan_view *plan = taking->function->plan;
    bool ended = (type->flags & CORDON_PLAN_NULL_ENDED) != 0;
    PyObject *items = items_of(taking, type, object);
    if (!items) {
        return -1;
    }
    uint64_t count = (uint64_t)PyTuple_GET_SIZE(items);
    uint64_t room = count + ended > capacity ? count + ended : capacity;
    void *memory = image_take(&taking->image, room, view_element_bytes(plan, type));
    int r =
        memory ? store_items(taking, view_target(plan, type), items, memory) : take_raise(taking);
    Py_DECREF(items);
    *ret_memory = memory;
    *ret_count = (size_t)count;
    return r;
}

/* Elements of a buffer of the very type: an array, a numpy array. Returns 1: copied, 0: it is none, -1. */
static int take_buffer(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                       uint64_t capacity, void **ret_memory, size_t *ret_count)
{
    const struct cordon_plan_type *target = view_target(taking->function->plan, type);
    Py_buffer view;
    if (!PyObject_CheckBuffer(object) || !view_is_scalar(target) || PyBytes_Check(object)) {
        return 0;
    }
    if (PyObject_GetBuffer(object, &view, PyBUF_CONTIG_RO) < 0) {
        PyErr_Clear();
        return 0;
    }
    int r = 0;
    if (view.itemsize == (Py_ssize_t)target->size && view.ndim <= 1) {
        /* Judged by its format when it was given as an argument; inside a struct its size has to do. */
        size_t count = (size_t)view.len / target->size;
        *ret_memory = image_copy(&taking->image, type, view.buf, count, capacity);
        *ret_count = count;
        r = *ret_memory ? 1 : take_raise(taking);
    }
    PyBuffer_Release(&view);
    return r;
}

int take_elements(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                  uint64_t capacity, void **ret_memory, size_t *ret_count)
{
    const struct plan_view *plan = taking->function->plan;
    bool many = type->code != CORDON_PLAN_NONE || type->flags & CORDON_PLAN_NULL_ENDED;
    bool bytes = type->kind == CORDON_PLAN_STRING || are_bytes(plan, type);
    if (bytes && !PyList_Check(object) && !PyTuple_Check(object)) {
        return take_bytes(taking, type, object, capacity, ret_memory, ret_count);
    }
    if (type->kind == CORDON_PLAN_STRING) {
        return refuse_kind(taking, type, object, "str or bytes");
    }
    if (many) {
        int r = take_buffer(taking, type, object, capacity, ret_memory, ret_count);
        return r != 0 ? (r < 0 ? -1 : 0)
                      : take_many(taking, type, object, capacity, ret_memory, ret_count);
    }
    size_t each = view_element_bytes(plan, type);
    uint64_t room = capacity > 1 ? capacity : 1;
    *ret_memory = image_take(&taking->image, room, each < 16 ? 16 : each);
    *ret_count = 1;
    return *ret_memory ? take_store(taking, view_target(plan, type), object, *ret_memory)
                       : take_raise(taking);
}

/* ---- Objects in memory -------------------------------------------------------------------------- */

/* An array that lies in a struct. */
static int store_in_place(struct taking *taking, const struct cordon_plan_type *type,
                          PyObject *object, uint8_t *memory)
{
    const struct cordon_plan_type *target = view_target(taking->function->plan, type);
    void *bytes = NULL;
    size_t count = 0;
    if (are_bytes(taking->function->plan, type) && !PyList_Check(object) &&
        !PyTuple_Check(object)) {
        if (take_bytes(taking, type, object, 0, &bytes, &count) < 0) {
            return -1;
        }
        if (count > type->count) {
            return take_refuse(taking, PyExc_ValueError, "%zu bytes given, there is room for %u",
                               count, type->count);
        }
        if (count > 0) {
            memcpy(memory, bytes, count);
        }
        return 0;
    }
    PyObject *items = items_of(taking, type, object);
    if (!items) {
        return -1;
    }
    count = (size_t)PyTuple_GET_SIZE(items);
    int r = count > type->count
                ? take_refuse(taking, PyExc_ValueError, "%zu elements given, there is room for %u",
                              count, type->count)
                : store_items(taking, target, items, memory);
    Py_DECREF(items);
    return r;
}

/* A pointer that stands alone: an element of an array of pointers. */
static int store_pointer(struct taking *taking, const struct cordon_plan_type *type,
                         PyObject *object, uint8_t *memory)
{
    uint64_t capacity = 0;
    void *block = NULL;
    size_t count = 0;
    if (object == Py_None) {
        return 0;
    }
    if (type->code != CORDON_PLAN_NONE) {
        int r = length_evaluate(taking->image.scope, type->code, &capacity);
        if (r < 0) {
            return take_refuse(taking, PyExc_ValueError, "its length %s", length_error_text(r));
        }
    }
    if (take_elements(taking, type, object, capacity, &block, &count) < 0) {
        return -1;
    }
    memcpy(memory, &block, sizeof block);
    return type->kind == CORDON_PLAN_POINTER && type->direction == CORDON_PLAN_IN &&
                   count < capacity
               ? take_refuse_few(taking, count, capacity)
               : 0;
}

static int store_opaque(struct taking *taking, const struct cordon_plan_type *type,
                        PyObject *object, uint8_t *memory)
{
    struct cordon_value value = cordon_null();
    if (take_opaque(taking, type, object, &value) < 0) {
        return -1;
    }
    uint64_t word = value.kind == CORDON_VALUE_NULL ? 0 : value.u;
    if (value.kind == CORDON_VALUE_HANDLE) {
        word = (uint64_t)value.handle.generation << 32 | value.handle.index;
    }
    memcpy(memory, &word, sizeof word);
    return 0;
}

int take_store(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
               void *memory)
{
    uint64_t word;
    switch (type->kind) {
    case CORDON_PLAN_STRUCT:
        return take_struct(taking, type, object, memory);
    case CORDON_PLAN_ARRAY:
        return store_in_place(taking, type, object, memory);
    case CORDON_PLAN_POINTER:
    case CORDON_PLAN_STRING:
        return store_pointer(taking, type, object, memory);
    default:
        break;
    }
    if (!view_is_scalar(type)) {
        return store_opaque(taking, type, object, memory);
    }
    if (take_number(taking, type, object, &word) < 0) {
        return -1;
    }
    number_put(type, word, memory);
    return 0;
}
