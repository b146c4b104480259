/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

static __attribute__((constructor)) void construct(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}
