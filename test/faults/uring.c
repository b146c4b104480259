/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

int fault_uring(int value)
{
    struct io_uring_params params = {0};
    (void)value;
    long fd = syscall(SYS_io_uring_setup, 4, &params);
    if (fd >= 0) {
        (void)close((int)fd);
    }
    return fd >= 0;
}
