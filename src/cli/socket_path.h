/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SOCKET_PATH_H
#define CLI_SOCKET_PATH_H

/* Socket path: where `cordon serve` listens, and everybody else looks, unless told otherwise. */

#include <sys/un.h>

#include "base/message.h"

#define SOCKET_PATH_BYTES sizeof((struct sockaddr_un){0}.sun_path)

/*
 * For root /run/cordon/gateway.sock, whatever XDG_RUNTIME_DIR says (it may be the one of who called sudo); for
 * others $XDG_RUNTIME_DIR/cordon/gateway.sock. Nothing is made or looked at.
 *
 * Returns 0; -EINVAL: XDG_RUNTIME_DIR is missing or no absolute path; -ENAMETOOLONG.
 */
int socket_path_default(char ret_path[SOCKET_PATH_BYTES], struct message *why);

#endif
