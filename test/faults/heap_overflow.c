/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS 256
#define BYTES  40u
#define APART  48 /* in glibc: such a block and the size of the next one, which lies behind it */

/*
 * Clears the size of the block behind, as a terminating zero or two would, and frees that. Which one lies
 * behind is found out, not guessed, so that the allocator always notices.
 */
int fault_heap_overflow(int value)
{
    char *blocks[BLOCKS];
    int i = 0;
    for (int b = 0; b < BLOCKS; b++) {
        blocks[b] = malloc(BYTES);
    }
    while (i < BLOCKS - 2 && blocks[i] + APART != blocks[i + 1]) {
        i++;
    }
    memset(blocks[i], 0, APART);
    free(blocks[i + 1]);
    return value;
}
