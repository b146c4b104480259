/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/inquiry.h"
#include "cli/plain.h"

#define AGAIN_NS   (500 * CLOCK_MS_NS)    /* between tries to connect */
#define CONNECT_NS (100 * CLOCK_MS_NS)    /* most that one of them takes */
#define QUIET_NS   (2 * CLOCK_SECOND_NS)  /* an answer that takes longer is told of */
#define LOST_NS    (10 * CLOCK_SECOND_NS) /* ... and is not waited for any more */
#define NO_METHOD  (-32601)

void source_deinit(struct source *source)
{
    dialogue_close(&source->dialogue);
    snapshot_free(source->before);
    snapshot_free(source->now);
}

/* Whatever it was: begin anew in a moment. */
static bool lose(struct source *source)
{
    uint64_t now_ns = clock_now_ns();
    dialogue_close(&source->dialogue);
    source->asked = ASKED_NOTHING;
    source->next_ns = now_ns + AGAIN_NS;
    source->trouble_ns = source->trouble_ns != 0 ? source->trouble_ns : now_ns;
    return true;
}

static void recover(struct source *source)
{
    source->trouble_ns = 0;
    source->trouble.text[0] = '\0';
}

/* ---- Answers ----------------------------------------------------------------------------------- */

static bool take_stats(struct source *source, const struct dialogue_answer *answer)
{
    struct snapshot *snapshot = NULL;
    if (answer->code != 0) {
        (void)message_set(&source->trouble, 0, "cordon.stats is refused: ");
        char text[256];
        (void)plain_copy(text, sizeof text, answer->message, strlen(answer->message));
        message_add(&source->trouble, "%s", text);
        return lose(source);
    }
    if (snapshot_take(answer->result, &snapshot, &source->trouble) != 0) {
        return lose(source);
    }
    snapshot_free(source->before);
    source->before = source->now;
    source->now = snapshot;
    if (source->before && source->before->pid != snapshot->pid) {
        snapshot_free(source->before);
        source->before = NULL;
        source->restarts++;
    }
    recover(source);
    source->reports_due = *source->reports_cell != '\0';
    return true;
}

static void report_text(struct json_value report, const char *key, char *text, size_t room)
{
    struct json_value value = json_value_get(report, key);
    size_t length = 0;
    const char *foreign =
        json_value_kind(value) == JSON_KIND_STRING ? json_value_string(value, &length) : "";
    (void)plain_copy(text, room, foreign, length);
}

/* "2026-11-23T12:13:54.721Z": nobody reads thousandths here. */
static void shorten_time(char *text)
{
    char *point = strchr(text, '.');
    if (point && point[1] != '\0') {
        (void)memcpy(point, "Z", 2);
    }
}

static bool take_reports(struct source *source, const struct dialogue_answer *answer)
{
    struct json_walk walk = json_walk(answer->result);
    struct json_value report;
    source->report_count = 0;
    source->reports_known = true;
    source->reports_trouble.text[0] = '\0';
    if (answer->code != 0) {
        char text[256];
        (void)plain_copy(text, sizeof text, answer->message, strlen(answer->message));
        (void)message_set(&source->reports_trouble, 0, "%s",
                          answer->code == NO_METHOD ? "this daemon tells no reports" : text);
        return true;
    }
    while (source->report_count < SOURCE_REPORTS && json_walk_next(&walk, &report)) {
        struct source_report *one = &source->reports[source->report_count++];
        report_text(report, "id", one->id, sizeof one->id);
        report_text(report, "when", one->when, sizeof one->when);
        shorten_time(one->when);
        report_text(report, "what", one->what, sizeof one->what);
        report_text(report, "function", one->function, sizeof one->function);
        report_text(report, "summary", one->summary, sizeof one->summary);
    }
    return true;
}

