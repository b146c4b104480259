/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PYTHON_PACKAGE_H
#define PYTHON_PACKAGE_H

/*
 * The extension's types, and what its files have in common. Everything here runs with the interpreter's lock
 * (GIL) held, unless it says otherwise.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h> /* after Python.h */

#include <stdbool.h>
#include <stdint.h>

#include "cordon/cordon.h"
#include "json/plan_view.h"

/* Whether elements are bytes: int8_t are numbers, unless they are text. */
static inline bool are_bytes(const struct plan_view *plan, const struct cordon_plan_type *type)
{
    return view_is_bytes(plan, type) &&
           (view_target(plan, type)->kind != CORDON_PLAN_I8 || type->flags & CORDON_PLAN_TEXT);
}

/* PyArg_ParseTupleAndKeywords() takes them as if it wrote to them. */
#define KEYWORDS(names) ((char **)(uintptr_t)(names))

/* ---- Cells and sessions ------------------------------------------------------------------------- */

struct cell_object {
    PyObject_HEAD struct cordon_cell *cell; /* NULL: closed */
    PyObject *name;
    PyObject *functions; /* dict: name -> function */
    PyObject *results;   /* dict: name of a function or a struct -> class of its values */
    PyObject *releasers; /* dict: tag of a handle -> function that ends it */
    PyObject
        *kept; /* callables that the library may call after the call they came with: capsules */
    PyObject *weakrefs;
    struct cordon_interface *interface; /* NULL: none was given */
    uint32_t workers;                   /* for calls without a session */
    uint32_t busy;                      /* calls that run without the lock */
    Py_ssize_t views;                   /* of its shared memory */
    bool events;                        /* sessions have descriptors */
};

/* A caller's own worker. */
struct session_object {
    PyObject_HEAD struct cell_object *cell; /* owned */
    struct cordon_session *session;         /* NULL: closed */
    PyObject *functions;                    /* dict: name -> function bound to this session */
    PyObject *pending;                      /* dict: address of a call in flight -> Pending */
    Py_ssize_t views;                       /* of its shared memory */
    PyObject *weakrefs;
};

extern PyTypeObject cell_type;
extern PyTypeObject session_type;

/* The cell's, or raises ValueError (closed). */
struct cordon_cell *cell_get(struct cell_object *self);

/* The session that a call of this thread uses: @session's, else the cell's. NULL: raised. */
struct cordon_session *session_for(struct cell_object *cell, struct session_object *session);

/* ---- Functions ---------------------------------------------------------------------------------- */

/* One parameter as callers see it. */
struct parameter {
    PyObject *name; /* interned, owned by the function */
    uint32_t index; /* in the plan */
    const struct cordon_plan_type *type;
    bool sent;     /* callers pass it */
    bool optional; /* NULL fits: it may be left out */
    bool comes_back;
};

struct function_object {
    PyObject_HEAD vectorcallfunc vectorcall;
    struct cell_object *cell;       /* owned */
    struct session_object *session; /* owned; NULL: the cell's own */
    struct cordon_function *function;
    const struct plan_view *plan; /* the function's */
    PyObject *name;
    PyObject *result_class;       /* named tuple of several outputs; NULL: there is one, or none */
    struct parameter *parameters; /* all that are passed to libcordon, in its order */
    uint32_t count;
    uint32_t sent;    /* of them callers pass */
    uint32_t outputs; /* what comes back, the return value included */
    bool returns;     /* it has a value */
    bool scalar;      /* numbers in, a number or nothing back: the short way */
    bool variadic;
    PyObject *weakrefs;
};

extern PyTypeObject function_type;

/* Takes over nothing. NULL: raised. */
PyObject *function_new(struct cell_object *cell, struct session_object *session,
                       struct cordon_function *function);

/* ---- Handles ------------------------------------------------------------------------------------ */

struct handle_object {
    PyObject_HEAD struct cordon_handle handle;
    PyObject *type_name;
    struct cell_object *cell;       /* owned */
    struct session_object *session; /* owned; or NULL */
    bool closed;
    PyObject *weakrefs;
};

extern PyTypeObject handle_type;

PyObject *handle_new(struct function_object *function, struct cordon_handle handle,
                     const char *type_name);

/* ---- Memory of the arena ------------------------------------------------------------------------ */

extern PyTypeObject buffer_type;
PyObject *buffer_new(struct cell_object *cell, struct session_object *session, Py_ssize_t bytes);

/* ---- Structs that live in the worker ------------------------------------------------------------- */

extern PyTypeObject resident_type;
PyObject *struct_new(struct cell_object *cell, struct session_object *session, const char *type);
/* @object's handle if it is one. */
bool object_handle(PyObject *object, struct cordon_handle *ret_handle);

/* ---- Calls in flight ------------------------------------------------------------------------------ */

extern PyTypeObject pending_type;
/* Submit in @function's session. None: its worker is not ready. NULL: raised. */
PyObject *pending_submit(struct function_object *function, PyObject *args, PyObject *keywords);
/* Those of the session that have ended, as a list. */
PyObject *pending_collect(struct session_object *session);

/* ---- Errors ------------------------------------------------------------------------------------- */

/* Raise what a call came to that is not CORDON_DONE. @r: an outcome or a negative errno. Returns NULL. */
PyObject *raise_result(const struct function_object *function, int r,
                       const struct cordon_result *result);

/* The same for what has but a sentence. */
PyObject *raise_error(int r, const struct cordon_error *error);

/* cordon._errors.NAME, borrowed. */
PyObject *error_class(const char *name);

#endif
