/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/cell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/attachment.h"
#include "cell/exits.h"
#include "cell/fork_mark.h"
#include "cell/pool.h"
#include "cell/session.h"
#include "cell/station.h"
#include "library/library.h"
#include "policy/compile.h"

#define CALL_BYTES_MIN   (64u * 1024u)
#define CALL_BYTES_MAX   (1u << 30)
#define RECORD_BYTES_MIN 4096u

static void set_default(uint32_t *option, uint32_t its_default)
{
    *option = *option ? *option : its_default;
}

static void recover_options(struct cordon_cell_options *options)
{
    set_default(&options->spares, LIMIT_SPARES);
    if (options->level != CORDON_LEVEL_PROCESS || options->arena_bytes > 0) {
        options->spares = CORDON_NONE; /* spare.h says why */
    }
    set_default(&options->queue, LIMIT_QUEUE);
    options->recycle_bytes = options->recycle_bytes ? options->recycle_bytes : LIMIT_RECYCLE_BYTES;
    set_default(&options->breaker_percent, LIMIT_BREAKER_PERCENT);
    set_default(&options->function_breaker_percent, LIMIT_BREAKER_PERCENT);
    set_default(&options->breaker_samples, LIMIT_BREAKER_SAMPLES);
    set_default(&options->breaker_window_ms, LIMIT_BREAKER_WINDOW_MS);
    set_default(&options->breaker_cool_down_ms, LIMIT_BREAKER_COOL_MS);
    set_default(&options->breaker_probes, LIMIT_BREAKER_PROBES);
}

/* Options that choose among what there is. */
static int check_choices(const struct cordon_cell_options *options, struct message *why)
{
    uint32_t known = (CORDON_PTRACE << 1) - 1u; /* the last of enum cordon_mechanism */
    if (options->level > CORDON_LEVEL_INLINE) {
        return message_set(why, -EINVAL,
                           "level is %d, it may be CORDON_LEVEL_PROCESS (0), "
                           "CORDON_LEVEL_THREAD (1) or CORDON_LEVEL_INLINE (2)",
                           (int)options->level);
    }
    if (options->policy > CORDON_POLICY_TRUSTED) {
        return message_set(why, -EINVAL,
                           "policy is %d, it may be CORDON_POLICY_STRICT (0), "
                           "CORDON_POLICY_FILES (1), CORDON_POLICY_NETWORK (2) or "
                           "CORDON_POLICY_TRUSTED (3)",
                           (int)options->policy);
    }
    if (options->without & ~known) {
        return message_set(why, -EINVAL,
                           "without has bits that name no mechanism (%#x): enum cordon_mechanism "
                           "knows %#x",
                           options->without & ~known, known);
    }
    return 0;
}

static int record_options(struct cordon_cell_options *options, const char *reports,
                          struct message *why)
{
    options->record_bytes = options->record_bytes ? options->record_bytes : LIMIT_RECORD_BYTES;
    if (options->record && options->level != CORDON_LEVEL_PROCESS) {
        return message_set(why, -ENOTSUP,
                           "record needs level process: elsewhere nothing would be "
                           "left to report it");
    }
    if (options->record && reports && reports[0] == '\0') {
        return message_set(why, -EINVAL, "record needs reports: it is there for them");
    }
    if (options->record_bytes > LIMIT_RECORD_BYTES_MAX) {
        return message_set(why, -E2BIG, "record_bytes is %llu, the limit is %u",
                           (unsigned long long)options->record_bytes, LIMIT_RECORD_BYTES_MAX);
    }
    return options->record_bytes < RECORD_BYTES_MIN
               ? message_set(why, -EINVAL, "record_bytes is %llu, it may be %u to %u",
                             (unsigned long long)options->record_bytes, RECORD_BYTES_MIN,
                             LIMIT_RECORD_BYTES_MAX)
               : 0;
}

