/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdlib.h>
#include <string.h>

#define CHUNKS      64
#define CHUNK_BYTES (8u << 20)

/* Returns 1 if nothing stopped it. */
int fault_memory_bomb(int value)
{
    int chunks = 0;
    for (int i = 0; i < CHUNKS; i++) {
        char *volatile chunk = malloc(CHUNK_BYTES);
        if (chunk) {
            memset(chunk, value, CHUNK_BYTES);
            chunks++;
        }
    }
    return chunks == CHUNKS;
}
