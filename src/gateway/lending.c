/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/lending.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "cordon/lease.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/log.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5; Debian 12's headers are older */
#endif

#define DRAIN_MS 10000u /* how long clients of a replaced cell may go on */

/* Houses whose last lease is over are used no more. */
static void let_go(struct gateway *gateway)
{
    for (struct house *house = gateway->retired; house;) {
        struct house *next = house->next_retired;
        if (house->lends && cordon_lender_leases(gateway->lender, house->cell) == 0) {
            house->lends = false;
            house_leave(house);
        }
        house = next;
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct gateway *gateway = poll->data;
    (void)status;
    (void)events;
    if (cordon_lender_dispatch(gateway->lender) == 0) {
        let_go(gateway);
    }
}

int lending_start(struct gateway *gateway, struct message *why)
{
    struct cordon_error error = {{0}};
    int r = cordon_lender_open(&gateway->lender, &error);
    if (r != 0) {
        return message_set(why, r, "cannot lend workers: %s", error.text);
    }
    r = uv_poll_init(gateway->loop, &gateway->lending, cordon_lender_fd(gateway->lender));
    gateway->lending.data = gateway;
    r = r != 0 ? r : uv_poll_start(&gateway->lending, UV_READABLE, on_ready);
    return r != 0 ? message_set(why, r, "cannot lend workers: %s", uv_strerror(r)) : 0;
}

int lending_offer(struct house *house, struct message *why)
{
    struct cordon_error error = {{0}};
    struct cordon_lend_options options = {
        .size = sizeof options,
        .leases = house->settings.leases,
        .lease_idle_ms = house->settings.lease_idle_ms,
    };
    if (house->settings.leases == 0 || house->settings.options.level != CORDON_LEVEL_PROCESS) {
        return 0;
    }
    int r = cordon_lender_offer(house->gateway->lender, house->cell, &options, &error);
    if (r != 0) {
        return message_set(why, r, "cell '%s': %s", house->settings.name, error.text);
    }
    house->lends = true;
    return 0;
}

void lending_replace(struct house *house, struct house *next)
{
    struct cordon_error error = {{0}};
    if (!house->lends) {
        return;
    }
    house_use(house);
    int r = cordon_lender_replace(house->gateway->lender, house->cell,
                                  next && next->lends ? next->cell : NULL, DRAIN_MS, &error);
    if (r != 0) {
        log_say(LOG_ERROR, "lending", house->settings.name, "%s", error.text);
    }
    /* Nobody may dispatch for a while: what is over already is let go by the next turn of the lender. */
    if (cordon_lender_leases(house->gateway->lender, house->cell) == 0) {
        house->lends = false;
        house_leave(house);
    }
}

int lending_attach(struct house *house, const struct connection *connection, int *ret_fd,
                   struct message *why)
{
    struct cordon_error error = {{0}};
    uv_os_fd_t socket;
    int pidfd = -1;
    socklen_t bytes = sizeof pidfd;
    if (uv_fileno((const uv_handle_t *)&connection->pipe, &socket) != 0 ||
        getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &bytes) != 0) {
        pidfd = -1; /* its end is told by the seat's alone */
    }
    OWN_FD client = pidfd;
    if (!house->lends) {
        return message_set(why, -ENOENT, "cell '%s' lends no workers (leases)",
                           house->settings.name);
    }
    int r = cordon_lender_attach(house->gateway->lender, house->cell, client, ret_fd, &error);
    return r != 0 ? message_set(why, r, "%s", error.text) : 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct gateway *gateway = handle->data;
    cordon_lender_close(gateway->lender);
    gateway->lender = NULL;
    for (struct house *house = gateway->retired; house;) {
        struct house *next = house->next_retired;
        if (house->lends) {
            house->lends = false;
            house_leave(house);
        }
        house = next;
    }
}

void lending_stop(struct gateway *gateway)
{
    if (gateway->lender) {
        let_go(gateway);
        uv_close((uv_handle_t *)&gateway->lending, on_closed);
    }
}
