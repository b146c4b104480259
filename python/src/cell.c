/* SPDX-License-Identifier: Apache-2.0 */
/* Cell: a library in isolation. Its functions are attributes. */
#include <errno.h>

#include "package.h"

#define CALL_BYTES (64u << 20) /* libcordon's default */

struct cordon_cell *cell_get(struct cell_object *self)
{
    if (!self->cell) {
        PyErr_SetString(error_class("ClosedError"), "the cell is closed");
    }
    return self->cell;
}

int session_refuse(struct cell_object *cell, struct session_object *session)
{
    if (!cell_get(cell)) {
        return -1;
    }
    if (session && !session->session) {
        PyErr_SetString(error_class("ClosedError"), "the session is closed");
        return -1;
    }
    return 0;
}

struct cordon_session *session_for(struct cell_object *cell, struct session_object *session)
{
    if (!session_is_open(cell, session)) {
        return NULL;
    }
    struct cordon_session *found = session ? session->session : cordon_session_current(cell->cell);
    if (!found) {
        struct cordon_error error = {{0}};
        struct cordon_session *none;
        int r = cordon_session_open(cell->cell, &none, &error); /* for the sentence */
        if (r == 0) {
            (void)cordon_session_close(none);
            r = -ENOMEM;
        }
        (void)raise_error(r, &error);
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
        Py_ssize_t bytes;
        opening->texts[i] = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(opening->grants, i), &bytes);
        if (!opening->texts[i]) {
            return -1;
        }
        if (strlen(opening->texts[i]) != (size_t)bytes) {
            PyErr_SetString(PyExc_ValueError, "a grant with a NUL inside");
            return -1;
        }
    }
    opening->options.grants = opening->texts;
    return 0;
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

/* Its options are all there. */
static PyObject *make_cell(PyTypeObject *type, const char *name, const struct opening *opening)
{
    const struct cordon_cell_options *options = &opening->options;
    struct cell_object *self = (struct cell_object *)type->tp_alloc(type, 0);
    if (!self) {
        return NULL;
    }
    self->generation = fork_generation;
    self->call_bytes = options->call_bytes > 0 ? options->call_bytes : CALL_BYTES;
    self->workers = options->workers > 0 ? options->workers : 1;
    self->is_inline = options->level == CORDON_LEVEL_INLINE;
    self->name = PyUnicode_FromString(name);
    self->functions = PyDict_New();
    self->results = PyDict_New();
    self->releasers = PyDict_New();
    self->kept = PyList_New(0);
    self->handles = PyDict_New();
    bool made = self->name && self->functions && self->results && self->releasers && self->kept &&
                self->handles;
    if (!made ||
        (options->interface_text &&
         note_functions(self, options->interface_name ? options->interface_name : "interface",
                        options->interface_text) < 0) ||
        open_cell(self, opening) < 0) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

/* What cell_new() takes, in its order. */
static const char *const option_names[] = {"name",
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

/* _open(name, options): options are those of cordon.open(), in libcordon's units. */
static PyObject *cell_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
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
            args, keywords, "szzz|$IIO!IIIIIKKKIKpIKKKIzppKKIIIIII:Cell", KEYWORDS(option_names),
            &name, &options->library, &options->interface_text, &options->interface_name, &level,
            &policy, &PyTuple_Type, &opening.grants, &on_violation, &options->workers,
            &options->sessions, &options->queue, &options->spares, &timeout_ms, &start_ms,
            &memory_bytes, &options->call_bytes, &arena_bytes, &events, &options->require,
            &recycle_calls, &recycle_ms, &recycle_bytes, &options->breaker_percent,
            &options->reports, &report_bytes, &record, &cpu_ms, &file_bytes, &options->fds,
            &options->threads, &options->breaker_samples, &options->breaker_window_ms,
            &options->breaker_cool_down_ms, &options->without) ||
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
    return make_cell(type, name, &opening);
}

/* ---- Closing ------------------------------------------------------------------------------------ */

static void stop_cell(void *cell)
{
    (void)cordon_cell_stop(cell);
}

/* Refuse what comes, end what is in flight, wait until nobody is in it, and free it. */
static void close_cell(struct cell_object *self)
{
    struct cordon_cell *cell = self->cell;
    self->cell = NULL;
    if (!cell || !uses_end(self, NULL, stop_cell, cell)) {
        return;
    }
    Py_BEGIN_ALLOW_THREADS(void) cordon_cell_close(cell);
    Py_END_ALLOW_THREADS struct session_object *session = self->sessions;
    while (session) {
        Py_INCREF(session);
        session->session = NULL;
        pending_abandon(session);
        struct session_object *next =
            (struct session_object *)Py_XNewRef((PyObject *)session->next);
        Py_DECREF(session);
        session = next;
        Py_XDECREF(next); /* one of the list: it stays while nothing of Python runs */
    }
    if (self->kept) {
        (void)PyList_SetSlice(self->kept, 0, PY_SSIZE_T_MAX, NULL);
    }
    if (self->handles) {
        PyDict_Clear(self->handles);
    }
}

static PyObject *cell_close(struct cell_object *self, PyObject *Py_UNUSED(none))
{
    if (!self->cell) {
        Py_RETURN_NONE;
    }
    if (uses_refuse_own(self, NULL) < 0) {
        return NULL;
    }
    if (self->views > 0) {
        PyErr_Format(PyExc_BufferError, "%zd views of the cell's shared memory exist", self->views);
        return NULL;
    }
    for (const struct session_object *session = self->sessions; session; session = session->next) {
        if (session->views > 0) {
            PyErr_Format(PyExc_BufferError, "%zd views of a session's shared memory exist",
                         session->views);
            return NULL;
        }
    }
    close_cell(self);
    Py_RETURN_NONE;
}

