/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a cell: isolation, policy, constants, counts, reports. */
#include "package.h"

PyObject *cell_isolation(struct cell_object *self, void *Py_UNUSED(closure))
{
    PyObject *names = cell_get(self) ? PyList_New(0) : NULL;
    uint32_t isolation = names ? cordon_cell_isolation(self->cell) : 0;
    for (uint32_t bit = 1; names && bit != 0; bit <<= 1) {
        const char *text = isolation & bit ? cordon_isolation_name(bit) : NULL;
        PyObject *name = text ? PyUnicode_FromString(text) : NULL;
        if (text && (!name || PyList_Append(names, name) < 0)) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    PyObject *set = names ? PyFrozenSet_New(names) : NULL;
    Py_XDECREF(names);
    return set;
}

PyObject *cell_policy(struct cell_object *self, void *Py_UNUSED(closure))
{
    char text[2048];
    if (!cell_get(self)) {
        return NULL;
    }
    (void)cordon_cell_policy(self->cell, text, sizeof text);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape");
}

static int add_constants(PyObject *constants, const struct plan_view *plan)
{
    for (uint32_t i = 0; i < view_header(plan)->type_count; i++) {
        const struct cordon_plan_type *type = view_type(plan, i);
        for (uint32_t j = 0; type->flags & CORDON_PLAN_ENUM && j < type->count; j++) {
            const struct cordon_plan_enumerator *one = view_enumerator(plan, type, j);
            PyObject *value = PyLong_FromLongLong(one->value);
            if (!value || PyDict_SetItemString(constants, view_name(plan, one->name), value) < 0) {
                Py_XDECREF(value);
                return -1;
            }
            Py_DECREF(value);
        }
    }
    return 0;
}

/* Enumerators of the enums that the interface's functions use. */
PyObject *cell_constants(struct cell_object *self, void *Py_UNUSED(closure))
{
    PyObject *constants = PyDict_New();
    size_t count = self->interface ? cordon_interface_function_count(self->interface) : 0;
    for (size_t i = 0; constants && i < count; i++) {
        size_t bytes;
        if (add_constants(constants, cordon_interface_plan(self->interface, i, &bytes)) < 0) {
            Py_CLEAR(constants);
        }
    }
    return constants;
}

PyObject *cell_closed(struct cell_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(!self->cell);
}

PyObject *cell_counts(struct cell_object *self, PyObject *Py_UNUSED(none))
{
    static const char *const breakers[] = {"closed", "open", "half-open"};
    struct cordon_cell_stats stats;
    if (!cell_get(self)) {
        return NULL;
    }
    cordon_cell_stats(self->cell, &stats);
    PyObject *ended = PyDict_New();
    for (int i = 0; ended && i <= CORDON_OPEN; i++) {
        PyObject *count = PyLong_FromUnsignedLongLong(stats.ended[i]);
        if (!count || PyDict_SetItemString(ended, cordon_outcome_name(i), count) < 0) {
            Py_CLEAR(ended);
        }
        Py_XDECREF(count);
    }
    return ended ? Py_BuildValue("{s:K,s:N,s:K,s:I,s:I,s:I,s:I,s:I,s:s,s:K,s:K,s:K,s:K,s:K}",
                                 "calls", stats.calls, "ended", ended, "refused", stats.refused,
                                 "workers", stats.workers, "started", stats.started, "quarantined",
                                 stats.quarantined, "spares", stats.spares, "queued", stats.queued,
                                 "breaker", breakers[stats.breaker % 3], "crashes", stats.crashes,
                                 "timeouts", stats.timeouts, "promoted", stats.promoted, "recycled",
                                 stats.recycled, "starts_failed", stats.starts_failed)
                 : NULL;
}

/* _report(id, wait_ms): the report as a dict, or None. */
PyObject *cell_report(struct cell_object *self, PyObject *args)
{
    unsigned long long id;
    unsigned long wait_ms;
    char *json = NULL;
    struct cordon_error error = {{0}};
    int r;
    (void)self;
    if (!PyArg_ParseTuple(args, "Kk", &id, &wait_ms)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS(void) !cordon_report_wait(NULL, id, 0, cordon_after_ms(wait_ms));
    r = cordon_report_read(NULL, id, 0, &json, &error);
    Py_END_ALLOW_THREADS if (r != 0)
    {
        Py_RETURN_NONE;
    }
    PyObject *module = PyImport_ImportModule("json");
    PyObject *report = module ? PyObject_CallMethod(module, "loads", "s", json) : NULL;
    Py_XDECREF(module);
    free(json);
    return report;
}
