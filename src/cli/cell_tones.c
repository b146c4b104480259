/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cell_tones.h"

#include <stdio.h>
#include <string.h>

enum tone cell_state_tone(const char *state)
{
    return strcmp(state, "ready") == 0      ? TONE_GOOD
           : strcmp(state, "starting") == 0 ? TONE_WARN
                                            : TONE_BAD;
}

enum tone cell_breaker_tone(const struct snapshot_cell *cell)
{
    return strcmp(cell->breaker, "open") == 0                                 ? TONE_BAD
           : strcmp(cell->breaker, "closed") == 0 && cell->breakers_open == 0 ? TONE_PLAIN
                                                                              : TONE_WARN;
}

enum tone worker_state_tone(const char *state)
{
    return strcmp(state, "busy") == 0                                     ? TONE_GOOD
           : strcmp(state, "dead") == 0                                   ? TONE_BAD
           : strcmp(state, "preparing") == 0                              ? TONE_WARN
           : strcmp(state, "empty") == 0 || strcmp(state, "closing") == 0 ? TONE_FAINT
                                                                          : TONE_PLAIN;
}

static bool serves(const struct snapshot_worker *worker)
{
    return strcmp(worker->state, "idle") == 0 || strcmp(worker->state, "busy") == 0;
}

uint64_t cell_workers_serving(const struct snapshot_cell *cell)
{
    uint64_t count = 0;
    for (size_t i = 0; i < cell->worker_count; i++) {
        count += serves(&cell->workers[i]);
    }
    return count;
}

const char *cell_workers_text(const struct snapshot_cell *cell, char text[CELL_WORKERS_BYTES])
{
    size_t shared = 0;
    size_t serving = 0;
    for (size_t i = 0; i < cell->worker_count; i++) {
        bool of_all = cell->workers[i].client_pid == 0;
        shared += of_all;
        serving += of_all && serves(&cell->workers[i]);
    }
    size_t own = cell->worker_count - shared;
    int used = snprintf(text, CELL_WORKERS_BYTES, "%zu/%zu", serving, shared);
    if (own > 0 && used > 0) {
        (void)snprintf(text + used, CELL_WORKERS_BYTES - (size_t)used, "+%zu", own);
    }
    return text;
}

const char *cell_breaker_text(const struct snapshot_cell *cell, char text[CELL_WORKERS_BYTES])
{
    if (strcmp(cell->breaker, "closed") == 0 && cell->breakers_open > 0) {
        (void)snprintf(text, CELL_WORKERS_BYTES, "%llu open",
                       (unsigned long long)cell->breakers_open);
        return text;
    }
    return cell->breaker;
}
