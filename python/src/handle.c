/* SPDX-License-Identifier: Apache-2.0 */
/* Handle: an object of the library, which stays in its worker. */
#include "package.h"

static PyObject *key_of(const struct handle_object *self)
{
    return Py_BuildValue("(III)", self->handle.worker, self->handle.generation, self->handle.index);
}

static PyObject *releaser_of(const struct handle_object *self);

/* One more or one less that names it. Returns how many there are then; -1: it is not counted. */
static long recount(const struct handle_object *self, long more)
{
    PyObject *key = key_of(self);
    PyObject *known = key ? PyDict_GetItemWithError(self->cell->handles, key) : NULL;
    long now = known ? PyLong_AsLong(known) + more : more > 0 ? more : -1;
    PyObject *number = now > 0 ? PyLong_FromLong(now) : NULL;
    if (number) {
        (void)PyDict_SetItem(self->cell->handles, key, number);
    } else if (known) {
        (void)PyDict_DelItem(self->cell->handles, key);
    }
    Py_XDECREF(number);
    Py_XDECREF(key);
    PyErr_Clear();
    return now;
}

void handle_released(struct handle_object *self)
{
    PyObject *key = key_of(self);
    self->closed = true;
    if (key && PyDict_Contains(self->cell->handles, key) == 1) {
        (void)PyDict_DelItem(self->cell->handles, key);
    }
    Py_XDECREF(key);
    PyErr_Clear();
}

PyObject *handle_new(struct function_object *function, struct cordon_handle handle,
                     const char *type_name, bool lent)
{
    struct handle_object *self = PyObject_New(struct handle_object, &handle_type);
    if (!self) {
        return NULL;
    }
    self->handle = handle;
    self->cell = (struct cell_object *)Py_NewRef((PyObject *)function->cell);
    self->session = (struct session_object *)Py_XNewRef((PyObject *)function->session);
    self->closed = false;
    self->counted = false;
    self->weakrefs = NULL;
    self->type_name = PyUnicode_FromString(*type_name ? type_name : "object");
    if (!self->type_name) {
        Py_DECREF(self);
        return NULL;
    }
    self->counted = !lent && releaser_of(self) && recount(self, 1) > 0;
    return (PyObject *)self;
}

/* The function that ends handles of this type, or NULL. Borrowed. */
static PyObject *releaser_of(const struct handle_object *self)
{
    PyObject *tag = PyLong_FromUnsignedLong(self->handle.tag);
    PyObject *releaser = tag ? PyDict_GetItemWithError(self->cell->releasers, tag) : NULL;
    Py_XDECREF(tag);
    return releaser;
}

/* The last one here that named it goes, and nobody has released it: it stays in the worker until that ends. */
static void handle_finalize(struct handle_object *self)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyErr_Fetch(&type, &value, &trace);
    bool last = self->counted && self->cell->cell && recount(self, -1) == 0;
    self->counted = false;
    if (last && !self->closed &&
        PyErr_ResourceWarning((PyObject *)self, 1, "unclosed %R", self) < 0) {
        PyErr_WriteUnraisable((PyObject *)self);
    }
    PyErr_Restore(type, value, trace);
}

static void handle_dealloc(struct handle_object *self)
{
    if (PyObject_CallFinalizerFromDealloc((PyObject *)self) < 0) {
        return; /* somebody has it again */
    }
    if (self->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_XDECREF(self->type_name);
    Py_XDECREF(self->session);
    Py_XDECREF(self->cell);
    PyObject_Free(self);
}

static PyObject *handle_repr(struct handle_object *self)
{
    return PyUnicode_FromFormat("<cordon.Handle %U %u:%u%s>", self->type_name, self->handle.worker,
                                self->handle.index, self->closed ? ", closed" : "");
}

static PyObject *handle_close(struct handle_object *self, PyObject *Py_UNUSED(none))
{
    if (self->closed || !self->cell->cell) {
        Py_RETURN_NONE;
    }
    PyObject *name = releaser_of(self);
    if (!name) {
        if (!PyErr_Occurred()) {
            PyErr_Format(PyExc_TypeError,
                         "no function of the interface releases a %U by itself: it ends with its "
                         "worker",
                         self->type_name);
        }
        return NULL;
    }
    PyObject *owner = self->session ? (PyObject *)self->session : (PyObject *)self->cell;
    PyObject *returned = PyObject_CallMethodOneArg(owner, name, (PyObject *)self);
    if (returned) {
        handle_released(self);
    }
    return returned;
}

static PyObject *handle_exit(struct handle_object *self, PyObject *args)
{
    (void)args;
    PyObject *returned = handle_close(self, NULL);
    if (!returned) {
        return NULL;
    }
    Py_DECREF(returned);
    Py_RETURN_FALSE;
}

static Py_hash_t handle_hash(struct handle_object *self)
{
    Py_hash_t hash = (Py_hash_t)((uint64_t)self->handle.worker << 40 ^
                                 (uint64_t)self->handle.generation << 20 ^ self->handle.index);
    return hash == -1 ? -2 : hash;
}

static PyObject *handle_compare(PyObject *left, PyObject *right, int operation)
{
    struct cordon_handle a;
    struct cordon_handle b;
    if ((operation != Py_EQ && operation != Py_NE) || !object_handle(left, &a) ||
        !object_handle(right, &b)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    bool equal = a.worker == b.worker && a.generation == b.generation && a.index == b.index;
    return PyBool_FromLong(equal == (operation == Py_EQ));
}

static PyMethodDef methods[] = {
    {"close", (PyCFunction)handle_close, METH_NOARGS,
     "Release it by the function of the interface that does."},
    {"__enter__", object_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)handle_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"type", T_OBJECT_EX, offsetof(struct handle_object, type_name), READONLY,
     "What the declaration calls it."},
    {"_session", T_OBJECT, offsetof(struct handle_object, session), READONLY, NULL},
    {"closed", T_BOOL, offsetof(struct handle_object, closed), READONLY,
     "Whether it was released here."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject handle_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon.Handle",
    .tp_doc = "An object of the library, which stays in its worker. Ends by close(), or as a "
              "context manager.",
    .tp_basicsize = sizeof(struct handle_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)handle_dealloc,
    .tp_finalize = (destructor)handle_finalize,
    .tp_repr = (reprfunc)handle_repr,
    .tp_hash = (hashfunc)handle_hash,
    .tp_richcompare = handle_compare,
    .tp_methods = methods,
    .tp_members = members,
    .tp_weaklistoffset = offsetof(struct handle_object, weakrefs),
};
