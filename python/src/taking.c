/* SPDX-License-Identifier: Apache-2.0 */
#include "taking.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define IMAGE_FACTOR                                                                               \
    4u /* of what a call may carry: arguments in C layout, room for outputs, paddings */

/* With their chunk of memory: a small call that follows another allocates nothing. */
static struct taking *free_takings;

struct taking *taking_begin(struct function_object *function)
{
    struct taking *taking = free_takings;
    if (taking) {
        free_takings = taking->next_free;
    } else {
        taking = PyMem_RawCalloc(1, sizeof *taking);
        if (!taking) {
            return (struct taking *)PyErr_NoMemory();
        }
    }
    taking->function = function;
    taking->scope = (struct length_scope){
        .plan = function->plan, .args = taking->values, .arg_count = function->count};
    image_begin(&taking->image, function->plan, &taking->scope,
                (size_t)function->cell->call_bytes * IMAGE_FACTOR, NULL, &taking->why);
    taking->image.noun = "argument";
    taking->count = function->count;
    memset(taking->values, 0, function->count * sizeof taking->values[0]);
    memset(taking->given, 0, function->count * sizeof(PyObject *));
    memset(taking->rooms, 0, function->count * sizeof(PyObject *));
    return taking;
}

/* Memory that the library allocated for its caller: outputs of a length that it chose. */
static void free_owned_outputs(struct taking *taking)
{
    const struct function_object *function = taking->function;
    for (uint32_t i = 0; i < function->count; i++) {
        const struct parameter *parameter = &function->parameters[i];
        struct cordon_value *value = &taking->values[i];
        if (view_param(function->plan, parameter->index)->passing == CORDON_PLAN_PASS_DYNAMIC &&
            value->kind == CORDON_VALUE_MEMORY && !taking->given[i]) {
            void *owned;
            memcpy(&owned, value->memory, sizeof owned);
            if (image_room(&taking->image, owned) == 0) { /* else it is what went in */
                free(owned);
            }
        }
    }
}

void taking_end(struct taking *taking)
{
    free_owned_outputs(taking);
    callbacks_end(taking);
    for (uint32_t i = 0; i < taking->function->count; i++) {
        Py_CLEAR(taking->rooms[i]);
    }
    while (taking->view_count > 0) {
        PyBuffer_Release(&taking->views[--taking->view_count]);
    }
    Py_CLEAR(taking->raised);
    image_reset(&taking->image);
    taking->next_free = free_takings;
    free_takings = taking;
}

int take_raise(struct taking *taking)
{
    PyErr_Format(PyExc_ValueError, "%U(): %s", taking->function->name, taking->why.text);
    return -1;
}

int take_refuse(struct taking *taking, PyObject *exception, const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    (void)image_refuse(&taking->image, -1, "%s", sentence);
    PyErr_Format(exception, "%U(): %s", taking->function->name, taking->why.text);
    return -1;
}

int take_refuse_few(struct taking *taking, size_t count, uint64_t needed)
{
    return take_refuse(taking, PyExc_ValueError, "%zu elements given, its length says %llu", count,
                       (unsigned long long)needed);
}

/* ---- Which argument is which -------------------------------------------------------------------- */

static int refuse_count(struct taking *taking, size_t positional)
{
    PyErr_Format(PyExc_TypeError, "%U() takes %u positional argument%s but %zu %s given",
                 taking->function->name, taking->function->sent,
                 taking->function->sent == 1 ? "" : "s", positional,
                 positional == 1 ? "was" : "were");
    return -1;
}

/* Arguments by position. Returns how many were used, -1. */
static Py_ssize_t place_positional(struct taking *taking, PyObject *const *args, size_t positional)
{
    const struct function_object *function = taking->function;
    size_t used = 0;
    for (uint32_t i = 0; i < function->count && used < positional; i++) {
        const struct parameter *parameter = &function->parameters[i];
        if (parameter->type->kind == CORDON_PLAN_VARARGS) {
            break;
        }
        if (parameter->sent) {
            taking->given[i] = args[used++];
        }
    }
    if (used < positional && !function->variadic) {
        return refuse_count(taking, positional);
    }
    return (Py_ssize_t)used;
}

