/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs from Python: a mapping, or anything with attributes of the members' names (dataclasses, named tuples). Members that
 * are not given are zero; those that only say how long another is take its count.
 */
#include "taking.h"

/* A member whose name no attribute can have: our own named tuples tell where it is (cordon._classes). */
static int renamed_member(PyObject *whole, const char *name, PyObject **ret_member)
{
    PyObject *names = PyObject_GetAttrString((PyObject *)Py_TYPE(whole), "_cordon_members");
    if (!names || !PyTuple_Check(names)) {
        PyErr_Clear();
        Py_XDECREF(names);
        return 0;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names) && i < PyTuple_GET_SIZE(whole); i++) {
        PyObject *one = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_Check(one) && PyUnicode_CompareWithASCIIString(one, name) == 0) {
            *ret_member = Py_NewRef(PyTuple_GET_ITEM(whole, i));
            break;
        }
    }
    Py_DECREF(names);
    return 0;
}

/* Member @name of @whole: a new reference in @ret_member, or NULL: it was not given. */
static int member_of(PyObject *whole, const char *name, PyObject **ret_member)
{
    *ret_member = NULL;
    if (*name == '\0') {
        return 0; /* a case of a union that holds nothing */
    }
    if (PyDict_Check(whole)) {
        PyObject *key = PyUnicode_FromString(name);
        PyObject *member = key ? PyDict_GetItemWithError(whole, key) : NULL;
        Py_XDECREF(key);
        *ret_member = Py_XNewRef(member);
        return !member && PyErr_Occurred() ? -1 : 0;
    }
    PyObject *member = PyMapping_Check(whole) && !PyTuple_Check(whole)
                           ? PyMapping_GetItemString(whole, name)
                           : PyObject_GetAttrString(whole, name);
    if (!member && PyTuple_Check(whole) && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return renamed_member(whole, name, ret_member);
    }
    if (!member) {
        if (!PyErr_ExceptionMatches(PyExc_KeyError) &&
            !PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
    }
    *ret_member = member;
    return 0;
}

static bool is_given(PyObject *whole, const char *name)
{
    PyObject *member;
    bool given = member_of(whole, name, &member) == 0 && member && member != Py_None;
    PyErr_Clear();
    Py_XDECREF(member);
    return given;
}

static bool is_member(const struct plan_view *plan, const struct cordon_plan_type *record,
                      PyObject *key)
{
    for (uint32_t i = 0; i < record->count; i++) {
        const char *name = view_name(plan, view_field(plan, record, i)->name);
        if (PyUnicode_Check(key) && PyUnicode_CompareWithASCIIString(key, name) == 0) {
            return true;
        }
    }
    return false;
}

static int refuse_key(struct taking *taking, const struct cordon_plan_type *record, PyObject *key)
{
    const struct plan_view *plan = taking->function->plan;
    char known[256] = "";
    size_t length = 0;
    for (uint32_t i = 0; i < record->count && length < sizeof known; i++) {
        const char *name = view_name(plan, view_field(plan, record, i)->name);
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s",
                                   length > 0 ? ", " : "", name);
    }
    PyObject *shown = PyObject_Repr(key);
    const char *text = shown ? PyUnicode_AsUTF8(shown) : "";
    char name[128];
    int r = take_refuse(taking, PyExc_TypeError, "%s has no member %.64s; its members are %s",
                        view_type_text(plan, record, name, sizeof name), text ? text : "", known);
    Py_XDECREF(shown);
    return r;
}

/* Mistyped keys of a dict are found; other objects may have attributes of their own. */
static int check_keys(struct taking *taking, const struct cordon_plan_type *record,
                      PyObject *object)
{
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *value;
    while (PyDict_Check(object) && PyDict_Next(object, &at, &key, &value)) {
        if (!is_member(taking->function->plan, record, key)) {
            Py_INCREF(key);
            (void)refuse_key(taking, record, key);
            Py_DECREF(key);
            return -1;
        }
    }
    return 0;
}

