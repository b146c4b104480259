/* SPDX-License-Identifier: Apache-2.0 */
/* Object: a struct that is declared here and lives in the worker. Its members are attributes. */
#include <errno.h>

#include "giving.h"

struct resident_object {
    PyObject_HEAD struct function_object *function; /* owned: whose plan describes it */
    const struct cordon_plan_type *record;
    struct cordon_handle handle;
    bool closed;
    PyObject *weakrefs;
};

bool object_handle(PyObject *object, struct cordon_handle *ret_handle)
{
    if (Py_TYPE(object) == &handle_type) {
        *ret_handle = ((struct handle_object *)object)->handle;
        return true;
    }
    if (Py_TYPE(object) == &resident_type) {
        *ret_handle = ((struct resident_object *)object)->handle;
        return true;
    }
    return false;
}

/* ---- Which struct it is ------------------------------------------------------------------------- */

static bool is_called(const struct plan_view *plan, const struct cordon_plan_type *type,
                      const char *name)
{
    const char *own = view_name(plan, type->name);
    const char *tag = strncmp(name, "struct ", 7) == 0 ? name + 7 : name;
    return strcmp(own, name) == 0 || strcmp(own, tag) == 0 ||
           (strncmp(own, "struct ", 7) == 0 && strcmp(own + 7, tag) == 0);
}

/* The struct behind a resident parameter of @plan that is called so. */
static const struct cordon_plan_type *find_record(const struct plan_view *plan, const char *name)
{
    for (uint32_t i = 0; i < view_header(plan)->type_count; i++) {
        const struct cordon_plan_type *type = view_type(plan, i);
        if (type->kind == CORDON_PLAN_HANDLE && type->flags & CORDON_PLAN_RESIDENT &&
            type->target != CORDON_PLAN_NONE &&
            (is_called(plan, type, name) || is_called(plan, view_type(plan, type->target), name))) {
            return view_type(plan, type->target);
        }
    }
    return NULL;
}

/* A function of the interface that takes such a struct. New reference; NULL: raised. */
static PyObject *find_function(struct cell_object *cell, struct session_object *session,
                               const char *type)
{
    size_t count = cell->interface ? cordon_interface_function_count(cell->interface) : 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        const struct plan_view *plan = cordon_interface_plan(cell->interface, i, &bytes);
        if (find_record(plan, type)) {
            return PyObject_GetAttrString(session ? (PyObject *)session : (PyObject *)cell,
                                          view_name(plan, view_function(plan)->name));
        }
    }
    PyErr_Format(PyExc_TypeError, "no function of the interface takes a resident '%s'", type);
    return NULL;
}

PyObject *struct_new(struct cell_object *cell, struct session_object *session, const char *type)
{
    struct cordon_error error = {{0}};
    struct cordon_handle handle;
    struct cordon_session *of = session_for(cell, session);
    PyObject *function = of ? find_function(cell, session, type) : NULL;
    if (!function) {
        return NULL;
    }
    struct use use;
    int r;
    use_begin(&use, cell, session);
    Py_BEGIN_ALLOW_THREADS r = cordon_object_new(of, type, &handle, &error);
    Py_END_ALLOW_THREADS use_end(&use);
    struct resident_object *self =
        r == 0 ? PyObject_New(struct resident_object, &resident_type) : NULL;
    if (!self) {
        Py_DECREF(function);
        return r != 0 ? raise_error(r, &error) : NULL;
    }
    self->function = (struct function_object *)function;
    self->record = find_record(self->function->plan, type);
    self->handle = handle;
    self->closed = false;
    self->weakrefs = NULL;
    return (PyObject *)self;
}

/* ---- Members ------------------------------------------------------------------------------------ */

static struct cordon_session *session_of(const struct resident_object *self)
{
    if (self->closed) {
        PyErr_SetString(PyExc_ValueError, "the object is closed");
        return NULL;
    }
    return session_for(self->function->cell, self->function->session);
}

static const struct cordon_plan_type *member_type(const struct resident_object *self,
                                                  PyObject *name)
{
    const struct plan_view *plan = self->function->plan;
    for (uint32_t i = 0; i < self->record->count; i++) {
        const struct cordon_plan_field *field = view_field(plan, self->record, i);
        if (PyUnicode_CompareWithASCIIString(name, view_name(plan, field->name)) == 0) {
            return view_type(plan, field->type);
        }
    }
    return NULL;
}

