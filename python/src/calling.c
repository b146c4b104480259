/* SPDX-License-Identifier: Apache-2.0 */
#include "calling.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "giving.h"

#define SLICE_NS      50000000u /* of a wait on the main thread, between looks for Ctrl-C */
#define AGAIN_MS      200u      /* between two interrupts of a call that ought to have ended */
#define PREPARATIONS  2u        /* of a session whose worker dies as soon as it is ready */
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

PyObject *find_timeout(const struct function_object *self, PyObject *const *args, size_t positional,
                       PyObject *names, Py_ssize_t *ret_at)
{
    *ret_at = -1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), "timeout") != 0) {
            continue;
        }
        for (uint32_t j = 0; j < self->count; j++) {
            if (PyUnicode_Compare(self->parameters[j].name, PyTuple_GET_ITEM(names, i)) == 0) {
                return NULL;
            }
        }
        *ret_at = i;
        return args[positional + (size_t)i];
    }
    return NULL;
}

PyObject *finish_call(struct taking *taking, int r, struct cordon_result *result)
{
    PyObject *object = NULL;
    if (taking->raised) {
        if (r != INT_MIN) {
            PyErr_SetObject((PyObject *)Py_TYPE(taking->raised), taking->raised);
        }
    } else if (r == CORDON_DONE) {
        object = give_result(taking, result);
    } else if (r != INT_MIN) {
        (void)raise_result(taking->function, r, result);
    }
    if (r == CORDON_DONE) {
        cordon_result_release(result);
    }
    return object;
}

/* ---- Waiting ------------------------------------------------------------------------------------ */

/* Of the main thread, while it waits for others' calls, or for a start, without the lock. */
static int look_for_signals(void *Py_UNUSED(context))
{
    PyGILState_STATE state = PyGILState_Ensure();
    int r = PyErr_Occurred() ? -1 : PyErr_CheckSignals();
    PyGILState_Release(state);
    return r;
}

bool sees_signals(void)
{
    static unsigned long main_thread;
    static pid_t main_process;
    static _Thread_local bool looks;
    if (main_process != getpid()) {
        PyObject *threading = PyImport_ImportModule("threading");
        PyObject *thread = threading ? PyObject_CallMethod(threading, "main_thread", NULL) : NULL;
        PyObject *ident = thread ? PyObject_GetAttrString(thread, "ident") : NULL;
        main_thread = ident ? PyLong_AsUnsignedLong(ident) : 0;
        main_process = getpid();
        Py_XDECREF(ident);
        Py_XDECREF(thread);
        Py_XDECREF(threading);
        PyErr_Clear();
    }
    bool sees = PyThread_get_thread_ident() == main_thread;
    if (sees && !looks) {
        cordon_on_wait(look_for_signals, NULL);
    }
    looks = sees;
    return sees;
}

/* The exception stays set; the worker is ended, and the call with it. */
static int interrupt(struct cordon_pending *pending, struct cordon_result *result)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    struct cordon_session *session = cordon_pending_session(pending);
    int r = -ETIME;
    PyErr_Fetch(&type, &value, &trace);
    while (r == -ETIME) { /* again while another thread has the session */
        Py_BEGIN_ALLOW_THREADS(void) cordon_session_interrupt(session);
        r = cordon_collect(pending, cordon_after_ms(AGAIN_MS), result);
        Py_END_ALLOW_THREADS PyErr_Clear();
    }
    cordon_result_release(result);
    PyErr_Restore(type, value, trace);
    return INT_MIN;
}

/* Without the lock. */
static int wait_long(struct cordon_pending *pending, struct cordon_result *ret_result)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyErr_Fetch(&type, &value, &trace); /* callbacks run meanwhile, and signal handlers */
    bool sliced = sees_signals();
    int r = -ETIME;
    while (r == -ETIME) {
        uint64_t until_ns = sliced ? now_ns() + SLICE_NS : CORDON_NEVER;
        Py_BEGIN_ALLOW_THREADS r = cordon_collect(pending, until_ns, ret_result);
        Py_END_ALLOW_THREADS if (r == -ETIME && !PyErr_Occurred())
        {
            (void)PyErr_CheckSignals();
        }
        if (r == -ETIME && PyErr_Occurred()) {
            r = interrupt(pending, ret_result);
        }
    }
    if (PyErr_Occurred()) { /* a signal's handler raised it */
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(trace);
        if (r == CORDON_DONE) {
            cordon_result_release(ret_result);
        }
        return INT_MIN;
    }
    PyErr_Restore(type, value, trace);
    return r;
}

