/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

int fault_connect_out(int value)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)value),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int managed = fd >= 0;
    if (fd >= 0) {
        managed += connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
        (void)close(fd);
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    managed += fd >= 0;
    if (fd >= 0) {
        managed += sendto(fd, "", 1, 0, (const struct sockaddr *)&address, sizeof address) == 1;
        (void)close(fd);
    }
    return managed;
}
