/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/object.h"

#include <errno.h>

#include "api/text.h"
#include "cell/cell.h"
#include "cell/session.h"
#include "cordon/object.h"

int cordon_object_new(struct cordon_session *session, const char *type,
                      struct cordon_handle *ret_handle, struct cordon_error *ret_error)
{
    if (!session || !type || !ret_handle) {
        return message_set(text_of(ret_error), -EINVAL,
                           "session, type and ret_handle must not be NULL");
    }
    int r = cell_usable(session->cell, text_of(ret_error));
    return r != 0 ? r : object_new(session, type, ret_handle, text_of(ret_error));
}

int cordon_object_read(struct cordon_session *session, struct cordon_handle handle,
                       const char *member, void *ret_value, size_t bytes,
                       struct cordon_error *ret_error)
{
    int r = cell_usable(session->cell, text_of(ret_error));
    return r != 0 ? r : object_read(session, handle, member, ret_value, bytes, text_of(ret_error));
}

int cordon_object_write(struct cordon_session *session, struct cordon_handle handle,
                        const char *member, const void *value, size_t bytes,
                        struct cordon_error *ret_error)
{
    int r = cell_usable(session->cell, text_of(ret_error));
    return r != 0 ? r : object_write(session, handle, member, value, bytes, text_of(ret_error));
}

int cordon_object_point(struct cordon_session *session, struct cordon_handle handle,
                        const char *member, const void *memory, size_t bytes,
                        struct cordon_error *ret_error)
{
    int r = cell_usable(session->cell, text_of(ret_error));
    return r != 0 ? r : object_point(session, handle, member, memory, bytes, text_of(ret_error));
}

int cordon_object_fetch(struct cordon_session *session, struct cordon_handle handle,
                        const char *member, size_t offset, void *ret_bytes, size_t bytes,
                        struct cordon_error *ret_error)
{
    int r = cell_usable(session->cell, text_of(ret_error));
    return r != 0 ? r
                  : object_fetch(session, handle, member, offset, ret_bytes, bytes,
                                 text_of(ret_error));
}

int cordon_object_follow(struct cordon_session *session, struct cordon_handle handle,
                         const char *member, struct cordon_handle *ret_handle,
                         struct cordon_error *ret_error)
{
    if (!session || !member || !ret_handle) {
        return message_set(text_of(ret_error), -EINVAL,
                           "session, member and ret_handle must not be NULL");
    }
    int r = cell_usable(session->cell, text_of(ret_error));
    return r != 0 ? r : object_follow(session, handle, member, ret_handle, text_of(ret_error));
}

int cordon_object_free(struct cordon_session *session, struct cordon_handle handle,
                       struct cordon_error *ret_error)
{
    int r = cell_usable(session->cell, text_of(ret_error));
    return r != 0 ? r : object_free(session, handle, text_of(ret_error));
}
