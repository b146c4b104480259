/* SPDX-License-Identifier: Apache-2.0 */
/* A library whose constructor never returns. */
#include <unistd.h>

__attribute__((constructor)) static void hang(void)
{
    for (;;) {
        (void)pause();
    }
}
