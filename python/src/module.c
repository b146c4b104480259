/* SPDX-License-Identifier: Apache-2.0 */
/* The extension module cordon._cordon. */
#include <pthread.h>

#include "calling.h"

static PyObject *isolation_bits(PyObject *module, PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);
    (void)module;
    if (!text) {
        return NULL;
    }
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        const char *known = cordon_isolation_name(bit);
        if (known && strcmp(known, text) == 0) {
            return PyLong_FromUnsignedLong(bit);
        }
    }
    return PyErr_Format(PyExc_ValueError, "there is no isolation '%s'", text);
}

static PyMethodDef functions[] = {
    {"isolation_bit", isolation_bits, METH_O, "The bit of an isolation's name."},
    {NULL, NULL, 0, NULL},
};

static int add_types(PyObject *module)
{
    PyTypeObject *const types[] = {&cell_type,   &session_type,  &function_type, &handle_type,
                                   &buffer_type, &resident_type, &pending_type,  &kept_type};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (PyModule_AddType(module, types[i]) < 0) {
            return -1;
        }
    }
    return PyModule_AddIntConstant(module, "NONE", (long)CORDON_NONE);
}

static void note_fork(void)
{
    fork_generation++;
}

/* Calls wait with and without the lock of one interpreter: another one cannot have them. */
static int run(PyObject *module)
{
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "cordon cannot be used in a sub-interpreter");
        return -1;
    }
    static bool prepared;
    if (!prepared && pthread_atfork(NULL, NULL, note_fork) != 0) {
        (void)PyErr_NoMemory();
        return -1;
    }
    prepared = true;
    (void)sees_signals();
    return add_types(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, run},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "cordon._cordon", .m_doc = "Calls of isolated native code.",
    .m_size = 0,           .m_methods = functions,     .m_slots = slots,
};

PyMODINIT_FUNC PyInit__cordon(void);

PyMODINIT_FUNC PyInit__cordon(void)
{
    return PyModuleDef_Init(&definition);
}
