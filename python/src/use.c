/* SPDX-License-Identifier: Apache-2.0 */
/* Who is in a cell: nothing of it is freed while a call is under way, whichever thread closes it. */
#include <time.h>

#include "package.h"

#define LOOK_NS 500000 /* between two looks whether those in flight have left */

uint32_t fork_generation;

void uses_forget(struct cell_object *cell)
{
    cell->generation = fork_generation;
    cell->uses = NULL; /* of threads that are not here */
}

void use_tell(struct use *use)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_SetObject((PyObject *)Py_TYPE(use->raised), use->raised);
    Py_CLEAR(use->raised);
    PyErr_WriteUnraisable((PyObject *)use->cell);
    PyErr_Restore(type, value, trace);
}

bool use_raise(struct use *use)
{
    if (!use->raised || PyErr_Occurred()) {
        return false;
    }
    PyErr_SetObject((PyObject *)Py_TYPE(use->raised), use->raised);
    Py_CLEAR(use->raised);
    return true;
}

struct use *use_of_thread(const struct cell_object *cell)
{
    struct use *use = cell->generation == fork_generation ? cell->uses : NULL;
    while (use && use->thread != pthread_self()) {
        use = use->next;
    }
    return use;
}

static bool concerns(const struct use *use, const struct session_object *session)
{
    return !session || use->session == session;
}

int uses_refuse_own(const struct cell_object *cell, const struct session_object *session)
{
    for (const struct use *use = cell->uses; use; use = use->next) {
        if (cell->generation == fork_generation && concerns(use, session) &&
            use->thread == pthread_self()) {
            PyErr_Format(error_class("CordonError"),
                         "a %s is not closed from inside its callback, or while its calls are made",
                         session ? "session" : "cell");
            return -1;
        }
    }
    return 0;
}

static bool is_used(const struct cell_object *cell, const struct session_object *session)
{
    for (const struct use *use = cell->uses; use; use = use->next) {
        if (concerns(use, session)) {
            return true;
        }
    }
    return false;
}

bool uses_end(struct cell_object *cell, struct session_object *session, void (*stop)(void *what),
              void *what)
{
    while (is_used(cell, session)) {
        if (cell->generation != fork_generation) {
            return true; /* threads of the parent process: there is nobody here */
        }
#if PY_VERSION_HEX >= 0x030d0000
        bool over = Py_IsFinalizing();
#else
        bool over = _Py_IsFinalizing();
#endif
        if (over) {
            stop(what);
            return false; /* daemon threads, which never run again */
        }
        Py_BEGIN_ALLOW_THREADS stop(what);
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
        Py_END_ALLOW_THREADS
    }
    return true;
}
