/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MESSAGE_H
#define BASE_MESSAGE_H

/*
 * Message: the text for a person that stands beside an error code. Caller's storage, always
 * NUL-terminated, cut at its size. Functions that take a `struct message *why` accept NULL, and write
 * it only when they return a negative errno or a refusing outcome.
 */

#include <stdarg.h>
#include <stddef.h>

#define MESSAGE_BYTES 1024

struct message {
    char text[MESSAGE_BYTES];
};

/* Replace the text. @why may be NULL. Returns @error, so that `return message_set(...)` reads well. */
int message_set(struct message *why, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ /* it sees one file at a time, and must know what comes back */
#define message_set(why, error, ...) ((message_set)(why, error, __VA_ARGS__), (error))
#endif

/* Append to the text. @why may be NULL. */
void message_add(struct message *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Copy foreign bytes as text: control characters and invalid UTF-8 become '?', cut at the size. */
void message_set_foreign(struct message *why, const char *bytes, size_t length);

#endif
