/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cell/attachment.h"
#include "cell/cell.h"
#include "cell/dial.h"
#include "cell/fork_mark.h"
#include "cell/pool.h"
#include "cordon/attach.h"

#define CALL_BYTES_MIN (64u * 1024u)
#define CALL_BYTES_MAX (1u << 30)

static int judge_options(const struct cordon_attach_options *given,
                         struct cordon_attach_options *ret_options, struct message *why)
{
    *ret_options = (struct cordon_attach_options){.size = sizeof *ret_options};
    if (given->size > sizeof *ret_options || given->size < sizeof(size_t)) {
        return message_set(why, -EINVAL, "options are of another version: size is %zu, not %zu",
                           given->size, sizeof *ret_options);
    }
    memcpy(ret_options, given, given->size);
    if (!ret_options->gateway || !ret_options->cell || !dial_name_fits(ret_options->cell)) {
        return message_set(why, -EINVAL,
                           "gateway and cell must be given, the cell's name of letters, digits, "
                           "'_', '-' and '.'");
    }
    if (ret_options->workers > LIMIT_WORKERS_MAX) {
        return message_set(why, -E2BIG, "workers is %u, the limit is %u", ret_options->workers,
                           LIMIT_WORKERS_MAX);
    }
    return 0;
}

static uint64_t either(uint64_t wish, uint64_t its_default)
{
    return wish ? wish : its_default;
}

/* What the daemon says bounds what is wished for. */
static int set_options(struct cordon_cell *cell, const struct cordon_attach_options *wish,
                       struct message *why)
{
    const struct lease_welcome *welcome = &cell->attachment->welcome;
    if (welcome->call_bytes < CALL_BYTES_MIN || welcome->call_bytes > CALL_BYTES_MAX ||
        welcome->start_ms > CLOCK_NEVER / 4 / CLOCK_MS_NS) {
        return message_set(why, -EPROTO, "the daemon's cell has limits that no cell can have");
    }
    if (wish->arena_bytes > welcome->arena_bytes) {
        return message_set(why, -E2BIG, "arena_bytes is %llu, the daemon's cell allows %llu",
                           (unsigned long long)wish->arena_bytes,
                           (unsigned long long)welcome->arena_bytes);
    }
    uint64_t deadline_ms = either(wish->deadline_ms, welcome->deadline_ms);
    cell->options = (struct cordon_cell_options){
        .size = sizeof cell->options,
        .library = strdup(wish->cell),
        .level = CORDON_LEVEL_PROCESS,
        .workers = wish->workers ? wish->workers : 1,
        .sessions = wish->sessions ? wish->sessions : LIMIT_SESSIONS,
        .queue = wish->queue ? wish->queue : LIMIT_QUEUE,
        .deadline_ms =
            deadline_ms < welcome->deadline_max_ms ? deadline_ms : welcome->deadline_max_ms,
        .start_ms = either(welcome->start_ms, LIMIT_START_MS),
        .call_bytes = welcome->call_bytes,
        .arena_bytes = wish->arena_bytes,
        .events = wish->events,
        .spares = CORDON_NONE,
        .recycle_bytes = UINT64_MAX,
        .breaker_percent = CORDON_NONE, /* the daemon has them */
        .function_breaker_percent = CORDON_NONE,
    };
    return cell->options.library ? 0 : message_set(why, -ENOMEM, "not enough memory for a cell");
}

static int attach(struct cordon_cell *cell, const struct cordon_attach_options *wish,
                  struct message *why)
{
    struct attachment *attachment = NULL;
    int r = attachment_open(wish->gateway, wish->cell, &attachment, why);
    if (r != 0) {
        return outcome_errno(r);
    }
    r = attachment_interface(attachment, &cell->interface, why);
    r = r < 0 ? r : cell_add_interface(cell, why); /* before the attachment forbids new ones */
    cell->attachment = attachment;
    r = r < 0 ? r : set_options(cell, wish, why);
    if (r == 0) {
        cell->isolation = attachment->welcome.isolation;
        r = isolation_require(cell->isolation, wish->require, why);
    }
    return r;
}

int cell_attach(const struct cordon_attach_options *options, struct cordon_cell **ret_cell,
                struct message *why)
{
    struct cordon_attach_options wish;
    int r = judge_options(options, &wish, why);
    if (r < 0) {
        return r;
    }
    r = fork_mark_make();
    struct cordon_cell *cell = r > 0 ? calloc(1, sizeof *cell) : NULL;
    if (!cell) {
        return message_set(why, r < 0 ? r : -ENOMEM, "cannot make a cell: %s",
                           strerror(r < 0 ? -r : ENOMEM));
    }
    cell->generation = r;
    cell->reporting.directory = -1;
    (void)pthread_mutex_init(&cell->lock, NULL);
    cell->thread_base = cell_thread_number();
    r = attach(cell, &wish, why);
    gate_init(&cell->gate, &cell->options);
    cell->queue.most = cell->options.queue == CORDON_NONE ? 0 : cell->options.queue;
    if (r != 0) {
        cell_close(cell);
        return r;
    }
    *ret_cell = cell;
    return 0;
}
