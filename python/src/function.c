/* SPDX-License-Identifier: Apache-2.0 */
/* Function: a declaration that is bound, as a callable. */
#include <errno.h>
#include <limits.h>

#include "calling.h"
#include "giving.h"
#include "plain.h"

/* ---- What it is called with --------------------------------------------------------------------- */

/* Whether something behind an object of @type comes back: an iovec's bytes, though the iovec goes in. */
static bool comes_back(const struct plan_view *plan, const struct cordon_plan_type *type,
                       uint32_t depth)
{
    if (depth > CORDON_PLAN_DEPTH_MAX) {
        return false;
    }
    if (view_is_memory(type) && type->direction != CORDON_PLAN_IN) {
        return true;
    }
    if (type->kind == CORDON_PLAN_STRUCT) {
        for (uint32_t i = 0; i < type->count; i++) {
            if (comes_back(plan, view_type(plan, view_field(plan, type, i)->type), depth + 1)) {
                return true;
            }
        }
        return false;
    }
    return (type->kind == CORDON_PLAN_POINTER || type->kind == CORDON_PLAN_ARRAY) &&
           comes_back(plan, view_target(plan, type), depth + 1);
}

static int read_parameters(struct function_object *self)
{
    const struct cordon_plan_function *shape = view_function(self->plan);
    self->count = shape->passed_count;
    self->parameters = PyMem_Calloc(self->count + 1, sizeof *self->parameters);
    if (!self->parameters) {
        (void)PyErr_NoMemory();
        return -1;
    }
    self->plain = true;
    for (uint32_t i = 0; i < shape->param_count; i++) {
        const struct cordon_plan_param *param = view_param(self->plan, i);
        if (param->position >= self->count) {
            continue; /* it only says a length */
        }
        struct parameter *parameter = &self->parameters[param->position];
        parameter->index = i;
        parameter->type = view_type(self->plan, param->type);
        parameter->name = PyUnicode_InternFromString(view_name(self->plan, param->name));
        if (!parameter->name) {
            return -1;
        }
        parameter->comes_back = comes_back(self->plan, parameter->type, 0);
        parameter->sent =
            !view_only_out(parameter->type) && parameter->type->kind != CORDON_PLAN_VARARGS;
        parameter->optional = (parameter->type->flags & CORDON_PLAN_NULLABLE) != 0;
        self->variadic = self->variadic || parameter->type->kind == CORDON_PLAN_VARARGS;
        self->sent += parameter->sent;
        self->outputs += parameter->comes_back;
        self->ways[param->position] = (uint8_t)plain_way(self->plan, i, parameter->type);
        self->plain = self->plain && self->ways[param->position] != PLAIN_NOT;
    }
    const struct cordon_plan_type *result = view_type(self->plan, shape->result.type);
    self->result = result;
    self->returns = result->kind != CORDON_PLAN_VOID;
    self->outputs += self->returns;
    self->plain = self->plain && (!self->returns || view_is_scalar(result));
    return 0;
}

/* Of several outputs: `result` is what the function returned. */
static int make_result_class(struct function_object *self)
{
    Py_ssize_t at = 0;
    if (self->outputs < 2) {
        return 0;
    }
    PyObject *fields = PyTuple_New(self->outputs);
    if (fields && self->returns) {
        PyTuple_SET_ITEM(fields, at++, PyUnicode_InternFromString("result"));
    }
    for (uint32_t i = 0; fields && i < self->count; i++) {
        if (self->parameters[i].comes_back) {
            PyTuple_SET_ITEM(fields, at++, Py_NewRef(self->parameters[i].name));
        }
    }
    PyObject *module = fields ? PyImport_ImportModule("cordon._classes") : NULL;
    PyObject *name = module ? PyUnicode_FromFormat("%U_result", self->name) : NULL;
    self->result_class = name ? PyObject_CallMethod(module, "make", "OO", name, fields) : NULL;
    Py_XDECREF(name);
    Py_XDECREF(module);
    Py_XDECREF(fields);
    return self->result_class ? 0 : -1;
}

/* ---- Calls -------------------------------------------------------------------------------------- */

/* What of a call beside its value is wanted. */
struct wish {
    bool number; /* errno, beside it */
    bool raises; /* -1 or NULL is an OSError */
};

static bool is_failure(const struct cordon_value *value)
{
    return value->kind == CORDON_VALUE_NULL || (value->kind == CORDON_VALUE_INT && value->i == -1);
}

