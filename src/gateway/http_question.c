/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http_question.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/exposition.h"
#include "gateway/gateway.h"
#include "gateway/http_library.h"
#include "gateway/metrics.h"
#include "gateway/stats.h"

static void push(struct question **list, struct question *question)
{
    question->previous = NULL;
    question->next = *list;
    if (question->next) {
        question->next->previous = question;
    }
    *list = question;
}

static void unlink_from(struct question **list, struct question *question)
{
    if (question->next) {
        question->next->previous = question->previous;
    }
    if (question->previous) {
        question->previous->next = question->next;
    } else {
        *list = question->next;
    }
}

/* One user less of all; the last one is always in the loop, since its ring is closed there. */
static void leave(struct questions *questions)
{
    (void)pthread_mutex_lock(&questions->lock);
    bool last = --questions->users == 0;
    (void)pthread_mutex_unlock(&questions->lock);
    if (last) {
        (void)pthread_mutex_destroy(&questions->lock);
        questions->gone(questions);
    }
}

static void drop(struct question *question)
{
    struct questions *questions = question->questions;
    (void)pthread_mutex_lock(&questions->lock);
    bool last = --question->users == 0;
    (void)pthread_mutex_unlock(&questions->lock);
    if (last) {
        json_out_deinit(&question->text);
        free(question->cell);
        free(question);
        leave(questions);
    }
}

/* ---- HTTP's thread ------------------------------------------------------------------------------ */

struct question *question_new(struct questions *questions, enum question_kind kind)
{
    struct question *question = calloc(1, sizeof *question);
    if (question) {
        question->kind = kind;
        question->questions = questions;
        question->users = 1;
        (void)pthread_mutex_lock(&questions->lock);
        questions->users++;
        (void)pthread_mutex_unlock(&questions->lock);
    }
    return question;
}

bool question_put(struct question *question, struct MHD_Connection *connection)
{
    struct questions *questions = question->questions;
    (void)pthread_mutex_lock(&questions->lock);
    bool stopped = questions->stopped;
    if (!stopped) {
        question->connection = connection;
        question->users++;
        http_library.suspend_connection(
            connection); /* before the loop can see it, and have it go on */
        push(&questions->fresh, question);
        (void)uv_async_send(&questions->ring);
    }
    (void)pthread_mutex_unlock(&questions->lock);
    return !stopped;
}

void question_free(struct question *question)
{
    drop(question);
}

/* ---- The loop ----------------------------------------------------------------------------------- */

/* Its connection goes on. */
static void settle(struct question *question, int result)
{
    (void)pthread_mutex_lock(&question->questions->lock);
    question->result = question->text.failed ? -ENOMEM : result;
    question->is_answered = true;
    (void)pthread_mutex_unlock(&question->questions->lock);
    http_library.resume_connection(question->connection);
}

static void on_report(void *context, int result, struct json_out *json)
{
    struct question *question = context;
    struct questions *questions = question->questions;
    if (!question->is_answered) { /* else by a stop */
        (void)pthread_mutex_lock(&questions->lock);
        unlink_from(&questions->open, question);
        (void)pthread_mutex_unlock(&questions->lock);
        question->text = *json;
        *json = (struct json_out){0};
        settle(question, result);
    }
    drop(question);
}

static int ask_for_reports(struct question *question)
{
    struct questions *questions = question->questions;
    question->wish.cell = question->cell;
    int r = reports_ask(questions->gateway, &question->wish, on_report, question);
    if (r == 0) {
        (void)pthread_mutex_lock(&questions->lock);
        push(&questions->open, question);
        (void)pthread_mutex_unlock(&questions->lock);
    }
    return r;
}

static void look_at(struct question *question)
{
    const struct gateway *gateway = question->questions->gateway;
    struct exposition x = {.out = &question->text, .is_openmetrics = question->is_openmetrics};
    int r = 0;
    switch (question->kind) {
    case QUESTION_METRICS:
        metrics_write(gateway, &x);
        break;
    case QUESTION_STATS:
        stats_write(gateway, NULL, &question->text);
        break;
    case QUESTION_REPORTS:
        r = ask_for_reports(question);
        if (r == 0) {
            return; /* on_report() goes on */
        }
    }
    settle(question, r);
    drop(question);
}

static struct question *take_fresh(struct questions *questions)
{
    (void)pthread_mutex_lock(&questions->lock);
    struct question *question = questions->fresh;
    if (question) {
        unlink_from(&questions->fresh, question);
    }
    (void)pthread_mutex_unlock(&questions->lock);
    return question;
}

static void on_ring(uv_async_t *ring)
{
    struct questions *questions = ring->data;
    for (struct question *question; (question = take_fresh(questions)) != NULL;) {
        look_at(question);
    }
}

int questions_init(struct questions *questions, struct gateway *gateway,
                   void (*gone)(struct questions *questions))
{
    *questions = (struct questions){.gateway = gateway, .users = 1, .gone = gone};
    questions->ring.data = questions;
    int r = uv_async_init(gateway->loop, &questions->ring, on_ring);
    if (r == 0) {
        (void)pthread_mutex_init(&questions->lock, NULL);
    }
    return r;
}

void questions_stop(struct questions *questions)
{
    (void)pthread_mutex_lock(&questions->lock);
    questions->stopped = true;
    (void)pthread_mutex_unlock(&questions->lock);
    for (struct question *question; (question = take_fresh(questions)) != NULL;) {
        settle(question, -ESHUTDOWN);
        drop(question);
    }
    /* Nobody else changes this list: what is in it comes back to on_report(). */
    for (struct question *question = questions->open; question; question = question->next) {
        settle(question, -ESHUTDOWN);
    }
    questions->open = NULL;
}

static void on_closed(uv_handle_t *handle)
{
    leave(handle->data);
}

void questions_close(struct questions *questions)
{
    uv_close((uv_handle_t *)&questions->ring, on_closed);
}
