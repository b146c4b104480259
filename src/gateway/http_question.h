/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HTTP_QUESTION_H
#define GATEWAY_HTTP_QUESTION_H

/*
 * Questions: what HTTP's thread asks the loop. A question is put, its connection suspended; the loop answers it, now
 * or when a file was read, and the connection goes on. Nothing of the gateway is touched by HTTP's thread, and
 * neither waits for the other.
 *
 * Life: made by HTTP's thread, which frees it once the response is sent, or its connection has ended; from being put to
 * being answered the loop uses it as well.
 */

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

#include "gateway/reports.h"
#include "json/json_out.h"

struct MHD_Connection;
struct gateway;
struct question;

enum question_kind {
    QUESTION_METRICS,
    QUESTION_STATS,
    QUESTION_REPORTS,
};

struct question {
    enum question_kind kind;
    bool is_openmetrics;
    struct reports_wish wish;
    char *cell; /* owned; what the wish names */
    /* The answer, once it is put and its connection goes on. */
    int result; /* 0, -ENOENT, -EINPROGRESS, -EFBIG, -EBADMSG, -EAGAIN, -ENOMEM; -ESHUTDOWN: the daemon stops */
    struct json_out text;
    /* Of this module. */
    struct questions *questions;
    struct question *next;
    struct question *previous;
    struct MHD_Connection *connection; /* NULL: not put yet */
    bool is_answered;
    unsigned users;
};

struct questions {
    struct gateway *gateway;
    uv_async_t ring;
    pthread_mutex_t lock;   /* guards what follows, and all questions' answers and users */
    struct question *fresh; /* put, not looked at */
    struct question *open;  /* looked at, a file is being read */
    bool stopped;
    unsigned users; /* questions, and the ring */
    void (*gone)(struct questions *questions);
};

/*
 * In the loop. @gone: called in the loop, after questions_stop(), once nothing uses @questions any more.
 * Returns 0, or libuv's error: then it is not called.
 */
int questions_init(struct questions *questions, struct gateway *gateway,
                   void (*gone)(struct questions *questions));

/* In the loop, before the server is stopped: all that are open are answered by -ESHUTDOWN, and new ones refused. */
void questions_stop(struct questions *questions);

/* In the loop, once the server is stopped. */
void questions_close(struct questions *questions);

/* NULL: no memory. */
struct question *question_new(struct questions *questions, enum question_kind kind);

/* Suspends its connection, which goes on once it is answered. False: the daemon stops, and nothing was done. */
bool question_put(struct question *question, struct MHD_Connection *connection);

/* HTTP's thread needs it no more. */
void question_free(struct question *question);

#endif
