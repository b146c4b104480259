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

#include <pthread.h>
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

/* Somebody is in a cell: a call, or something else that must not see it freed. On the stack of who is. */
struct use {
    struct use *previous;
    struct use *next;
    struct cell_object *cell;
    struct session_object *session; /* NULL: the cell's own */
    pthread_t thread;
    uint32_t generation;
    PyObject
        *raised; /* by a callable that the library keeps: whoever waits raises it; owned, or NULL */
};

/* How often this process is a fork() of one that had the extension: threads of those before do not exist here. */
extern uint32_t fork_generation;

struct cell_object {
    PyObject_HEAD struct cordon_cell *cell; /* NULL: closed, or about to be */
    PyObject *name;
    PyObject *functions; /* dict: name -> function */
    PyObject *results;   /* dict: name of a function or a struct -> class of its values */
    PyObject *releasers; /* dict: tag of a handle -> function that ends it */
    PyObject *kept;    /* list: callables that the library may call after the call they came with */
    PyObject *handles; /* dict: handle -> objects here that name it; closed ones are not in it */
    PyObject *rings;   /* cordon._aio's; NULL: none yet */
    PyObject *weakrefs;
    struct cordon_interface *interface; /* NULL: none was given */
    uint32_t workers;                   /* for calls without a session */
    bool is_inline;                     /* calls run on the calling thread */
    uint64_t call_bytes;                /* most that a call may carry */
    Py_ssize_t views;                   /* of its shared memory */
    struct use *uses;
    struct session_object *sessions; /* all that were made of it and are still objects */
    uint32_t generation;             /* of the process that opened it */
};

/* A caller's own worker. */
struct session_object {
    PyObject_HEAD struct cell_object *cell; /* owned */
    struct cordon_session *session;         /* NULL: closed */
    PyObject *functions;                    /* dict: name -> function bound to this session */
    PyObject *pending;                      /* dict: address of a call in flight -> Pending */
    PyObject *on_change;                    /* callable, for event loops; NULL, None: none */
    struct session_object *previous;        /* of the cell's sessions */
    struct session_object *next;
    Py_ssize_t views; /* of its shared memory */
    PyObject *weakrefs;
};

extern PyTypeObject cell_type;
extern PyTypeObject session_type;

/* The cell's, or raises ValueError (closed). */
struct cordon_cell *cell_get(struct cell_object *self);

int session_refuse(struct cell_object *cell, struct session_object *session);

/* Neither the cell nor @session (NULL: none) is closed; else it is raised. */
static inline bool session_is_open(struct cell_object *cell, struct session_object *session)
{
    return (cell->cell && (!session || session->session)) || session_refuse(cell, session) == 0;
}

/* The session that a call of this thread uses: @session's, else the cell's. NULL: raised. */
struct cordon_session *session_for(struct cell_object *cell, struct session_object *session);

/* Tell the event loop that waits for @self, if there is one. */
void session_changed(struct session_object *self);

void uses_forget(struct cell_object *cell);
void use_tell(struct use *use); /* what nobody has raised */

/* Each call does this with the lock held, most with nothing between the two. */
static inline void use_begin(struct use *use, struct cell_object *cell,
                             struct session_object *session)
{
    if (cell->generation != fork_generation) {
        uses_forget(cell);
    }
    *use = (struct use){.next = cell->uses,
                        .cell = cell,
                        .session = session,
                        .thread = pthread_self(),
                        .generation = fork_generation};
    if (use->next) {
        use->next->previous = use;
    }
    cell->uses = use;
}

static inline void use_end(struct use *use)
{
    if (use->generation != fork_generation) {
        return; /* a child that was forked in the middle of a call */
    }
    *(use->previous ? &use->previous->next : &use->cell->uses) = use->next;
    if (use->next) {
        use->next->previous = use->previous;
    }
    if (use->raised) {
        use_tell(use);
    }
}

/* What kept callables raised meanwhile becomes the exception. True: there was something, and none is set already. */
bool use_raise(struct use *use);
/* The innermost one of this thread; NULL: there is none. */
struct use *use_of_thread(const struct cell_object *cell);
/* Raises if this thread is in the cell, or in @session. -1: raised. */
int uses_refuse_own(const struct cell_object *cell, const struct session_object *session);
/*
 * Wait until nobody is in the cell, or in @session, which are closed to others already; @stop is called, without the
 * lock, until that is so. False: those who are in it never leave, the interpreter has ended.
 */
