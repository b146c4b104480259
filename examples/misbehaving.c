/* SPDX-License-Identifier: Apache-2.0 */

/* A library as nobody wants it: what the demo calls after everything that works. */

#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int read_null(int offset);
EXPORT int recurse(int depth);
EXPORT int leave(int status);
EXPORT int loop(int step);
EXPORT int behave(int value);

int read_null(int offset)
{
    const volatile int *volatile nowhere = NULL;
    return nowhere[offset];
}

int recurse(int depth)
{
    volatile char frame[4096];
    frame[0] = (char)depth;
    return recurse(depth + 1) + frame[0];
}

int leave(int status)
{
    exit(status);
}

int loop(int step)
{
    volatile int sum = 0;
    for (;;) {
        sum = sum + step;
    }
}

int behave(int value)
{
    return value;
}
