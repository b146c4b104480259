/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/cell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/fork_mark.h"
#include "cell/pool.h"
#include "cell/session.h"
#include "cell/station.h"
#include "library/library.h"

#define CALL_BYTES_MIN (64u * 1024u)
#define CALL_BYTES_MAX (1u << 30)

static int limit_options(struct cordon_cell_options *options, struct message *why)
{
    options->workers = options->workers ? options->workers : LIMIT_WORKERS;
    options->sessions = options->sessions ? options->sessions : LIMIT_SESSIONS;
    options->deadline_ms = options->deadline_ms ? options->deadline_ms : LIMIT_DEADLINE_MS;
    options->start_ms = options->start_ms ? options->start_ms : LIMIT_START_MS;
    options->memory_bytes = options->memory_bytes ? options->memory_bytes : LIMIT_MEMORY_BYTES;
    options->call_bytes = options->call_bytes ? options->call_bytes : LIMIT_FRAME_BYTES;
    if (options->workers > LIMIT_WORKERS_MAX) {
        return message_set(why, -E2BIG, "workers is %u, the limit is %u", options->workers,
                           LIMIT_WORKERS_MAX);
    }
    if (options->call_bytes < CALL_BYTES_MIN || options->call_bytes > CALL_BYTES_MAX) {
        return message_set(why, -EINVAL, "call_bytes is %u, it may be %u to %u",
                           options->call_bytes, CALL_BYTES_MIN, CALL_BYTES_MAX);
    }
    if (options->arena_bytes > LIMIT_ARENA_BYTES) {
        return message_set(why, -E2BIG, "arena_bytes is %llu, the limit is %llu",
                           (unsigned long long)options->arena_bytes,
                           (unsigned long long)LIMIT_ARENA_BYTES);
    }
    if (options->level > CORDON_LEVEL_INLINE || options->policy > CORDON_POLICY_TRUSTED) {
        return message_set(why, -EINVAL, "no such level or policy");
    }
    return 0;
}

static int own_options(struct cordon_cell *cell, const struct cordon_cell_options *options,
                       struct message *why)
{
    if (options->size > sizeof *options || options->size < sizeof(size_t)) {
        return message_set(why, -EINVAL, "options are of another version: size is %zu, not %zu",
                           options->size, sizeof *options);
    }
    memcpy(&cell->options, options, options->size);
    const char *library = cell->options.library;
    const char *keeper_path = cell->options.keeper_path;
    const char *worker_path = cell->options.worker_path;
    const char *text = cell->options.interface_text;
    cell->options.library = cell->options.keeper_path = cell->options.worker_path = NULL;
    cell->options.interface_text = NULL;
    int r = limit_options(&cell->options, why);
    if (r == 0 && text) {
        const char *name =
            cell->options.interface_name ? cell->options.interface_name : "interface";
        r = interface_parse(name, text, strlen(text), &cell->interface, why);
    }
    cell->options.interface_name = NULL;
    if (r != 0) {
        return r;
    }
    if (!library && cell->interface) {
        library = interface_library(cell->interface);
    }
    if (!library) {
        return message_set(why, -EINVAL,
                           "no library is named, neither in the options nor on top of "
                           "the interface: library \"libname.so.1\";");
    }
    cell->options.library = strdup(library);
    cell->options.keeper_path = keeper_path ? strdup(keeper_path) : NULL;
    cell->options.worker_path = worker_path ? strdup(worker_path) : NULL;
    if (!cell->options.library || (keeper_path && !cell->options.keeper_path) ||
        (worker_path && !cell->options.worker_path)) {
        return message_set(why, -ENOMEM, "not enough memory for a cell");
    }
    return 0;
}

/* Level thread and inline: the library comes into this process, and faults are guarded. */
static int open_here(struct cordon_cell *cell, struct message *why)
{
    int r = fault_install();
    if (r != 0) {
        return message_set(why, r, "cannot take the fault signals: %s", strerror(-r));
    }
    cell->library = calloc(1, sizeof *cell->library);
    if (!cell->library) {
        return message_set(why, -ENOMEM, "not enough memory for a cell");
    }
    r = library_prepare(cell->library, cell->options.library, why);
    return r == 0 ? library_open(cell->library, why) : r;
}

static int open_processes(struct cordon_cell *cell, uint32_t *ret_mechanisms, struct message *why)
{
    struct keeper_options options = {.keeper_path = cell->options.keeper_path,
                                     .worker_path = cell->options.worker_path,
                                     .without = cell->options.without};
    int r = keeper_share_join(&options, &cell->keeper, why);
    struct keeper_client *client;
    if (r == 0) {
        r = keeper_share_take(cell->keeper, &client, why);
    }
    if (r == 0) {
        *ret_mechanisms = keeper_client_mechanisms(client) & ~cell->options.without;
        keeper_share_give(cell->keeper, client);
    }
    return r;
}

