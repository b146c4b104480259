/* SPDX-License-Identifier: Apache-2.0 */
/* Classes that are made for structs and for functions with several outputs: named tuples, by cordon._classes. */
#include "giving.h"

/* collections.namedtuple(@name, @fields), by cordon._classes.make(), which settles names that Python cannot have. */
static PyObject *make_class(PyObject *name, PyObject *fields)
{
    PyObject *module = PyImport_ImportModule("cordon._classes");
    PyObject *class = module ? PyObject_CallMethod(module, "make", "OO", name, fields) : NULL;
    Py_XDECREF(module);
    return class;
}

/* Structs without a name are told apart by where they stand in their plan. */
static PyObject *key_of(const struct plan_view *plan, const struct cordon_plan_type *record)
{
    const char *name = view_name(plan, record->name);
    PyObject *fields = PyTuple_New((Py_ssize_t)record->count + 1);
    for (uint32_t i = 0; fields && i <= record->count; i++) {
        PyObject *part =
            i == 0 ? PyUnicode_FromString(name)
                   : PyUnicode_FromString(view_name(plan, view_field(plan, record, i - 1)->name));
        if (!part) {
            Py_CLEAR(fields);
            break;
        }
        PyTuple_SET_ITEM(fields, i, part);
    }
    return fields;
}

PyObject *struct_class(struct cell_object *cell, const struct plan_view *plan,
                       const struct cordon_plan_type *record)
{
    PyObject *key = key_of(plan, record);
    PyObject *class = key ? PyDict_GetItemWithError(cell->results, key) : NULL;
    if (key && !class && !PyErr_Occurred()) {
        PyObject *fields = PyTuple_GetSlice(key, 1, PyTuple_GET_SIZE(key));
        PyObject *made = fields ? make_class(PyTuple_GET_ITEM(key, 0), fields) : NULL;
        if (made && PyDict_SetItem(cell->results, key, made) == 0) {
            class = made; /* the dict's */
        }
        Py_XDECREF(made);
        Py_XDECREF(fields);
    }
    Py_XDECREF(key);
    return class;
}