static int place_named(struct taking *taking, PyObject *name, PyObject *object)
{
    const struct function_object *function = taking->function;
    for (uint32_t i = 0; i < function->count; i++) {
        const struct parameter *parameter = &function->parameters[i];
        if (parameter->name != name && PyUnicode_Compare(parameter->name, name) != 0) {
            continue;
        }
        if (taking->given[i]) {
            PyErr_Format(PyExc_TypeError, "%U() got multiple values for argument '%U'",
                         function->name, name);
            return -1;
        }
        taking->given[i] = object;
        return 0;
    }
    if (!PyErr_Occurred()) {
        PyErr_Format(PyExc_TypeError, "%U() got an unexpected keyword argument '%U'",
                     function->name, name);
    }
    return -1;
}

static int check_missing(const struct taking *taking)
{
    const struct function_object *function = taking->function;
    for (uint32_t i = 0; i < function->count; i++) {
        const struct parameter *parameter = &function->parameters[i];
        if (parameter->sent && !parameter->optional && !taking->given[i]) {
            PyErr_Format(PyExc_TypeError, "%U() missing required argument: '%U'", function->name,
                         parameter->name);
            return -1;
        }
    }
    return 0;
}

/* ---- Buffers ------------------------------------------------------------------------------------ */

/* What a struct format says of a number: 'i' signed, 'u' unsigned, 'f' floating; 0: something else. */
static char class_of_format(const char *format)
{
    if (!format) {
        return 'u';
    }
    if (strchr("@=<", format[0])) {
        format++;
    }
    if (format[0] == '\0' || format[1] != '\0') {
        return 0;
    }
    return strchr("bhilqn", format[0])     ? 'i'
           : strchr("BHILQNc?", format[0]) ? 'u'
           : strchr("efd", format[0])      ? 'f'
                                           : 0;
}

static char class_of_kind(uint8_t kind)
{
    switch (kind) {
    case CORDON_PLAN_I8:
    case CORDON_PLAN_I16:
    case CORDON_PLAN_I32:
    case CORDON_PLAN_I64:
        return 'i';
    case CORDON_PLAN_F32:
    case CORDON_PLAN_F64:
        return 'f';
    default:
        return 'u';
    }
}

static bool buffer_fits(const Py_buffer *view, const struct plan_view *plan,
                        const struct cordon_plan_type *type)
{
    const struct cordon_plan_type *target = view_target(plan, type);
    if (are_bytes(plan, type)) {
        return view->itemsize == 1 || target->kind == CORDON_PLAN_VOID;
    }
    return view_is_scalar(target) && view->itemsize == (Py_ssize_t)target->size &&
           class_of_format(view->format) == class_of_kind(target->kind);
}

/*
 * Hold @object's buffer, if it has one that can be used as it is. Returns 1: held, 0: it is to be copied element by element,
 * -1: raised.
 */
static int hold_buffer(struct taking *taking, const struct cordon_plan_type *type, PyObject *object,
                       bool written, Py_buffer **ret_view)
{
    if (!PyObject_CheckBuffer(object) || taking->view_count == TAKING_VIEWS) {
        return 0;
    }
    Py_buffer *view = &taking->views[taking->view_count];
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (written ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0) {
        if (written) {
            PyErr_Clear(); /* bytes go in; what comes back is another object */
            return 0;
        }
        return -1;
    }
    if (!buffer_fits(view, taking->function->plan, type)) {
        char format[16];
        (void)snprintf(format, sizeof format, "%s", view->format ? view->format : "B");
        PyBuffer_Release(view);
        char text[128];
        return take_refuse(taking, PyExc_TypeError, "a buffer of format '%s' does not fit %s",
                           format, view_type_text(taking->function->plan, type, text, sizeof text));
    }
    taking->view_count++;
    *ret_view = view;
    return 1;
}

/* ---- Values ------------------------------------------------------------------------------------- */

static int take_memory(struct taking *taking, const struct cordon_plan_type *type, uint32_t at,
                       PyObject *object)
{
    struct cordon_value *value = &taking->values[at];
    bool written = (type->direction & CORDON_PLAN_OUT) != 0;
    uint64_t capacity = 0;
    void *memory = NULL;
    size_t count = 0;
    Py_buffer *view = NULL;
    if (image_capacity(&taking->image, type, &capacity) != 0) {
        return take_raise(taking);
    }
    int held =
        type->kind == CORDON_PLAN_POINTER ? hold_buffer(taking, type, object, written, &view) : 0;
    if (held < 0) {
        return -1;
    }
    size_t each = view_element_bytes(taking->function->plan, type);
    if (held == 1) {
        count = (size_t)view->len / (each ? each : 1);
        if (count >= capacity) {
            *value = cordon_in(view->buf, count);
            return 0;
        }
        return take_refuse_few(taking, count, capacity);
    }
    if (take_elements(taking, type, object, capacity, &memory, &count) < 0) {
        return -1;
    }
    taking->given[at] = NULL; /* what comes back is another object */
    *value = image_memory_value(type, memory, count, capacity);
    return 0;
}

