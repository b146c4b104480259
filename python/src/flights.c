/* SPDX-License-Identifier: Apache-2.0 */
/* Flights: many calls of one session that are on their way together, for function.map() and cell.batch(). */
#include <errno.h>
#include <limits.h>
#include <time.h>

#include "calling.h"
#include "giving.h"
#include "plain.h"

#define GIVE_WAY_NS 50000

struct flight {
    struct function_object *function; /* owned */
    PyObject *args;                   /* owned: the taking borrows what is in them */
    struct taking *taking;            /* NULL: numbers and bytes alone */
    struct cordon_pending *pending;
};

/* Calls in the air, oldest first. */
struct flights {
    struct cordon_session *session;
    struct use use;
    uint64_t deadline_ns;
    size_t first;
    size_t count;
    struct flight all[CORDON_BATCH_MAX];
};

static void drop(struct flight *flight)
{
    if (flight->taking) {
        taking_end(flight->taking);
    }
    Py_CLEAR(flight->args);
    Py_CLEAR(flight->function);
}

/*
 * What has to be waited for is waited for without the lock. Apart from submit(): the kilobyte of an error's text, cleared for each
 * call, was 130 of its 220 instructions.
 */
static int submit_slowly(struct flights *flights, struct flight *flight,
                         const struct cordon_value *values, size_t count)
{
    struct cordon_error error = {{0}};
    int r;
    (void)sees_signals();
    Py_BEGIN_ALLOW_THREADS r = cordon_submit(flights->session, flight->function->function, values,
                                             count, flights->deadline_ns, &flight->pending, &error);
    Py_END_ALLOW_THREADS if (r != 0 && r != -EAGAIN)
    {
        (void)raise_error(r, &error);
    }
    return r;
}

/* Returns 0; 1: as many are in the air as may be; -1: raised. */
static int submit(struct flights *flights, struct flight *flight, const struct cordon_value *values,
                  size_t count)
{
    struct cordon_result refusal;
    refusal.error.text[0] = '\0';
    int r = -EBUSY; /* level inline: the function runs here */
    if (!flight->function->cell->is_inline) {
        r = cordon_submit_ready(flights->session, flight->function->function, values, count,
                                flights->deadline_ns, &flight->pending, &refusal);
    }
    if (r == -ENOTCONN || r == -EBUSY) {
        r = submit_slowly(flights, flight, values, count);
    } else if (r != 0 && r != -EAGAIN) {
        (void)raise_result(flight->function, r, &refusal);
    }
    return r == 0 ? 0 : r == -EAGAIN ? 1 : -1;
}

/* Put a call on its way. @args: a tuple, or a single argument. Returns as submit(). */
static int launch(struct flights *flights, struct function_object *function, PyObject *args,
                  PyObject *names, size_t positional)
{
    struct flight *flight = &flights->all[(flights->first + flights->count) % CORDON_BATCH_MAX];
    struct cordon_value numbers[CORDON_PLAN_PARAMS_MAX];
    const struct cordon_value *values = numbers;
    bool tuple = PyTuple_Check(args);
    PyObject *const *items = tuple ? &PyTuple_GET_ITEM(args, 0) : &args;
    size_t count = tuple ? positional : 1;
    flight->taking = NULL;
    flight->args = Py_NewRef(args);
    flight->function = (struct function_object *)Py_NewRef((PyObject *)function);
    int r = 0;
    if (names || !plain_take(function, items, count, numbers)) {
        flight->taking = taking_begin(function);
        r = flight->taking ? take_arguments(flight->taking, items, count, names, -1) : -1;
        values = flight->taking ? flight->taking->values : NULL;
        count = flight->taking ? flight->taking->count : 0;
    }
    r = r < 0 ? r : submit(flights, flight, values, count);
    if (r == 0) {
        flights->count++;
    } else {
        drop(flight);
    }
    return r;
}

/* What a callable that the library keeps has raised is this call's. Returns what the call came to. */
static int take_raised(struct use *use, struct taking *taking, int r, struct cordon_result *result)
{
    if (!use->raised || r == INT_MIN) {
        return r;
    }
    if (taking && !taking->raised) {
        taking->raised = use->raised;
        use->raised = NULL;
        return r;
    }
    if (r == CORDON_DONE) {
        cordon_result_release(result);
    }
    (void)use_raise(use);
    return INT_MIN;
}

