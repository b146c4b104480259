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

/* ---- Plain calls ------------------------------------------------------------------------------------ */

/* An int of few digits, which most are: without asking the interpreter (20 instructions each). */
static inline bool take_compact(PyObject *object, long long *ret_number)
{
#if PY_VERSION_HEX >= 0x030c0000
    const PyLongObject *number = (const PyLongObject *)object;
    if (!PyUnstable_Long_IsCompact(number)) {
        return false;
    }
    *ret_number = PyUnstable_Long_CompactValue(number);
    return true;
#else
    Py_ssize_t digits = Py_SIZE(object); /* negative as the number is */
    if (digits < -1 || digits > 1) {
        return false;
    }
    *ret_number = digits == 0 ? 0 : (long long)digits * ((const PyLongObject *)object)->ob_digit[0];
    return true;
#endif
}

/* False: it does not fit. */
static bool take_plain_int(uint8_t kind, PyObject *object, struct cordon_value *ret_value)
{
    bool is_unsigned = kind == CORDON_PLAN_U32 || kind == CORDON_PLAN_U64;
    long long number;
    int overflow = 0;
    if (!take_compact(object, &number)) {
        number = PyLong_AsLongLongAndOverflow(object, &overflow);
    }
    if (overflow != 0 || (is_unsigned && number < 0) ||
        (kind == CORDON_PLAN_I32 && number != (int32_t)number) ||
        (kind == CORDON_PLAN_U32 && number != (uint32_t)number)) {
        return false;
    }
    *ret_value = is_unsigned ? cordon_uint((uint64_t)number) : cordon_int(number);
    return true;
}

int take_plain(const struct function_object *function, PyObject *const *args, size_t count,
               struct cordon_value *ret_values)
{
    if (!function->plain || count != function->count) {
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t kind = function->kinds[i];
        bool is_int = kind == CORDON_PLAN_U32 || kind == CORDON_PLAN_U64 ||
                      kind == CORDON_PLAN_I32 || kind == CORDON_PLAN_I64;
        if (is_int && PyLong_CheckExact(args[i])) {
            if (!take_plain_int(kind, args[i], &ret_values[i])) {
                return 1;
            }
        } else if (kind == CORDON_PLAN_F64 && PyFloat_CheckExact(args[i])) {
            ret_values[i] = cordon_float(PyFloat_AS_DOUBLE(args[i]));
        } else if (kind == CORDON_PLAN_POINTER && PyBytes_CheckExact(args[i])) {
            ret_values[i] =
                cordon_in(PyBytes_AS_STRING(args[i]), (size_t)PyBytes_GET_SIZE(args[i]));
        } else {
            return 1;
        }
    }
    return 0;
}

PyObject *give_plain(const struct function_object *function, const struct cordon_result *result)
{
    if (!function->returns) {
        return Py_NewRef(Py_None);
    }
    return give_word(function->result, &result->value);
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

static int call_in_use(struct function_object *function, const struct cordon_value *values,
                       size_t count, uint64_t deadline_ns, struct cordon_result *ret_result)
{
    struct cordon_pending *pending;
    for (uint32_t tries = 0; tries <= PREPARATIONS; tries++) {
        struct cordon_session *session = function->session ? function->session->session : NULL;
        int r = cordon_call_soon(function->function, session, values, count, deadline_ns, &pending,
                                 ret_result);
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
        if (!ready) {
            break;
        }
    }
    return call_slowly(function, values, count, deadline_ns, ret_result);
}

int call_and_wait(struct function_object *function, const struct cordon_value *values, size_t count,
                  uint64_t deadline_ns, struct cordon_result *ret_result)
{
    struct use use;
    ret_result->error.text[0] = '\0';
    if (!session_is_open(function->cell, function->session)) {
        return INT_MIN;
    }
    use_begin(&use, function->cell, function->session);
    int r = call_in_use(function, values, count, deadline_ns, ret_result);
    if (use.raised) {
        if (r == CORDON_DONE) {
            cordon_result_release(ret_result);
        }
        (void)use_raise(&use);
        r = INT_MIN;
    }
    use_end(&use);
    if (function->session) {
        session_changed(function->session);
    }
    return r;
}
