/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of a cell: bound when they are first asked for. */
#include <errno.h>

#include "package.h"

/* Bind @prototype: a declaration, or a name of the interface. */
static PyObject *bind(struct cell_object *self, struct session_object *session,
                      const char *prototype)
{
    struct cordon_error error = {{0}};
    struct cordon_function *function;
    struct use use;
    int r;
    if (!cell_get(self)) {
        return NULL;
    }
    use_begin(&use, self, session);
    Py_BEGIN_ALLOW_THREADS r = cordon_bind(self->cell, prototype, 0, &function, &error);
    Py_END_ALLOW_THREADS use_end(&use);
    if (!cell_get(self)) {
        return NULL;
    }
    if (r != 0) {
        if (r == -ENOENT) {
            PyErr_SetString(PyExc_AttributeError, error.text);
        } else {
            (void)raise_declaration(r, &error);
        }
        return NULL;
    }
    return function_new(self, session, function);
}

/* A function of the interface, made when it is first asked for. New reference; NULL: raised, or there is none. */
PyObject *cell_find_function(struct cell_object *self, struct session_object *session,
                             PyObject *functions, PyObject *name)
{
    PyObject *found = PyDict_GetItemWithError(functions, name);
    if (found && found != Py_None) {
        return Py_NewRef(found);
    }
    PyObject *known = found ? found : PyDict_GetItemWithError(self->functions, name);
    if (!known) {
        return NULL;
    }
    const char *text = PyUnicode_AsUTF8(name);
    PyObject *made = NULL;
    if (known != Py_None && cell_get(self)) { /* bound already, for the cell */
        made = function_new(self, session, ((struct function_object *)known)->function);
    } else if (known == Py_None && text) {
        made = bind(self, session, text);
    }
    if (made && PyDict_SetItem(functions, name, made) < 0) {
        Py_CLEAR(made);
    }
    return made;
}

PyObject *cell_getattr(struct cell_object *self, PyObject *name)
{
    PyObject *found = cell_find_function(self, NULL, self->functions, name);
    return found || PyErr_Occurred() ? found : PyObject_GenericGetAttr((PyObject *)self, name);
}

PyObject *cell_bind_declaration(struct cell_object *self, PyObject *prototype)
{
    const char *text = PyUnicode_AsUTF8(prototype);
    PyObject *made = text ? bind(self, NULL, text) : NULL;
    if (made && PyDict_SetItem(self->functions, ((struct function_object *)made)->name, made) < 0) {
        Py_CLEAR(made);
    }
    return made;
}

PyObject *cell_names_of(PyObject *self, PyObject *functions)
{
    PyObject *names = PyObject_CallMethod((PyObject *)&PyBaseObject_Type, "__dir__", "O", self);
    PyObject *more = names ? PyDict_Keys(functions) : NULL;
    PyObject *all = more ? PySequence_InPlaceConcat(names, more) : NULL;
    Py_XDECREF(more);
    Py_XDECREF(names);
    return all;
}

PyObject *cell_dir(struct cell_object *self, PyObject *Py_UNUSED(none))
{
    return cell_names_of((PyObject *)self, self->functions);
}
