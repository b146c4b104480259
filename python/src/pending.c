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
    PyObject **all = PyMem_Calloc((size_t)(positional + named) + 1, sizeof(PyObject *));
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
    struct pending_object *self = PyObject_GC_New(struct pending_object, &pending_type);
    if (self) {
        self->function = (struct function_object *)Py_NewRef((PyObject *)function);
        self->taking = NULL;
        self->pending = NULL;
        self->args = Py_NewRef(args);
        self->keywords = Py_NewRef(keywords);
        self->value = self->error = NULL;
        PyObject_GC_Track((PyObject *)self);
    }
    return self;
}

static bool has_parameter(const struct function_object *function, const char *name)
{
    for (uint32_t i = 0; i < function->count; i++) {
        if (PyUnicode_CompareWithASCIIString(function->parameters[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What a callable that the library keeps has raised is the oldest call's: its callbacks came. */
static void pass_raised(struct session_object *session, struct use *use)
{
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *oldest;
    if (use->raised && PyDict_Next(session->pending, &at, &key, &oldest)) {
        struct taking *taking = ((struct pending_object *)oldest)->taking;
        if (taking && !taking->raised) {
            taking->raised = use->raised;
            use->raised = NULL;
        }
    }
}

/* At level inline that is the call itself, and without the lock. Returns as cordon_submit_ready(). */
static int submit(struct pending_object *self, struct cordon_session *session, uint64_t deadline_ns,
                  struct cordon_result *ret_refusal)
{
    struct function_object *function = self->function;
    const struct taking *taking = self->taking;
    int r;
    if (!function->cell->is_inline) {
        return cordon_submit_ready(session, function->function, taking->values, taking->count,
                                   deadline_ns, &self->pending, ret_refusal);
    }
    Py_BEGIN_ALLOW_THREADS r =
        cordon_submit_ready(session, function->function, taking->values, taking->count, deadline_ns,
                            &self->pending, ret_refusal);
    Py_END_ALLOW_THREADS return r;
}

/* The session has it until it has ended, and the worker is told. Returns 0, -1: raised. */
static int keep_flying(struct pending_object *self, struct cordon_session *session)
{
    struct cordon_result result;
    PyObject *key = PyLong_FromVoidPtr(self->pending);
    int r = key ? PyDict_SetItem(self->function->session->pending, key, (PyObject *)self) : -1;
    Py_XDECREF(key);
    PyThreadState *state = PyEval_SaveThread();
    if (r == 0) {
        cordon_flush(session);
    } else {
        (void)cordon_session_interrupt(session); /* nobody would know of it */
        (void)!cordon_collect(self->pending, CORDON_NEVER, &result);
    }
    PyEval_RestoreThread(state);
    return r;
}

PyObject *pending_submit(struct function_object *function, PyObject *args, PyObject *keywords)
{
    struct cordon_session *session = session_for(function->cell, function->session);
    PyObject *timeout =
        has_parameter(function, "timeout") ? NULL : PyDict_GetItemString(keywords, "timeout");
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
    Py_DECREF(named);
    /* Python code may have run: the session may be closed. */
    if (r < 0 || !session_is_open(function->cell, function->session)) {
        Py_XDECREF(self);
        return NULL;
    }
    struct use use;
    use_begin(&use, function->cell, function->session);
    r = submit(self, session, deadline_ns, &refusal);
    bool kept = r == 0 && keep_flying(self, session) == 0;
    if (kept) {
        pass_raised(function->session, &use); /* level inline: it has ended */
    }
    use_end(&use);
    if (kept) {
        return (PyObject *)self;
    }
    Py_DECREF(self);
    if (r == -ENOTCONN || r == -EBUSY) {
        Py_RETURN_NONE;
    }
    return r == 0 ? NULL : raise_result(function, r, &refusal);
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
    struct use use;
    PyObject *ended = PyList_New(0);
    if (!ended || !session_is_open(session->cell, session)) {
        Py_XDECREF(ended);
        return NULL;
    }
    use_begin(&use, session->cell, session);
    while (ended && cordon_collect_any(session->session, 0, &pending) == 0) {
        pass_raised(session, &use);
        PyObject *key = PyLong_FromVoidPtr(pending);
        PyObject *found = key ? PyDict_GetItemWithError(session->pending, key) : NULL;
        Py_XINCREF(found);
        if (!found) {
            Py_XDECREF(key);
            break; /* a call of function.map() in this session: its own affair */
        }
        int r = cordon_collect(pending, 0, &result);
        end((struct pending_object *)found, r, &result);
        if (PyDict_DelItem(session->pending, key) < 0 || PyList_Append(ended, found) < 0) {
            Py_CLEAR(ended);
        }
        Py_DECREF(found);
        Py_DECREF(key);
    }
    pass_raised(session, &use);
    use_end(&use);
    return ended;
}

/* It never ends: nobody writes to what it holds any more. */
static void abandon(struct pending_object *self)
{
    PyObject *class = error_class("ClosedError");
    if (!self->taking) {
        return;
    }
    self->error = class ? PyObject_CallFunction(class, "s", "the session was closed") : NULL;
    PyErr_Clear();
    taking_end(self->taking);
    self->taking = NULL;
    self->pending = NULL;
}

void pending_abandon(struct session_object *session)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *all = session->pending ? PyDict_Values(session->pending) : NULL;
    for (Py_ssize_t i = 0; all && i < PyList_GET_SIZE(all); i++) {
        abandon((struct pending_object *)PyList_GET_ITEM(all, i));
    }
    if (session->pending) {
        PyDict_Clear(session->pending);
    }
    Py_XDECREF(all);
    session_changed(session);
    PyErr_Restore(type, value, trace);
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
    return Py_NewRef(self->value ? self->value : Py_None);
}

static int pending_traverse(struct pending_object *self, visitproc visit, void *arg)
{
    Py_VISIT(self->function);
    Py_VISIT(self->args);
    Py_VISIT(self->keywords);
    Py_VISIT(self->value);
    Py_VISIT(self->error);
    return 0;
}

static void pending_dealloc(struct pending_object *self)
{
    PyObject_GC_UnTrack((PyObject *)self);
    if (self->taking) {
        taking_end(self->taking); /* it was never submitted, or its session has been closed */
    }
    Py_XDECREF(self->function);
    Py_XDECREF(self->args);
    Py_XDECREF(self->keywords);
    Py_XDECREF(self->value);
    Py_XDECREF(self->error);
    PyObject_GC_Del(self);
}

static PyMethodDef methods[] = {
    {"result", (PyCFunction)pending_result, METH_NOARGS, "What the call came to."},
    {NULL, NULL, 0, NULL},
};

static PyObject *pending_done(struct pending_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(!self->taking);
}

static PyGetSetDef getters[] = {
    {"done", (getter)pending_done, NULL, "Whether it has ended.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject pending_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon._cordon.Pending",
    .tp_basicsize = sizeof(struct pending_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)pending_dealloc,
    .tp_traverse = (traverseproc)pending_traverse,
    .tp_methods = methods,
    .tp_getset = getters,
};
