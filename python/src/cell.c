/* SPDX-License-Identifier: Apache-2.0 */
/* Cell: a library in isolation. Its functions are attributes. */
#include <errno.h>

#include "package.h"

struct cordon_cell *cell_get(struct cell_object *self)
{
    if (!self->cell) {
        PyErr_SetString(error_class("ClosedError"), "the cell is closed");
    }
    return self->cell;
}

struct cordon_session *session_for(struct cell_object *cell, struct session_object *session)
{
    struct cordon_session *found;
    if (!cell_get(cell)) {
        return NULL;
    }
    if (session) {
        if (!session->session) {
            PyErr_SetString(error_class("ClosedError"), "the session is closed");
        }
        return session->session;
    }
    found = cordon_session_current(cell->cell);
    if (!found) {
        struct cordon_error error = {{0}};
        struct cordon_session *none;
        int r = cordon_session_open(cell->cell, &none, &error); /* for the sentence */
        if (r == 0) {
            (void)cordon_session_close(none);
            r = -ENOMEM;
        }
        (void)raise_error(r, &error);
    } else if (cell->events) {
        (void)cordon_session_ring(found, false);
    }
    return found;
}

/* ---- Opening ------------------------------------------------------------------------------------ */

struct opening {
    struct cordon_cell_options options;
    PyObject *grants; /* tuple of str, borrowed */
    const char *texts[257];
};

static int read_grants(struct opening *opening)
{
    Py_ssize_t count = opening->grants ? PyTuple_GET_SIZE(opening->grants) : 0;
    if (count > 256) {
        PyErr_SetString(PyExc_ValueError, "at most 256 grants");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        opening->texts[i] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(opening->grants, i));
        if (!opening->texts[i]) {
            return -1;
        }
    }
    opening->options.grants = opening->texts;
    return 0;
}

/* What is wrong with declarations, or with the library. */
static PyObject *raise_declaration(int r, const struct cordon_error *error)
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

/* Functions that end handles: those that release their one argument, by the handle's tag. */
static int note_releaser(struct cell_object *self, const struct plan_view *plan)
{
    const struct cordon_plan_function *shape = view_function(plan);
    if (shape->passed_count != 1) {
        return 0;
    }
    for (uint32_t i = 0; i < shape->param_count; i++) {
        const struct cordon_plan_param *param = view_param(plan, i);
        const struct cordon_plan_type *type = view_type(plan, param->type);
        if (param->position != 0 || type->kind != CORDON_PLAN_HANDLE ||
            !(type->flags & CORDON_PLAN_RELEASE)) {
            continue;
        }
        PyObject *tag = PyLong_FromUnsignedLong(type->tag);
        PyObject *name = PyUnicode_FromString(view_name(plan, shape->name));
        int r = tag && name ? (PyDict_SetDefault(self->releasers, tag, name) ? 0 : -1) : -1;
        Py_XDECREF(name);
        Py_XDECREF(tag);
        return r;
    }
    return 0;
}

/* Names of the interface's functions; each is bound when it is first used. */
static int note_functions(struct cell_object *self, const char *name, const char *text)
{
    struct cordon_interface *interface;
    struct cordon_error error = {{0}};
    int r = cordon_interface_parse(name, text, strlen(text), &interface, &error);
    if (r != 0) {
        (void)raise_declaration(r, &error);
        return -1;
    }
    for (size_t i = 0; r == 0 && i < cordon_interface_function_count(interface); i++) {
        size_t bytes;
        const struct plan_view *plan = cordon_interface_plan(interface, i, &bytes);
        r = PyDict_SetItemString(self->functions, view_name(plan, view_function(plan)->name),
                                 Py_None);
        r = r < 0 ? r : note_releaser(self, plan);
    }
    self->interface = interface;
    return r;
}

static int open_cell(struct cell_object *self, const struct opening *opening)
{
    struct cordon_error error = {{0}};
    struct cordon_cell *cell = NULL;
    int r;
    Py_BEGIN_ALLOW_THREADS r = cordon_cell_open(&opening->options, &cell, &error);
    Py_END_ALLOW_THREADS if (r != 0)
    {
        (void)raise_declaration(r, &error);
        return -1;
    }
    self->cell = cell;
    return 0;
}

