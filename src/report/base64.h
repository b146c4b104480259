/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_BASE64_H
#define REPORT_BASE64_H

/* Base64 (RFC 4648, with padding). */

#include <stddef.h>
#include <stdint.h>

/* Text that the caller frees; NULL: no memory. */
char *base64_new(const void *bytes, size_t length);

/* Bytes that the caller frees, aligned to 16; NULL: not base64, or no memory. */
uint8_t *base64_read(const char *text, size_t length, size_t *ret_length);

#endif
