/* SPDX-License-Identifier: Apache-2.0 */
/* Callbacks that come on threads of the library wait until somebody runs them here. */
#include <errno.h>
#include <time.h>

#include "calling.h"

#define SLICE_MS    50u
#define SECONDS_MAX 1e9 /* more is for ever */

/* None: until there is one. Returns 0, -1: raised. */
static int read_timeout(PyObject *timeout, uint64_t *ret_until_ns)
{
    *ret_until_ns = timeout ? CORDON_NEVER : 0;
    if (!timeout || timeout == Py_None) {
        return 0;
    }
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (!(seconds >= 0)) {
        PyErr_SetString(PyExc_ValueError, "timeout has to be 0 seconds or more, or None");
        return -1;
    }
    if (seconds < SECONDS_MAX) {
        *ret_until_ns = seconds > 0 ? cordon_after_ms((uint64_t)(seconds * 1000 + 1)) : 0;
    }
    return 0;
}

/* One wait without the lock, not longer than a look for signals may wait. */
static int dispatch_once(struct cordon_session *session, uint64_t until_ns, uint32_t *ret_count,
                         struct cordon_error *error)
{
    uint64_t slice_ns = sees_signals() && until_ns != 0 ? cordon_after_ms(SLICE_MS) : CORDON_NEVER;
    uint64_t end_ns = until_ns < slice_ns ? until_ns : slice_ns;
    int r;
    Py_BEGIN_ALLOW_THREADS r = cordon_session_dispatch(session, end_ns, ret_count, error);
    Py_END_ALLOW_THREADS return r;
}

/* Returns how many were run; -1: raised. */
static int64_t dispatch_until(struct cordon_session *session, struct use *use, uint64_t until_ns)
{
    struct cordon_error error = {{0}};
    uint32_t count = 0;
    for (;;) {
        int r = dispatch_once(session, until_ns, &count, &error);
        if (use_raise(use) || PyErr_Occurred() || PyErr_CheckSignals() < 0) {
            return -1;
        }
        if (r != 0) {
            (void)raise_error(r, &error);
            return -1;
        }
        if (count > 0 || until_ns == 0 || cordon_after_ms(0) >= until_ns) {
            return count;
        }
    }
}

PyObject *dispatch(struct cell_object *cell, struct session_object *session, PyObject *args,
                   PyObject *keywords)
{
    static const char *const names[] = {"timeout", NULL};
    PyObject *timeout = NULL;
    uint64_t until_ns;
    struct use use;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:dispatch", KEYWORDS(names), &timeout) ||
        read_timeout(timeout, &until_ns) < 0) {
        return NULL;
    }
    struct cordon_session *found = session_for(cell, session);
    if (!found) {
        return NULL;
    }
    use_begin(&use, cell, session);
    int64_t count = dispatch_until(found, &use, until_ns);
    use_end(&use);
    return count < 0 ? NULL : PyLong_FromLongLong(count);
}
