/* SPDX-License-Identifier: Apache-2.0 */
#include "acts.h"
#include "faults.h"

#include <unistd.h>

int fault_path_socket(int value)
{
    struct sockaddr_un address;
    socklen_t bytes = act_address(&address, value, "socket", 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int managed = fd >= 0;
    if (fd >= 0) {
        managed += connect(fd, (const struct sockaddr *)&address, bytes) == 0;
        (void)close(fd);
    }
    return managed;
}
