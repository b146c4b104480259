/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORDON_OBJECT_H
#define CORDON_OBJECT_H

/*
 * Object: a struct that the caller declares and that lives in the worker at a fixed address (`resident`
 * parameters: z_stream, regex_t). Zeroed at first. Its members are read and written here, by the
 * declaration in the cell's interface. It ends with its session, its worker, or by cordon_object_free().
 *
 * Structs that the library gives (`out resident struct addrinfo **res`) are read likewise. They end when a
 * function releases them.
 *
 * All functions return 0 or: CORDON_STALE (its worker is gone) or another refusing outcome; -EINVAL,
 * -ENOENT (no such type or member), with a sentence in @ret_error.
 * Threads: as calls.
 */

#include "cordon/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* @type  "struct z_stream" or a typedef's name, defined in the cell's interface. */
CORDON_API CORDON_MUST_USE int cordon_object_new(struct cordon_session *session, const char *type,
                                                 struct cordon_handle *ret_handle,
                                                 struct cordon_error *ret_error);

/*
 * Read, or write, member @member ("avail_in", "state.mode"); NULL: the whole struct. @bytes must be its
 * size. Pointer members read as 0, whatever they hold: cordon_object_fetch() copies what they lead to,
 * cordon_object_follow() gives it as a handle. Written by name they take NULL or an arena address; with the
 * whole struct they stay as they are.
 */
CORDON_API CORDON_MUST_USE int cordon_object_read(struct cordon_session *session,
                                                  struct cordon_handle handle, const char *member,
                                                  void *ret_value, size_t bytes,
                                                  struct cordon_error *ret_error);
CORDON_API CORDON_MUST_USE int cordon_object_write(struct cordon_session *session,
                                                   struct cordon_handle handle, const char *member,
                                                   const void *value, size_t bytes,
                                                   struct cordon_error *ret_error);

/*
 * Point a pointer member to memory of @bytes in the worker that holds a copy of @memory (zeros where
 * @memory is NULL), kept as long as the object, or until pointed anew. Memory in the session's arena is
 * pointed to itself. No @bytes: NULL.
 */
CORDON_API CORDON_MUST_USE int cordon_object_point(struct cordon_session *session,
                                                   struct cordon_handle handle, const char *member,
                                                   const void *memory, size_t bytes,
                                                   struct cordon_error *ret_error);

/*
 * Copy @bytes from @offset of the memory that the pointer @member points to: what cordon_object_point()
 * made for it, else what the library has there, which is as long as the member's declaration says
 * (`const void ai_addr[ai_addrlen]`). Of a string, @ret_bytes is filled up with NULs behind its end.
 * -ENOENT: the pointer is NULL, or no length is declared; -EINVAL: there are fewer bytes.
 */
CORDON_API CORDON_MUST_USE int cordon_object_fetch(struct cordon_session *session,
                                                   struct cordon_handle handle, const char *member,
                                                   size_t offset, void *ret_bytes, size_t bytes,
                                                   struct cordon_error *ret_error);

/*
 * The struct that the pointer @member leads to (`struct addrinfo *ai_next`), as a handle that ends with
 * @handle; all zero where the pointer is NULL.
 */
CORDON_API CORDON_MUST_USE int cordon_object_follow(struct cordon_session *session,
                                                    struct cordon_handle handle, const char *member,
                                                    struct cordon_handle *ret_handle,
                                                    struct cordon_error *ret_error);

/* Free the object; the library must be done with it. */
CORDON_API CORDON_MUST_USE int cordon_object_free(struct cordon_session *session,
                                                  struct cordon_handle handle,
                                                  struct cordon_error *ret_error);

#ifdef __cplusplus
}
#endif

#endif
