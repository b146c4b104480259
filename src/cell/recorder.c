/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "invoke/engine.h"
#include "lane/identity.h"
#include "report/recording.h"

/*
 * How it works. Lanes number their calls from 1, one after the other, and so does this: a recorded call has the
 * number by which the report blames it. Of the arena there is a shadow, as it was recorded last: before
 * each request what differs from it, in used memory, goes into the recording.
 *
 * Secrets: which functions have some is known when they are bound. The first call of one ends the recording
 * and wipes it; in a session with an arena binding it does, since the secret may lie there already.
 */

#define BLOCK_BYTES 4096u

_Static_assert(RECORDING_WORDS_MAX == CORDON_PLAN_WORDS_MAX, "every call's words have a place");

struct recorder {
    struct recording *recording;
    uint32_t calls; /* top-level ones */
    bool over;
    const struct arena *arena; /* NULL: none */
    uint8_t *shadow;           /* of the arena, and as large */
    uint64_t secrets[LIMIT_FUNCTIONS / 64u];
};

int recorder_new(uint64_t bytes_max, uint32_t call_bytes, const struct arena *arena,
                 struct recorder **ret_recorder)
{
    struct recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder) {
        return -ENOMEM;
    }
    struct recording_wish wish = {.bytes_max = bytes_max,
                                  .identity = lane_identity(),
                                  .call_bytes = call_bytes,
                                  .arena_base = arena ? arena_base(arena) : 0,
                                  .arena_bytes = arena ? arena_bytes(arena) : 0};
    int r = recording_new(&wish, &recorder->recording);
    if (r == 0 && arena) {
        void *shadow = mmap(NULL, arena_bytes(arena), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        r = shadow == MAP_FAILED ? -errno : 0;
        recorder->shadow = r == 0 ? shadow : NULL;
        recorder->arena = arena;
    }
    if (r != 0) {
        recorder_free(recorder);
        return r;
    }
    *ret_recorder = recorder;
    return 0;
}

void recorder_free(struct recorder *recorder)
{
    if (!recorder) {
        return;
    }
    if (recorder->shadow) {
        (void)munmap(recorder->shadow, arena_bytes(recorder->arena));
    }
    recording_free(recorder->recording);
    free(recorder);
}

int recorder_peek_fd(const struct recorder *recorder)
{
    return recording_peek_fd(recorder->recording);
}

static void stop(struct recorder *recorder, enum recording_stop why, uint32_t call)
{
    recording_stop(recorder->recording, why, call);
    recorder->over = true;
}

static void add(struct recorder *recorder, const struct recording_entry *entry,
                const uint64_t *words, const void *bytes)
{
    if (!recorder->over && recording_add(recorder->recording, entry, words, bytes) != 0) {
        stop(recorder, RECORDING_FULL, entry->call);
    }
}

/* ---- Arena ------------------------------------------------------------------------------------- */

struct look {
    struct recorder *recorder;
    uint32_t call;
};

static void add_changed(const struct look *look, size_t at, size_t bytes)
{
    struct recorder *recorder = look->recorder;
    uint8_t *shadow = recorder->shadow + at;
    /* The worker may write it meanwhile: the shadow is what is recorded, and is copied once. */
    memcpy(shadow, (const uint8_t *)arena_base(recorder->arena) + at, bytes);
    struct recording_entry entry = {
        .kind = RECORDING_ARENA, .call = look->call, .number = at, .byte_count = (uint32_t)bytes};
    add(recorder, &entry, NULL, shadow);
}

/* Blocks that differ, neighbours in one entry. */
static int look_at(void *context, size_t at, size_t bytes)
{
    const struct look *look = context;
    const uint8_t *now = (const uint8_t *)arena_base(look->recorder->arena);
    size_t end = at + bytes;
    size_t from = at;
    for (size_t next; at < end && !look->recorder->over; at = next) {
        next = (at / BLOCK_BYTES + 1) * BLOCK_BYTES;
        next = next < end ? next : end;
        if (memcmp(now + at, look->recorder->shadow + at, next - at) == 0) {
            if (from < at) {
                add_changed(look, from, at - from);
            }
            from = next;
        } else if (next - from >= RECORDING_BYTES_MAX / 2) {
            stop(look->recorder, RECORDING_FULL, look->call);
        }
    }
    if (from < end && !look->recorder->over) {
        add_changed(look, from, end - from);
    }
    return look->recorder->over ? -ENOSPC : 0;
}

