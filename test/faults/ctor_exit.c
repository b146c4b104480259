/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

static __attribute__((constructor)) void construct(void)
{
    exit(7);
}
