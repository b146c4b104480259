/* SPDX-License-Identifier: Apache-2.0 */

/*
 * zlib with a defect: some input makes it crash, some makes it loop for ever. Everything else is
 * zlib's own.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef int compress2_fn(unsigned char *dest, unsigned long *dest_length,
                         const unsigned char *source, unsigned long source_length, int level);

EXPORT compress2_fn compress2;

static int begins(const unsigned char *source, unsigned long length, const char *with)
{
    return length >= strlen(with) && memcmp(source, with, strlen(with)) == 0;
}

int compress2(unsigned char *dest, unsigned long *dest_length, const unsigned char *source,
              unsigned long source_length, int level)
{
    if (begins(source, source_length, "crash")) {
        volatile int *volatile nowhere = NULL;
        *nowhere = 1;
    }
    while (begins(source, source_length, "hang")) {
    }
    compress2_fn *next = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "compress2");
    return next ? next(dest, dest_length, source, source_length, level) : -1;
}
