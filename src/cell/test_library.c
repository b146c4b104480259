/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/test_library.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cell/test_child.h"
#include "faults/faults.h"
#include "prototype/prototype.h"

_Atomic int library_released;
_Atomic int library_spinning;

static int twice(int value)
{
    return 2 * value;
}

static int apply(int (*f)(int value), int value)
{
    return f(value) + 1;
}

static int apply_six(int (*f)(int a, int b, int c, int d, int e, int g))
{
    return f(1, 2, 3, 4, 5, 6);
}

static void *call_back(void *context)
{
    int (*f)(int value);
    memcpy(&f, &context, sizeof(f));
    (void)f(0);
    return NULL;
}

static int apply_on_thread(int (*f)(int value))
{
    pthread_t thread;
    void *context;
    memcpy(&context, &f, sizeof(context));
    CHECK(pthread_create(&thread, NULL, call_back, context) == 0);
    return pthread_join(thread, NULL);
}

static int spin_until_released(int value)
{
    library_spinning++;
    while (!library_released) {
        (void)sched_yield();
    }
    return value;
}

static int blocks(int signal)
{
    sigset_t mask;
    return pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, signal);
}

static int named(int unused)
{
    char name[16] = "";
    (void)unused;
    (void)pthread_getname_np(pthread_self(), name, sizeof(name));
    return strcmp(name, "cordon-worker") == 0;
}

static int set_errno(int value)
{
    errno = value;
    return -1;
}

typedef void (*code)(void);

static const struct {
    const char *symbol;
    const char *prototype;
    code function;
} library[LIBRARY_COUNT] = {
    [LIBRARY_TWICE] = {"twice", "int twice(int value)", (code)twice},
    [LIBRARY_APPLY] = {"apply", "int apply(int (*f)(int value), int value)", (code)apply},
    [LIBRARY_APPLY_SAFE] = {"apply_safe",
                            "int apply_safe(int (*f)(int value) fails(-5), int value)",
                            (code)apply},
    [LIBRARY_APPLY_SIX] = {"apply_six",
                           "int apply_six(int (*f)(int a, int b, int c, int d, int e, int g))",
                           (code)apply_six},
    [LIBRARY_APPLY_THREAD] = {"apply_on_thread", "int apply_on_thread(int (*f)(int value))",
                              (code)apply_on_thread},
    [LIBRARY_SPIN] = {"spin", "int spin(int value)", (code)spin_until_released},
    [LIBRARY_BLOCKS] = {"blocks", "int blocks(int signal)", (code)blocks},
    [LIBRARY_NAMED] = {"named", "int named(int unused)", (code)named},
    [LIBRARY_SET_ERRNO] = {"set_errno", "int set_errno(int value)", (code)set_errno},
    [LIBRARY_NULL_READ] = {"fault_null_read", "int fault_null_read(int value)",
                           (code)fault_null_read},
    [LIBRARY_BUS] = {"fault_bus", "int fault_bus(int value)", (code)fault_bus},
    [LIBRARY_FPE] = {"fault_fpe", "int fault_fpe(int value)", (code)fault_fpe},
    [LIBRARY_ILL] = {"fault_ill", "int fault_ill(int value)", (code)fault_ill},
    [LIBRARY_ABORT] = {"fault_abort", "int fault_abort(int value)", (code)fault_abort},
    [LIBRARY_OVERFLOW] = {"fault_overflow", "int fault_overflow(int value)", (code)fault_overflow},
};

void *library_resolve(void *context, const char *symbol)
{
    (void)context;
    for (size_t i = 0; i < LIBRARY_COUNT; i++) {
        if (strcmp(library[i].symbol, symbol) == 0) {
            void *address;
            memcpy(&address, &library[i].function, sizeof(address));
            return address;
        }
    }
    return NULL;
}

const void *library_plan(enum library_function function, size_t *ret_bytes)
{
    static struct interface *parsed[LIBRARY_COUNT];
    const char *text = library[function].prototype;
    struct message why = {{0}};
    if (parsed[function] == NULL &&
        interface_parse("prototype", text, strlen(text), &parsed[function], &why) != 0) {
        (void)fprintf(stderr, "%s\n", why.text);
        CHECK(false);
    }
    return interface_plan(parsed[function], 0, ret_bytes);
}
