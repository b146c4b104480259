/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/station_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "cell/reporting.h"
#include "cordon/outcome.h"
#include "lane/verdict.h"

/* A callback arrives from the engine, on this thread: the session answers it. */
static int inline_ask(void *context, struct engine_exchange *exchange)
{
    struct station *station = context;
    bool deep = station->depth >= LIMIT_DEPTH;
    uint32_t room = exchange->request.reply_bytes_max;
    uint8_t *reply = room && !deep ? station_buffer(&station->answers[station->depth], room) : NULL;
    struct station_callback callback = {
        .id = exchange->callback_id,
        .word_count = exchange->request.word_count,
        .words = exchange->request.words,
        .frame = exchange->request.frame_bytes ? exchange->frame : NULL,
        .frame_bytes = exchange->request.frame_bytes,
        .reply_bytes_max = room,
        .reply = reply,
        .error = deep             ? -E2BIG
                 : room && !reply ? -ENOMEM
                                  : 0,
    };
    station->depth++;
    int r = station->options.answer(station->options.answer_context, &callback);
    station->depth--;
    if (r != 0) {
        return -ECANCELED;
    }
    memcpy(exchange->reply_words, callback.reply_words,
           callback.reply_word_count * sizeof callback.reply_words[0]);
    exchange->reply = callback.reply_bytes ? callback.reply : NULL;
    exchange->reply_bytes = callback.reply_bytes;
    return 0;
}

static void inline_ring(void *context)
{
    const struct station *station = context;
    if (station->event_fd >= 0) {
        lane_ring_event(station->event_fd);
    }
}

int station_inline_open(struct station *station, struct message *why)
{
    size_t bytes = 2 * (size_t)station->options.call_bytes;
    if (station->options.events) {
        station->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (station->event_fd < 0) {
            return message_set(why, -errno, "no event descriptor: %s", strerror(errno));
        }
    }
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return message_set(why, -errno, "no address space for calls of %u bytes",
                           station->options.call_bytes);
    }
    station->memory = memory;
    (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
    if (station->options.reporting && station->options.reporting->card) {
        station->page = aligned_alloc(LANE_LINE, sizeof *station->page);
    }
    if (station->page) {
        memset(station->page, 0, sizeof *station->page);
    }
    const struct arena *arena = station->options.arena;
    struct inline_worker_options options = {
        .resolve_context = station->options.resolve_context,
        .resolve = station->options.resolve,
        .arena = {arena ? arena_base(arena) : 0, arena ? arena_bytes(arena) : 0},
        .seen = station->page != NULL,
        .ask = inline_ask,
        .ring = inline_ring,
        .ask_context = station,
    };
    return inline_worker_new(&options, &station->engine, why);
}

void station_inline_close(struct station *station)
{
    inline_worker_free(station->engine);
    free(station->page);
    if (station->memory) {
        (void)munmap(station->memory, 2 * (size_t)station->options.call_bytes);
    }
}

static void note_fault(struct station *station, int end, const struct fault *fault)
{
    station->broken = true;
    station->end = (struct station_end){.outcome = CORDON_ABORTED};
    if (end == INLINE_FAULTED) {
        station->end.outcome = CORDON_CRASHED;
        station->end.signal = fault->signal;
        char what[128];
        fault_describe(fault, what, sizeof what);
        if (fault->exited) {
            station->end.exited = true;
            station->end.exit_status = fault->status;
            (void)message_set(&station->end.why, 0,
                              "the library called %s in this process, and was kept from ending it; "
                              "the cell is poisoned and must be opened anew",
                              what);
            return;
        }
        (void)message_set(&station->end.why, 0,
                          "the library faulted in this process: %s; the cell is poisoned and must "
                          "be opened anew",
                          what);
        return;
    }
    (void)message_set(&station->end.why, 0,
                      "a callback failed and its prototype declares no failure value: fails(...)");
}

/* As a lane would record it, for reports. Relaxed throughout: read by this thread alone. */
static uint32_t record_call(struct lane_host_page *page, const struct station_request *request)
{
    uint32_t seq = atomic_load_explicit(&page->submitted, memory_order_relaxed) + 1;
    struct lane_record *record = &page->record[lane_slot_of(seq)];
    uint64_t words[LANE_WORDS] = {0};
    uint32_t count = 0;
    if (request->room) {
        words[count++] = lane_place(request->room->lane.h_at, request->request_bytes);
        words[count++] = lane_place(request->room->lane.w_at, request->reply_bytes_max);
    }
    for (uint32_t i = 0; i < request->word_count && count < LANE_WORDS; i++) {
        words[count++] = request->words[i];
    }
    atomic_store_explicit(&record->deadline_ns, request->deadline_ns, memory_order_relaxed);
    atomic_store_explicit(&record->function_id, request->function_id, memory_order_relaxed);
    for (uint32_t i = 0; i < LANE_WORDS; i++) {
        atomic_store_explicit(&record->words[i], words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&page->submitted, seq, memory_order_relaxed);
    return seq;
}

int station_inline_execute(struct station *station, const struct station_request *request,
                           struct station_ticket *ticket)
{
    if (station->broken) {
        return -EPIPE;
    }
    struct engine_request order = {
        .function_id = request->function_id,
        .word_count = request->word_count,
        .words = request->words,
        .bytes = request->request_bytes ? request->room->request : NULL,
        .byte_count = request->request_bytes,
        .reply = request->room
                     ? station->memory + station->options.call_bytes + request->room->lane.w_at
                     : NULL,
        .reply_fixed = request->reply_fixed,
        .reply_bytes_max = request->reply_bytes_max,
    };
    struct fault fault = {0};
    uint32_t seq = station->page ? record_call(station->page, request) : 0;
    ticket->seq = 0;
    ticket->room = request->room;
    ticket->reply_bytes_max = request->reply_bytes_max;
    int end = inline_worker_execute(station->engine, &order, ticket->done, &fault);
    if (end != INLINE_DONE) {
        station->fault_seq = station->fault_seq ? station->fault_seq : seq;
        note_fault(station, end, &fault);
        ticket->done->status = INT32_MIN; /* no reply: see station->end */
    }
    return 0;
}
