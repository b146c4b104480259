/* SPDX-License-Identifier: Apache-2.0 */
/* Session: a worker of a caller's own. */
#include <errno.h>

#include "calling.h"

static PyObject *session_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"cell", NULL};
    struct cordon_error error = {{0}};
    struct cordon_session *session = NULL;
    struct cell_object *cell;
    int r;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!:Session", KEYWORDS(names), &cell_type,
                                     &cell) ||
        !cell_get(cell)) {
        return NULL;
    }
    struct use use;
    use_begin(&use, cell, NULL);
    Py_BEGIN_ALLOW_THREADS r = cordon_session_open(cell->cell, &session, &error);
    Py_END_ALLOW_THREADS use_end(&use);
    if (r != 0) {
        if (r == -EAGAIN) {
            PyErr_SetString(error_class("LimitError"), error.text);
        } else {
            (void)raise_error(r, &error);
        }
        return NULL;
    }
    if (!cell->cell) { /* closed meanwhile, and the session with it */
        (void)cell_get(cell);
        return NULL;
    }
    struct session_object *self = (struct session_object *)type->tp_alloc(type, 0);
    PyObject *functions = self ? PyDict_New() : NULL;
    PyObject *pending = functions ? PyDict_New() : NULL;
    if (!pending) {
        Py_XDECREF(functions);
        (void)cordon_session_close(session);
        Py_XDECREF(self);
        return NULL;
    }
    self->next = cell->sessions;
    if (self->next) {
        self->next->previous = self;
    }
    cell->sessions = self;
    self->cell = (struct cell_object *)Py_NewRef((PyObject *)cell);
    self->session = session;
    self->functions = functions;
    self->pending = pending;
    return (PyObject *)self;
}

static void stop_session(void *session)
{
    (void)cordon_session_interrupt(session);
}

static void close_session(struct session_object *self)
{
    struct cordon_session *session = self->cell->cell ? self->session : NULL;
    struct use use;
    self->session = NULL;
    use_begin(&use, self->cell, NULL); /* the cell is not closed meanwhile */
    if (session && uses_end(self->cell, self, stop_session, session)) {
        Py_BEGIN_ALLOW_THREADS(void) cordon_session_close(session);
        Py_END_ALLOW_THREADS
    }
    use_end(&use);
    pending_abandon(self);
}

static PyObject *session_close(struct session_object *self, PyObject *Py_UNUSED(none))
{
    if (!self->session) {
        Py_RETURN_NONE;
    }
    if (uses_refuse_own(self->cell, self) < 0) {
        return NULL;
    }
    if (self->views > 0) {
        PyErr_Format(PyExc_BufferError, "%zd views of its shared memory exist", self->views);
        return NULL;
    }
    close_session(self);
    Py_RETURN_NONE;
}

void session_changed(struct session_object *self)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyObject *hook = self->on_change;
    if (!hook || hook == Py_None) {
        return;
    }
    Py_INCREF(hook);
    PyErr_Fetch(&type, &value, &trace);
    PyObject *told = PyObject_CallNoArgs(hook);
    if (!told) {
        PyErr_WriteUnraisable(hook);
    }
    Py_XDECREF(told);
    Py_DECREF(hook);
    PyErr_Restore(type, value, trace);
}

static PyObject *session_exit(struct session_object *self, PyObject *args)
{
    (void)args;
    return session_close(self, NULL);
}

static PyObject *session_getattr(struct session_object *self, PyObject *name)
{
    PyObject *found = cell_find_function(self->cell, self, self->functions, name);
    return found || PyErr_Occurred() ? found : PyObject_GenericGetAttr((PyObject *)self, name);
}

static PyObject *session_dir(struct session_object *self, PyObject *Py_UNUSED(none))
{
    return cell_names_of((PyObject *)self, self->cell->functions);
}

static PyObject *session_alloc(struct session_object *self, PyObject *bytes)
{
    Py_ssize_t count = PyNumber_AsSsize_t(bytes, PyExc_OverflowError);
    return count == -1 && PyErr_Occurred() ? NULL : buffer_new(self->cell, self, count);
}

static PyObject *session_object(struct session_object *self, PyObject *type)
{
    const char *name = PyUnicode_AsUTF8(type);
    return name ? struct_new(self->cell, self, name) : NULL;
}