/* The oldest one's end. NULL: raised. */
static PyObject *land(struct flights *flights)
{
    struct flight *flight = &flights->all[flights->first];
    struct cordon_result result;
    PyObject *object;
    int r = wait_for(flight->pending, &result);
    r = take_raised(&flights->use, flight->taking, r, &result);
    if (flight->taking) {
        object = finish_call(flight->taking, r, &result);
    } else if (r == CORDON_DONE) {
        object = plain_give(flight->function, &result);
    } else {
        object = r == INT_MIN ? NULL : raise_result(flight->function, r, &result);
    }
    drop(flight);
    flights->first = (flights->first + 1) % CORDON_BATCH_MAX;
    flights->count--;
    return object;
}

/* All that are in the air, whatever they come to; the exception that is set stays. */
static void land_unheard(struct flights *flights)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyErr_Fetch(&type, &value, &trace);
    while (flights->count > 0) {
        PyObject *object = land(flights);
        if (!object) {
            PyErr_Clear();
        }
        Py_XDECREF(object);
    }
    PyErr_Restore(type, value, trace);
}

/*
 * Others have all the calls in flight that the session may have. Those of other threads end by themselves; this
 * thread's own wait for us. Returns 0: try again, -1: raised.
 */
static int give_way(struct flights *flights, const struct cell_object *cell)
{
    uint32_t own = 0;
    for (const struct use *use = cell->uses; use; use = use->next) {
        own += use->thread == pthread_self();
    }
    if (own > 1) {
        PyErr_SetString(error_class("LimitError"), "the session has too many calls in flight");
        return -1;
    }
    struct cordon_pending *other;
    Py_BEGIN_ALLOW_THREADS(void) !cordon_collect_any(flights->session, CORDON_NEVER, &other);
    (void)nanosleep(&(struct timespec){.tv_nsec = GIVE_WAY_NS}, NULL); /* who has it, collects it */
    Py_END_ALLOW_THREADS return PyErr_Occurred() ? -1 : PyErr_CheckSignals();
}

/* ---- map() -------------------------------------------------------------------------------------- */

/* The oldest one's result, into the list. */
static int land_into(struct flights *flights, PyObject *results)
{
    PyObject *object = land(flights);
    int r = object ? PyList_Append(results, object) : -1;
    Py_XDECREF(object);
    return r;
}

/* Returns 1: on its way, 0: there is none left, -1: raised. */
static int launch_next(struct flights *flights, struct function_object *self, PyObject *iterator,
                       PyObject *results)
{
    PyObject *args = PyIter_Next(iterator);
    if (!args) {
        return PyErr_Occurred() ? -1 : 0;
    }
    size_t positional = PyTuple_Check(args) ? (size_t)PyTuple_GET_SIZE(args) : 1;
    int r = 1;
    while (r == 1) {
        r = launch(flights, self, args, NULL, positional);
        if (r == 1 && flights->count == 0) {
            r = give_way(flights, self->cell) < 0 ? -1 : 1;
        } else if (r == 1 && land_into(flights, results) < 0) {
            r = -1;
        }
    }
    Py_DECREF(args);
    return r < 0 ? -1 : 1;
}

static int map_all(struct flights *flights, struct function_object *self, PyObject *iterator,
                   PyObject *results)
{
    int more = 1;
    while (more > 0 || flights->count > 0) {
        while (more > 0 && flights->count < CORDON_BATCH_MAX) {
            more = launch_next(flights, self, iterator, results);
        }
        if (more < 0) {
            return -1;
        }
        /* Half of them, so that the worker has some while more are made. */
        for (size_t left = more ? flights->count / 2 : 0; flights->count > left;) {
            if (land_into(flights, results) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

/* The first call that fails is raised, after the others in flight. */
PyObject *function_map(struct function_object *self, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"arguments", "timeout", NULL};
    PyObject *arguments;
    PyObject *timeout = NULL;
    struct flights flights;
    flights.first = flights.count = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|$O:map", KEYWORDS(names), &arguments,
                                     &timeout) ||
        deadline_of(timeout, &flights.deadline_ns) < 0) {
        return NULL;
    }
    PyObject *iterator = PyObject_GetIter(arguments);
    flights.session = iterator ? session_for(self->cell, self->session) : NULL;
    PyObject *results = flights.session ? PyList_New(0) : NULL;
    if (results) {
        use_begin(&flights.use, self->cell, self->session);
        (void)cordon_session_ring(flights.session, false); /* it is waited for here */
        if (map_all(&flights, self, iterator, results) < 0) {
            land_unheard(&flights);
            Py_CLEAR(results);
        }
        use_end(&flights.use);
        if (self->session) {
            session_changed(self->session);
        }
    }
    Py_XDECREF(iterator);
    return results;
}

/* ---- batch() ------------------------------------------------------------------------------------ */

/* What is set as an exception, as an object. */
static PyObject *take_exception(void)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
}