/* ---- Members with memory behind them ------------------------------------------------------------- */

/* Members that only say how long @pointer is take its count; one that was given must agree. */
static int fill_lengths(struct taking *taking, const struct cordon_plan_type *record,
                        uint32_t pointer, PyObject *whole, uint64_t count, uint8_t *memory)
{
    const struct plan_view *plan = taking->function->plan;
    for (uint32_t i = 0; i < record->count; i++) {
        const struct cordon_plan_field *field = view_field(plan, record, i);
        if (!(field->flags & CORDON_PLAN_FIELD_FILLED) || field->filled_by != pointer) {
            continue;
        }
        const struct cordon_plan_type *type = view_type(plan, field->type);
        const char *name = view_name(plan, field->name);
        if (!is_given(whole, name)) {
            number_put(type, count, memory + field->offset);
        }
        if (length_load(type->kind, memory + field->offset) != count) {
            return take_refuse(taking, PyExc_ValueError, "member '%s' does not say %llu elements",
                               name, (unsigned long long)count);
        }
    }
    return 0;
}

/* Elements of a pointer member as the struct's other members tell; @given when it has no length. */
static int member_length(struct taking *taking, const struct cordon_plan_type *record,
                         const struct cordon_plan_type *type, const uint8_t *memory, uint64_t given,
                         uint64_t *ret_needed)
{
    *ret_needed = type->kind == CORDON_PLAN_STRING ? 0 : given;
    if (type->code == CORDON_PLAN_NONE) {
        return 0;
    }
    struct length_scope scope = taking->scope;
    scope.owner = record;
    scope.image = memory;
    int r = length_evaluate(&scope, type->code, ret_needed);
    return r < 0 ? take_refuse(taking, PyExc_ValueError, "its length %s", length_error_text(r)) : 0;
}

static size_t bytes_of_element(const struct taking *taking, const struct cordon_plan_type *type)
{
    return type->kind == CORDON_PLAN_STRING ? 1 : view_element_bytes(taking->function->plan, type);
}

static int store_out_member(struct taking *taking, const struct cordon_plan_type *record,
                            const struct cordon_plan_type *type, const uint8_t *memory,
                            uint8_t *member)
{
    uint64_t needed = 0;
    if (member_length(taking, record, type, memory, 1, &needed) < 0) {
        return -1;
    }
    void *block = image_take(&taking->image, needed, bytes_of_element(taking, type));
    memcpy(member, &block, sizeof block);
    return block ? 0 : take_raise(taking);
}

static int store_in_member(struct taking *taking, const struct cordon_plan_type *record,
                           uint32_t index, PyObject *whole, PyObject *object, uint8_t *memory)
{
    const struct cordon_plan_field *field = view_field(taking->function->plan, record, index);
    const struct cordon_plan_type *type = view_type(taking->function->plan, field->type);
    void *block = NULL;
    size_t count = 0;
    uint64_t needed = 0;
    if (take_elements(taking, type, object, 0, &block, &count) < 0) {
        return -1;
    }
    memcpy(memory + field->offset, &block, sizeof block);
    if (fill_lengths(taking, record, index, whole, count, memory) < 0 ||
        member_length(taking, record, type, memory, count, &needed) < 0) {
        return -1;
    }
    if (type->kind == CORDON_PLAN_STRING || type->direction == CORDON_PLAN_INOUT) {
        if (needed * bytes_of_element(taking, type) > image_room(&taking->image, block)) {
            block = image_copy(&taking->image, type, block, count, needed);
            memcpy(memory + field->offset, &block, sizeof block);
        }
        return block ? 0 : take_raise(taking);
    }
    return count < needed ? take_refuse_few(taking, count, needed) : 0;
}

/* ---- Unions ------------------------------------------------------------------------------------- */