static bool take_answer(struct source *source, const char *text, size_t length)
{
    struct dialogue_answer answer;
    struct json_value root;
    int asked = source->asked;
    int r = dialogue_parse(&source->dialogue, text, length, &root, &source->trouble);
    r = r == 0 ? dialogue_judge(root, &answer, &source->trouble) : r;
    if (r == 0 && asked == ASKED_NOTHING) {
        r = message_set(&source->trouble, -EBADMSG, "the daemon answers what nobody asked");
    }
    if (r != 0) {
        return lose(source);
    }
    source->asked = ASKED_NOTHING;
    return asked == ASKED_STATS ? take_stats(source, &answer) : take_reports(source, &answer);
}

static bool receive(struct source *source)
{
    const char *text;
    size_t length;
    struct message why;
    int r = dialogue_receive(&source->dialogue, 0, &text, &length, &why);
    if (r == 0) {
        return take_answer(source, text, length);
    }
    uint64_t waited_ns = clock_now_ns() - source->asked_ns;
    bool waits = source->asked != ASKED_NOTHING && waited_ns > QUIET_NS;
    if (r == -ETIMEDOUT && (!waits || waited_ns <= LOST_NS)) {
        bool first = waits && source->trouble_ns == 0;
        if (first) {
            source->trouble = why;
            source->trouble_ns = clock_now_ns();
        }
        return first;
    }
    source->trouble = why;
    return lose(source);
}

/* ---- Questions --------------------------------------------------------------------------------- */

static bool ask(struct source *source, int what, const char *method, const char *params)
{
    struct message why;
    uint64_t now_ns = clock_now_ns();
    int r = dialogue_request(&source->dialogue, method, params, 0, now_ns + CONNECT_NS, &why);
    source->asked_ns = now_ns;
    if (r != 0 && r != -EPIPE) { /* closed: it may have said why */
        source->trouble = why;
        return lose(source);
    }
    source->asked = what;
    return false;
}

static bool ask_reports(struct source *source)
{
    char *cell = inquiry_params("cell", source->reports_cell);
    source->reports_due = false;
    bool changed = cell && ask(source, ASKED_REPORTS, "cordon.reports", cell);
    free(cell);
    return changed;
}

/* Times of asking lie on a grid, so that an interval is one. */
static void plan_next(struct source *source, uint64_t now_ns)
{
    source->next_ns += source->interval_ns;
    if (source->next_ns <= now_ns) {
        source->next_ns = now_ns + source->interval_ns;
    }
}

static bool connect_again(struct source *source, uint64_t now_ns)
{
    struct message why;
    if (dialogue_open(&source->dialogue, source->socket, now_ns + CONNECT_NS, &why) != 0) {
        source->trouble = why;
        return lose(source);
    }
    source->next_ns = now_ns;
    return true;
}

bool source_turn(struct source *source)
{
    uint64_t now_ns = clock_now_ns();
    bool changed = false;
    if (!source->dialogue.open && now_ns >= source->next_ns) {
        changed = connect_again(source, now_ns);
    }
    if (source->dialogue.open) {
        changed = receive(source) || changed;
    }
    if (source->dialogue.open && source->asked == ASKED_NOTHING) {
        if (source->reports_due) {
            changed = ask_reports(source) || changed;
        } else if (now_ns >= source->next_ns) {
            plan_next(source, now_ns);
            changed = ask(source, ASKED_STATS, "cordon.stats", NULL) || changed;
        }
    }
    return changed;
}

uint64_t source_due_ns(const struct source *source)
{
    return source->asked != ASKED_NOTHING ? clock_after_ns(QUIET_NS / 4) : source->next_ns;
}

int source_fd(const struct source *source)
{
    return source->dialogue.open ? source->dialogue.fd : -1;
}

void source_want_reports(struct source *source, const char *cell)
{
    if (cell && strcmp(cell, source->reports_cell) == 0) {
        return;
    }
    (void)snprintf(source->reports_cell, sizeof source->reports_cell, "%s", cell ? cell : "");
    source->reports_due = cell != NULL && *cell != '\0';
    source->reports_known = false;
    source->report_count = 0;
}