static int limit_options(struct cordon_cell_options *options, struct message *why)
{
    options->workers = options->workers ? options->workers : LIMIT_WORKERS;
    options->sessions = options->sessions ? options->sessions : LIMIT_SESSIONS;
    options->deadline_ms = options->deadline_ms ? options->deadline_ms : LIMIT_DEADLINE_MS;
    options->start_ms = options->start_ms ? options->start_ms : LIMIT_START_MS;
    options->memory_bytes = options->memory_bytes ? options->memory_bytes : LIMIT_MEMORY_BYTES;
    options->call_bytes = options->call_bytes ? options->call_bytes : LIMIT_FRAME_BYTES;
    recover_options(options);
    if (options->spares > LIMIT_SPARES_MAX && options->spares != CORDON_NONE) {
        return message_set(why, -E2BIG, "spares is %u, the limit is %u", options->spares,
                           LIMIT_SPARES_MAX);
    }
    if ((options->breaker_percent > 100 && options->breaker_percent != CORDON_NONE) ||
        (options->function_breaker_percent > 100 &&
         options->function_breaker_percent != CORDON_NONE)) {
        return message_set(why, -EINVAL,
                           "breaker_percent and function_breaker_percent may be 1 to 100, or "
                           "CORDON_NONE");
    }
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
    return check_choices(options, why);
}

/* The grants are compiled; what they were written as stays the caller's. */
static int compile_policy(struct cordon_cell *cell, struct message *why)
{
    struct cordon_cell_options *options = &cell->options;
    struct policy_wish wish = {.preset = (enum policy_preset)options->policy,
                               .grants = options->grants,
                               .on_violation = (enum policy_violation)options->on_violation,
                               .memory_bytes = options->memory_bytes,
                               .cpu_ms = options->cpu_ms,
                               .file_bytes = options->file_bytes,
                               .fds = options->fds,
                               .threads = options->threads};
    int r = policy_compile(&wish, &cell->policy, why);
    options->grants = NULL;
    return r;
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
    const char *reports = cell->options.reports;
    cell->options.reports = NULL;
    int r = limit_options(&cell->options, why);
    r = r < 0 ? r : record_options(&cell->options, reports, why);
    r = r < 0 ? r : compile_policy(cell, why);
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
    cell->options.reports = reports ? strdup(reports) : NULL;
    if (!cell->options.library || (keeper_path && !cell->options.keeper_path) ||
        (worker_path && !cell->options.worker_path) || (reports && !cell->options.reports)) {
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
    r = r == 0 ? library_open(cell->library, why) : r;
    if (r == 0 && cell->library->name[0]) {
        exits_catch(cell->library->handle);
    }
    return r;
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
    case CORDON_OPEN:
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
    if (r == 0) {
        /* The first spare, behind the first answer: a cell opens in 2.8 for 4.2 posix_spawns. */
        session->has_chores = true;
    }
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
    cell->thread_base = cell_thread_number();
    uint32_t mechanisms = 0;
    r = own_options(cell, options, why);
    gate_init(&cell->gate, &cell->options);
    cell->queue.most = cell->options.queue == CORDON_NONE ? 0 : cell->options.queue;
    if (r == 0) {
        r = cell->options.level == CORDON_LEVEL_PROCESS ? open_processes(cell, &mechanisms, why)
                                                        : open_here(cell, why);
    }
    if (r == 0) {
        cell->isolation = isolation_of(cell->options.level, &cell->policy, mechanisms);
        r = cell_require(cell, mechanisms, why);
    }
    if (r == 0) {
        r = reporting_open(&cell->reporting, &cell->options, cell->isolation, &cell->policy, why);
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

void cell_stop(struct cordon_cell *cell)
{
    atomic_store_explicit(&cell->state, CELL_CLOSED, memory_order_release);
    condemn_all(cell);
}

bool cell_is_mine(struct cordon_cell *cell)
{
    bool mine = false;
    for (uint32_t i = 0; i < LIMIT_WORKERS_MAX && !mine; i++) {
        const struct cordon_session *session =
            atomic_load_explicit(&cell->pool[i], memory_order_acquire);
        mine = session && session_is_mine(session);
    }
    (void)pthread_mutex_lock(&cell->lock);
    for (const struct cordon_session *s = cell->sessions; s && !mine; s = s->next) {
        mine = session_is_mine(s);
    }
    (void)pthread_mutex_unlock(&cell->lock);
    return mine;
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
        spare_end(cell);
    }
    on_start_deinit(&cell->on_start);
    gate_deinit(&cell->gate);
    keeper_share_leave(cell->keeper);
    attachment_close(cell->attachment, !fork_mark_intact(cell->generation));
    reporting_close(&cell->reporting);
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
    free((void *)(uintptr_t)cell->options.reports);
    (void)pthread_mutex_destroy(&cell->lock);
    free(cell);
}

int cell_refuse(const struct cordon_cell *cell, struct message *why)
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