void cell_note_outcome(struct cordon_cell *cell, int outcome)
{
    if (outcome == CORDON_CRASHED && cell->options.level != CORDON_LEVEL_PROCESS) {
        uint32_t open = CELL_OPEN;
        (void)atomic_compare_exchange_strong(&cell->state, &open, CELL_POISONED);
    }
}

int outcome_errno(int outcome)
{
    switch (outcome) {
    case CORDON_BUSY:
        return -EAGAIN;
    case CORDON_CRASHED:
        return -ENOEXEC; /* its constructor did */
    case CORDON_TIMEOUT:
        return -ETIMEDOUT;
    default:
        return outcome > 0 ? -EIO : outcome;
    }
}

/* The library loads, or the caller learns why not. */
static int first_worker(struct cordon_cell *cell, struct message *why)
{
    struct cordon_session *session;
    int r = cell_session(cell, &session, why);
    if (r != 0) {
        return r;
    }
    (void)session_enter(session, CLOCK_NEVER);
    r = session_station(session, why);
    session_leave(session);
    return outcome_errno(r);
}

int cell_open(const struct cordon_cell_options *options, struct cordon_cell **ret_cell,
              struct message *why)
{
    int r = fork_mark_make();
    struct cordon_cell *cell = r > 0 ? calloc(1, sizeof *cell) : NULL;
    if (!cell) {
        return message_set(why, r < 0 ? r : -ENOMEM, "cannot make a cell: %s",
                           strerror(r < 0 ? -r : ENOMEM));
    }
    cell->generation = r;
    (void)pthread_mutex_init(&cell->lock, NULL);
    cell->thread_base = cell_thread();
    uint32_t mechanisms = 0;
    r = own_options(cell, options, why);
    if (r == 0) {
        r = cell->options.level == CORDON_LEVEL_PROCESS ? open_processes(cell, &mechanisms, why)
                                                        : open_here(cell, why);
    }
    if (r == 0) {
        cell->isolation = isolation_of(cell->options.level, cell->options.policy, mechanisms);
        r = cell_require(cell, mechanisms, why);
    }
    if (r == 0) {
        r = first_worker(cell, why);
    }
    if (r != 0) {
        cell_close(cell);
        return r;
    }
    *ret_cell = cell;
    return 0;
}

static void condemn_all(struct cordon_cell *cell)
{
    (void)pthread_mutex_lock(&cell->lock);
    for (uint32_t i = 0; i < LIMIT_WORKERS_MAX; i++) {
        pool_condemn(atomic_load_explicit(&cell->pool[i], memory_order_relaxed));
    }
    for (struct cordon_session *session = cell->sessions; session; session = session->next) {
        pool_condemn(session);
    }
    (void)pthread_mutex_unlock(&cell->lock);
}

void cell_close(struct cordon_cell *cell)
{
    if (!cell) {
        return;
    }
    atomic_store_explicit(&cell->state, CELL_CLOSED, memory_order_release);
    if (fork_mark_intact(cell->generation)) {
        condemn_all(cell);
        for (uint32_t i = 0; i < LIMIT_WORKERS_MAX; i++) {
            pool_end(atomic_load_explicit(&cell->pool[i], memory_order_relaxed));
        }
        while (cell->sessions) {
            struct cordon_session *session = cell->sessions;
            cell->sessions = session->next;
            pool_end(session);
        }
    }
    keeper_share_leave(cell->keeper);
    if (cell->library) {
        library_deinit(cell->library);
        free(cell->library);
    }
    for (uint32_t i = 0; i < cell->function_count; i++) {
        free((void *)(uintptr_t)cell->functions[i]->plan);
        free(cell->functions[i]);
    }
    interface_free(cell->interface);
    free((void *)(uintptr_t)cell->options.library);
    free((void *)(uintptr_t)cell->options.keeper_path);
    free((void *)(uintptr_t)cell->options.worker_path);
    (void)pthread_mutex_destroy(&cell->lock);
    free(cell);
}

int cell_usable(const struct cordon_cell *cell, struct message *why)
{
    if (!fork_mark_intact(cell->generation)) {
        return message_set(why, -ECHILD,
                           "cells do not survive fork(): open one in the child instead");
    }
    switch (atomic_load_explicit(&cell->state, memory_order_acquire)) {
    case CELL_OPEN:
        return 0;
    case CELL_POISONED:
        return message_set(
            why, CORDON_OPEN,
            "the library has faulted in this process: the cell is poisoned and must be "
            "opened anew");
    default:
        return message_set(why, -ESHUTDOWN, "the cell is closed");
    }
}
