/* SPDX-License-Identifier: Apache-2.0 */

/* A library whose constructor never comes back. */
#include <unistd.h>

__attribute__((visibility("default"))) int slow_start(void);

__attribute__((constructor)) static void never_ready(void)
{
    for (;;) {
        (void)pause();
    }
}

int slow_start(void)
{
    return 1;
}