/* What a pointer to one number, string, handle or pointer points to. */
static int take_single(struct taking *taking, const struct cordon_plan_type *target, uint32_t at,
                       PyObject *object)
{
    size_t each =
        target->size < sizeof(struct cordon_handle) ? sizeof(struct cordon_handle) : target->size;
    void *memory = image_take(&taking->image, 1, each);
    struct cordon_value inner = cordon_null();
    uint64_t word = 0;
    if (!memory) {
        return take_raise(taking);
    }
    if (view_is_scalar(target)) {
        if (take_number(taking, target, object, &word) < 0) {
            return -1;
        }
        number_put(target, word, memory);
    } else if (target->kind == CORDON_PLAN_HANDLE || target->kind == CORDON_PLAN_TOKEN ||
               target->kind == CORDON_PLAN_WITHIN || target->kind == CORDON_PLAN_CALLBACK) {
        if (take_opaque(taking, target, object, &inner) < 0) {
            return -1;
        }
        if (inner.kind == CORDON_VALUE_HANDLE) {
            memcpy(memory, &inner.handle, sizeof inner.handle);
        } else if (inner.kind == CORDON_VALUE_NULL && target->kind == CORDON_PLAN_WITHIN) {
            memset(memory, 0xff, sizeof(uint64_t)); /* an offset of all ones is NULL */
        } else if (inner.kind != CORDON_VALUE_NULL) {
            memcpy(memory, &inner.u, sizeof inner.u);
        }
    } else if (object != Py_None) {
        void *block = NULL;
        size_t count = 0;
        if (take_elements(taking, target, object, 0, &block, &count) < 0) {
            return -1;
        }
        memcpy(memory, &block, sizeof block);
    }
    taking->given[at] = NULL;
    taking->values[at] = cordon_in(memory, 1);
    return 0;
}

static int take_pointer(struct taking *taking, const struct cordon_plan_type *type, uint32_t at,
                        PyObject *object)
{
    const struct cordon_plan_type *target = view_target(taking->function->plan, type);
    bool many = type->code != CORDON_PLAN_NONE || type->flags & CORDON_PLAN_NULL_ENDED;
    bool single = !many && target->kind != CORDON_PLAN_STRUCT && target->kind != CORDON_PLAN_ARRAY;
    if (object == Py_None && (!single || view_is_scalar(target))) {
        taking->values[at] = cordon_null();
        return 0;
    }
    return single ? take_single(taking, target, at, object) : take_memory(taking, type, at, object);
}

static int take_value(struct taking *taking, const struct cordon_plan_type *type, uint32_t at,
                      PyObject *object)
{
    struct cordon_value *value = &taking->values[at];
    uint64_t word;
    void *memory;
    switch (type->kind) {
    case CORDON_PLAN_STRING:
        return object == Py_None ? 0 : take_memory(taking, type, at, object);
    case CORDON_PLAN_POINTER:
        return take_pointer(taking, type, at, object);
    case CORDON_PLAN_STRUCT:
        memory = image_take(&taking->image, 1, type->size);
        *value = cordon_in(memory, 1);
        return memory ? take_store(taking, type, object, memory) : take_raise(taking);
    default:
        if (!view_is_scalar(type)) {
            return take_opaque(taking, type, object, value);
        }
        if (take_number(taking, type, object, &word) < 0) {
            return -1;
        }
        *value = number_as_value(type, word);
        return 0;
    }
}

/* Room for what only comes back. Bytes become a bytes object in place: they are copied once. */
static int make_room(struct taking *taking, const struct cordon_plan_type *type, uint32_t at)
{
    const struct plan_view *plan = taking->function->plan;
    uint64_t count = 0;
    if (type->kind == CORDON_PLAN_POINTER && type->code != CORDON_PLAN_NONE &&
        are_bytes(plan, type) && !(type->flags & CORDON_PLAN_TEXT) &&
        length_evaluate(&taking->scope, type->code, &count) == 0 && count > 0 &&
        count <= PY_SSIZE_T_MAX / 2) {
        if (count > taking->function->cell->call_bytes) {
            return take_refuse(taking, error_class("LimitError"),
                               "%llu bytes are more than a call may carry (call_bytes: %llu)",
                               (unsigned long long)count,
                               (unsigned long long)taking->function->cell->call_bytes);
        }
        taking->rooms[at] = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)count);
        if (!taking->rooms[at]) {
            return -1;
        }
        char *bytes = PyBytes_AS_STRING(taking->rooms[at]);
        memset(bytes, 0, (size_t)count);
        taking->values[at] = cordon_out(bytes, (size_t)count);
        return 0;
    }
    return image_room_for(&taking->image, type, &taking->values[at]) != 0 ? take_raise(taking) : 0;
}

