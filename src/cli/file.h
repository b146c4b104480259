/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <stddef.h>

#include "base/message.h"

/*
 * All of a file, or of standard input ("-"), in malloc'ed memory.
 * Returns 0, -EFBIG beyond @bytes_max, or what opening and reading met; named in @why.
 */
int file_read(const char *path, size_t bytes_max, void **ret_bytes, size_t *ret_length,
              struct message *why);

#endif
