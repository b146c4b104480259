/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int socket_path_default(char ret_path[SOCKET_PATH_BYTES], struct message *why)
{
    const char *runtime = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    if (!runtime || runtime[0] != '/') {
        return message_set(why, -EINVAL, "XDG_RUNTIME_DIR is %s: give --socket PATH",
                           runtime ? "no absolute path" : "not set");
    }
    int length = snprintf(ret_path, SOCKET_PATH_BYTES, "%s/cordon/gateway.sock", runtime);
    return length > 0 && (size_t)length < SOCKET_PATH_BYTES
               ? 0
               : message_set(why, -ENAMETOOLONG, "XDG_RUNTIME_DIR is too long: give --socket PATH");
}
