/* SPDX-License-Identifier: Apache-2.0 */
#include "calling.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <time.h>

#define SPIN_NS       20000u    /* the longest wait with the lock: as long as the lane spins */
#define SLICE_NS      50000000u /* of a wait on the main thread, between looks for Ctrl-C */
#define PREPARATIONS  3u        /* of a session whose worker dies as soon as it is ready */
#define NS_PER_SECOND 1000000000.0

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int deadline_of(PyObject *timeout, uint64_t *ret_deadline_ns)
{
    *ret_deadline_ns = CORDON_DEFAULT;
    if (!timeout) {
        return 0;
    }
    if (timeout == Py_None) {
        *ret_deadline_ns = CORDON_NEVER;
        return 0;
    }
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (!(seconds > 0)) {
        PyErr_SetString(PyExc_ValueError, "timeout has to be more than 0 seconds, or None");
        return -1;
    }
    double ns = seconds * NS_PER_SECOND;
    *ret_deadline_ns = ns < 4e18 ? now_ns() + (uint64_t)ns : CORDON_NEVER;
    return 0;
}

/* Only the main thread is told of Ctrl-C. */
static bool sees_signals(void)
{
    static unsigned long main_thread;
    if (main_thread == 0) {
        PyObject *threading = PyImport_ImportModule("threading");
        PyObject *thread = threading ? PyObject_CallMethod(threading, "main_thread", NULL) : NULL;
        PyObject *ident = thread ? PyObject_GetAttrString(thread, "ident") : NULL;
        main_thread = ident ? PyLong_AsUnsignedLong(ident) : 0;
        Py_XDECREF(ident);
        Py_XDECREF(thread);
        Py_XDECREF(threading);
        PyErr_Clear();
    }
    return PyThread_get_thread_ident() == main_thread;
}

/* The exception stays set; the worker is ended, and the call with it. */
static int interrupt(struct cell_object *cell, struct cordon_session *session,
                     struct cordon_pending *pending, struct cordon_result *result)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyErr_Fetch(&type, &value, &trace);
    (void)cordon_session_interrupt(session);
    cell->busy++;
    Py_BEGIN_ALLOW_THREADS(void) !cordon_collect(pending, CORDON_NEVER, result);
    Py_END_ALLOW_THREADS cell->busy--;
    cordon_result_release(result);
    PyErr_Restore(type, value, trace);
    return INT_MIN;
}

int wait_for(struct cell_object *cell, struct cordon_session *session,
             struct cordon_pending *pending, struct cordon_result *ret_result)
{
    int r = cordon_collect(pending, now_ns() + SPIN_NS, ret_result);
    bool sliced = r == -ETIME && sees_signals();
    while (r == -ETIME) {
        uint64_t until_ns = sliced ? now_ns() + SLICE_NS : CORDON_NEVER;
        cell->busy++;
        Py_BEGIN_ALLOW_THREADS r = cordon_collect(pending, until_ns, ret_result);
        Py_END_ALLOW_THREADS cell->busy--;
        if (r == -ETIME && PyErr_CheckSignals() < 0) {
            return interrupt(cell, session, pending, ret_result);
        }
    }
    return r;
}

/* Waiting for a worker, or for another thread's call in the session: without the lock, and for as long as it takes. */
static int call_slowly(struct function_object *function, struct cordon_session *session,
                       const struct cordon_value *values, size_t count, uint64_t deadline_ns,
                       struct cordon_result *ret_result)
{
    int r;
    function->cell->busy++;
    Py_BEGIN_ALLOW_THREADS if (function->session)
    {
        r = cordon_session_call(session, function->function, values, count, deadline_ns,
                                ret_result);
    }
    else
    {
        r = cordon_call(function->function, values, count, deadline_ns, ret_result);
    }
    Py_END_ALLOW_THREADS function->cell->busy--;
    return r;
}

int call_and_wait(struct function_object *function, const struct cordon_value *values, size_t count,
                  uint64_t deadline_ns, struct cordon_result *ret_result)
{
    struct cordon_session *session = session_for(function->cell, function->session);
    struct cordon_pending *pending;
    if (!session) {
        return INT_MIN;
    }
    for (uint32_t tries = 0; tries < PREPARATIONS; tries++) {
        int r = cordon_submit_ready(session, function->function, values, count, deadline_ns,
                                    &pending, ret_result);
        if (r == 0) {
            return wait_for(function->cell, session, pending, ret_result);
        }
        if (r != -ENOTCONN) {
            return r == -EBUSY || r == -EAGAIN
                       ? call_slowly(function, session, values, count, deadline_ns, ret_result)
                       : r;
        }
        uint32_t retry_ms = 0;
        function->cell->busy++;
        Py_BEGIN_ALLOW_THREADS r =
            cordon_session_prepare(session, &function->function, 1, &retry_ms, &ret_result->error);
        Py_END_ALLOW_THREADS function->cell->busy--;
        if (r != 0) {
            break;
        }
    }
    return call_slowly(function, session, values, count, deadline_ns, ret_result);
}