static PyObject *session_interrupt(struct session_object *self, PyObject *Py_UNUSED(none))
{
    struct use use;
    if (!session_is_open(self->cell, self)) {
        return NULL;
    }
    use_begin(&use, self->cell, self);
    Py_BEGIN_ALLOW_THREADS(void) cordon_session_interrupt(self->session);
    Py_END_ALLOW_THREADS use_end(&use);
    Py_RETURN_NONE;
}

static PyObject *session_worker_pid(struct session_object *self, PyObject *Py_UNUSED(none))
{
    return session_for(self->cell, self) ? PyLong_FromLong(cordon_session_worker_pid(self->session))
                                         : NULL;
}

static PyObject *session_dispatch(struct session_object *self, PyObject *args, PyObject *keywords)
{
    PyObject *count = dispatch(self->cell, self, args, keywords);
    session_changed(self);
    return count;
}

static PyObject *session_aio_dispatch(struct session_object *self, PyObject *args,
                                      PyObject *keywords)
{
    PyObject *timeout = NULL;
    static const char *const names[] = {"timeout", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:aio_dispatch", KEYWORDS(names),
                                     &timeout)) {
        return NULL;
    }
    PyObject *module = PyImport_ImportModule("cordon._aio");
    PyObject *coroutine = module ? PyObject_CallMethod(module, "dispatch", "OO", (PyObject *)self,
                                                       timeout ? timeout : Py_None)
                                 : NULL;
    Py_XDECREF(module);
    return coroutine;
}

static PyObject *session_batch(struct session_object *self, PyObject *Py_UNUSED(none))
{
    return cell_new_batch((PyObject *)self);
}

static PyObject *session_run(struct session_object *self, PyObject *calls)
{
    return cell_run_calls(self->cell, self, calls);
}

static PyObject *session_closed(struct session_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(!self->session || !self->cell->cell);
}

/* ---- For event loops: cordon._aio ---------------------------------------------------------------- */

static PyObject *session_event_fd(struct session_object *self, PyObject *Py_UNUSED(none))
{
    if (!session_for(self->cell, self)) {
        return NULL;
    }
    (void)cordon_session_ring(self->session, true);
    return PyLong_FromLong(cordon_session_event_fd(self->session));
}

static PyObject *session_prepare(struct session_object *self, PyObject *function)
{
    struct cordon_error error = {{0}};
    uint32_t retry_ms = 0;
    int r;
    if (Py_TYPE(function) != &function_type) {
        PyErr_SetString(PyExc_TypeError, "a function of a cell is wanted");
        return NULL;
    }
    if (!session_for(self->cell, self)) {
        return NULL;
    }
    struct cordon_function *bound = ((struct function_object *)function)->function;
    struct use use;
    (void)sees_signals();
    use_begin(&use, self->cell, self);
    Py_BEGIN_ALLOW_THREADS r = cordon_session_prepare(self->session, &bound, 1, &retry_ms, &error);
    Py_END_ALLOW_THREADS use_end(&use);
    if (r != 0) {
        return raise_error(r, &error);
    }
    Py_RETURN_NONE;
}

static PyObject *session_submit(struct session_object *self, PyObject *args)
{
    PyObject *function;
    PyObject *arguments;
    PyObject *keywords;
    if (!PyArg_ParseTuple(args, "O!O!O!", &function_type, &function, &PyTuple_Type, &arguments,
                          &PyDict_Type, &keywords)) {
        return NULL;
    }
    PyObject *own = cell_find_function(self->cell, self, self->functions,
                                       ((struct function_object *)function)->name);
    PyObject *made =
        own ? pending_submit((struct function_object *)own, arguments, keywords) : NULL;
    Py_XDECREF(own);
    return made;
}

static PyObject *session_collect(struct session_object *self, PyObject *Py_UNUSED(none))
{
    return pending_collect(self);
}

static int session_traverse(struct session_object *self, visitproc visit, void *arg)
{
    Py_VISIT(self->cell);
    Py_VISIT(self->functions);
    Py_VISIT(self->pending);
    Py_VISIT(self->on_change);
    return 0;
}