/* Each waits for the worker without the lock, and the cell is there as long as it does. */
static int read_member(const struct resident_object *self, struct cordon_session *session,
                       const char *name, void *memory, size_t bytes, struct cordon_error *error)
{
    struct use use;
    int r;
    use_begin(&use, self->function->cell, self->function->session);
    Py_BEGIN_ALLOW_THREADS;
    r = cordon_object_read(session, self->handle, name, memory, bytes, error);
    Py_END_ALLOW_THREADS;
    use_end(&use);
    return r;
}

/* cordon_object_write() or cordon_object_point(). */
typedef int sending(struct cordon_session *session, struct cordon_handle handle, const char *member,
                    const void *memory, size_t bytes, struct cordon_error *ret_error);

static int send_member(sending *send, const struct resident_object *self,
                       struct cordon_session *session, const char *name, const void *memory,
                       size_t bytes, struct cordon_error *error)
{
    struct use use;
    int r;
    use_begin(&use, self->function->cell, self->function->session);
    Py_BEGIN_ALLOW_THREADS;
    r = send(session, self->handle, name, memory, bytes, error);
    Py_END_ALLOW_THREADS;
    use_end(&use);
    return r;
}

static PyObject *object_getattr(struct resident_object *self, PyObject *name)
{
    const struct cordon_plan_type *type = member_type(self, name);
    struct cordon_error error = {{0}};
    if (!type) {
        return PyObject_GenericGetAttr((PyObject *)self, name);
    }
    struct cordon_session *session = session_of(self);
    void *memory = session ? PyMem_Calloc(1, type->size + 8) : NULL;
    if (!memory) {
        return session ? PyErr_NoMemory() : NULL;
    }
    int r = read_member(self, session, PyUnicode_AsUTF8(name), memory, type->size, &error);
    struct giving giving = {.function = self->function,
                            .plan = self->function->plan,
                            .scope = {.plan = self->function->plan}};
    PyObject *object =
        r == 0 ? give_object(&giving, type, memory, NULL, NULL, 0) : raise_error(r, &error);
    PyMem_Free(memory);
    return object;
}

static int point(struct resident_object *self, struct cordon_session *session, PyObject *name,
                 PyObject *object)
{
    struct cordon_error error = {{0}};
    Py_buffer view = {0};
    size_t bytes = 0;
    const void *memory = NULL;
    if (PyLong_Check(object)) { /* room of so many bytes, zeroed */
        bytes = PyLong_AsSize_t(object);
        if (bytes == (size_t)-1 && PyErr_Occurred()) {
            return -1;
        }
    } else if (object != Py_None) {
        if (PyObject_GetBuffer(object, &view, PyBUF_CONTIG_RO) < 0) {
            return -1;
        }
        memory = view.buf;
        bytes = (size_t)view.len;
    }
    int r = send_member(cordon_object_point, self, session, PyUnicode_AsUTF8(name), memory, bytes,
                        &error);
    PyBuffer_Release(&view);
    if (r != 0) {
        (void)raise_error(r, &error);
        return -1;
    }
    return 0;
}

static int object_setattr(struct resident_object *self, PyObject *name, PyObject *object)
{
    const struct cordon_plan_type *type = member_type(self, name);
    struct cordon_error error = {{0}};
    if (!type || !object) {
        PyErr_Format(PyExc_AttributeError, "%s has no member '%U' that can be set",
                     view_name(self->function->plan, self->record->name), name);
        return -1;
    }
    struct cordon_session *session = session_of(self);
    if (!session) {
        return -1;
    }
    if (view_is_memory(type) || type->kind == CORDON_PLAN_TOKEN) {
        return point(self, session, name, object);
    }
    struct taking *taking = taking_begin(self->function);
    void *memory = taking ? image_take(&taking->image, 1, type->size) : NULL;
    int r = memory ? take_store(taking, type, object, memory) : -1;
    if (r == 0) {
        r = session_of(self) == session
                ? send_member(cordon_object_write, self, session, PyUnicode_AsUTF8(name), memory,
                              type->size, &error)
                : -ESHUTDOWN;
        if (r != 0) {
            (void)(PyErr_Occurred() ? NULL : raise_error(r, &error));
            r = -1;
        }
    }
    if (taking) {
        taking_end(taking);
    }
    return r;
}

