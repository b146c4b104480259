/* SPDX-License-Identifier: Apache-2.0 */
/* Buffer: memory of a session's arena. Calls of that session pass it as it is; all others copy it. */

#include "package.h"

struct buffer_object {
    PyObject_HEAD struct cell_object *cell; /* owned: memory goes with it */
    struct session_object *session;         /* owned; or NULL */
    struct cordon_session *of;
    void *memory; /* NULL: freed */
    Py_ssize_t bytes;
    Py_ssize_t views;
    PyObject *weakrefs;
};

PyObject *buffer_new(struct cell_object *cell, struct session_object *session, Py_ssize_t bytes)
{
    struct cordon_session *of = session_for(cell, session);
    if (!of) {
        return NULL;
    }
    if (bytes <= 0) {
        PyErr_SetString(PyExc_ValueError, "at least one byte has to be allocated");
        return NULL;
    }
    void *memory = cordon_arena_alloc(of, (size_t)bytes);
    if (!memory) {
        PyErr_Format(PyExc_MemoryError,
                     "no %zd bytes of shared memory: cordon.open(arena=...) says how much there is",
                     bytes);
        return NULL;
    }
    struct buffer_object *self = PyObject_New(struct buffer_object, &buffer_type);
    if (!self) {
        cordon_arena_free(of, memory);
        return NULL;
    }
    self->cell = (struct cell_object *)Py_NewRef((PyObject *)cell);
    self->session = (struct session_object *)Py_XNewRef((PyObject *)session);
    self->of = of;
    self->memory = memory;
    self->bytes = bytes;
    self->views = 0;
    self->weakrefs = NULL;
    memset(memory, 0, (size_t)bytes);
    return (PyObject *)self;
}

/* The session it is of is still there, and so is the memory. */
static bool is_there(const struct buffer_object *self)
{
    return self->memory && self->cell->cell && (!self->session || self->session->session);
}

static void release(struct buffer_object *self)
{
    if (is_there(self)) {
        cordon_arena_free(self->of, self->memory);
    }
    self->memory = NULL;
}

static PyObject *buffer_close(struct buffer_object *self, PyObject *Py_UNUSED(none))
{
    if (self->views > 0) {
        PyErr_Format(PyExc_BufferError, "%zd views of it exist", self->views);
        return NULL;
    }
    release(self);
    Py_RETURN_NONE;
}

static PyObject *buffer_exit(struct buffer_object *self, PyObject *args)
{
    (void)args;
    return buffer_close(self, NULL);
}

static int get_buffer(struct buffer_object *self, Py_buffer *view, int flags)
{
    if (!is_there(self)) {
        view->obj = NULL;
        PyErr_SetString(PyExc_ValueError, "the memory was given back");
        return -1;
    }
    if (PyBuffer_FillInfo(view, (PyObject *)self, self->memory, self->bytes, 0, flags) < 0) {
        return -1;
    }
    self->views++;
    *(self->session ? &self->session->views : &self->cell->views) += 1;
    return 0;
}

static void release_buffer(struct buffer_object *self, Py_buffer *view)
{
    (void)view;
    self->views--;
    *(self->session ? &self->session->views : &self->cell->views) -= 1;
}

static void buffer_dealloc(struct buffer_object *self)
{
    if (self->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    release(self);
    Py_XDECREF(self->session);
    Py_XDECREF(self->cell);
    PyObject_Free(self);
}

static Py_ssize_t buffer_length(struct buffer_object *self)
{
    return self->bytes;
}

static PyObject *buffer_repr(struct buffer_object *self)
{
    return PyUnicode_FromFormat("<cordon.Buffer of %zd bytes%s>", self->bytes,
                                self->memory ? "" : ", closed");
}

static PyMethodDef methods[] = {
    {"close", (PyCFunction)buffer_close, METH_NOARGS, "Give the memory back. Once is enough."},
    {"__enter__", object_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)buffer_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyBufferProcs as_buffer = {
    .bf_getbuffer = (getbufferproc)get_buffer,
    .bf_releasebuffer = (releasebufferproc)release_buffer,
};

static PySequenceMethods as_sequence = {.sq_length = (lenfunc)buffer_length};

PyTypeObject buffer_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon.Buffer",
    .tp_doc = "Memory that this process and a worker share: for memoryview(), numpy.frombuffer(), "
              "and calls.",
    .tp_basicsize = sizeof(struct buffer_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)buffer_dealloc,
    .tp_repr = (reprfunc)buffer_repr,
    .tp_as_buffer = &as_buffer,
    .tp_as_sequence = &as_sequence,
    .tp_methods = methods,
    .tp_weaklistoffset = offsetof(struct buffer_object, weakrefs),
};
