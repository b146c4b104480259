/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FAULTS_ACTS_H
#define TEST_FAULTS_ACTS_H

/*
 * What forbidden acts share. @value of an act is a number that the host chose for this run: a TCP port on
 * which it listens, and part of the names of its files and sockets.
 */

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ACT_PATH_BYTES 64

/* "/tmp/cordon-fault-NUMBER.WHAT" */
static inline void act_path(char path[ACT_PATH_BYTES], int value, const char *what)
{
    (void)snprintf(path, ACT_PATH_BYTES, "/tmp/cordon-fault-%d.%s", value, what);
}

/* The address of a Unix socket: @what in the file system, or an abstract name where @abstract. */
static inline socklen_t act_address(struct sockaddr_un *address, int value, const char *what,
                                    int abstract)
{
    char path[ACT_PATH_BYTES];
    act_path(path, value, what);
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path + (abstract ? 1 : 0), path, strlen(path));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

#endif
