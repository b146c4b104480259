/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callables that the library calls, on the thread that waits for the outer call. What one raises ends the outer call with that
 * exception; the library gets the `fails(...)` value.
 *
 * How long it lives: with the call; with the cell, if the library keeps it.
 */
#include <errno.h>

#include "giving.h"

struct call_back {
    struct call_back *next; /* of the call */
    struct cordon_callback *callback;
    struct function_object *function; /* owned: whose parameter it is */
    const struct cordon_plan_function *shape;
    PyObject *callable;    /* owned */
    struct taking *taking; /* NULL: kept by the library, hence by the cell */
};

static void free_call_back(struct call_back *back)
{
    cordon_callback_free(back->callback);
    Py_XDECREF(back->callable);
    Py_XDECREF(back->function);
    PyMem_RawFree(back);
}

void callbacks_end(struct taking *taking)
{
    while (taking->callbacks) {
        struct call_back *back = taking->callbacks;
        taking->callbacks = back->next;
        free_call_back(back);
    }
}

/* ---- Those that the library keeps ---------------------------------------------------------------- */

struct kept_object {
    PyObject_HEAD struct call_back *back; /* NULL: let go */
};

static int kept_traverse(struct kept_object *self, visitproc visit, void *arg)
{
    if (self->back) {
        Py_VISIT(self->back->callable);
        Py_VISIT(self->back->function);
    }
    return 0;
}

/* The library may call it still: then it gets its failure value. */
static int kept_clear(struct kept_object *self)
{
    struct call_back *back = self->back;
    self->back = NULL;
    if (back) {
        free_call_back(back);
    }
    return 0;
}

static void kept_dealloc(struct kept_object *self)
{
    PyObject_GC_UnTrack((PyObject *)self);
    (void)kept_clear(self);
    PyObject_GC_Del(self);
}

PyTypeObject kept_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon._cordon.Kept",
    .tp_basicsize = sizeof(struct kept_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)kept_dealloc,
    .tp_traverse = (traverseproc)kept_traverse,
    .tp_clear = (inquiry)kept_clear,
};

/* ---- Arguments ---------------------------------------------------------------------------------- */

static const struct cordon_plan_param *shape_param(const struct call_back *back, uint32_t i)
{
    return VIEW_TABLE(back->function->plan, struct cordon_plan_param, params_at) +
           back->shape->first_param + i;
}

static const char *format_of(const struct cordon_plan_type *type)
{
    static const char *const formats[CORDON_PLAN_KIND_COUNT] = {
        [CORDON_PLAN_BOOL] = "?", [CORDON_PLAN_I8] = "b",  [CORDON_PLAN_U8] = "B",
        [CORDON_PLAN_I16] = "h",  [CORDON_PLAN_U16] = "H", [CORDON_PLAN_I32] = "i",
        [CORDON_PLAN_U32] = "I",  [CORDON_PLAN_I64] = "l", [CORDON_PLAN_U64] = "L",
        [CORDON_PLAN_F32] = "f",  [CORDON_PLAN_F64] = "d",
    };
    return formats[type->kind];
}

/*
 * Memory that the callback may write to: a view of a copy, because views may outlive the callback. What is in the copy
 * then goes back (take_rooms()).
 */
static PyObject *writable_view(const struct plan_view *plan, const struct cordon_plan_type *type,
                               const struct cordon_value *value)
{
    const struct cordon_plan_type *target = view_target(plan, type);
    size_t bytes = value->count * view_element_bytes(plan, type);
    PyObject *room = PyByteArray_FromStringAndSize(value->memory, (Py_ssize_t)bytes);
    PyObject *view = room ? PyMemoryView_FromObject(room) : NULL;
    Py_XDECREF(room);
    if (!view || bytes == 0 || are_bytes(plan, type) || !format_of(target)) {
        return view;
    }
    PyObject *cast = PyObject_CallMethod(view, "cast", "s", format_of(target));
    Py_DECREF(view);
    return cast;
}