/* OSError, or the class that Python has for the number. */
static PyObject *raise_number(const struct function_object *self, int number)
{
    PyObject *details = Py_BuildValue("(isO)", number, strerror(number), self->name);
    PyObject *error = details ? PyObject_CallObject(PyExc_OSError, details) : NULL;
    if (error) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    }
    Py_XDECREF(error);
    Py_XDECREF(details);
    return NULL;
}

static PyObject *end_call(struct taking *taking, int r, struct cordon_result *result,
                          const struct wish *wish)
{
    int number = r == CORDON_DONE ? result->error_number : 0;
    bool failed = r == CORDON_DONE && is_failure(&result->value);
    PyObject *object = finish_call(taking, r, result);
    if (object && wish->raises && failed) {
        Py_DECREF(object);
        return raise_number(taking->function, number);
    }
    return object && wish->number ? Py_BuildValue("(Ni)", object, number) : object;
}

static PyObject *call_any(struct function_object *self, PyObject *const *args, size_t positional,
                          PyObject *names, const struct wish *wish)
{
    struct cordon_result result;
    uint64_t deadline_ns = CORDON_DEFAULT;
    Py_ssize_t timeout_at = -1;
    PyObject *timeout = names ? find_timeout(self, args, positional, names, &timeout_at) : NULL;
    PyObject *object = NULL;
    if (deadline_of(timeout, &deadline_ns) < 0) {
        return NULL;
    }
    struct taking *taking = taking_begin(self);
    if (!taking) {
        return NULL;
    }
    int r = take_arguments(taking, args, positional, names, timeout_at);
    if (r == 0) {
        r = call_and_wait(self, taking->values, taking->count, deadline_ns, &result);
        object = end_call(taking, r, &result, wish);
    }
    taking_end(taking);
    return object;
}

static PyObject *function_call(PyObject *callable, PyObject *const *args, size_t flags,
                               PyObject *names)
{
    struct function_object *self = (struct function_object *)callable;
    size_t positional = (size_t)PyVectorcall_NARGS(flags);
    PyObject *object;
    if (!names && plain_call(self, args, positional, &object)) {
        return object;
    }
    return call_any(self, args, positional, names, &(struct wish){0});
}

/* errno(...): (value, errno). */
static PyObject *function_errno(struct function_object *self, PyObject *const *args,
                                Py_ssize_t positional, PyObject *names)
{
    return call_any(self, args, (size_t)positional, names, &(struct wish){.number = true});
}

static PyObject *function_check(struct function_object *self, PyObject *const *args,
                                Py_ssize_t positional, PyObject *names)
{
    return call_any(self, args, (size_t)positional, names, &(struct wish){.raises = true});
}

/* aio(...): the same call for asyncio: a coroutine, by cordon._aio. */
static PyObject *function_aio(struct function_object *self, PyObject *args, PyObject *keywords)
{
    PyObject *module = PyImport_ImportModule("cordon._aio");
    PyObject *named = keywords ? Py_NewRef(keywords) : PyDict_New();
    PyObject *coroutine =
        module && named ? PyObject_CallMethod(module, "call", "OOO", (PyObject *)self, args, named)
                        : NULL;
    Py_XDECREF(named);
    Py_XDECREF(module);
    return coroutine;
}

/* ---- What is known of it ------------------------------------------------------------------------ */

/* Tuples (name, type, sent, optional, comes back) of the parameters, and the result's type. */
static PyObject *function_describe(struct function_object *self, PyObject *Py_UNUSED(none))
{
    char text[128];
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < self->count; i++) {
        const struct parameter *parameter = &self->parameters[i];
        PyObject *one = Py_BuildValue(
            "(OsOOOi)", parameter->name,
            view_type_text(self->plan, parameter->type, text, sizeof text),
            parameter->sent ? Py_True : Py_False, parameter->optional ? Py_True : Py_False,
            parameter->comes_back ? Py_True : Py_False, (int)parameter->type->kind);
        if (!one || PyList_Append(list, one) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(one);
    }
    const struct cordon_plan_type *result =
        view_type(self->plan, view_function(self->plan)->result.type);
    return list ? Py_BuildValue("(Ns)", list, view_type_text(self->plan, result, text, sizeof text))
                : NULL;
}