/* A selector that was not given becomes the case of the member that was. */
static int select_case(struct taking *taking, const struct cordon_plan_type *record,
                       const struct cordon_plan_type *type, const struct cordon_plan_field *field,
                       PyObject *whole, uint8_t *memory)
{
    const struct plan_view *plan = taking->function->plan;
    const struct cordon_plan_field *selector = view_field(plan, record, type->within);
    const char *name = view_name(plan, selector->name);
    if (is_given(whole, name)) {
        return 0; /* whether it agrees is judged when the call is encoded */
    }
    if (!(field->flags & CORDON_PLAN_FIELD_CASE)) {
        return take_refuse(taking, PyExc_ValueError, "'%s' does not say that this member is in use",
                           name);
    }
    number_put(view_type(plan, selector->type),
               (uint64_t)field->value_high << 32 | field->filled_by, memory + selector->offset);
    return 0;
}

static int store_case(struct taking *taking, const struct cordon_plan_type *record,
                      const struct cordon_plan_type *member, PyObject *object, uint8_t *memory,
                      uint8_t *at)
{
    void *block = NULL;
    size_t count = 0;
    uint64_t needed = 0;
    if (!view_is_memory(member)) {
        return take_store(taking, member, object, at);
    }
    if (member->direction == CORDON_PLAN_OUT) {
        return store_out_member(taking, record, member, memory, at);
    }
    if (object == Py_None) {
        return 0;
    }
    if (take_elements(taking, member, object, 0, &block, &count) < 0) {
        return -1;
    }
    memcpy(at, &block, sizeof block);
    if (member_length(taking, record, member, memory, count, &needed) < 0) {
        return -1;
    }
    return member->kind == CORDON_PLAN_POINTER && count < needed
               ? take_refuse_few(taking, count, needed)
               : 0;
}

/* {"member": value}; None leaves it as it is. */
static int store_union(struct taking *taking, const struct cordon_plan_type *record,
                       const struct cordon_plan_type *type, PyObject *whole, PyObject *object,
                       uint8_t *memory, uint8_t *at)
{
    const struct plan_view *plan = taking->function->plan;
    Py_ssize_t position = 0;
    PyObject *key;
    PyObject *value;
    if (object == Py_None) {
        return 0;
    }
    if (!PyDict_Check(object) || PyDict_GET_SIZE(object) != 1 ||
        !PyDict_Next(object, &position, &key, &value)) {
        return take_refuse(taking, PyExc_TypeError,
                           "a union wants a dict with the one member in use");
    }
    Py_INCREF(key);
    Py_INCREF(value); /* the dict may change when members are asked for */
    int r = 1;
    for (uint32_t i = 0; r == 1 && i < type->count; i++) {
        const struct cordon_plan_field *field = view_field(plan, type, i);
        const char *name = view_name(plan, field->name);
        if (!PyUnicode_Check(key) || PyUnicode_CompareWithASCIIString(key, name) != 0) {
            continue;
        }
        struct image_step step = {.outer = taking->image.step, .text = name};
        taking->image.step = &step;
        r = select_case(taking, record, type, field, whole, memory);
        r = r < 0 ? r : store_case(taking, record, view_type(plan, field->type), value, memory, at);
        taking->image.step = step.outer;
    }
    r = r == 1 ? refuse_key(taking, type, key) : r;
    Py_DECREF(value);
    Py_DECREF(key);
    return r;
}

static bool is_unions(const struct plan_view *plan, const struct cordon_plan_type *type)
{
    return type->kind == CORDON_PLAN_ARRAY &&
           view_type(plan, type->target)->kind == CORDON_PLAN_UNION;
}

