/* SPDX-License-Identifier: Apache-2.0 */
#include "cell/keeper_share.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cell/fork_mark.h"

/* A keeper, and how many hold it. */
struct lease {
    struct lease *next;
    struct keeper_client *client;
    uint32_t holders;
};

struct keeper_share {
    struct keeper_share *next;
    char *keeper_path;
    char *worker_path;
    uint32_t without;
    uint32_t users;
    int generation;        /* of the process that made it */
    pthread_mutex_t lock;  /* guards the leases */
    struct lease *current; /* NULL: none yet, or the last has died */
    struct lease *retired; /* dead keepers that stations still look at, to learn just that */
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

static void lease_free(struct lease *lease)
{
    if (lease) {
        keeper_client_stop(lease->client);
        free(lease);
    }
}

static void share_free(struct keeper_share *share)
{
    lease_free(share->current);
    while (share->retired) {
        struct lease *next = share->retired->next;
        lease_free(share->retired);
        share->retired = next;
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
        if (share->current) {
            keeper_client_abandon(share->current->client);
            free(share->current);
            share->current = NULL;
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

/* The current keeper has died: it goes at once if nobody holds it, else with its last holder. */
static void retire(struct keeper_share *share)
{
    struct lease *dead = share->current;
    share->current = NULL;
    if (dead->holders == 0) {
        lease_free(dead);
        return;
    }
    dead->next = share->retired;
    share->retired = dead;
}

static int start(struct keeper_share *share, struct message *why)
{
    struct keeper_options options = {.keeper_path = share->keeper_path,
                                     .worker_path = share->worker_path,
                                     .without = share->without};
    struct lease *lease = calloc(1, sizeof *lease);
    if (!lease) {
        return message_set(why, -ENOMEM, "not enough memory for a keeper");
    }
    int r = keeper_client_start(&options, &lease->client, why);
    if (r != 0) {
        free(lease);
        return r;
    }
    share->current = lease;
    return 0;
}

int keeper_share_take(struct keeper_share *share, struct keeper_client **ret_client,
                      struct message *why)
{
    (void)pthread_mutex_lock(&share->lock);
    if (share->current && !keeper_client_alive(share->current->client)) {
        retire(share);
    }
    int r = share->current ? 0 : start(share, why);
    if (r == 0) {
        share->current->holders++;
        *ret_client = share->current->client;
    }
    (void)pthread_mutex_unlock(&share->lock);
    return r;
}

bool keeper_share_alive(struct keeper_share *share)
{
    (void)pthread_mutex_lock(&share->lock);
    bool alive = share->current && keeper_client_alive(share->current->client);
    (void)pthread_mutex_unlock(&share->lock);
    return alive;
}

/* Out of the retired ones, if it is there and nobody else holds it. */
static struct lease *drop_retired(struct keeper_share *share, const struct keeper_client *client)
{
    for (struct lease **link = &share->retired; *link; link = &(*link)->next) {
        struct lease *lease = *link;
        if (lease->client == client && --lease->holders == 0) {
            *link = lease->next;
            return lease;
        }
        if (lease->client == client) {
            return NULL;
        }
    }
    return NULL;
}

void keeper_share_give(struct keeper_share *share, struct keeper_client *client)
{
    if (!client || !fork_mark_intact(share->generation)) {
        return;
    }
    struct lease *last = NULL;
    (void)pthread_mutex_lock(&share->lock);
    if (share->current && share->current->client == client) {
        share->current->holders--;
    } else {
        last = drop_retired(share, client);
    }
    (void)pthread_mutex_unlock(&share->lock);
    lease_free(last);
}
