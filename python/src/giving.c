/* SPDX-License-Identifier: Apache-2.0 */
#include "giving.h"

#include <errno.h>
#include <malloc.h>

#define DEPTH_MAX 64u /* pointers inside pointers */

static PyObject *give_text(const void *text, size_t length)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)length, "surrogateescape");
}

static PyObject *none(void)
{
    Py_RETURN_NONE;
}

/* Bytes that can be read at @pointer. */
static size_t room_at(const struct giving *giving, const void *pointer)
{
    uintptr_t offset = (uintptr_t)pointer - (uintptr_t)giving->owned;
    if (giving->owned && offset < giving->owned_bytes) {
        return giving->owned_bytes - offset;
    }
    if (giving->trusted) {
        return PY_SSIZE_T_MAX;
    }
    return giving->image ? image_room(giving->image, pointer) : 0;
}

static void own(struct giving *giving, const void *memory)
{
    giving->owned = memory;
    giving->owned_bytes = memory ? malloc_usable_size((void *)(uintptr_t)memory) : 0;
}

static bool is_single(const struct cordon_plan_type *type)
{
    return type->code == CORDON_PLAN_NONE && type->length_code == CORDON_PLAN_NONE &&
           !(type->flags & CORDON_PLAN_NULL_ENDED);
}

/* ---- Objects in memory -------------------------------------------------------------------------- */

static size_t text_length(const char *text, size_t count)
{
    while (count > 0 && text[count - 1] == '\0') {
        count--;
    }
    return count;
}

static PyObject *give_bytes(const struct cordon_plan_type *type, const void *memory, size_t count)
{
    if (type->flags & CORDON_PLAN_TEXT) {
        return give_text(memory, type->kind == CORDON_PLAN_ARRAY ? strnlen(memory, count)
                                                                 : text_length(memory, count));
    }
    return PyBytes_FromStringAndSize(memory, (Py_ssize_t)count);
}

static PyObject *give_elements(const struct giving *giving, const struct cordon_plan_type *type,
                               const uint8_t *memory, size_t count,
                               const struct cordon_plan_type *owner, const void *owner_memory,
                               uint32_t depth)
{
    const struct cordon_plan_type *target = view_target(giving->plan, type);
    size_t each = view_element_bytes(giving->plan, type);
    if (are_bytes(giving->plan, type)) {
        return give_bytes(type, memory, count);
    }
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *element =
            give_object(giving, target, memory + i * each, owner, owner_memory, depth + 1);
        if (!element) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, element);
    }
    return list;
}

/* Elements behind a pointer, at most @room bytes. */
static size_t element_count(const struct giving *giving, const struct cordon_plan_type *type,
                            const void *memory, size_t room, size_t given,
                            const struct cordon_plan_type *owner, const void *owner_memory)
{
    size_t each = view_element_bytes(giving->plan, type);
    uint32_t code = type->length_code != CORDON_PLAN_NONE ? type->length_code : type->code;
    struct length_scope scope = giving->scope;
    uint64_t count = given;
    scope.owner = owner;
    scope.image = owner_memory;
    if (type->flags & CORDON_PLAN_NULL_ENDED) {
        const uint64_t *pointers = memory;
        for (count = 0; count < room / sizeof(void *) && pointers[count] != 0;) {
            count++;
        }
    } else if (code != CORDON_PLAN_NONE) {
        int r = length_evaluate(&scope, code, &count);
        count = r == 0 ? count : r == -ENODATA && !giving->trusted ? given : 0;
    }
    each = each ? each : 1;
    return count < room / each ? (size_t)count : room / each;
}

static PyObject *give_pointer(const struct giving *giving, const struct cordon_plan_type *type,
                              const void *memory, const struct cordon_plan_type *owner,
                              const void *owner_memory, uint32_t depth)
{
    const void *inner;
    memcpy(&inner, memory, sizeof inner);
    size_t room = inner ? room_at(giving, inner) : 0;
    if (room == 0 || depth > DEPTH_MAX) {
        return none();
    }
    if (type->kind == CORDON_PLAN_STRING) {
        return give_text(inner, strnlen(inner, room));
    }
    const struct cordon_plan_type *target = view_target(giving->plan, type);
    if (is_single(type)) {
        return room < target->size
                   ? none()
                   : give_object(giving, target, inner, owner, owner_memory, depth + 1);
    }
    size_t each = view_element_bytes(giving->plan, type);
    size_t count =
        element_count(giving, type, inner, room, room / (each ? each : 1), owner, owner_memory);
    return give_elements(giving, type, inner, count, owner, owner_memory, depth);
}

