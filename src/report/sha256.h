/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_SHA256_H
#define REPORT_SHA256_H

/* SHA-256 of bytes that a report leaves out, so that two of them can be told apart. FIPS 180-4. */

#include <stddef.h>

#define SHA256_TEXT_BYTES 65u

/* 64 hexadecimal digits and a NUL. */
void sha256_text(const void *bytes, size_t length, char ret_text[SHA256_TEXT_BYTES]);

#endif
