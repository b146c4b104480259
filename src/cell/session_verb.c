/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of a session to the engine of its worker. */
#include "cell/session.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cell/batch.h"
#include "cell/call.h"
#include "cell/refusal.h"

#define VERB_ROOM 4096u

static int verb_reply(struct session_verb *verb, const struct station_reply *reply,
                      struct message *why)
{
    if (reply->status != 0) {
        return refusal(reply, "a request", why);
    }
    memcpy(verb->reply_words, reply->words, sizeof verb->reply_words);
    verb->reply_bytes =
        reply->reply_bytes < verb->reply_room ? reply->reply_bytes : verb->reply_room;
    for (uint32_t i = 0; i < verb->reply_bytes; i++) {
        ((uint8_t *)verb->reply)[i] = reply->reply[i];
    }
    return 0;
}

static int verb_exchange(struct cordon_session *session, struct session_verb *verb,
                         const struct station_room *room, uint64_t deadline_ns, struct message *why)
{
    struct engine_reply done;
    struct station_ticket ticket = {.done = &done};
    bool nested = session->depth > 0;
    if (nested && !session->call) {
        return message_set(why, -EDEADLK, "nothing can be asked of the worker from here");
    }
    if (nested && session->call->deadline_ns < deadline_ns) {
        deadline_ns = session->call->deadline_ns;
    }
    struct station_request request = {.function_id = verb->verb,
                                      .word_count = 5,
                                      .words = verb->words,
                                      .room = room,
                                      .request_bytes = verb->byte_count,
                                      .reply_bytes_max = room->reply_bytes,
                                      .deadline_ns = deadline_ns};
    int r = nested ? station_submit_nested(session->station, &request, session->call->ticket.seq,
                                           &ticket)
                   : station_submit(session->station, &request, true, &ticket);
    if (r == -EPIPE) {
        struct station_end end; /* it ended before: a library that does not load, say */
        station_ended(session->station, &end);
        session->unbegun = end.unbegun;
        if (why) {
            *why = end.why;
        }
        return end.outcome;
    }
    if (r != 0) {
        return message_set(why, r, "cannot reach the worker: %s", strerror(-r));
    }
    if (session->depth == 0) {
        (void)batch_settle_all(session, deadline_ns);
    }
    struct station_reply reply;
    struct station_end end;
    r = station_await(session->station, &ticket, 3, CLOCK_NEVER, deadline_ns, &reply, &end);
    if (r == STATION_REPLIED) {
        r = verb_reply(verb, &reply, why);
    } else {
        r = end.outcome;
        session->unbegun = end.unbegun;
        if (why) {
            *why = end.why;
        }
    }
    if (session->depth == 0) {
        station_collect(session->station, &ticket);
    }
    return r;
}

int session_verb(struct cordon_session *session, struct session_verb *verb, uint64_t deadline_ns,
                 struct message *why)
{
    struct station_room room;
    session->unbegun = false;
    uint32_t reply_bytes = verb->reply_room > VERB_ROOM ? verb->reply_room : VERB_ROOM;
    int r = station_room_new(session->station, verb->byte_count + 1, reply_bytes, &room);
    if (r != 0) {
        return message_set(why, r, "no room for %u bytes beside the calls in flight",
                           verb->byte_count);
    }
    if (verb->byte_count > 0) {
        memcpy(room.request, verb->bytes, verb->byte_count);
    }
    r = verb_exchange(session, verb, &room, deadline_ns, why);
    station_room_free(session->station, &room);
    return r;
}