bool uses_end(struct cell_object *cell, struct session_object *session, void (*stop)(void *what),
              void *what);

/* Of the type's tables: cell_functions.c, cell_known.c. */
PyObject *cell_getattr(struct cell_object *self, PyObject *name);
PyObject *cell_bind_declaration(struct cell_object *self, PyObject *prototype);
PyObject *cell_dir(struct cell_object *self, PyObject *none);
PyObject *cell_isolation(struct cell_object *self, void *closure);
PyObject *cell_policy(struct cell_object *self, void *closure);
PyObject *cell_constants(struct cell_object *self, void *closure);
PyObject *cell_closed(struct cell_object *self, void *closure);
PyObject *cell_counts(struct cell_object *self, PyObject *none);
PyObject *cell_report(struct cell_object *self, PyObject *args);

/* A function of the interface, made when it is first asked for. New reference; NULL: raised, or there is none. */
PyObject *cell_find_function(struct cell_object *self, struct session_object *session,
                             PyObject *functions, PyObject *name);
/* What dir() of @self shows. */
PyObject *cell_names_of(PyObject *self, PyObject *functions);
/* cordon._batch.Batch(@of), and what it asks for when it ends. */
PyObject *cell_new_batch(PyObject *of);
PyObject *cell_run_calls(struct cell_object *cell, struct session_object *session, PyObject *calls);
/* Cell.dispatch(), Session.dispatch(): run callables that came on threads of the library. */
PyObject *dispatch(struct cell_object *cell, struct session_object *session, PyObject *args,
                   PyObject *keywords);
/* __enter__ of all that have one. */
PyObject *object_enter(PyObject *self, PyObject *none);

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
    const struct plan_view *plan; /* a copy of its own */
    PyObject *name;
    PyObject *result_class;       /* named tuple of several outputs; NULL: there is one, or none */
    struct parameter *parameters; /* all that are passed to libcordon, in its order */
    uint32_t count;
    uint32_t sent;    /* of them callers pass */
    uint32_t outputs; /* what comes back, the return value included */
    bool returns;     /* it has a value */
    bool plain;       /* a number or nothing back, and the parameters are: plain.h */
    uint8_t ways[CORDON_PLAN_PARAMS_MAX]; /* enum plain_way of the parameters */
    const struct cordon_plan_type *result;
    bool variadic;
    PyObject *weakrefs;
};

extern PyTypeObject function_type;

/* map(iterable of arguments): cordon.Function.map(); and _run(calls): cordon.Cell.batch(). */
PyObject *function_map(struct function_object *self, PyObject *args, PyObject *keywords);
PyObject *flights_run(struct cell_object *cell, struct session_object *session, PyObject *calls);

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
    bool counted; /* in the cell's handles */
    PyObject *weakrefs;
};

extern PyTypeObject handle_type;

/* @lent: it is the library's own affair, as in a callback: nobody here has to close it. */
PyObject *handle_new(struct function_object *function, struct cordon_handle handle,
                     const char *type_name, bool lent);
/* It was released, by whatever function. */
void handle_released(struct handle_object *self);

/* A callable that lives with its cell. NULL: raised. */
struct call_back;
extern PyTypeObject kept_type;

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
/* The session is gone: those in flight end as ClosedError. */
void pending_abandon(struct session_object *session);

/* ---- Errors ------------------------------------------------------------------------------------- */

/* Raise what a call came to that is not CORDON_DONE. @r: an outcome or a negative errno. Returns NULL. */
PyObject *raise_result(const struct function_object *function, int r,
                       const struct cordon_result *result);

/* The same for what has but a sentence. */
PyObject *raise_error(int r, const struct cordon_error *error);

/* The same for what is wrong with declarations, or with the library. */
PyObject *raise_declaration(int r, const struct cordon_error *error);

/* cordon._errors.NAME, borrowed. */
PyObject *error_class(const char *name);

#endif