/* One for each element, all of one selector. */
static int store_unions(struct taking *taking, const struct cordon_plan_type *record,
                        const struct cordon_plan_type *type, PyObject *whole, PyObject *object,
                        uint8_t *memory, uint8_t *at)
{
    const struct cordon_plan_type *element = view_type(taking->function->plan, type->target);
    PyObject *items = PySequence_Tuple(object);
    int r = 0;
    if (!items) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(items);
    if (count > (Py_ssize_t)type->count) {
        r = take_refuse(taking, PyExc_ValueError, "%zd elements given, there is room for %u", count,
                        type->count);
    }
    struct image_step step = {.outer = taking->image.step};
    taking->image.step = &step;
    for (; r == 0 && step.index < (size_t)count; step.index++) {
        r = store_union(taking, record, element, whole,
                        PyTuple_GET_ITEM(items, (Py_ssize_t)step.index), memory,
                        at + step.index * element->size);
    }
    taking->image.step = step.outer;
    Py_DECREF(items);
    return r;
}

/* ---- Structs ------------------------------------------------------------------------------------ */

static int store_member(struct taking *taking, const struct cordon_plan_type *record,
                        uint32_t index, PyObject *whole, PyObject *object, uint8_t *memory)
{
    const struct plan_view *plan = taking->function->plan;
    const struct cordon_plan_field *field = view_field(plan, record, index);
    const struct cordon_plan_type *type = view_type(plan, field->type);
    uint8_t *at = memory + field->offset;
    if (view_is_memory(type) && type->direction == CORDON_PLAN_OUT) {
        return store_out_member(taking, record, type, memory, at);
    }
    if (!object) {
        return 0;
    }
    if (type->kind == CORDON_PLAN_UNION) {
        return store_union(taking, record, type, whole, object, memory, at);
    }
    if (is_unions(plan, type)) {
        return store_unions(taking, record, type, whole, object, memory, at);
    }
    if (view_is_memory(type)) {
        return object == Py_None ? 0
                                 : store_in_member(taking, record, index, whole, object, memory);
    }
    /* What only says a length, and came back as None would, is filled in. */
    bool filled = field->flags & CORDON_PLAN_FIELD_FILLED && object == Py_None;
    return filled ? 0 : take_store(taking, type, object, at);
}

static int store_members(struct taking *taking, const struct cordon_plan_type *record,
                         PyObject *whole, uint8_t *memory, bool pointers, uint32_t *ret_found)
{
    const struct plan_view *plan = taking->function->plan;
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < record->count; i++) {
        const struct cordon_plan_field *field = view_field(plan, record, i);
        const struct cordon_plan_type *type = view_type(plan, field->type);
        bool last =
            view_is_memory(type) || type->kind == CORDON_PLAN_UNION || is_unions(plan, type);
        PyObject *object;
        if (last != pointers) {
            continue;
        }
        struct image_step step = {.outer = taking->image.step,
                                  .text = view_name(plan, field->name)};
        taking->image.step = &step;
        r = member_of(whole, step.text, &object);
        *ret_found += r == 0 && object;
        r = r < 0 ? r : store_member(taking, record, i, whole, object, memory);
        taking->image.step = step.outer;
        Py_XDECREF(object);
    }
    return r;
}

int take_struct(struct taking *taking, const struct cordon_plan_type *record, PyObject *object,
                uint8_t *memory)
{
    if (PyLong_Check(object) || PyFloat_Check(object) || PyUnicode_Check(object) ||
        PyBytes_Check(object) || PyList_Check(object) || object == Py_None) {
        char text[128];
        return take_refuse(
            taking, PyExc_TypeError,
            "%s wants a dict, or an object with its members as attributes, not %.80s",
            view_type_text(taking->function->plan, record, text, sizeof text),
            Py_TYPE(object)->tp_name);
    }
    uint32_t found = 0;
    if (check_keys(taking, record, object) < 0 ||
        store_members(taking, record, object, memory, false, &found) < 0 ||
        store_members(taking, record, object, memory, true, &found) < 0) {
        return -1;
    }
    return found > 0 || PyMapping_Check(object)
               ? 0
               : take_refuse(taking, PyExc_TypeError, "%.80s has none of its members as attributes",
                             Py_TYPE(object)->tp_name);
}
