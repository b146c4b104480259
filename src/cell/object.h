/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CELL_OBJECT_H
#define CELL_OBJECT_H

/*
 * Resident objects: made, read, written and freed in the worker by requests to the engine; the
 * declaration of their type stays here, so that members are found by name.
 *
 * All return 0, a refusing outcome, or a negative errno. Threads: any; the session is held inside.
 */

#include <stddef.h>

#include "base/message.h"
#include "cordon/session.h"

int object_new(struct cordon_session *session, const char *type, struct cordon_handle *ret_handle,
               struct message *why);
int object_read(struct cordon_session *session, struct cordon_handle handle, const char *member,
                void *ret_value, size_t bytes, struct message *why);
int object_write(struct cordon_session *session, struct cordon_handle handle, const char *member,
                 const void *value, size_t bytes, struct message *why);
int object_point(struct cordon_session *session, struct cordon_handle handle, const char *member,
                 const void *memory, size_t bytes, struct message *why);
int object_fetch(struct cordon_session *session, struct cordon_handle handle, const char *member,
                 size_t offset, void *ret_bytes, size_t bytes, struct message *why);
int object_follow(struct cordon_session *session, struct cordon_handle handle, const char *member,
                  struct cordon_handle *ret_handle, struct message *why);
int object_free(struct cordon_session *session, struct cordon_handle handle, struct message *why);

#endif
