/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

int fault_ill(int value)
{
#if defined(__x86_64__)
    __asm__ volatile("ud2");
#elif defined(__aarch64__)
    __asm__ volatile("udf #0");
#else
#error "an illegal instruction of this CPU is wanted here"
#endif
    return value;
}
