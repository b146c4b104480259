/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "gateway/access.h"
#include "gateway/connection.h"
#include "gateway/daemon_parts.h"
#include "gateway/http.h"
#include "gateway/log.h"
#include "gateway/reload.h"

#define LOOK_MS     20u   /* how often a stop looks whether all is answered */
#define CLOSE_MS    5000u /* how long cells may take to close */
#define LAST_LOG_MS 500u  /* how long the last lines of the log may take */
#define OWN_FDS     64u   /* that a daemon of a few cells has beside its clients' */
#define EXIT_CUT    3     /* calls were cut off */

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

/* At once: the keeper ends with us, and takes the workers along. */
static void leave(struct daemon *daemon, int status)
{
    listener_close(&daemon->listener);
    log_stop(LAST_LOG_MS);
    _exit(status);
}

static void on_closing_too_long(uv_timer_t *timer)
{
    log_say(LOG_WARNING, "stopped", NULL,
            "all calls were answered; cells did not close within %u ms", CLOSE_MS);
    leave(timer->data, 0);
}

/* Everything of ours; the loop ends when libuv and the pool are done with it, or soon after. */
static void close_all(struct daemon *daemon)
{
    daemon->closing = true;
    http_stop(daemon->http);
    daemon->http = NULL;
    gateway_close(&daemon->gateway);
    close_handle(&daemon->server);
    close_handle(&daemon->hangup);
    close_handle(&daemon->watchdog);
    (void)uv_timer_start(&daemon->stop, on_closing_too_long, CLOSE_MS, 0);
    uv_unref((uv_handle_t *)&daemon->stop);
    uv_unref((uv_handle_t *)&daemon->terminate);
    uv_unref((uv_handle_t *)&daemon->interrupt);
}

static void on_stop_look(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    uint64_t waited_ms = (uv_hrtime() - daemon->stop_ns) / 1000000u;
    if (gateway_is_idle(&daemon->gateway)) {
        close_all(daemon);
    } else if (waited_ms >= daemon->settings->drain_ms) {
        struct log_field fields[] = {{.key = "calls", .number = daemon->gateway.in_flight}, {0}};
        log_say_with(LOG_WARNING, "cut_off", NULL, fields,
                     "%u calls were not answered within drain_ms (%llu), they are cut off",
                     daemon->gateway.in_flight, (unsigned long long)daemon->settings->drain_ms);
        leave(daemon, EXIT_CUT);
    }
}

static void stop_at_once(struct daemon *daemon)
{
    bool cut = !gateway_is_idle(&daemon->gateway);
    log_say(LOG_WARNING, cut ? "cut_off" : "stopped", NULL,
            "stopped at once, by a second signal; %u calls are cut off", daemon->gateway.in_flight);
    leave(daemon, cut ? EXIT_CUT : 0);
}