static PyObject *get_doc(struct function_object *self, void *Py_UNUSED(closure))
{
    uint32_t comment = view_function(self->plan)->comment;
    if (comment == 0) {
        Py_RETURN_NONE;
    }
    const char *text = view_name(self->plan, comment);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

/* Made when it is asked for, by cordon._signatures. */
static PyObject *get_signature(struct function_object *self, void *Py_UNUSED(closure))
{
    PyObject *module = PyImport_ImportModule("cordon._signatures");
    PyObject *signature =
        module ? PyObject_CallMethod(module, "signature_of", "O", (PyObject *)self) : NULL;
    Py_XDECREF(module);
    return signature;
}

static PyObject *function_repr(struct function_object *self)
{
    return PyUnicode_FromFormat("<cordon function %U of %U>", self->name, self->cell->name);
}

PyObject *function_new(struct cell_object *cell, struct session_object *session,
                       struct cordon_function *function)
{
    size_t bytes;
    struct function_object *self = PyObject_GC_New(struct function_object, &function_type);
    if (!self) {
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
    self->vectorcall = function_call;
    self->function = function;
    const void *plan = cordon_function_plan(function, &bytes);
    void *copy = PyMem_Malloc(bytes); /* it is looked at when the cell is closed, too */
    if (!copy) {
        PyObject_GC_Del(self);
        return PyErr_NoMemory();
    }
    memcpy(copy, plan, bytes);
    self->plan = copy;
    Py_INCREF(cell);
    self->cell = cell;
    self->session = (struct session_object *)Py_XNewRef((PyObject *)session);
    self->name = PyUnicode_FromString(view_name(self->plan, view_function(self->plan)->name));
    PyObject_GC_Track((PyObject *)self);
    if (!self->name || read_parameters(self) < 0 || make_result_class(self) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int function_traverse(struct function_object *self, visitproc visit, void *arg)
{
    Py_VISIT(self->cell);
    Py_VISIT(self->session);
    Py_VISIT(self->result_class);
    return 0;
}

static int function_clear(struct function_object *self)
{
    Py_CLEAR(self->result_class);
    return 0; /* the cell stays: whoever calls needs it */
}

static void function_dealloc(struct function_object *self)
{
    PyObject_GC_UnTrack((PyObject *)self);
    if (self->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    for (uint32_t i = 0; self->parameters && i < self->count; i++) {
        Py_XDECREF(self->parameters[i].name);
    }
    PyMem_Free(self->parameters);
    PyMem_Free((void *)(uintptr_t)self->plan);
    Py_XDECREF(self->result_class);
    Py_XDECREF(self->name);
    Py_XDECREF(self->session);
    Py_XDECREF(self->cell);
    PyObject_GC_Del(self);
}

static PyMethodDef methods[] = {
    {"map", (PyCFunction)(void (*)(void))function_map, METH_VARARGS | METH_KEYWORDS,
     "map(arguments, *, timeout=...): results of many calls, which are in flight together. Each "
     "member of "
     "arguments is a tuple, or a single argument."},
    {"aio", (PyCFunction)(void (*)(void))function_aio, METH_VARARGS | METH_KEYWORDS,
     "The same call for asyncio: to be awaited."},
    {"errno", (PyCFunction)(void (*)(void))function_errno, METH_FASTCALL | METH_KEYWORDS,
     "The same call, with errno: a tuple (value, errno)."},
    {"check", (PyCFunction)(void (*)(void))function_check, METH_FASTCALL | METH_KEYWORDS,
     "The same call; if it returns -1 or NULL, OSError with errno is raised."},
    {"_describe", (PyCFunction)function_describe, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"__name__", T_OBJECT_EX, offsetof(struct function_object, name), READONLY, NULL},
    {"__qualname__", T_OBJECT_EX, offsetof(struct function_object, name), READONLY, NULL},
    {"cell", T_OBJECT_EX, offsetof(struct function_object, cell), READONLY, "The cell it is of."},
    {"_session", T_OBJECT, offsetof(struct function_object, session), READONLY, NULL},
    {"result_class", T_OBJECT, offsetof(struct function_object, result_class), READONLY,
     "The named tuple that it returns, or None."},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"__doc__", (getter)get_doc, NULL, NULL, NULL},
    {"__signature__", (getter)get_signature, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject function_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon.Function",
    .tp_basicsize = sizeof(struct function_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)function_dealloc,
    .tp_traverse = (traverseproc)function_traverse,
    .tp_clear = (inquiry)function_clear,
    .tp_repr = (reprfunc)function_repr,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(struct function_object, vectorcall),
    .tp_methods = methods,
    .tp_members = members,
    .tp_getset = getters,
    .tp_weaklistoffset = offsetof(struct function_object, weakrefs),
};
