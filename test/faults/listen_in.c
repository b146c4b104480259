/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

int fault_listen_in(int value)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int managed = fd >= 0;
    (void)value;
    if (fd >= 0) {
        managed += bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
        managed += listen(fd, 1) == 0;
        (void)close(fd);
    }
    return managed;
}
