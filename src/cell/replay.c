/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cell/replay_internal.h"
#include "cordon/outcome.h"
#include "lane/identity.h"
#include "library/library.h"

/*
 * How it works. The recording is sorted by top-level call, and those are made one after the other, also where
 * they were in flight together: a worker serves them in this order anyway. Within a call the entries are what
 * happened, in order, and a cursor goes along: when the fresh worker calls back, the next entry should be
 * that callback; calls from inside it are made again, and it gets its answer. What comes otherwise is a
 * difference, told and gone over as far as that makes sense: a callback too many ends the worker, one too
 * few is passed over.
 *
 * Requests are sent as they were, byte for byte, but for the words that are handles (replay_words.h). Nothing of
 * the recording is believed by the fresh worker either: it judges requests as always.
 */

static void *resolve(void *context, const char *symbol)
{
    return library_find(context, symbol);
}

static int open_station(struct replay *replay, struct message *why)
{
    struct cordon_cell *cell = replay->cell;
    struct station_options options = {
        .level = cell->options.level,
        .policy = &cell->policy,
        .library = cell->options.library,
        .keeper = cell->keeper,
        .resolve_context = cell->library,
        .resolve = resolve,
        .arena = replay->arena,
        .call_bytes = cell->options.call_bytes,
        .start_timeout_ns = cell->options.start_ms * CLOCK_MS_NS,
        .without = cell->options.without,
        .reporting = &cell->reporting,
        .answer = replay_answer,
        .answer_context = replay,
    };
    return station_open(&options, &replay->station, why);
}

static int open_arena(struct replay *replay, struct message *why)
{
    const struct recording_header *header = &replay->view.header;
    if (header->arena_bytes == 0) {
        return 0;
    }
    if (header->arena_bytes > LIMIT_ARENA_BYTES || header->arena_bytes % 4096 != 0 ||
        header->arena_base % 4096 != 0 || header->arena_base == 0 ||
        header->arena_base > UINTPTR_MAX / 2 - header->arena_bytes) {
        return message_set(why, -EBADMSG, "the recording's arena cannot be one");
    }
    int r = arena_open_at(header->arena_base, header->arena_bytes,
                          replay->cell->options.level == CORDON_LEVEL_PROCESS, &replay->arena);
    return r < 0 ? message_set(why, r, "its arena cannot lie where it lay, at %#llx: %s",
                               (unsigned long long)header->arena_base, strerror(-r))
                 : 0;
}

static int open_all(struct replay *replay, struct message *why)
{
    const struct cordon_replay_options *options = replay->options;
    int r = recording_view_init(&replay->view, options->recording, options->recording_bytes);
    if (r < 0) {
        return message_set(why, r, "the recording is not sound");
    }
    if (replay->view.header.identity != lane_identity()) {
        return message_set(why, -EPROTO, "it was recorded by another build of Cordon");
    }
    replay->words = calloc(1, sizeof *replay->words);
    if (!replay->words) {
        return message_set(why, -ENOMEM, "not enough memory");
    }
    r = open_arena(replay, why);
    return r < 0 ? r : open_station(replay, why);
}

static int run_all(struct replay *replay, struct message *why)
{
    uint32_t last = replay->options->until;
    if (last > replay->view.calls || replay->view.calls == 0) {
        return message_set(why, -EBADMSG, "the recording has %u calls, not %u", replay->view.calls,
                           last);
    }
    last = last ? last : replay->view.calls;
    int r = 0;
    for (replay->call = 1; replay->call <= last && r == 0; replay->call++) {
        replay->at = replay->view.parts + replay->view.first[replay->call];
        replay->end = replay->view.parts + replay->view.first[replay->call + 1];
        r = replay_call(replay, false, why);
    }
    return r < 0 ? r : 0;
}

int replay_recording(struct cordon_cell *cell, const struct cordon_replay_options *options,
                     struct cordon_replay_result *ret_result, struct message *why)
{
    struct replay replay = {.cell = cell, .options = options, .result = ret_result};
    *ret_result = (struct cordon_replay_result){.outcome = CORDON_DONE};
    int r = cell_usable(cell, why);
    r = r > 0 ? outcome_errno(r) : r;
    r = r == 0 ? open_all(&replay, why) : r;
    r = r == 0 ? run_all(&replay, why) : r;
    station_close(replay.station, true);
    arena_close(replay.arena);
    if (replay.words) {
        free(replay.words->pairs);
    }
    free(replay.words);
    recording_view_deinit(&replay.view);
    return r;
}
