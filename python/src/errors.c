/* SPDX-License-Identifier: Apache-2.0 */
/* How calls end as exceptions: the classes are those of cordon._errors. */
#include <errno.h>

#include "package.h"

static const char *const outcome_classes[] = {
    [CORDON_CRASHED] = "CrashError",   [CORDON_TIMEOUT] = "TimeoutError",
    [CORDON_ABORTED] = "AbortedError", [CORDON_DENIED] = "DeniedError",
    [CORDON_BUSY] = "BusyError",       [CORDON_STALE] = "StaleError",
    [CORDON_OPEN] = "OpenError",
};

PyObject *error_class(const char *name)
{
    static PyObject *module; /* for the life of the process: there is one interpreter */
    if (!module) {
        module = PyImport_ImportModule("cordon._errors");
    }
    PyObject *class = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(class); /* the module's */
    return class;
}

/* "crc32(): sentence". */
static PyObject *sentence_of(PyObject *name, const char *text)
{
    PyObject *sentence = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    PyObject *whole = sentence && name ? PyUnicode_FromFormat("%U(): %U", name, sentence) : NULL;
    if (!name) {
        return sentence;
    }
    Py_XDECREF(sentence);
    return whole;
}

static PyObject *raise_outcome(const struct function_object *function, int outcome,
                               const struct cordon_result *result)
{
    PyObject *class = error_class(outcome_classes[outcome]);
    PyObject *sentence = sentence_of(function ? function->name : NULL, result->error.text);
    PyObject *error = class && sentence ? PyObject_CallOneArg(class, sentence) : NULL;
    PyObject *details = error
                            ? Py_BuildValue("{s:O, s:i, s:i, s:k, s:K}", "function",
                                            function ? function->name : Py_None, "signal",
                                            result->signal, "exit_status", result->exit_status,
                                            "retry_after_ms", (unsigned long)result->retry_after_ms,
                                            "report_id", (unsigned long long)result->report)
                            : NULL;
    PyObject *set = details ? PyObject_CallMethod(error, "_describe", "OO", details,
                                                  function ? (PyObject *)function->cell : Py_None)
                            : NULL;
    if (set) {
        PyErr_SetObject(class, error);
    }
    Py_XDECREF(set);
    Py_XDECREF(details);
    Py_XDECREF(error);
    Py_XDECREF(sentence);
    return NULL;
}

static PyObject *class_of_errno(int error)
{
    switch (error) {
    case -EINVAL:
    case -ERANGE:
    case -EOVERFLOW:
        return PyExc_ValueError;
    case -ENOMEM:
        return PyExc_MemoryError;
    case -E2BIG:
    case -ETIMEDOUT:
        return error_class("LimitError");
    case -ENOTSUP:
        return error_class("UnsupportedError");
    case -ESHUTDOWN:
        return error_class("ClosedError");
    case -ECHILD:
        return error_class("ForkedError");
    default:
        return error_class("CordonError");
    }
}

static PyObject *raise_errno(PyObject *name, int error, const char *text)
{
    if (error == -EINTR && PyErr_Occurred()) {
        return NULL; /* a signal's handler raised it */
    }
    PyObject *class = class_of_errno(error);
    const char *why =
        error == -ECHILD ? "cells do not survive fork(): open another in the child" : text;
    PyObject *sentence = sentence_of(name, *why ? why : strerror(-error));
    if (class && sentence) {
        PyErr_SetObject(class, sentence);
    }
    Py_XDECREF(sentence);
    return NULL;
}

PyObject *raise_result(const struct function_object *function, int r,
                       const struct cordon_result *result)
{
    bool known = r > 0 && (size_t)r < sizeof outcome_classes / sizeof outcome_classes[0];
    return known ? raise_outcome(function, r, result)
                 : raise_errno(function ? function->name : NULL, r, result->error.text);
}

PyObject *raise_error(int r, const struct cordon_error *error)
{
    if (r > 0) {
        struct cordon_result result = {.error = *error};
        return raise_result(NULL, r, &result);
    }
    return raise_errno(NULL, r, error->text);
}

PyObject *raise_declaration(int r, const struct cordon_error *error)
{
    bool shown = strchr(error->text, '^') != NULL; /* the line, and where */
    if (shown && (r == -EINVAL || r == -ENOTSUP)) {
        PyErr_SetString(error_class("PrototypeError"), error->text);
        return NULL;
    }
    if (r == -ENOENT || r == -ENOEXEC) {
        PyErr_SetString(error_class("LoadError"), error->text);
        return NULL;
    }
    return raise_error(r, error);
}