static int take_variadic_one(struct taking *taking, PyObject *object)
{
    static const struct cordon_plan_type string = {
        .kind = CORDON_PLAN_STRING, .direction = CORDON_PLAN_IN, .code = CORDON_PLAN_NONE};
    static const struct cordon_plan_type signed_word = {.kind = CORDON_PLAN_I64, .size = 8};
    struct cordon_value *value = &taking->values[taking->count];
    uint64_t word;
    void *memory = NULL;
    size_t count = 0;
    struct cordon_handle handle;
    *value = cordon_null();
    if (PyFloat_Check(object)) {
        *value = cordon_float(PyFloat_AS_DOUBLE(object));
    } else if (object_handle(object, &handle)) {
        *value = cordon_object(handle);
    } else if (PyIndex_Check(object)) {
        if (take_number(taking, &signed_word, object, &word) < 0) {
            return -1;
        }
        int64_t number = (int64_t)word;
        bool small = number >= INT32_MIN && number <= INT32_MAX;
        *value = cordon_typed(cordon_int(number), small ? CORDON_TYPE_INT : CORDON_TYPE_LONG);
    } else if (object != Py_None) {
        if (take_elements(taking, &string, object, 0, &memory, &count) < 0) {
            return -1;
        }
        *value = image_memory_value(&string, memory, count, 0);
    }
    taking->count++;
    return 0;
}

/* Those of `...` stand last, where the parameter itself would. */
static int take_variadic(struct taking *taking, PyObject *const *args, size_t count)
{
    struct image_step outer = {.text = "..."};
    struct image_step step = {.outer = &outer};
    if (count > CORDON_PLAN_PARAMS_MAX) {
        PyErr_Format(PyExc_TypeError, "%U(): at most %u arguments for '...'",
                     taking->function->name, CORDON_PLAN_PARAMS_MAX);
        return -1;
    }
    taking->count = taking->function->count - 1;
    taking->image.step = &step;
    int r = 0;
    for (; r == 0 && step.index < count; step.index++) {
        r = take_variadic_one(taking, args[step.index]);
    }
    taking->image.step = NULL;
    return r;
}

static int take_one(struct taking *taking, uint32_t at)
{
    const struct parameter *parameter = &taking->function->parameters[at];
    struct image_step step = {.text = PyUnicode_AsUTF8(parameter->name)};
    int r = 0;
    taking->image.step = &step;
    if (taking->given[at] && !parameter->sent && !PyObject_CheckBuffer(taking->given[at])) {
        r = take_refuse(taking, PyExc_TypeError,
                        "it only comes back: a writable buffer may be given, not %.80s",
                        Py_TYPE(taking->given[at])->tp_name);
    } else if (taking->given[at]) {
        r = take_value(taking, parameter->type, at, taking->given[at]);
    } else if (!parameter->sent && parameter->type->kind != CORDON_PLAN_VARARGS) {
        r = make_room(taking, parameter->type, at);
    }
    taking->image.step = NULL;
    return r;
}

int take_arguments(struct taking *taking, PyObject *const *args, size_t positional, PyObject *names,
                   Py_ssize_t skip)
{
    const struct function_object *function = taking->function;
    Py_ssize_t used = place_positional(taking, args, positional);
    if (used < 0) {
        return -1;
    }
    for (Py_ssize_t i = 0; names && i < PyTuple_GET_SIZE(names); i++) {
        if (i != skip &&
            place_named(taking, PyTuple_GET_ITEM(names, i), args[positional + (size_t)i]) < 0) {
            return -1;
        }
    }
    if (check_missing(taking) < 0) {
        return -1;
    }
    /* What comes back has its room by what goes in. */
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < function->count; i++) {
            const struct cordon_plan_type *type = function->parameters[i].type;
            bool back = view_is_memory(type) && type->direction != CORDON_PLAN_IN &&
                        type->code != CORDON_PLAN_NONE;
            if (back == (pass == 1) && take_one(taking, i) < 0) {
                return -1;
            }
        }
    }
    return function->variadic ? take_variadic(taking, args + used, positional - (size_t)used) : 0;
}
