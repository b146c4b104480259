/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <sys/mman.h>
#include <unistd.h>

int fault_bus(int value)
{
    int fd = memfd_create("bus", MFD_CLOEXEC);
    volatile int *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    *memory = value;
    return value;
}
