/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define NO_APPEND 0x20 /* RWF_NOAPPEND, Linux 6.9 */

/* As <linux/falloc.h> has it: punches holes, like fallocate(). */
struct reservation {
    int16_t type;
    int16_t whence;
    int64_t start;
    int64_t length;
    int32_t system;
    uint32_t process;
    uint32_t unused[4];
};
#define FS_IOC_UNRESVSP _IOW('X', 42, struct reservation)

/* What is open behind a descriptor is shared with whoever gave it: its flags, its place, what is in it. */
int fault_take_stderr(int value)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        (void)lseek(fd, 0, SEEK_SET);
        (void)!write(fd, "overwritten", 11);
        (void)pwritev2(fd, &(struct iovec){(char[]){"overwritten"}, 11}, 1, 0, NO_APPEND);
        (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 11);
        (void)ioctl(fd, FS_IOC_UNRESVSP, &(struct reservation){.length = 11});
        (void)!ftruncate(fd, 0);
    }
    return value;
}