static PyObject *give_argument(const struct giving *giving, const struct cordon_plan_type *type,
                               const struct cordon_value *value)
{
    const struct cordon_plan_type *target;
    switch (value->kind) {
    case CORDON_VALUE_INT:
    case CORDON_VALUE_UINT:
    case CORDON_VALUE_FLOAT:
        return view_is_scalar(type) ? give_word(type, value)
                                    : PyLong_FromUnsignedLongLong(value->u);
    case CORDON_VALUE_HANDLE:
        return handle_new(giving->function, value->handle, view_name(giving->plan, type->name),
                          true);
    case CORDON_VALUE_MEMORY:
        break;
    default:
        Py_RETURN_NONE;
    }
    if (type->kind == CORDON_PLAN_STRING) {
        return PyUnicode_DecodeUTF8(value->memory, (Py_ssize_t)value->count, "surrogateescape");
    }
    if (type->kind == CORDON_PLAN_STRUCT) {
        return give_object(giving, type, value->memory, NULL, NULL, 0);
    }
    if (type->kind == CORDON_PLAN_POINTER && type->direction != CORDON_PLAN_IN) {
        return writable_view(giving->plan, type, value);
    }
    target = view_target(giving->plan, type);
    if (are_bytes(giving->plan, type)) {
        return PyBytes_FromStringAndSize(
            value->memory, (Py_ssize_t)(value->count * view_element_bytes(giving->plan, type)));
    }
    if (type->code == CORDON_PLAN_NONE && !(type->flags & CORDON_PLAN_NULL_ENDED)) {
        return give_object(giving, target, value->memory, NULL, NULL, 0);
    }
    PyObject *list = PyList_New((Py_ssize_t)value->count);
    size_t each = view_element_bytes(giving->plan, type);
    for (size_t i = 0; list && i < value->count; i++) {
        PyObject *element =
            give_object(giving, target, (const uint8_t *)value->memory + i * each, NULL, NULL, 1);
        if (!element) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, element);
    }
    return list;
}

/* Those that the callable gets, as a tuple. */
static PyObject *give_arguments(const struct call_back *back, const struct cordon_value *args,
                                size_t count)
{
    const struct plan_view *plan = back->function->plan;
    struct giving giving = {
        .function = back->function, .plan = plan, .trusted = true, .scope = {.plan = plan}};
    PyObject *values = PyTuple_New((Py_ssize_t)count);
    for (uint32_t i = 0; values && i < back->shape->param_count; i++) {
        const struct cordon_plan_param *param = shape_param(back, i);
        if (param->position >= count) {
            continue;
        }
        PyObject *value =
            give_argument(&giving, view_type(plan, param->type), &args[param->position]);
        if (!value) {
            Py_CLEAR(values);
            break;
        }
        PyTuple_SET_ITEM(values, param->position, value);
    }
    return values;
}

/* ---- The call ----------------------------------------------------------------------------------- */

static int take_return(const struct call_back *back, PyObject *object,
                       struct cordon_value *ret_value)
{
    const struct plan_view *plan = back->function->plan;
    const struct cordon_plan_type *type = view_type(plan, back->shape->result.type);
    struct taking *taking;
    uint64_t word;
    int r = 0;
    if (type->kind == CORDON_PLAN_VOID) {
        return 0;
    }
    taking = taking_begin(back->function);
    if (!taking) {
        return -1;
    }
    struct image_step step = {.text = "return value of the callback"};
    taking->image.step = &step;
    taking->image.noun = NULL;
    if (view_is_scalar(type)) {
        r = take_number(taking, type, object, &word);
        if (r == 0) {
            *ret_value = number_as_value(type, word);
        }
    } else {
        r = take_opaque(taking, type, object, ret_value);
    }
    taking->image.step = NULL;
    taking_end(taking);
    return r;
}

/* The byte arrays behind writable views, owned: a callback may let go of its view. */
static void find_rooms(PyObject *values, PyObject **rooms, size_t *sizes)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values); i++) {
        PyObject *value = PyTuple_GET_ITEM(values, i);
        PyObject *room = PyMemoryView_Check(value) ? PyMemoryView_GET_BUFFER(value)->obj : NULL;
        rooms[i] = Py_XNewRef(room);
        sizes[i] = room ? (size_t)PyByteArray_GET_SIZE(room) : 0;
    }
}

