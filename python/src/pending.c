/* SPDX-License-Identifier: Apache-2.0 */
/* Pending: a call in flight in a session, for event loops. It belongs to its session until it has ended. */
#include <errno.h>
#include <limits.h>

#include "calling.h"
#include "giving.h"

struct pending_object {
    PyObject_HEAD struct function_object *function; /* owned */
    struct taking *taking;                          /* NULL: it has ended */
    struct cordon_pending *pending;
    PyObject *args;     /* owned: the taking borrows what is in them */
    PyObject *keywords; /* owned */
    PyObject *value;    /* owned; or NULL */
    PyObject *error;    /* owned; or NULL */
};

/* Arguments as vectorcall has them, from a tuple and a dict without `timeout`. */
static int take_all(struct taking *taking, PyObject *args, PyObject *keywords)
{
    Py_ssize_t positional = PyTuple_GET_SIZE(args);
    Py_ssize_t named = PyDict_GET_SIZE(keywords);
    PyObject **all = PyMem_Calloc((size_t)(positional + named) + 1, sizeof *all);
    PyObject *names = PyTuple_New(named);
    Py_ssize_t at = 0;
    Py_ssize_t i = 0;
    PyObject *key;
    PyObject *value;
    int r = -1;
    if (all && names) {
        for (; i < positional; i++) {
            all[i] = PyTuple_GET_ITEM(args, i);
        }
        while (PyDict_Next(keywords, &at, &key, &value)) {
            PyTuple_SET_ITEM(names, i - positional, Py_NewRef(key));
            all[i++] = value;
        }
        r = take_arguments(taking, all, (size_t)positional, named ? names : NULL, -1);
    }
    Py_XDECREF(names);
    PyMem_Free(all);
    return r;
}

static struct pending_object *new_pending(struct function_object *function, PyObject *args,
                                          PyObject *keywords)
{
    struct pending_object *self = PyObject_New(struct pending_object, &pending_type);
    if (self) {
        self->function = (struct function_object *)Py_NewRef((PyObject *)function);
        self->taking = NULL;
        self->pending = NULL;
        self->args = Py_NewRef(args);
        self->keywords = Py_NewRef(keywords);
        self->value = self->error = NULL;
    }
    return self;
}

PyObject *pending_submit(struct function_object *function, PyObject *args, PyObject *keywords)
{
    struct cordon_session *session = session_for(function->cell, function->session);
    PyObject *timeout = PyDict_GetItemString(keywords, "timeout");
    struct cordon_result refusal;
    uint64_t deadline_ns;
    if (!session || deadline_of(timeout, &deadline_ns) < 0) {
        return NULL;
    }
    PyObject *named = PyDict_Copy(keywords);
    if (!named || (timeout && PyDict_DelItemString(named, "timeout") < 0)) {
        Py_XDECREF(named);
        return NULL;
    }
    struct pending_object *self = new_pending(function, args, named);
    int r = self ? 0 : -1;
    if (r == 0) {
        self->taking = taking_begin(function);
        r = self->taking ? take_all(self->taking, args, named) : -1;
    }
    if (r == 0) {
        r = cordon_submit_ready(session, function->function, self->taking->values,
                                self->taking->count, deadline_ns, &self->pending, &refusal);
        cordon_flush(session);
        if (r == -ENOTCONN || r == -EBUSY) {
            Py_DECREF(named);
            Py_DECREF(self);
            Py_RETURN_NONE;
        }
        if (r != 0) {
            (void)raise_result(function, r, &refusal);
        }
    }
    Py_DECREF(named);
    PyObject *key = r == 0 ? PyLong_FromVoidPtr(self->pending) : NULL;
    if (!key || PyDict_SetItem(function->session->pending, key, (PyObject *)self) < 0) {
        Py_XDECREF(key);
        Py_XDECREF(self);
        return NULL;
    }
    Py_DECREF(key);
    return (PyObject *)self;
}

static void end(struct pending_object *self, int r, struct cordon_result *result)
{
    struct taking *taking = self->taking;
    if (taking->raised) {
        self->error = Py_NewRef(taking->raised);
    } else if (r == CORDON_DONE) {
        self->value = give_result(taking, result);
    } else {
        (void)raise_result(self->function, r, result);
    }
    if (PyErr_Occurred()) {
        PyObject *type;
        PyObject *trace;
        PyErr_Fetch(&type, &self->error, &trace);
        PyErr_NormalizeException(&type, &self->error, &trace);
        Py_XDECREF(type);
        Py_XDECREF(trace);
    }
    if (r == CORDON_DONE) {
        cordon_result_release(result);
    }
    taking_end(taking);
    self->taking = NULL;
    self->pending = NULL;
}

PyObject *pending_collect(struct session_object *session)
{
    struct cordon_pending *pending;
    struct cordon_result result;
    PyObject *ended = PyList_New(0);
    if (!ended || !session_for(session->cell, session)) {
        Py_XDECREF(ended);
        return NULL;
    }
    while (ended && cordon_collect_any(session->session, 0, &pending) == 0) {
        PyObject *key = PyLong_FromVoidPtr(pending);
        PyObject *found = key ? PyDict_GetItemWithError(session->pending, key) : NULL;
        Py_XINCREF(found);
        int r = cordon_collect(pending, 0, &result);
        if (!found) {
            Py_XDECREF(key);
            break; /* a call of function.map() in this session: its own affair */
        }
        end((struct pending_object *)found, r, &result);
        if (PyDict_DelItem(session->pending, key) < 0 || PyList_Append(ended, found) < 0) {
            Py_CLEAR(ended);
        }
        Py_DECREF(found);
        Py_XDECREF(key);
    }
    return ended;
}

static PyObject *pending_result(struct pending_object *self, PyObject *Py_UNUSED(none))
{
    if (self->taking) {
        PyErr_SetString(PyExc_RuntimeError, "the call has not ended");
        return NULL;
    }
    if (self->error) {
        PyErr_SetObject((PyObject *)Py_TYPE(self->error), self->error);
        return NULL;
    }
    return Py_XNewRef(self->value);
}

static void pending_dealloc(struct pending_object *self)
{
    if (self->taking) {
        taking_end(self->taking); /* it was never submitted, or its session has been closed */
    }
    Py_XDECREF(self->function);
    Py_XDECREF(self->args);
    Py_XDECREF(self->keywords);
    Py_XDECREF(self->value);
    Py_XDECREF(self->error);
    PyObject_Free(self);
}

static PyMethodDef methods[] = {
    {"result", (PyCFunction)pending_result, METH_NOARGS, "What the call came to."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject pending_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon._cordon.Pending",
    .tp_basicsize = sizeof(struct pending_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)pending_dealloc,
    .tp_methods = methods,
};
