/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "gateway/connection.h"
#include "gateway/gateway.h"
#include "gateway/http.h"
#include "gateway/listener.h"
#include "gateway/log.h"

#define LOOK_MS  20u   /* how often a stop looks whether all is answered */
#define CLOSE_MS 5000u /* how long cells may take to close */

struct daemon {
    uv_loop_t loop;
    struct gateway gateway;
    struct settings *settings;
    struct listener listener;
    struct http *http; /* NULL: off */
    uv_pipe_t server;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    uv_timer_t stop;
    uint64_t stop_ns; /* when it was asked for; 0: not yet */
    bool closing;
    bool cut_off; /* calls were */
};

static void on_client(uv_stream_t *server, int status)
{
    struct daemon *daemon = server->data;
    if (status == 0) {
        connection_accept(&daemon->gateway, server);
    }
}

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* Everything of ours; the loop ends when libuv and the pool are done with it. */
static void close_all(struct daemon *daemon)
{
    daemon->closing = true;
    http_stop(daemon->http);
    gateway_close(&daemon->gateway);
    close_handle(&daemon->server);
    close_handle(&daemon->terminate);
    close_handle(&daemon->interrupt);
    close_handle(&daemon->stop);
}

/* At once: the keeper ends with us, and takes the workers along. */
static void leave(struct daemon *daemon, int status)
{
    listener_close(&daemon->listener);
    _exit(status);
}

static void on_stop_look(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    uint64_t waited_ms = (uv_hrtime() - daemon->stop_ns) / 1000000u;
    if (gateway_is_idle(&daemon->gateway)) {
        close_all(daemon);
    } else if (waited_ms >= daemon->settings->drain_ms) {
        log_say(LOG_WARNING, "cut_off", NULL,
                "%u calls did not end within drain_ms, they are cut off",
                daemon->gateway.in_flight);
        leave(daemon, 3);
    }
}

static void stop(struct daemon *daemon)
{
    if (daemon->stop_ns != 0) {
        log_say(LOG_WARNING, "cut_off", NULL, "stopped at once, by a second signal");
        leave(daemon, 3);
    }
    daemon->stop_ns = uv_hrtime();
    log_say(LOG_NOTICE, "stopping", NULL, "%u calls are in flight", daemon->gateway.in_flight);
    listener_close(&daemon->listener);
    close_handle(&daemon->server);
    gateway_drain(&daemon->gateway);
    (void)uv_timer_start(&daemon->stop, on_stop_look, 0, LOOK_MS);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    stop(signal->data);
}

static int watch_signals(struct daemon *daemon)
{
    int r = uv_signal_init(&daemon->loop, &daemon->terminate);
    r = r != 0 ? r : uv_signal_init(&daemon->loop, &daemon->interrupt);
    r = r != 0 ? r : uv_timer_init(&daemon->loop, &daemon->stop);
    daemon->terminate.data = daemon->interrupt.data = daemon->stop.data = daemon;
    r = r != 0 ? r : uv_signal_start(&daemon->terminate, on_signal, SIGTERM);
    return r != 0 ? r : uv_signal_start(&daemon->interrupt, on_signal, SIGINT);
}

static int open_houses(struct daemon *daemon, struct message *why)
{
    struct settings *settings = daemon->settings;
    struct house **houses = calloc(settings->cell_count + 1, sizeof *houses);
    size_t count = 0;
    int r = houses ? 0 : message_set(why, -ENOMEM, "not enough memory for the cells");
    while (r == 0 && count < settings->cell_count) {
        r = house_open(&settings->cells[count], 1, &houses[count], why);
        count += r == 0;
    }
    if (r == 0) {
        /* Failing, it may have put some of them to work: they end with the process. */
        return gateway_set_houses(&daemon->gateway, houses, count, why);
    }
    if (houses) {
        while (count > 0) {
            house_free(houses[--count]);
        }
        free(houses);
    }
    return r;
}

static int listen_at(struct daemon *daemon, struct message *why)
{
    int r = uv_pipe_init(&daemon->loop, &daemon->server, 0);
    daemon->server.data = daemon;
    r = r != 0 ? r : uv_pipe_open(&daemon->server, listener_take_fd(&daemon->listener));
    r = r != 0 ? r : uv_listen((uv_stream_t *)&daemon->server, GATEWAY_LISTEN_BACKLOG, on_client);
    return r != 0 ? message_set(why, r, "cannot listen at %s: %s", daemon->settings->socket,
                                uv_strerror(r))
                  : 0;
}

static int serve(struct daemon *daemon, struct message *why)
{
    int r = uv_loop_init(&daemon->loop);
    r = r != 0 ? r : gateway_init(&daemon->gateway, &daemon->loop, &daemon->settings->limits);
    r = r != 0 ? r : watch_signals(daemon);
    if (r != 0) {
        return message_set(why, r, "cannot prepare the event loop: %s", uv_strerror(r));
    }
    r = open_houses(daemon, why);
    r = r != 0 ? r : listen_at(daemon, why);
    if (r == 0 && daemon->settings->http) {
        r = http_start(&daemon->gateway, daemon->settings->http, &daemon->http, why);
    }
    if (r != 0) {
        return r;
    }
    log_say(LOG_NOTICE, "listening", NULL, "%zu cells, %zu methods, at %s",
            daemon->gateway.house_count, daemon->gateway.route_count / 2, daemon->settings->socket);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    gateway_deinit(&daemon->gateway);
    (void)uv_loop_close(&daemon->loop);
    log_say(LOG_NOTICE, "stopped", NULL, "all calls were answered");
    return 0;
}

int daemon_run(struct settings *settings, const struct daemon_options *options, struct message *why)
{
    static struct daemon daemon; /* one per process: it has the process's signals */
    (void)options;
    (void)signal(SIGPIPE, SIG_IGN);
    daemon.settings = settings;
    int r = listener_open(settings->socket, &daemon.listener, why);
    if (r == 0) {
        r = serve(&daemon, why);
        listener_close(&daemon.listener);
    }
    settings_free(settings);
    return r;
}
