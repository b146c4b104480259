/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIBRARIES_SUBJECT_H
#define LIBRARIES_SUBJECT_H

/*
 * Subject: a real library in a cell, with one session, called by name. Every function ends the case when
 * something other than CORDON_DONE comes back.
 */

#include "harness/harness.h"

/* Arguments of one call and their number. */
#define ARGS(...)                                                                                  \
    (const struct cordon_value[]){__VA_ARGS__},                                                    \
        sizeof((struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value)
#define NO_ARGS NULL, 0

struct subject {
    struct cordon_cell *cell;
    struct cordon_session *session;
};

/* @arena_bytes  of the session's arena; 0: none. */
struct subject subject_open(const struct harness *harness, const char *library,
                            const char *interface_text, uint64_t arena_bytes);
/* The same with the library and declarations of interfaces/@file. */
struct subject subject_open_interface(const struct harness *harness, const char *file);
/* The same with permission to read and write files. */
struct subject subject_open_granted(const struct harness *harness, const char *file,
                                    const char *const *grants);
struct subject subject_open_with_files(const struct harness *harness, const char *file);
void subject_close(struct subject *subject);

int64_t subject_int(const struct subject *subject, const char *name,
                    const struct cordon_value *args, size_t count);
uint64_t subject_uint(const struct subject *subject, const char *name,
                      const struct cordon_value *args, size_t count);
double subject_float(const struct subject *subject, const char *name,
                     const struct cordon_value *args, size_t count);
struct cordon_handle subject_handle(const struct subject *subject, const char *name,
                                    const struct cordon_value *args, size_t count);
void subject_void(const struct subject *subject, const char *name, const struct cordon_value *args,
                  size_t count);

/* A result that is memory; released by cordon_result_release(). */
struct cordon_result subject_result(const struct subject *subject, const char *name,
                                    const struct cordon_value *args, size_t count);

/* Fail unless the returned string is @expected (NULL: a null pointer). */
void subject_text(const struct subject *subject, const char *expected, const char *name,
                  const struct cordon_value *args, size_t count);

#endif