static void take_rooms(PyObject *values, PyObject **rooms, const size_t *sizes,
                       const struct cordon_value *args)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(values); i++) {
        if (rooms[i]) {
            /* A callback that lets go of its view may make the array another size. */
            size_t bytes = (size_t)PyByteArray_GET_SIZE(rooms[i]);
            bytes = bytes < sizes[i] ? bytes : sizes[i];
            if (bytes > 0 && args[i].memory) {
                memcpy(args[i].memory, PyByteArray_AS_STRING(rooms[i]), bytes);
            }
            Py_DECREF(rooms[i]);
        }
    }
}

/* Where what it raises is kept until the outer call, or dispatch(), raises it; NULL: nobody would. */
static PyObject **place_of_raised(const struct call_back *back)
{
    struct use *use = back->taking ? NULL : use_of_thread(back->function->cell);
    PyObject **place = back->taking ? &back->taking->raised : use ? &use->raised : NULL;
    return place && !*place ? place : NULL;
}

static void note_raised(const struct call_back *back, PyObject *callable)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyObject **place = place_of_raised(back);
    if (!place) {
        PyErr_WriteUnraisable(callable);
        return;
    }
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace) {
        (void)PyException_SetTraceback(value, trace);
    }
    *place = value;
    Py_XDECREF(type);
    Py_XDECREF(trace);
}

static int on_call(void *context, struct cordon_session *session, const struct cordon_value *args,
                   size_t count, struct cordon_value *ret_value)
{
    struct call_back *back = context;
    PyGILState_STATE state = PyGILState_Ensure();
    if (back->taking &&
        back->taking->raised) { /* the call is over as soon as the library returns */
        PyGILState_Release(state);
        return -ECANCELED;
    }
    Py_INCREF(back->callable);
    PyObject *callable = back->callable; /* what it does may end what keeps it */
    PyObject *rooms[CORDON_PLAN_PARAMS_MAX] = {NULL};
    size_t sizes[CORDON_PLAN_PARAMS_MAX];
    PyObject *values = give_arguments(back, args, count);
    if (values) {
        find_rooms(values, rooms, sizes);
    }
    PyObject *returned = values ? PyObject_Call(callable, values, NULL) : NULL;
    int r = returned ? take_return(back, returned, ret_value) : -1;
    (void)session;
    if (r < 0) {
        note_raised(back, callable);
    }
    if (values) {
        take_rooms(values, rooms, sizes, args);
    }
    Py_XDECREF(returned);
    Py_XDECREF(values);
    Py_DECREF(callable);
    PyGILState_Release(state);
    return r < 0 ? -ECANCELED : 0;
}

int take_callable(struct taking *taking, const struct cordon_plan_type *type, PyObject *callable,
                  struct cordon_callback **ret_callback)
{
    const struct plan_view *plan = taking->function->plan;
    struct call_back *back = PyMem_RawCalloc(1, sizeof *back);
    bool kept = (type->flags & CORDON_PLAN_KEPT) != 0;
    if (!back || cordon_callback_new(on_call, back, &back->callback) != 0) {
        PyMem_RawFree(back);
        (void)PyErr_NoMemory();
        return -1;
    }
    back->function = (struct function_object *)Py_NewRef((PyObject *)taking->function);
    back->callable = Py_NewRef(callable);
    back->shape = VIEW_TABLE(plan, struct cordon_plan_function, functions_at) + type->target;
    *ret_callback = back->callback;
    if (!kept) {
        back->taking = taking;
        back->next = taking->callbacks;
        taking->callbacks = back;
        return 0;
    }
    struct kept_object *keeper = PyObject_GC_New(struct kept_object, &kept_type);
    if (!keeper) {
        free_call_back(back);
        return -1;
    }
    keeper->back = back;
    PyObject_GC_Track((PyObject *)keeper);
    int r = PyList_Append(taking->function->cell->kept, (PyObject *)keeper);
    Py_DECREF(keeper);
    return r;
}