static PyObject *cell_exit(struct cell_object *self, PyObject *args)
{
    (void)args;
    return cell_close(self, NULL);
}

PyObject *object_enter(PyObject *self, PyObject *Py_UNUSED(none))
{
    return Py_NewRef(self);
}

static int cell_traverse(struct cell_object *self, visitproc visit, void *arg)
{
    Py_VISIT(self->functions);
    Py_VISIT(self->results);
    Py_VISIT(self->releasers);
    Py_VISIT(self->kept);
    Py_VISIT(self->rings);
    return 0;
}

/* Emptied, not dropped: somebody may still look into them. */
static int cell_clear(struct cell_object *self)
{
    if (self->functions) {
        PyDict_Clear(self->functions);
    }
    Py_CLEAR(self->rings);
    /* Those that are kept break their cycles themselves. */
    return 0;
}

static void cell_dealloc(struct cell_object *self)
{
    PyObject *type;
    PyObject *value;
    PyObject *trace;
    PyObject_GC_UnTrack((PyObject *)self);
    PyErr_Fetch(&type, &value, &trace);
    if (self->weakrefs) {
        PyObject_ClearWeakRefs((PyObject *)self);
    }
    close_cell(self);
    cordon_interface_free(self->interface);
    Py_XDECREF(self->rings);
    Py_XDECREF(self->handles);
    Py_XDECREF(self->kept);
    Py_XDECREF(self->releasers);
    Py_XDECREF(self->results);
    Py_XDECREF(self->functions);
    Py_XDECREF(self->name);
    Py_TYPE(self)->tp_free((PyObject *)self);
    PyErr_Restore(type, value, trace);
}

/* ---- Methods ---------------------------------------------------------------------------------- */

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

/* cordon._batch.Batch(@of). */
PyObject *cell_new_batch(PyObject *of)
{
    PyObject *module = PyImport_ImportModule("cordon._batch");
    PyObject *batch = module ? PyObject_CallMethod(module, "Batch", "O", of) : NULL;
    Py_XDECREF(module);
    return batch;
}

static PyObject *cell_dispatch(struct cell_object *self, PyObject *args, PyObject *keywords)
{
    return dispatch(self, NULL, args, keywords);
}

static PyObject *cell_batch(struct cell_object *self, PyObject *Py_UNUSED(none))
{
    return cell_new_batch((PyObject *)self);
}

PyObject *cell_run_calls(struct cell_object *cell, struct session_object *session, PyObject *calls)
{
    if (!PyTuple_Check(calls)) {
        PyErr_SetString(PyExc_TypeError, "a tuple of calls is wanted");
        return NULL;
    }
    return flights_run(cell, session, calls);
}

static PyObject *cell_run(struct cell_object *self, PyObject *calls)
{
    return cell_run_calls(self, NULL, calls);
}

static PyObject *cell_repr(struct cell_object *self)
{
    return PyUnicode_FromFormat("<cordon.Cell %U%s>", self->name, self->cell ? "" : ", closed");
}

static PyMethodDef cell_methods[] = {
    {"close", (PyCFunction)cell_close, METH_NOARGS, "End every worker of the cell."},
    {"bind", (PyCFunction)cell_bind_declaration, METH_O,
     "bind(declaration): a function beyond the interface, which becomes an attribute."},
    {"session", (PyCFunction)cell_session, METH_NOARGS,
     "A worker of one's own: hidden state, handles and objects stay together."},
    {"alloc", (PyCFunction)cell_alloc, METH_O,
     "alloc(bytes): memory that this process and the worker share; calls pass it as it is."},
    {"object", (PyCFunction)cell_object, METH_O,
     "object(type): a struct of the interface that lives in the worker, zeroed."},
    {"stats", (PyCFunction)cell_counts, METH_NOARGS, "Counts of calls and workers, as a dict."},
    {"worker_pid", (PyCFunction)cell_worker_pid, METH_NOARGS,
     "Process id of the worker of this thread's calls, or 0."},
    {"dispatch", (PyCFunction)(void (*)(void))cell_dispatch, METH_VARARGS | METH_KEYWORDS,
     "dispatch(timeout=0): as Session.dispatch(), in the worker of this thread's calls."},
    {"batch", (PyCFunction)cell_batch, METH_NOARGS,
     "Calls that are recorded on it, and made together when its with-block ends."},
    {"_run", (PyCFunction)cell_run, METH_O, NULL},
    {"_report", (PyCFunction)cell_report, METH_VARARGS, NULL},
    {"__enter__", object_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)cell_exit, METH_VARARGS, NULL},
    {"__dir__", (PyCFunction)cell_dir, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef cell_members[] = {
    {"name", T_OBJECT_EX, offsetof(struct cell_object, name), READONLY, "Library, or interface."},
    {"_rings", T_OBJECT, offsetof(struct cell_object, rings), 0, NULL},
    {"_workers", T_UINT, offsetof(struct cell_object, workers), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef cell_getters[] = {
    {"isolation", (getter)cell_isolation, NULL, "What is in force, as names.", NULL},
    {"policy", (getter)cell_policy, NULL, "The policy, as text.", NULL},
    {"closed", (getter)cell_closed, NULL, "Whether it is.", NULL},
    {"constants", (getter)cell_constants, NULL,
     "Enumerators of the enums that the interface's functions use, by name.", NULL},
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
