/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

static __attribute__((constructor)) void construct(void)
{
    for (;;) {
        (void)pause();
    }
}