static PyObject *give_struct(const struct giving *giving, const struct cordon_plan_type *record,
                             const uint8_t *memory, uint32_t depth)
{
    PyObject *class = struct_class(giving->function->cell, giving->plan, record);
    PyObject *members = class ? PyTuple_New(record->count) : NULL;
    for (uint32_t i = 0; members && i < record->count; i++) {
        const struct cordon_plan_field *field = view_field(giving->plan, record, i);
        PyObject *member = give_object(giving, view_type(giving->plan, field->type),
                                       memory + field->offset, record, memory, depth);
        if (!member) {
            Py_CLEAR(members);
            break;
        }
        PyTuple_SET_ITEM(members, i, member);
    }
    PyObject *made = members ? PyObject_Call(class, members, NULL) : NULL;
    Py_XDECREF(members);
    return made;
}

/* The member in use, alone and by its name; None where there is none. */
static PyObject *give_union(const struct giving *giving, const struct cordon_plan_type *type,
                            const uint8_t *memory, const struct cordon_plan_type *owner,
                            const uint8_t *owner_memory, uint32_t depth)
{
    const struct cordon_plan_field *selector = view_field(giving->plan, owner, type->within);
    uint64_t value =
        length_load(view_type(giving->plan, selector->type)->kind, owner_memory + selector->offset);
    for (uint32_t i = 0; i < type->count; i++) {
        const struct cordon_plan_field *field = view_field(giving->plan, type, i);
        const struct cordon_plan_type *member = view_type(giving->plan, field->type);
        if (!(field->flags & CORDON_PLAN_FIELD_DEFAULT) &&
            ((uint64_t)field->value_high << 32 | field->filled_by) != value) {
            continue;
        }
        if (member->kind == CORDON_PLAN_VOID) {
            break;
        }
        PyObject *object = give_object(giving, member, memory, owner, owner_memory, depth);
        return object ? Py_BuildValue("{s:N}", view_name(giving->plan, field->name), object) : NULL;
    }
    return none();
}

static PyObject *give_handle(const struct giving *giving, const struct cordon_plan_type *type,
                             struct cordon_handle handle)
{
    if (handle.worker == 0 && handle.generation == 0 && handle.index == 0) {
        return none();
    }
    return handle_new(giving->function, handle, view_name(giving->plan, type->name),
                      giving->trusted);
}

PyObject *give_object(const struct giving *giving, const struct cordon_plan_type *type,
                      const void *memory, const struct cordon_plan_type *owner,
                      const void *owner_memory, uint32_t depth)
{
    uint64_t word = 0;
    switch (type->kind) {
    case CORDON_PLAN_UNION:
        return give_union(giving, type, memory, owner, owner_memory, depth);
    case CORDON_PLAN_STRUCT:
        return give_struct(giving, type, memory, depth);
    case CORDON_PLAN_ARRAY:
        return give_elements(giving, type, memory, type->count, owner, owner_memory, depth);
    case CORDON_PLAN_POINTER:
    case CORDON_PLAN_STRING:
        return give_pointer(giving, type, memory, owner, owner_memory, depth);
    default:
        break;
    }
    if (view_is_scalar(type)) {
        return give_number(giving->plan, type, memory);
    }
    memcpy(&word, memory, sizeof word);
    if (type->kind == CORDON_PLAN_HANDLE) { /* its worker is the one that was called */
        struct cordon_handle handle = {
            .generation = (uint32_t)(word >> 32), .index = (uint32_t)word, .tag = type->tag};
        return give_handle(giving, type, handle);
    }
    return word == (type->kind == CORDON_PLAN_WITHIN ? UINT64_MAX : 0)
               ? none()
               : PyLong_FromUnsignedLongLong(word);
}

/* ---- Values of a call --------------------------------------------------------------------------- */

/* Memory that a value names: @count elements of it, or what the length says now. */
static PyObject *give_memory(const struct giving *giving, const struct cordon_plan_type *type,
                             const struct cordon_value *value)
{
    if (type->kind == CORDON_PLAN_STRING) {
        return give_text(value->memory, strnlen(value->memory, value->count));
    }
    if (type->kind == CORDON_PLAN_STRUCT) {
        return give_object(giving, type, value->memory, NULL, NULL, 0);
    }
    if (is_single(type)) {
        return give_object(giving, view_target(giving->plan, type), value->memory, NULL, NULL, 0);
    }
    size_t each = view_element_bytes(giving->plan, type);
    size_t count =
        element_count(giving, type, value->memory, value->count * each, value->count, NULL, NULL);
    return give_elements(giving, type, value->memory, count, NULL, NULL, 0);
}