static void stop(struct daemon *daemon)
{
    if (daemon->stop_ns != 0) {
        stop_at_once(daemon);
    }
    daemon->stop_ns = uv_hrtime();
    struct log_field fields[] = {{.key = "calls", .number = daemon->gateway.in_flight}, {0}};
    log_say_with(LOG_NOTICE, "stopping", NULL, fields, "%u calls are in flight",
                 daemon->gateway.in_flight);
    supervisor_tell(&daemon->supervisor,
                    "STOPPING=1\nSTATUS=Waiting for %u calls\nEXTEND_TIMEOUT_USEC=%llu",
                    daemon->gateway.in_flight,
                    (unsigned long long)(daemon->settings->drain_ms + CLOSE_MS) * 1000);
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

/* Without a configuration to read again it means what it meant: the terminal has gone. */
static void on_hangup(uv_signal_t *signal, int number)
{
    struct daemon *daemon = signal->data;
    (void)number;
    if (daemon->gateway.reload) {
        reload_ask(daemon->gateway.reload);
    } else {
        stop(daemon);
    }
}

static void on_watchdog(uv_timer_t *timer)
{
    const struct daemon *daemon = timer->data;
    supervisor_feed_watchdog(&daemon->supervisor);
}

static int watch_signals(struct daemon *daemon)
{
    int r = uv_signal_init(&daemon->loop, &daemon->terminate);
    r = r != 0 ? r : uv_signal_init(&daemon->loop, &daemon->interrupt);
    r = r != 0 ? r : uv_signal_init(&daemon->loop, &daemon->hangup);
    r = r != 0 ? r : uv_timer_init(&daemon->loop, &daemon->stop);
    r = r != 0 ? r : uv_timer_init(&daemon->loop, &daemon->watchdog);
    daemon->terminate.data = daemon->interrupt.data = daemon->hangup.data = daemon;
    daemon->stop.data = daemon->watchdog.data = daemon;
    r = r != 0 ? r : uv_signal_start(&daemon->terminate, on_signal, SIGTERM);
    r = r != 0 ? r : uv_signal_start(&daemon->interrupt, on_signal, SIGINT);
    return r != 0 ? r : uv_signal_start(&daemon->hangup, on_hangup, SIGHUP);
}

/* Often enough that one late beat is no death. */
static void feed_watchdog(struct daemon *daemon)
{
    uint64_t period_ms = daemon->supervisor.watchdog_ms / 3 + 1;
    if (daemon->supervisor.watchdog_ms > 0) {
        (void)uv_timer_start(&daemon->watchdog, on_watchdog, 0, period_ms);
    }
}

struct access daemon_access(const struct settings *settings)
{
    return (struct access){.users = settings->users,
                           .user_count = settings->user_count,
                           .groups = settings->groups,
                           .group_count = settings->group_count};
}

void daemon_tell_ready(const struct daemon *daemon, const char *news)
{
    supervisor_tell(&daemon->supervisor, "READY=1\nSTATUS=%zu cells, %zu methods, at %s%s%s",
                    daemon->gateway.house_count, daemon->gateway.route_count / 2,
                    daemon->listener.path, news[0] ? "; " : "", news);
}

static int open_houses(struct daemon *daemon, struct message *why)
{
    struct settings *settings = daemon->settings;
    struct house **houses = calloc(settings->cell_count + 1, sizeof(struct house *));
    size_t count = 0;
    int r = houses ? 0 : message_set(why, -ENOMEM, "not enough memory for the cells");
    while (r == 0 && count < settings->cell_count) {
        r = house_open(&settings->cells[count], 1, &houses[count], why);
        count += r == 0;
    }
    if (r == 0) {
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
    return r != 0 ? message_set(why, r, "cannot listen at %s: %s", daemon->listener.path,
                                uv_strerror(r))
                  : 0;
}

static int start(struct daemon *daemon, struct message *why)
{
    int r = uv_loop_init(&daemon->loop);
    r = r != 0 ? r : gateway_init(&daemon->gateway, &daemon->loop, &daemon->settings->limits);
    r = r != 0 ? r : watch_signals(daemon);
    if (r != 0) {
        return message_set(why, r, "cannot prepare the event loop: %s", uv_strerror(r));
    }
    daemon->gateway.access = daemon_access(daemon->settings);
    if (daemon->options->config) {
        daemon->gateway.reload = reload_new(daemon);
        if (!daemon->gateway.reload) {
            return message_set(why, -ENOMEM, "not enough memory");
        }
    }
    r = open_houses(daemon, why);
    if (r == 0 && daemon->settings->http) {
        r = http_start(&daemon->gateway, daemon->settings->http, &daemon->http, why);
    }
    r = r != 0 ? r : listen_at(daemon, why); /* whoever is let in finds all of it */
    if (r != 0) {
        http_stop(daemon->http);
    }
    return r;
}

/* A client for whom no descriptor is left is closed without a word. */
static void warn_of_descriptors(const struct daemon *daemon)
{
    struct rlimit limit;
    uint32_t clients = daemon->settings->limits.clients;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < clients + OWN_FDS) {
        log_say(LOG_WARNING, "descriptors", NULL,
                "RLIMIT_NOFILE is %llu: too few for the %u clients of limits.clients, and %u more",
                (unsigned long long)limit.rlim_cur, clients, OWN_FDS);
    }
}

static int serve(struct daemon *daemon, struct message *why)
{
    int r = start(daemon, why);
    if (r != 0) {
        return r;
    }
    struct log_field fields[] = {{.key = "cells", .number = (int64_t)daemon->gateway.house_count},
                                 {.key = "socket", .text = daemon->listener.path},
                                 {0}};
    log_say_with(LOG_NOTICE, "listening", NULL, fields, "%zu cells, %zu methods, at %s%s",
                 daemon->gateway.house_count, daemon->gateway.route_count / 2,
                 daemon->listener.path, daemon->listener.given ? ", which was handed over" : "");
    warn_of_descriptors(daemon);
    feed_watchdog(daemon);
    daemon_tell_ready(daemon, "");
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    close_handle(&daemon->stop);
    close_handle(&daemon->terminate);
    close_handle(&daemon->interrupt);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    reload_free(daemon->gateway.reload);
    gateway_deinit(&daemon->gateway);
    (void)uv_loop_close(&daemon->loop);
    log_say(LOG_NOTICE, "stopped", NULL, "all calls were answered");
    return 0;
}

static int replace_text(char **text, const char *with)
{
    char *copy = with ? strdup(with) : NULL;
    if (!with) {
        return 0;
    }
    free(*text);
    *text = copy;
    return copy ? 0 : -ENOMEM;
}

int daemon_options_apply(const struct daemon_options *options, struct settings *settings)
{
    int r = replace_text(&settings->socket, options->socket);
    r = r != 0 ? r : replace_text(&settings->http, options->http);
    settings->log_level = options->log_level ? *options->log_level : settings->log_level;
    settings->log_form = options->log_form ? *options->log_form : settings->log_form;
    return r;
}

static int open_listener(struct daemon *daemon, struct message *why)
{
    struct settings *settings = daemon->settings;
    if (daemon->supervisor.listen_fd >= 0) {
        return listener_open_given(take_fd(&daemon->supervisor.listen_fd), &daemon->listener, why);
    }
    int r = 0;
    if (!settings->socket) {
        r = daemon->options->find_socket
                ? daemon->options->find_socket(settings, why)
                : message_set(why, -EINVAL, "no socket is named to listen at");
    }
    struct access access = daemon_access(settings);
    return r != 0 ? r : listener_open(settings->socket, &access, &daemon->listener, why);
}

int daemon_run(struct settings *settings, const struct daemon_options *options, struct message *why)
{
    static struct daemon daemon; /* one per process: it has the process's signals */
    (void)signal(SIGPIPE, SIG_IGN);
    fd_raise_limit();
    if (options->config) { /* until the loop takes it: what it asks for is being done */
        (void)signal(SIGHUP, SIG_IGN);
    }
    daemon.settings = settings;
    daemon.options = options;
    int r = daemon_options_apply(options, settings) == 0
                ? 0
                : message_set(why, -ENOMEM, "not enough memory");
    log_configure(settings->log_level, settings->log_form);
    r = r != 0 ? r : supervisor_open(&daemon.supervisor, why);
    r = r != 0 ? r : open_listener(&daemon, why);
    if (r == 0) {
        (void)log_start(); /* without its thread it waits, but tells */
        r = serve(&daemon, why);
        listener_close(&daemon.listener);
        log_stop(LAST_LOG_MS);
    }
    supervisor_close(&daemon.supervisor);
    settings_free(daemon.settings);
    return r;
}