static void add_arena(struct recorder *recorder, uint32_t call)
{
    struct look look = {.recorder = recorder, .call = call};
    int r = recorder->arena ? arena_visit(recorder->arena, look_at, &look) : 0;
    if (r != 0 && !recorder->over) {
        stop(recorder, RECORDING_NO_ARENA, call);
    }
}

/* ---- Secrets ----------------------------------------------------------------------------------- */

static bool bind_has_secrets(const struct station_request *request)
{
    const struct plan *plan;
    return plan_validate(request->room->request, request->request_bytes, &plan, NULL) == 0 &&
           plan_has_secrets(plan);
}

/* Must nothing be kept from this request on? */
static bool is_secret(struct recorder *recorder, const struct station_request *request)
{
    uint32_t id = request->function_id;
    if (id == ENGINE_BIND && request->room && bind_has_secrets(request)) {
        uint64_t bound = request->words[0];
        if (bound >= LIMIT_FUNCTIONS || recorder->arena) {
            return true;
        }
        recorder->secrets[bound / 64] |= 1ull << (bound % 64);
    }
    return id < LIMIT_FUNCTIONS && (recorder->secrets[id / 64] >> (id % 64) & 1) != 0;
}

/* ---- What is said ------------------------------------------------------------------------------ */

void recorder_call(struct recorder *recorder, const struct station_request *request, uint32_t outer)
{
    uint32_t call = outer ? outer : recorder->calls + 1;
    recorder->calls += outer ? 0 : 1;
    if (recorder->over) {
        return;
    }
    if (is_secret(recorder, request)) {
        stop(recorder, RECORDING_SECRET, call);
        return;
    }
    add_arena(recorder, call);
    uint64_t now_ns = clock_now_ns();
    uint64_t left_ns = request->deadline_ns > now_ns ? request->deadline_ns - now_ns : 0;
    uint32_t words =
        request->word_count < RECORDING_WORDS_MAX ? request->word_count : RECORDING_WORDS_MAX;
    struct recording_entry entry = {
        .kind = RECORDING_CALL,
        .call = call,
        .function = request->function_id,
        .flags = outer ? (uint32_t)RECORDING_NESTED : 0u,
        .reply_fixed = request->reply_fixed,
        .reply_bytes_max = request->reply_bytes_max,
        .number = request->deadline_ns == CLOCK_NEVER ? CLOCK_NEVER : left_ns,
        .word_count = words,
        .byte_count = request->room ? request->request_bytes : 0,
    };
    add(recorder, &entry, request->words, request->room ? request->room->request : NULL);
}

void recorder_unsent(struct recorder *recorder, uint32_t outer)
{
    struct recording_entry entry = {.kind = RECORDING_UNSENT,
                                    .call = outer ? outer : recorder->calls,
                                    .flags = outer ? (uint32_t)RECORDING_NESTED : 0u};
    recorder->calls -= outer ? 0 : 1;
    add(recorder, &entry, NULL, NULL);
}

void recorder_return(struct recorder *recorder, uint32_t seq, bool nested,
                     const struct station_reply *reply, uint32_t out_words)
{
    uint32_t words = out_words < RECORDING_WORDS_MAX ? out_words : RECORDING_WORDS_MAX;
    struct recording_entry entry = {.kind = RECORDING_RETURN,
                                    .call = seq,
                                    .flags = nested ? (uint32_t)RECORDING_NESTED : 0u,
                                    .status = reply->status,
                                    .error_number = reply->error_number,
                                    .word_count = reply->status == 0 ? words : 0};
    add(recorder, &entry, reply->words, NULL);
}

void recorder_callback(struct recorder *recorder, uint32_t seq,
                       const struct station_callback *callback)
{
    uint32_t words = callback->words ? callback->word_count : 0;
    struct recording_entry entry = {
        .kind = RECORDING_CALLBACK,
        .call = seq,
        .function = callback->id,
        .status = callback->error,
        .reply_bytes_max = callback->reply_bytes_max,
        .word_count = words < RECORDING_WORDS_MAX ? words : RECORDING_WORDS_MAX,
        .byte_count = callback->frame ? callback->frame_bytes : 0,
    };
    add(recorder, &entry, callback->words, callback->frame);
}

void recorder_answer(struct recorder *recorder, uint32_t seq, int failed,
                     const struct station_callback *callback)
{
    struct recording_entry entry = {.kind = RECORDING_ANSWER, .call = seq, .status = failed};
    if (failed == 0) {
        entry.word_count = callback->reply_word_count;
        entry.byte_count = callback->reply_bytes;
    }
    add(recorder, &entry, callback->reply_words, callback->reply);
}