/* fetch(member, bytes, offset=0) */
static PyObject *object_fetch(struct resident_object *self, PyObject *args)
{
    const char *member;
    Py_ssize_t bytes;
    Py_ssize_t offset = 0;
    struct cordon_error error = {{0}};
    struct cordon_session *session = session_of(self);
    if (!session || !PyArg_ParseTuple(args, "sn|n:fetch", &member, &bytes, &offset)) {
        return NULL;
    }
    if (bytes < 0 || offset < 0) {
        PyErr_SetString(PyExc_ValueError, "bytes and offset cannot be negative");
        return NULL;
    }
    PyObject *fetched = PyBytes_FromStringAndSize(NULL, bytes);
    struct use use;
    int r;
    if (!fetched) {
        return NULL;
    }
    use_begin(&use, self->function->cell, self->function->session);
    Py_BEGIN_ALLOW_THREADS r =
        cordon_object_fetch(session, self->handle, member, (size_t)offset,
                            PyBytes_AS_STRING(fetched), (size_t)bytes, &error);
    Py_END_ALLOW_THREADS use_end(&use);
    if (r != 0) {
        Py_DECREF(fetched);
        return raise_error(r, &error);
    }
    return fetched;
}

static PyObject *object_close(struct resident_object *self, PyObject *Py_UNUSED(none))
{
    struct cordon_error error = {{0}};
    if (self->closed || !self->function->cell->cell) {
        Py_RETURN_NONE;
    }
    struct cordon_session *session = session_of(self);
    struct use use;
    int r;
    if (!session) {
        return NULL;
    }
    use_begin(&use, self->function->cell, self->function->session);
    Py_BEGIN_ALLOW_THREADS r = cordon_object_free(session, self->handle, &error);
    Py_END_ALLOW_THREADS use_end(&use);
    if (r != 0) {
        return raise_error(r, &error);
    }
    self->closed = true;
    Py_RETURN_NONE;
}

static PyObject *object_exit(struct resident_object *self, PyObject *args)
{
    (void)args;
    PyObject *closed = object_close(self, NULL);
    if (closed) {
        return closed;
    }
    if (PyErr_ExceptionMatches(error_class("StaleError"))) {
        PyErr_Clear(); /* it went with its worker */
        Py_RETURN_NONE;
    }
    return NULL;
}

static PyObject *object_dir(struct resident_object *self, PyObject *Py_UNUSED(none))
{
    PyObject *names =
        PyObject_CallMethod((PyObject *)&PyBaseObject_Type, "__dir__", "O", (PyObject *)self);
    for (uint32_t i = 0; names && i < self->record->count; i++) {
        PyObject *name = PyUnicode_FromString(view_name(
            self->function->plan, view_field(self->function->plan, self->record, i)->name));
        if (!name || PyList_Append(names, name) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    return names;
}

static void object_dealloc(struct resident_object *self)
{
    if (self->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    Py_XDECREF(self->function);
    PyObject_Free(self);
}

static PyObject *object_repr(struct resident_object *self)
{
    return PyUnicode_FromFormat("<cordon.Object %s%s>",
                                view_name(self->function->plan, self->record->name),
                                self->closed ? ", closed" : "");
}

static PyObject *object_session(const struct resident_object *self, void *Py_UNUSED(closure))
{
    PyObject *session = (PyObject *)self->function->session;
    return Py_NewRef(session ? session : Py_None);
}

static PyGetSetDef getters[] = {
    {"_session", (getter)object_session, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"fetch", (PyCFunction)object_fetch, METH_VARARGS,
     "fetch(member, bytes, offset=0): what a pointer member leads to."},
    {"close", (PyCFunction)object_close, METH_NOARGS, "Free it; the library must be done with it."},
    {"__enter__", object_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)object_exit, METH_VARARGS, NULL},
    {"__dir__", (PyCFunction)object_dir, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject resident_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon.Object",
    .tp_doc = "A struct that lives in the worker. Members are attributes; setting a pointer member "
              "to bytes copies them there, "
              "to a number makes room of so many bytes.",
    .tp_basicsize = sizeof(struct resident_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = (destructor)object_dealloc,
    .tp_repr = (reprfunc)object_repr,
    .tp_getattro = (getattrofunc)object_getattr,
    .tp_setattro = (setattrofunc)object_setattr,
    .tp_methods = methods,
    .tp_getset = getters,
    .tp_weaklistoffset = offsetof(struct resident_object, weakrefs),
};
