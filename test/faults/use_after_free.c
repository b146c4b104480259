/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BYTES      24
#define PAGE_SHIFT 12

/*
 * The allocator's list of free blocks lies in what was freed. What is written there comes out as the address
 * 1 when glibc undoes its protection (the block's own page number, by exclusive or): always misaligned, so
 * that it is always noticed, when a block of this size is wanted - and then again and again.
 */
int fault_use_after_free(int value)
{
    void *volatile first = malloc(BYTES);
    void *volatile second = malloc(BYTES);
    free(first);
    free(second);
    uintptr_t next = ((uintptr_t)second >> PAGE_SHIFT) ^ 1u;
    memcpy(second, &next, sizeof next);
    void *volatile third = malloc(BYTES);
    void *volatile fourth = malloc(BYTES);
    memset(third, 0, BYTES);
    memset(fourth, 0, BYTES);
    return value;
}
