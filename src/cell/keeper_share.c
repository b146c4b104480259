/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/keeper_share.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cell/fork_mark.h"

struct keeper_share {
    struct keeper_share *next;
    char *keeper_path;
    char *worker_path;
    uint32_t without;
    uint32_t users;
    int generation;       /* of the process that made it */
    pthread_mutex_t lock; /* guards client, retired */
    struct keeper_client *client;
    struct keeper_client *retired[8]; /* dead ones that callers may still look at */
    uint32_t retired_count;
};

static pthread_mutex_t shares_lock = PTHREAD_MUTEX_INITIALIZER;
static struct keeper_share *shares; /* guarded by shares_lock */

static bool same_path(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool fits(const struct keeper_share *share, const struct keeper_options *options)
{
    return fork_mark_intact(share->generation) && share->without == options->without &&
           same_path(share->keeper_path, options->keeper_path) &&
           same_path(share->worker_path, options->worker_path);
}

static void share_free(struct keeper_share *share)
{
    keeper_client_stop(share->client);
    for (uint32_t i = 0; i < share->retired_count; i++) {
        keeper_client_stop(share->retired[i]);
    }
    (void)pthread_mutex_destroy(&share->lock);
    free(share->keeper_path);
    free(share->worker_path);
    free(share);
}

static struct keeper_share *share_new(const struct keeper_options *options)
{
    struct keeper_share *share = calloc(1, sizeof *share);
    if (!share) {
        return NULL;
    }
    (void)pthread_mutex_init(&share->lock, NULL);
    share->without = options->without;
    share->generation = fork_mark_make();
    share->keeper_path = options->keeper_path ? strdup(options->keeper_path) : NULL;
    share->worker_path = options->worker_path ? strdup(options->worker_path) : NULL;
    if ((options->keeper_path && !share->keeper_path) ||
        (options->worker_path && !share->worker_path)) {
        share_free(share);
        return NULL;
    }
    return share;
}

static struct keeper_share *share_find(const struct keeper_options *options)
{
    for (struct keeper_share *share = shares; share; share = share->next) {
        if (fits(share, options)) {
            return share;
        }
    }
    return NULL;
}

int keeper_share_join(const struct keeper_options *options, struct keeper_share **ret_share,
                      struct message *why)
{
    (void)pthread_mutex_lock(&shares_lock);
    struct keeper_share *share = share_find(options);
    if (!share) {
        share = share_new(options);
        if (!share) {
            (void)pthread_mutex_unlock(&shares_lock);
            return message_set(why, -ENOMEM, "not enough memory for a keeper");
        }
        share->next = shares;
        shares = share;
    }
    share->users++;
    (void)pthread_mutex_unlock(&shares_lock);
    *ret_share = share;
    return 0;
}

void keeper_share_leave(struct keeper_share *share)
{
    if (!share) {
        return;
    }
    if (!fork_mark_intact(share->generation)) {
        /* The parent's keeper, and locks that other threads of the parent may have held: not ours. */
        if (share->client) {
            keeper_client_abandon(share->client);
            share->client = NULL;
        }
        return;
    }
    (void)pthread_mutex_lock(&shares_lock);
    bool last = --share->users == 0;
    if (last) {
        struct keeper_share **link = &shares;
        while (*link != share) {
            link = &(*link)->next;
        }
        *link = share->next;
    }
    (void)pthread_mutex_unlock(&shares_lock);
    if (last) {
        share_free(share);
    }
}

/* Put a dead keeper aside: other threads may be about to send to it, and learn -EPIPE. */
static void retire(struct keeper_share *share)
{
    if (share->retired_count == sizeof share->retired / sizeof share->retired[0]) {
        keeper_client_stop(share->retired[0]);
        share->retired_count--;
        for (size_t i = 0; i < share->retired_count; i++) {
            share->retired[i] = share->retired[i + 1];
        }
    }
    share->retired[share->retired_count++] = share->client;
    share->client = NULL;
}

int keeper_share_client(struct keeper_share *share, struct keeper_client **ret_client,
                        struct message *why)
{
    (void)pthread_mutex_lock(&share->lock);
    if (share->client && !keeper_client_alive(share->client)) {
        retire(share);
    }
    int r = 0;
    if (!share->client) {
        struct keeper_options options = {.keeper_path = share->keeper_path,
                                         .worker_path = share->worker_path,
                                         .without = share->without};
        r = keeper_client_start(&options, &share->client, why);
    }
    if (r == 0) {
        *ret_client = share->client;
    }
    (void)pthread_mutex_unlock(&share->lock);
    return r;
}