/* _open(name, options): options are those of cordon.open(), in libcordon's units. */
static PyObject *cell_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"name",
                                        "library",
                                        "interface",
                                        "interface_name",
                                        "level",
                                        "policy",
                                        "grants",
                                        "on_violation",
                                        "workers",
                                        "sessions",
                                        "queue",
                                        "spares",
                                        "timeout_ms",
                                        "start_ms",
                                        "memory_bytes",
                                        "call_bytes",
                                        "arena_bytes",
                                        "events",
                                        "require",
                                        "recycle_calls",
                                        "recycle_ms",
                                        "recycle_bytes",
                                        "breaker_percent",
                                        "reports",
                                        "report_bytes",
                                        "record",
                                        "cpu_ms",
                                        "file_bytes",
                                        "fds",
                                        "threads",
                                        "breaker_samples",
                                        "breaker_window_ms",
                                        "breaker_cool_down_ms",
                                        "without",
                                        NULL};
    struct opening opening = {.options = CORDON_CELL_OPTIONS};
    struct cordon_cell_options *options = &opening.options;
    const char *name;
    unsigned int level = 0;
    unsigned int policy = 0;
    unsigned int on_violation = 0;
    int events = 1;
    int report_bytes = 0;
    int record = 0;
    unsigned long long timeout_ms = 0;
    unsigned long long start_ms = 0;
    unsigned long long memory_bytes = 0;
    unsigned long long arena_bytes = 0;
    unsigned long long recycle_calls = 0;
    unsigned long long recycle_ms = 0;
    unsigned long long recycle_bytes = 0;
    unsigned long long cpu_ms = 0;
    unsigned long long file_bytes = 0;
    if (!PyArg_ParseTupleAndKeywords(
            args, keywords, "szzz|$IIO!IIIIIKKKIKpIKKKIzppKKIIIIII:Cell", KEYWORDS(names), &name,
            &options->library, &options->interface_text, &options->interface_name, &level, &policy,
            &PyTuple_Type, &opening.grants, &on_violation, &options->workers, &options->sessions,
            &options->queue, &options->spares, &timeout_ms, &start_ms, &memory_bytes,
            &options->call_bytes, &arena_bytes, &events, &options->require, &recycle_calls,
            &recycle_ms, &recycle_bytes, &options->breaker_percent, &options->reports,
            &report_bytes, &record, &cpu_ms, &file_bytes, &options->fds, &options->threads,
            &options->breaker_samples, &options->breaker_window_ms, &options->breaker_cool_down_ms,
            &options->without) ||
        read_grants(&opening) < 0) {
        return NULL;
    }
    options->level = (enum cordon_level)level;
    options->policy = (enum cordon_policy)policy;
    options->on_violation = (enum cordon_on_violation)on_violation;
    options->deadline_ms = timeout_ms;
    options->start_ms = start_ms;
    options->memory_bytes = memory_bytes;
    options->arena_bytes = arena_bytes;
    options->recycle_calls = recycle_calls;
    options->recycle_ms = recycle_ms;
    options->recycle_bytes = recycle_bytes;
    options->cpu_ms = cpu_ms;
    options->file_bytes = file_bytes;
    options->events = events && level != CORDON_LEVEL_INLINE;
    options->report_bytes = report_bytes != 0;
    options->record = record != 0;
    struct cell_object *self = (struct cell_object *)type->tp_alloc(type, 0);
    if (!self) {
        return NULL;
    }
    self->events = options->events;
    self->workers = options->workers > 0 ? options->workers : 1;
    self->name = PyUnicode_FromString(name);
    self->functions = PyDict_New();
    self->results = PyDict_New();
    self->releasers = PyDict_New();
    self->kept = PyList_New(0);
    bool made = self->name && self->functions && self->results && self->releasers && self->kept;
    if (!made ||
        (options->interface_text &&
         note_functions(self, options->interface_name ? options->interface_name : "interface",
                        options->interface_text) < 0) ||
        open_cell(self, &opening) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* ---- Closing ------------------------------------------------------------------------------------ */

static int close_cell(struct cell_object *self)
{
    struct cordon_cell *cell = self->cell;
    int r;
    if (!cell) {
        return 0;
    }
    Py_BEGIN_ALLOW_THREADS r = cordon_cell_close(cell);
    Py_END_ALLOW_THREADS if (r == 0)
    {
        self->cell = NULL;
        (void)PyList_SetSlice(self->kept, 0, PY_SSIZE_T_MAX, NULL);
    }
    return r;
}

static PyObject *cell_close(struct cell_object *self, PyObject *Py_UNUSED(none))
{
    struct cordon_error error = {.text = "a cell is not closed from inside its callback"};
    if (self->views > 0) {
        PyErr_Format(PyExc_BufferError, "%zd views of the cell's shared memory exist", self->views);
        return NULL;
    }
    int r = close_cell(self);
    if (r != 0) {
        return raise_error(r, &error);
    }
    Py_RETURN_NONE;
}

static PyObject *cell_exit(struct cell_object *self, PyObject *args)
{
    (void)args;
    return cell_close(self, NULL);
}

static PyObject *cell_enter(PyObject *self, PyObject *Py_UNUSED(none))
{
    return Py_NewRef(self);
}

static int cell_traverse(struct cell_object *self, visitproc visit, void *arg)
{
    Py_VISIT(self->functions);
    Py_VISIT(self->results);
    Py_VISIT(self->releasers);
    Py_VISIT(self->kept);
    return 0;
}

static int cell_clear(struct cell_object *self)
{
    Py_CLEAR(self->functions);
    return 0; /* functions hold the cell: without them nothing else is in a cycle */
}

static void cell_dealloc(struct cell_object *self)
{
    PyObject_GC_UnTrack((PyObject *)self);
    if (self->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    (void)close_cell(self);
    cordon_interface_free(self->interface);
    Py_XDECREF(self->kept);
    Py_XDECREF(self->releasers);
    Py_XDECREF(self->results);
    Py_XDECREF(self->functions);
    Py_XDECREF(self->name);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* ---- Functions ---------------------------------------------------------------------------------- */

/* Bind @prototype: a declaration, or a name of the interface. */
static PyObject *bind(struct cell_object *self, struct session_object *session,
                      const char *prototype)
{
    struct cordon_error error = {{0}};
    struct cordon_function *function;
    if (!cell_get(self)) {
        return NULL;
    }
    int r = cordon_bind(self->cell, prototype, 0, &function, &error);
    if (r != 0) {
        if (r == -ENOENT) {
            PyErr_SetString(PyExc_AttributeError, error.text);
        } else {
            (void)raise_declaration(r, &error);
        }
        return NULL;
    }
    return function_new(self, session, function);
}

/* A function of the interface, made when it is first asked for. New reference; NULL: raised, or there is none. */
static PyObject *find_function(struct cell_object *self, struct session_object *session,
                               PyObject *functions, PyObject *name)
{
    PyObject *found = PyDict_GetItemWithError(functions, name);
    if (found && found != Py_None) {
        return Py_NewRef(found);
    }
    if (!PyDict_Contains(self->functions, name)) {
        return NULL;
    }
    const char *text = PyUnicode_AsUTF8(name);
    PyObject *made = text ? bind(self, session, text) : NULL;
    if (made && PyDict_SetItem(functions, name, made) < 0) {
        Py_CLEAR(made);
    }
    return made;
}

static PyObject *cell_getattr(struct cell_object *self, PyObject *name)
{
    PyObject *found = find_function(self, NULL, self->functions, name);
    return found || PyErr_Occurred() ? found : PyObject_GenericGetAttr((PyObject *)self, name);
}

static PyObject *cell_bind(struct cell_object *self, PyObject *prototype)
{
    const char *text = PyUnicode_AsUTF8(prototype);
    PyObject *made = text ? bind(self, NULL, text) : NULL;
    if (made && PyDict_SetItem(self->functions, ((struct function_object *)made)->name, made) < 0) {
        Py_CLEAR(made);
    }
    return made;
}

static PyObject *names_of(PyObject *self, PyObject *functions)
{
    PyObject *names = PyObject_CallMethod((PyObject *)&PyBaseObject_Type, "__dir__", "O", self);
    PyObject *more = names ? PyDict_Keys(functions) : NULL;
    PyObject *all = more ? PySequence_InPlaceConcat(names, more) : NULL;
    Py_XDECREF(more);
    Py_XDECREF(names);
    return all;
}

static PyObject *cell_dir(struct cell_object *self, PyObject *Py_UNUSED(none))
{
    return names_of((PyObject *)self, self->functions);
}

/* ---- What is known of it ------------------------------------------------------------------------ */

static PyObject *cell_isolation(struct cell_object *self, void *Py_UNUSED(closure))
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

static PyObject *cell_policy(struct cell_object *self, void *Py_UNUSED(closure))
{
    char text[2048];
    if (!cell_get(self)) {
        return NULL;
    }
    (void)cordon_cell_policy(self->cell, text, sizeof text);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "surrogateescape");
}

static PyObject *cell_closed(struct cell_object *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(!self->cell);
}

static PyObject *cell_stats(struct cell_object *self, PyObject *Py_UNUSED(none))
{
    static const char *const breakers[] = {"closed", "open", "half-open"};
    struct cordon_cell_stats stats;
    if (!cell_get(self)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS cordon_cell_stats(self->cell, &stats);
    Py_END_ALLOW_THREADS PyObject *ended = PyDict_New();
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
static PyObject *cell_report(struct cell_object *self, PyObject *args)
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

static PyObject *cell_worker_pid(struct cell_object *self, PyObject *Py_UNUSED(none))
{
    struct cordon_session *session = session_for(self, NULL);
    return session ? PyLong_FromLong(cordon_session_worker_pid(session)) : NULL;
}

static PyObject *cell_alloc(struct cell_object *self, PyObject *bytes)
{
    Py_ssize_t count = PyNumber_AsSsize_t(bytes, PyExc_OverflowError);
    return count == -1 && PyErr_Occurred() ? NULL : buffer_new(self, NULL, count);
}

static PyObject *cell_object(struct cell_object *self, PyObject *type)
{
    const char *name = PyUnicode_AsUTF8(type);
    return name ? struct_new(self, NULL, name) : NULL;
}

static PyObject *cell_session(struct cell_object *self, PyObject *Py_UNUSED(none))
{
    return PyObject_CallOneArg((PyObject *)&session_type, (PyObject *)self);
}

static PyObject *cell_repr(struct cell_object *self)
{
    return PyUnicode_FromFormat("<cordon.Cell %U%s>", self->name, self->cell ? "" : ", closed");
}

static PyMethodDef cell_methods[] = {
    {"close", (PyCFunction)cell_close, METH_NOARGS, "End every worker of the cell."},
    {"bind", (PyCFunction)cell_bind, METH_O,
     "bind(declaration): a function beyond the interface, which becomes an attribute."},
    {"session", (PyCFunction)cell_session, METH_NOARGS,
     "A worker of one's own: hidden state, handles and objects stay together."},
    {"alloc", (PyCFunction)cell_alloc, METH_O,
     "alloc(bytes): memory that this process and the worker share; calls pass it as it is."},
    {"object", (PyCFunction)cell_object, METH_O,
     "object(type): a struct of the interface that lives in the worker, zeroed."},
    {"stats", (PyCFunction)cell_stats, METH_NOARGS, "Counts of calls and workers, as a dict."},
    {"worker_pid", (PyCFunction)cell_worker_pid, METH_NOARGS,
     "Process id of the worker of this thread's calls, or 0."},
    {"_report", (PyCFunction)cell_report, METH_VARARGS, NULL},
    {"__enter__", cell_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)cell_exit, METH_VARARGS, NULL},
    {"__dir__", (PyCFunction)cell_dir, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef cell_members[] = {
    {"name", T_OBJECT_EX, offsetof(struct cell_object, name), READONLY, "Library, or interface."},
    {"_workers", T_UINT, offsetof(struct cell_object, workers), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef cell_getters[] = {
    {"isolation", (getter)cell_isolation, NULL, "What is in force, as names.", NULL},
    {"policy", (getter)cell_policy, NULL, "The policy, as text.", NULL},
    {"closed", (getter)cell_closed, NULL, "Whether it is.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyTypeObject cell_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon.Cell",
    .tp_doc = "A native library in isolation. Made by cordon.open(); its functions are attributes.",
    .tp_basicsize = sizeof(struct cell_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = cell_new,
    .tp_dealloc = (destructor)cell_dealloc,
    .tp_traverse = (traverseproc)cell_traverse,
    .tp_clear = (inquiry)cell_clear,
    .tp_repr = (reprfunc)cell_repr,
    .tp_getattro = (getattrofunc)cell_getattr,
    .tp_methods = cell_methods,
    .tp_members = cell_members,
    .tp_getset = cell_getters,
    .tp_weaklistoffset = offsetof(struct cell_object, weakrefs),
};

/* ---- Sessions ----------------------------------------------------------------------------------- */

static PyObject *session_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static const char *const names[] = {"cell", NULL};
    struct cordon_error error = {{0}};
    struct cordon_session *session = NULL;
    struct cell_object *cell;
    int r;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!:Session", KEYWORDS(names), &cell_type,
                                     &cell) ||
        !cell_get(cell)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS r = cordon_session_open(cell->cell, &session, &error);
    Py_END_ALLOW_THREADS if (r != 0)
    {
        if (r == -EAGAIN) {
            PyErr_SetString(error_class("LimitError"), error.text);
        } else {
            (void)raise_error(r, &error);
        }
        return NULL;
    }
    struct session_object *self = (struct session_object *)type->tp_alloc(type, 0);
    PyObject *functions = self ? PyDict_New() : NULL;
    PyObject *pending = functions ? PyDict_New() : NULL;
    if (!pending) {
        Py_XDECREF(functions);
        (void)cordon_session_close(session);
        Py_XDECREF(self);
        return NULL;
    }
    if (cell->events) {
        (void)cordon_session_ring(session, false);
    }
    self->cell = (struct cell_object *)Py_NewRef((PyObject *)cell);
    self->session = session;
    self->functions = functions;
    self->pending = pending;
    return (PyObject *)self;
}

static PyObject *session_close(struct session_object *self, PyObject *Py_UNUSED(none))
{
    struct cordon_session *session = self->cell && self->cell->cell ? self->session : NULL;
    struct cordon_error error = {.text = "a session is not closed from inside its callback"};
    int r = 0;
    if (self->views > 0) {
        PyErr_Format(PyExc_BufferError, "%zd views of its shared memory exist", self->views);
        return NULL;
    }
    if (session) {
        Py_BEGIN_ALLOW_THREADS r = cordon_session_close(session);
        Py_END_ALLOW_THREADS
    }
    if (r != 0) {
        return raise_error(r, &error);
    }
    self->session = NULL;
    Py_RETURN_NONE;
}

static PyObject *session_exit(struct session_object *self, PyObject *args)
{
    (void)args;
    return session_close(self, NULL);
}

static PyObject *session_getattr(struct session_object *self, PyObject *name)
{
    PyObject *found = find_function(self->cell, self, self->functions, name);
    return found || PyErr_Occurred() ? found : PyObject_GenericGetAttr((PyObject *)self, name);
}

static PyObject *session_dir(struct session_object *self, PyObject *Py_UNUSED(none))
{
    return names_of((PyObject *)self, self->cell->functions);
}

static PyObject *session_alloc(struct session_object *self, PyObject *bytes)
{
    Py_ssize_t count = PyNumber_AsSsize_t(bytes, PyExc_OverflowError);
    return count == -1 && PyErr_Occurred() ? NULL : buffer_new(self->cell, self, count);
}

static PyObject *session_object(struct session_object *self, PyObject *type)
{
    const char *name = PyUnicode_AsUTF8(type);
    return name ? struct_new(self->cell, self, name) : NULL;
}

static PyObject *session_interrupt(struct session_object *self, PyObject *Py_UNUSED(none))
{
    if (!session_for(self->cell, self)) {
        return NULL;
    }
    (void)cordon_session_interrupt(self->session);
    Py_RETURN_NONE;
}

static PyObject *session_worker_pid(struct session_object *self, PyObject *Py_UNUSED(none))
{
    return session_for(self->cell, self) ? PyLong_FromLong(cordon_session_worker_pid(self->session))
                                         : NULL;
}

/* ---- For event loops: cordon._aio ---------------------------------------------------------------- */

static PyObject *session_event_fd(struct session_object *self, PyObject *Py_UNUSED(none))
{
    if (!session_for(self->cell, self)) {
        return NULL;
    }
    (void)cordon_session_ring(self->session, true);
    return PyLong_FromLong(cordon_session_event_fd(self->session));
}

static PyObject *session_prepare(struct session_object *self, PyObject *function)
{
    struct cordon_error error = {{0}};
    uint32_t retry_ms = 0;
    int r;
    if (Py_TYPE(function) != &function_type) {
        PyErr_SetString(PyExc_TypeError, "a function of a cell is wanted");
        return NULL;
    }
    if (!session_for(self->cell, self)) {
        return NULL;
    }
    struct cordon_function *bound = ((struct function_object *)function)->function;
    self->cell->busy++;
    Py_BEGIN_ALLOW_THREADS r = cordon_session_prepare(self->session, &bound, 1, &retry_ms, &error);
    Py_END_ALLOW_THREADS self->cell->busy--;
    if (r != 0) {
        return raise_error(r, &error);
    }
    Py_RETURN_NONE;
}

static PyObject *session_submit(struct session_object *self, PyObject *args)
{
    PyObject *function;
    PyObject *arguments;
    PyObject *keywords;
    if (!PyArg_ParseTuple(args, "O!O!O!", &function_type, &function, &PyTuple_Type, &arguments,
                          &PyDict_Type, &keywords)) {
        return NULL;
    }
    PyObject *own = find_function(self->cell, self, self->functions,
                                  ((struct function_object *)function)->name);
    PyObject *made =
        own ? pending_submit((struct function_object *)own, arguments, keywords) : NULL;
    Py_XDECREF(own);
    return made;
}

static PyObject *session_collect(struct session_object *self, PyObject *Py_UNUSED(none))
{
    return pending_collect(self);
}

static int session_traverse(struct session_object *self, visitproc visit, void *arg)
{
    Py_VISIT(self->cell);
    Py_VISIT(self->functions);
    Py_VISIT(self->pending);
    return 0;
}

static int session_clear(struct session_object *self)
{
    Py_CLEAR(self->functions);
    return 0;
}

static void session_dealloc(struct session_object *self)
{
    PyObject_GC_UnTrack((PyObject *)self);
    if (self->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    PyObject *closed = self->session ? session_close(self, NULL) : NULL;
    Py_XDECREF(closed);
    Py_XDECREF(self->pending);
    Py_XDECREF(self->functions);
    Py_XDECREF(self->cell);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyObject *session_repr(struct session_object *self)
{
    return PyUnicode_FromFormat("<cordon.Session of %U%s>", self->cell->name,
                                self->session ? "" : ", closed");
}

static PyMethodDef session_methods[] = {
    {"close", (PyCFunction)session_close, METH_NOARGS, "End the session's worker."},
    {"alloc", (PyCFunction)session_alloc, METH_O,
     "alloc(bytes): memory that this process and the worker share."},
    {"object", (PyCFunction)session_object, METH_O, "object(type): a struct in the worker."},
    {"interrupt", (PyCFunction)session_interrupt, METH_NOARGS,
     "End the worker now, whatever it does: calls in flight raise AbortedError. From any thread."},
    {"worker_pid", (PyCFunction)session_worker_pid, METH_NOARGS, "The worker's process id, or 0."},
    {"_event_fd", (PyCFunction)session_event_fd, METH_NOARGS, NULL},
    {"_prepare", (PyCFunction)session_prepare, METH_O, NULL},
    {"_submit", (PyCFunction)session_submit, METH_VARARGS, NULL},
    {"_collect", (PyCFunction)session_collect, METH_NOARGS, NULL},
    {"__enter__", cell_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)session_exit, METH_VARARGS, NULL},
    {"__dir__", (PyCFunction)session_dir, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef session_members[] = {
    {"cell", T_OBJECT_EX, offsetof(struct session_object, cell), READONLY, "The cell it is of."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject session_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "cordon.Session",
    .tp_doc = "A worker of one's own. Made by Cell.session(); functions are attributes.",
    .tp_basicsize = sizeof(struct session_object),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = session_new,
    .tp_dealloc = (destructor)session_dealloc,
    .tp_traverse = (traverseproc)session_traverse,
    .tp_clear = (inquiry)session_clear,
    .tp_repr = (reprfunc)session_repr,
    .tp_getattro = (getattrofunc)session_getattr,
    .tp_methods = session_methods,
    .tp_members = session_members,
    .tp_weaklistoffset = offsetof(struct session_object, weakrefs),
};