int wait_for(struct cordon_pending *pending, struct cordon_result *ret_result)
{
    int r = cordon_collect(pending, CORDON_SOON, ret_result);
    return r == -ETIME ? wait_long(pending, ret_result) : r;
}

/* From inside a callback, and at level inline: without the lock, and for as long as it takes. */
static int call_slowly(struct function_object *function, const struct cordon_value *values,
                       size_t count, uint64_t deadline_ns, struct cordon_result *ret_result)
{
    struct cordon_session *session = function->session ? function->session->session : NULL;
    PyThreadState *state = PyEval_SaveThread();
    int r = session ? cordon_session_call(session, function->function, values, count, deadline_ns,
                                          ret_result)
                    : cordon_call(function->function, values, count, deadline_ns, ret_result);
    PyEval_RestoreThread(state);
    return r;
}

/* A worker where the next call goes. False: the call itself says why not. */
static bool prepare(struct function_object *function)
{
    struct cordon_session *session = function->session
                                         ? function->session->session
                                         : cordon_session_current(function->cell->cell);
    struct cordon_error error;
    uint32_t retry_ms;
    int r = -ENOMEM;
    (void)sees_signals();
    if (session) {
        Py_BEGIN_ALLOW_THREADS r =
            cordon_session_prepare(session, &function->function, 1, &retry_ms, &error);
        Py_END_ALLOW_THREADS
    }
    return r == 0;
}

/* Another thread is in the session: the call takes its turn, without the lock. Returns as cordon_call_turn(). */
static int call_in_turn(struct function_object *function, struct cordon_session *session,
                        const struct cordon_value *values, size_t count, uint64_t deadline_ns,
                        struct cordon_pending **ret_pending, struct cordon_result *ret_result)
{
    int r;
    (void)sees_signals();
    Py_BEGIN_ALLOW_THREADS r = cordon_call_turn(function->function, session, values, count,
                                                deadline_ns, ret_pending, ret_result);
    Py_END_ALLOW_THREADS return r;
}

/* What was not answered at once, as cordon_call_soon() said it of the first try. */
static int call_further(struct function_object *function, const struct cordon_value *values,
                        size_t count, uint64_t deadline_ns, int r, struct cordon_pending *pending,
                        struct cordon_result *ret_result)
{
    struct cordon_session *session = function->session ? function->session->session : NULL;
    for (uint32_t tries = 0;; tries++) {
        if (r == -EBUSY && !function->cell->is_inline) {
            r = call_in_turn(function, session, values, count, deadline_ns, &pending, ret_result);
        }
        if (r == -ETIME) {
            return wait_long(pending, ret_result);
        }
        if (r != -ENOTCONN && r != -EBUSY && r != -EAGAIN) {
            return r;
        }
        if (!session_is_open(function->cell, function->session)) {
            return INT_MIN; /* closed while the lock was given up */
        }
        bool ready = r == -ENOTCONN && prepare(function);
        if (PyErr_Occurred() || !session_is_open(function->cell, function->session)) {
            return INT_MIN;
        }
        if (!ready || tries == PREPARATIONS) {
            return call_slowly(function, values, count, deadline_ns, ret_result);
        }
        session = function->session ? function->session->session : NULL;
        r = cordon_call_soon(function->function, session, values, count, deadline_ns, &pending,
                             ret_result);
    }
}

int call_and_wait(struct function_object *function, const struct cordon_value *values, size_t count,
                  uint64_t deadline_ns, struct cordon_result *ret_result)
{
    struct use use;
    struct cordon_pending *pending;
    struct session_object *session = function->session;
    ret_result->error.text[0] = '\0';
    if (!session_is_open(function->cell, session)) {
        return INT_MIN;
    }
    use_begin(&use, function->cell, session);
    int r = cordon_call_soon(function->function, session ? session->session : NULL, values, count,
                             deadline_ns, &pending, ret_result);
    if (r != CORDON_DONE) {
        r = call_further(function, values, count, deadline_ns, r, pending, ret_result);
    }
    if (use.raised) {
        if (r == CORDON_DONE) {
            cordon_result_release(ret_result);
        }
        (void)use_raise(&use);
        r = INT_MIN;
    }
    use_end(&use);
    if (session) {
        session_changed(session);
    }
    return r;
}