static PyObject *give_return(struct giving *giving, const struct cordon_result *result)
{
    const struct cordon_plan_type *type =
        view_type(giving->plan, view_function(giving->plan)->result.type);
    const struct cordon_value *value = &result->value;
    PyObject *object;
    switch (value->kind) {
    case CORDON_VALUE_INT:
    case CORDON_VALUE_UINT:
    case CORDON_VALUE_FLOAT:
        return view_is_scalar(type) ? give_word(type, value)
                                    : PyLong_FromUnsignedLongLong(value->u);
    case CORDON_VALUE_MEMORY:
        own(giving, result->owned);
        object = give_memory(giving, type, value);
        own(giving, NULL);
        return object;
    case CORDON_VALUE_HANDLE:
        return give_handle(giving, type, value->handle);
    default:
        return none();
    }
}

/* Bytes that were written to in place, cut at what came. */
static PyObject *give_room(struct taking *taking, const struct giving *giving,
                           const struct cordon_plan_type *type, uint32_t at)
{
    const struct cordon_value *value = &taking->values[at];
    size_t count =
        element_count(giving, type, value->memory, value->count, value->count, NULL, NULL);
    PyObject *bytes = taking->rooms[at];
    taking->rooms[at] = NULL;
    if (count != (size_t)PyBytes_GET_SIZE(bytes) &&
        _PyBytes_Resize(&bytes, (Py_ssize_t)count) < 0) {
        return NULL;
    }
    return bytes;
}

static PyObject *give_output(struct taking *taking, struct giving *giving, uint32_t at)
{
    const struct parameter *parameter = &taking->function->parameters[at];
    const struct cordon_plan_param *param = view_param(giving->plan, parameter->index);
    const struct cordon_plan_type *type = parameter->type;
    const struct cordon_value *value = &taking->values[at];
    if (value->kind != CORDON_VALUE_MEMORY) {
        return none();
    }
    if (taking->rooms[at]) {
        return give_room(taking, giving, type, at);
    }
    if (taking->given[at]) {
        return Py_NewRef(taking->given[at]); /* written in place */
    }
    const struct cordon_plan_type *target = view_target(giving->plan, type);
    if (param->passing == CORDON_PLAN_PASS_WORD && target->kind == CORDON_PLAN_HANDLE) {
        struct cordon_handle handle;
        memcpy(&handle, value->memory, sizeof handle);
        return give_handle(giving, target, handle);
    }
    if (param->passing == CORDON_PLAN_PASS_DYNAMIC) {
        void *owned;
        memcpy(&owned, value->memory, sizeof owned);
        own(giving, owned);
        PyObject *object = give_memory(giving, type, value);
        own(giving, NULL);
        return object;
    }
    return give_memory(giving, type, value);
}

/* Handles that the call has ended are closed. */
static void tell_released(const struct taking *taking)
{
    const struct function_object *function = taking->function;
    for (uint32_t i = 0; i < function->count; i++) {
        PyObject *given = taking->given[i];
        if (function->parameters[i].type->flags & CORDON_PLAN_RELEASE && given &&
            Py_TYPE(given) == &handle_type) {
            handle_released((struct handle_object *)given);
        }
    }
}

/* How many were added: 1, or 0 with an exception. */
static Py_ssize_t add_value(PyObject *values, Py_ssize_t at, PyObject *value)
{
    if (value) {
        PyTuple_SET_ITEM(values, at, value);
    }
    return value != NULL;
}

PyObject *give_result(struct taking *taking, const struct cordon_result *result)
{
    struct function_object *function = taking->function;
    struct giving giving = {.function = function,
                            .plan = function->plan,
                            .image = &taking->image,
                            .scope = taking->scope};
    giving.scope.result = &result->value;
    tell_released(taking);
    if (function->outputs == 0) {
        return none();
    }
    if (function->outputs == 1 && function->returns) {
        return give_return(&giving, result);
    }
    PyObject *values = PyTuple_New(function->outputs);
    Py_ssize_t at = 0;
    if (values && function->returns) {
        at += add_value(values, at, give_return(&giving, result));
    }
    for (uint32_t i = 0; values && !PyErr_Occurred() && i < function->count; i++) {
        if (function->parameters[i].comes_back) {
            at += add_value(values, at, give_output(taking, &giving, i));
        }
    }
    if (!values || at < function->outputs) {
        Py_XDECREF(values);
        return NULL;
    }
    PyObject *made = function->outputs == 1 ? Py_NewRef(PyTuple_GET_ITEM(values, 0))
                                            : PyObject_Call(function->result_class, values, NULL);
    Py_DECREF(values);
    return made;
}