/* Calls in flight name memory that goes with them: they end first. */
static void session_finalize(struct session_object *self)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyErr_Fetch(&type, &value, &trace);
    if (self->cell && self->pending && PyDict_GET_SIZE(self->pending) > 0) {
        close_session(self);
    }
    PyErr_Restore(type, value, trace);
}

static int session_clear(struct session_object *self)
{
    if (self->functions) {
        PyDict_Clear(self->functions);
    }
    if (self->pending && !self->session) { /* else they go with the session */
        PyDict_Clear(self->pending);
    }
    Py_CLEAR(self->on_change);
    return 0;
}

static void session_dealloc(struct session_object *self)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyObject_GC_UnTrack((PyObject *)self);
    PyErr_Fetch(&type, &value, &trace);
    if (self->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    if (self->cell) {
        close_session(self);
        *(self->previous ? &self->previous->next : &self->cell->sessions) = self->next;
        if (self->next) {
            self->next->previous = self->previous;
        }
    }
    Py_XDECREF(self->on_change);
    Py_XDECREF(self->pending);
    Py_XDECREF(self->functions);
    Py_XDECREF(self->cell);
    Py_TYPE(self)->tp_free((PyObject *)self);
    PyErr_Restore(type, value, trace);
}

static PyObject *session_repr(struct session_object *self)
{
    return PyUnicode_FromFormat("<cordon.Session of %U%s>", self->cell->name,
                                self->session && self->cell->cell ? "" : ", closed");
}

static PyMethodDef session_methods[] = {
    {"close", (PyCFunction)session_close, METH_NOARGS, "End the session's worker."},
    {"alloc", (PyCFunction)session_alloc, METH_O,
     "alloc(bytes): memory that this process and the worker share."},
    {"object", (PyCFunction)session_object, METH_O, "object(type): a struct in the worker."},
    {"interrupt", (PyCFunction)session_interrupt, METH_NOARGS,
     "End the worker now, whatever it does: calls in flight raise AbortedError. From any thread."},
    {"worker_pid", (PyCFunction)session_worker_pid, METH_NOARGS, "The worker's process id, or 0."},
    {"dispatch", (PyCFunction)(void (*)(void))session_dispatch, METH_VARARGS | METH_KEYWORDS,
     "dispatch(timeout=0): run callables that came on threads of the library (`anythread`), here; "
     "wait that "
     "long for one, None: until there is one. Returns how many were run."},
    {"aio_dispatch", (PyCFunction)(void (*)(void))session_aio_dispatch,
     METH_VARARGS | METH_KEYWORDS,
     "aio_dispatch(timeout=None): dispatch() for asyncio: to be awaited."},
    {"batch", (PyCFunction)session_batch, METH_NOARGS,
     "Calls that are recorded on it, and made together when its with-block ends."},
    {"_run", (PyCFunction)session_run, METH_O, NULL},
    {"_event_fd", (PyCFunction)session_event_fd, METH_NOARGS, NULL},
    {"_prepare", (PyCFunction)session_prepare, METH_O, NULL},
    {"_submit", (PyCFunction)session_submit, METH_VARARGS, NULL},
    {"_collect", (PyCFunction)session_collect, METH_NOARGS, NULL},
    {"__enter__", object_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)session_exit, METH_VARARGS, NULL},
    {"__dir__", (PyCFunction)session_dir, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef session_members[] = {
    {"cell", T_OBJECT_EX, offsetof(struct session_object, cell), READONLY, "The cell it is of."},
    {"_on_change", T_OBJECT, offsetof(struct session_object, on_change), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef session_getters[] = {
    {"closed", (getter)session_closed, NULL, "Whether it is.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject session_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon.Session",
    .tp_doc = "A worker of one's own. Made by Cell.session(); functions are attributes.",
    .tp_basicsize = sizeof(struct session_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = session_new,
    .tp_dealloc = (destructor)session_dealloc,
    .tp_traverse = (traverseproc)session_traverse,
    .tp_clear = (inquiry)session_clear,
    .tp_finalize = (destructor)session_finalize,
    .tp_repr = (reprfunc)session_repr,
    .tp_getattro = (getattrofunc)session_getattr,
    .tp_methods = session_methods,
    .tp_members = session_members,
    .tp_getset = session_getters,
    .tp_weaklistoffset = offsetof(struct session_object, weakrefs),
};
