/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/session.h"

#include <errno.h>

#include "api/text.h"
#include "base/clock.h"
#include "cell/cell.h"
#include "cell/dispatch.h"
#include "cell/fork_mark.h"
#include "cell/worker_pid.h"
#include "cordon/arena.h"

int cordon_session_open(struct cordon_cell *cell, struct cordon_session **ret_session,
                        struct cordon_error *ret_error)
{
    if (!cell || !ret_session) {
        return message_set(text_of(ret_error), -EINVAL, "cell and ret_session must not be NULL");
    }
    return cell_session_open(cell, ret_session, text_of(ret_error));
}

int cordon_session_prepare(struct cordon_session *session, struct cordon_function *const *functions,
                           size_t count, uint32_t *ret_retry_ms, struct cordon_error *ret_error)
{
    if (!session || (count > 0 && !functions)) {
        return message_set(text_of(ret_error), -EINVAL, "session and functions must not be NULL");
    }
    uint32_t retry_ms = 0;
    int r = cell_usable(session->cell, text_of(ret_error));
    if (r == 0) {
        int entered = session_enter(session, CORDON_NEVER);
        r = entered == 0 ? session_prepare(session, functions, count, text_of(ret_error))
                         : message_set(text_of(ret_error), -EDEADLK,
                                       "a session is not prepared from inside its callback");
        retry_ms = r == CORDON_OPEN ? session->retry_after_ms : 0;
        session_leave(session);
    }
    if (ret_retry_ms) {
        *ret_retry_ms = retry_ms;
    }
    return r;
}

int cordon_session_rest(struct cordon_session *session)
{
    if (!session) {
        return -EINVAL;
    }
    int r = cell_usable(session->cell, NULL);
    if (r == 0) {
        r = session_enter(session, CORDON_NEVER) == 0 ? session_rest(session) : -EDEADLK;
        session_leave(session);
    }
    return r;
}

int cordon_session_interrupt(struct cordon_session *session)
{
    if (!session) {
        return -EINVAL;
    }
    if (!fork_mark_intact(session->cell->generation)) {
        return -ECHILD;
    }
    cell_session_interrupt(session);
    return 0;
}

int cordon_session_close(struct cordon_session *session)
{
    if (session && session->is_explicit && fork_mark_intact(session->cell->generation)) {
        if (session_is_mine(session)) {
            return -EDEADLK;
        }
        cell_session_close(session);
    }
    return 0;
}

struct cordon_session *cordon_session_current(struct cordon_cell *cell)
{
    struct cordon_session *session;
    return cell_usable(cell, NULL) == 0 && cell_session(cell, &session, NULL) == 0 ? session : NULL;
}

int cordon_session_dispatch(struct cordon_session *session, uint64_t until_ns, uint32_t *ret_count,
                            struct cordon_error *ret_error)
{
    uint32_t count = 0;
    if (!session) {
        return message_set(text_of(ret_error), -EINVAL, "session must not be NULL");
    }
    int r = cell_usable(session->cell, text_of(ret_error));
    r = r != 0 ? r : dispatch_callbacks(session, until_ns, &count, text_of(ret_error));
    if (ret_count) {
        *ret_count = count;
    }
    return r;
}

size_t cordon_session_violations(struct cordon_session *session,
                                 struct cordon_violation *ret_violations, size_t most,
                                 uint64_t *ret_ever)
{
    if (!session || !fork_mark_intact(session->cell->generation) ||
        session_enter(session, CORDON_NEVER) < 0) {
        return 0;
    }
    struct violations *all = &session->violations;
    (void)violations_take(all);
    size_t count = all->ever < CORDON_VIOLATIONS_KEPT ? (size_t)all->ever : CORDON_VIOLATIONS_KEPT;
    count = count < most ? count : most;
    for (size_t i = 0; i < count; i++) {
        ret_violations[i] = all->kept[(all->ever - count + i) % CORDON_VIOLATIONS_KEPT];
    }
    if (ret_ever) {
        *ret_ever = all->ever;
    }
    session_leave(session);
    return count;
}

int cordon_session_worker_pid(struct cordon_session *session)
{
    struct cordon_cell *cell = session->cell;
    if (!fork_mark_intact(cell->generation)) {
        return 0;
    }
    /* The cell's lock, under which stations come and go; the session itself may be in a call. */
    (void)pthread_mutex_lock(&cell->lock);
    int pid =
        session->station && !station_broken(session->station) ? worker_pid(session->station) : 0;
    (void)pthread_mutex_unlock(&cell->lock);
    return pid;
}

void *cordon_arena_alloc(struct cordon_session *session, size_t bytes)
{
    return session->arena ? arena_alloc(session->arena, bytes) : NULL;
}

void cordon_arena_free(struct cordon_session *session, void *memory)
{
    if (session->arena) {
        arena_free(session->arena, memory);
    }
}

bool cordon_arena_check(const struct cordon_session *session, const void *pointer, size_t bytes)
{
    return session->arena && arena_check(session->arena, pointer, bytes);
}
