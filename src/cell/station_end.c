/* SPDX-License-Identifier: Apache-2.0 */
/* What a verdict means to a call. */
#include "cell/station_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cordon/outcome.h"
#include "lane/start.h"
#include "lane/verdict.h"

static void end_died(const struct station *station, const struct lane_death *death,
                     struct station_end *end)
{
    end->outcome = CORDON_CRASHED;
    if (station->local && death->code == CLD_EXITED) {
        end->exited = true;
        end->exit_status = death->status;
        (void)message_set(&end->why, 0,
                          "the library called %s in this process, and was kept from ending it; the "
                          "cell is poisoned and must be opened anew",
                          death->text);
        return;
    }
    if (station->local) {
        end->signal = death->status;
        (void)message_set(&end->why, 0,
                          "the library faulted in this process: %s; the cell is poisoned and must "
                          "be opened anew",
                          death->text);
        return;
    }
    /* A library may exit with any status: what the worker says of its own exit has to go with it. */
    enum lane_leaving leaving = lane_leaving(lane_peek_w(station->lane));
    if (death->code == CLD_EXITED && death->status == START_EXIT_BROKEN_LANE &&
        leaving == LANE_LEAVING_BROKEN) {
        (void)message_set(
            &end->why, 0,
            "the worker found no message in its lane's memory, into which the library "
            "may have written, and ended itself");
        return;
    }
    if (death->code == CLD_EXITED && death->status == START_EXIT_ABANDONED &&
        leaving == LANE_LEAVING_ABANDONED) {
        end->outcome = CORDON_ABORTED;
        (void)message_set(&end->why, 0,
                          "a callback could not be answered, and its prototype declares no failure "
                          "value, fails(...): it came too deep (LIMIT_DEPTH, %u), with more than "
                          "the lane holds (call_bytes), on a thread of the library without being "
                          "`anythread`, when it was not valid any more, or was an `escape`",
                          LIMIT_DEPTH);
        return;
    }
    if (death->code == CLD_EXITED) {
        end->exit_status = death->status;
        (void)message_set(&end->why, 0,
                          "the library ended its worker by exit with status %d during the call",
                          death->status);
        return;
    }
    end->signal = death->status;
    (void)message_set(&end->why, 0, "the worker was ended by signal %d (%s) during the call",
                      death->status, death->status ? strsignal(death->status) : "not known");
    if (death->status == SIGXCPU) {
        message_add(&end->why, ": its life's CPU time is over (cpu_ms)");
    }
    if (strstr(death->text, " address ")) {
        message_add(&end->why, ": %s", death->text);
    }
}

/*
 * The worker refused (its errno and sentence), or died while the library was loaded: a crash of the
 * library like any other.
 */
static void end_unstarted(const struct station *station, const struct lane_death *death,
                          struct station_end *end)
{
    if (death->code == 0) {
        end->outcome = death->status > 0 ? -death->status : -ENOEXEC;
    } else {
        end->outcome = CORDON_CRASHED;
        end->signal = death->code == CLD_EXITED ? 0 : death->status;
        end->exit_status = death->code == CLD_EXITED ? death->status : 0;
    }
    message_set_foreign(&end->why, death->text, sizeof death->text);
    const char *library = station->options.library;
    if (end->why.text[0] && library[0] && !strstr(end->why.text, library)) {
        /* Who only watched it does not know what was loaded. */
        char text[sizeof death->text];
        (void)snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, end->why.text);
        (void)message_set(&end->why, 0, "%s: %s", library, text);
    }
    if (end->outcome == -ETIMEDOUT) {
        message_add(&end->why, " (start_ms)");
    }
}

/* What the verdict means for call @seq, or any call before it. */
static void end_by_own_verdict(const struct station *station, uint32_t seq, struct station_end *end)
{
    uint32_t blamed = 0;
    struct lane_death death;
    enum lane_verdict verdict = lane_verdict(station->lane, &blamed, &death);
    *end = (struct station_end){.outcome = CORDON_ABORTED};
    switch (verdict) {
    case LANE_DIED:
        end_died(station, &death, end);
        break;
    case LANE_DEADLINE:
        if (blamed == seq) {
            end->outcome = CORDON_TIMEOUT;
            (void)message_set(&end->why, 0, "the deadline passed; %s",
                              station->local ? "its thread runs on, abandoned"
                                             : "the worker has been ended");
        } else {
            (void)message_set(&end->why, 0,
                              "a later call of the same worker passed its deadline and ended it");
        }
        break;
    case LANE_LIED:
        end->outcome = CORDON_CRASHED;
        (void)message_set(&end->why, 0, "the worker broke the protocol and has been ended");
        break;
    case LANE_FAILED:
        (void)message_set(&end->why, 0,
                          "a callback failed and its prototype declares no failure "
                          "value: fails(...); the worker has been ended");
        break;
    case LANE_KEEPER_LOST:
        (void)message_set(
            &end->why, 0, "%s",
            station->seat ? "the daemon, or its keeper process, was lost, and its workers with it"
                          : "the keeper process was lost, and its workers with it");
        break;
    case LANE_START_FAILED:
        end_unstarted(station, &death, end);
        break;
    case LANE_WORKER_DENIED:
        end->outcome = CORDON_DENIED;
        message_set_foreign(&end->why, death.text, sizeof death.text);
        if (!end->why.text[0]) {
            (void)message_set(&end->why, 0, "a forbidden act of the library ended the call");
        }
        break;
    case LANE_RECALLED:
        (void)message_set(&end->why, 0, "the daemon has taken the worker back (idle, or replaced)");
        break;
    case LANE_CLOSED:
    case LANE_ALIVE:
        (void)message_set(&end->why, 0, "the cell or session was closed");
        break;
    }
    if (verdict != LANE_LIED && (end->outcome == CORDON_CRASHED || end->outcome == CORDON_TIMEOUT ||
                                 end->outcome == CORDON_DENIED)) {
        end->report = station->report_id;
    }
}

/* A worker serves its calls in order: those behind the one that is blamed were never begun. */
void station_end_by_verdict(const struct station *station, uint32_t seq, struct station_end *end)
{
    uint32_t blamed = 0;
    enum lane_verdict verdict = lane_verdict(station->lane, &blamed, NULL);
    if (seq == 0 || blamed == 0 || !lane_seq_before(blamed, seq) || verdict == LANE_START_FAILED) {
        end_by_own_verdict(station, seq, end);
        end->unbegun = lane_unbegun(station->lane, seq);
        return;
    }
    *end = (struct station_end){.outcome = CORDON_ABORTED, .unbegun = true};
    (void)message_set(
        &end->why, 0, "%s",
        verdict != LANE_DEADLINE ? "an earlier call of the same worker ended it"
        : station->local ? "another call passed its deadline; the thread of both runs on, abandoned"
                         : "another call of the same worker passed its deadline and ended it");
}

void station_lane_ended(const struct station *station, struct station_end *ret_end)
{
    enum lane_verdict verdict = lane_verdict(station->lane, NULL, NULL);
    end_by_own_verdict(station, 0, ret_end);
    ret_end->unbegun = verdict == LANE_DIED || verdict == LANE_DEADLINE || verdict == LANE_LIED ||
                       verdict == LANE_KEEPER_LOST || verdict == LANE_RECALLED;
}
