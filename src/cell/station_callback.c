/* SPDX-License-Identifier: Apache-2.0 */
/* Callbacks that come over a lane: copied, answered, sent back. */
#include "cell/station_internal.h"

#include <errno.h>
#include <string.h>

#include "cell/recorder.h"

/* A private copy of the callback's frame: what is judged next must not change. */
static int copy_frame(struct station *station, const struct lane_event *event,
                      struct station_callback *callback)
{
    uint32_t at = (uint32_t)event->words[0];
    uint32_t bytes = (uint32_t)(event->words[0] >> 32);
    callback->word_count = (uint32_t)(event->words[1] >> 32);
    callback->reply_bytes_max = (uint32_t)event->words[1];
    if (bytes == 0) {
        callback->words = event->words + 2;
        return callback->word_count <= LANE_WORDS - 2 ? 0 : -EBADMSG;
    }
    uint8_t *copy = station_buffer(&station->frames[station->depth], bytes);
    if (!copy) {
        return -ENOMEM;
    }
    struct lane_room place = {.w_at = at, .w_bytes = bytes};
    const volatile uint8_t *source = lane_room_w(station->lane, &place);
    memcpy(copy, (const uint8_t *)(uintptr_t)source, bytes);
    __asm__ volatile("" ::: "memory"); /* the copy is judged, the source is never looked at again */
    struct frame_header header;
    if (bytes < sizeof header) {
        return -EBADMSG;
    }
    memcpy(&header, copy, sizeof header);
    if (header.word_count > CORDON_PLAN_WORDS_MAX ||
        sizeof header + header.word_count * sizeof(uint64_t) > bytes) {
        return -EBADMSG;
    }
    callback->word_count = header.word_count;
    callback->words = (const uint64_t *)(const void *)(copy + sizeof header);
    callback->frame = copy;
    callback->frame_bytes = bytes;
    return 0;
}

/* The answer's message; words beyond five need none of them to be a place. */
static int fill_answer(struct lane_message *message, int failed,
                       const struct station_callback *callback, const struct lane_room *room)
{
    *message = (struct lane_message){.verb = LANE_CALLBACK_RETURN};
    if (failed != 0) {
        message->status_bytes = (uint64_t)(uint32_t)-ECANCELED << 32;
        return 0;
    }
    uint32_t mailed =
        callback->reply_word_count < LANE_WORDS ? callback->reply_word_count : LANE_WORDS;
    if (callback->reply_bytes > 0) {
        if (callback->reply_word_count == LANE_WORDS) {
            return -ENOTSUP;
        }
        mailed = mailed < LANE_WORDS - 1 ? mailed : LANE_WORDS - 1;
        message->words[LANE_WORDS - 1] = lane_place(room->h_at, callback->reply_bytes);
    }
    memcpy(message->words, callback->reply_words, mailed * sizeof message->words[0]);
    message->status_bytes = callback->reply_bytes;
    return 0;
}

void station_answer_callback(struct station *station, uint32_t seq, const struct lane_event *event,
                             struct lane_room *ret_room, bool *ret_has_room)
{
    struct station_callback callback = {.id = event->tag};
    int failed = station->depth < LIMIT_DEPTH ? copy_frame(station, event, &callback) : -E2BIG;
    if (failed == -EBADMSG) {
        station_lane_condemn(station, LANE_LIED, seq);
        return;
    }
    if (failed == 0 && callback.reply_bytes_max > 0) {
        failed = lane_room_new(station->lane, callback.reply_bytes_max, 0, ret_room) ? -E2BIG : 0;
        *ret_has_room = failed == 0;
        callback.reply = failed == 0 ? lane_room_h(station->lane, ret_room) : NULL;
    }
    callback.error = failed;
    if (station->recorder) {
        recorder_callback(station->recorder, seq, &callback);
    }
    station->depth++;
    failed = station->options.answer(station->options.answer_context, &callback);
    station->depth--;
    struct lane_message message;
    callback.error =
        failed == -ECONNABORTED ? 0 : fill_answer(&message, failed, &callback, ret_room);
    if (callback.error != 0) {
        failed = station->options.answer(station->options.answer_context, &callback);
        (void)fill_answer(&message, failed, &callback, ret_room);
    }
    if (station->recorder) {
        recorder_answer(station->recorder, seq, failed, &callback);
    }
    if (failed == -ECONNABORTED) {
        station_lane_condemn(station, LANE_FAILED, seq);
        return;
    }
    (void)lane_continue(station->lane, seq, &message); /* broken meanwhile: the next wait tells */
}