/* (True, value) or (False, exception). KeyboardInterrupt and its like are raised: -1. */
static int note_end(PyObject *ends, PyObject *object)
{
    bool done = object != NULL;
    if (!done) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return -1;
        }
        object = take_exception();
    }
    PyObject *end = Py_BuildValue("(ON)", done ? Py_True : Py_False, object);
    int r = end ? PyList_Append(ends, end) : -1;
    Py_XDECREF(end);
    return r;
}

/* @call: (function, args, names): as vectorcall has them, values of names behind the others. */
static int run_one(struct flights *flights, struct cell_object *cell, PyObject *call,
                   PyObject *ends)
{
    PyObject *function;
    PyObject *args;
    PyObject *names;
    if (!PyTuple_Check(call)) {
        PyErr_SetString(PyExc_TypeError, "a call is a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(call, "O!O!O!", &function_type, &function, &PyTuple_Type, &args,
                          &PyTuple_Type, &names)) {
        return -1;
    }
    Py_ssize_t positional = PyTuple_GET_SIZE(args) - PyTuple_GET_SIZE(names);
    if (((struct function_object *)function)->cell != cell || positional < 0) {
        PyErr_SetString(PyExc_ValueError, "a batch has calls of one cell");
        return -1;
    }
    bool named = PyTuple_GET_SIZE(names) > 0;
    for (;;) {
        int r = launch(flights, (struct function_object *)function, args, named ? names : NULL,
                       (size_t)positional);
        if (r == 0) {
            return 0;
        }
        if (r == 1 && flights->count == 0) {
            if (give_way(flights, cell) < 0) {
                return -1;
            }
            continue;
        }
        if (r < 0) { /* its end comes behind those of the calls before it */
            PyObject *type;
            PyObject *value;
            PyObject *trace;
            PyErr_Fetch(&type, &value, &trace);
            while (flights->count > 0) {
                if (note_end(ends, land(flights)) < 0) {
                    Py_XDECREF(type);
                    Py_XDECREF(value);
                    Py_XDECREF(trace);
                    return -1;
                }
            }
            PyErr_Restore(type, value, trace);
            return note_end(ends, NULL);
        }
        if (note_end(ends, land(flights)) < 0) {
            return -1;
        }
    }
}

/* @calls: a tuple. A list of how each ended. */
PyObject *flights_run(struct cell_object *cell, struct session_object *session, PyObject *calls)
{
    struct flights flights;
    flights.first = flights.count = 0;
    flights.deadline_ns = CORDON_DEFAULT;
    flights.session = session_for(cell, session);
    PyObject *ends = flights.session ? PyList_New(0) : NULL;
    if (!ends) {
        return NULL;
    }
    use_begin(&flights.use, cell, session);
    (void)cordon_session_ring(flights.session, false); /* it is waited for here */
    int r = 0;
    for (Py_ssize_t i = 0; r == 0 && i < PyTuple_GET_SIZE(calls); i++) {
        if (flights.count == CORDON_BATCH_MAX) {
            r = note_end(ends, land(&flights));
        }
        r = r < 0 ? r : run_one(&flights, cell, PyTuple_GET_ITEM(calls, i), ends);
    }
    while (r == 0 && flights.count > 0) {
        r = note_end(ends, land(&flights));
    }
    if (r < 0) {
        land_unheard(&flights);
        Py_CLEAR(ends);
    }
    use_end(&flights.use);
    if (session) {
        session_changed(session);
    }
    return ends;
}
