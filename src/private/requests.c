/* SPDX-License-Identifier: Apache-2.0 */
#include "private/requests.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "private/answer.h"
#include "private/opening.h"
#include "private/reading.h"

static int take_ping(struct server *server, json_t *id, json_t *params)
{
    (void)params;
    return answer_result(server, id,
                         json_pack("{s:i, s:s}", "protocol", 1, "version", CORDON_VERSION), -1);
}

static struct shelved *find_cell(const struct server *server, json_t *params)
{
    const char *name = json_string_value(json_object_get(params, "cell"));
    return name ? shelf_find(&server->shelf, name) : NULL;
}

static int take_close(struct server *server, json_t *id, json_t *params)
{
    struct shelved *shelved = find_cell(server, params);
    json_t *drain = json_object_get(params, "drain_ms");
    if (!shelved) {
        return answer_error(server, id, ANSWER_PARAMETERS, "no such cell");
    }
    if (drain && (!json_is_integer(drain) || json_integer_value(drain) < 0)) {
        return answer_error(server, id, ANSWER_PARAMETERS, "drain_ms has to be a number");
    }
    shelf_drop(&server->shelf, shelved, (uint64_t)json_integer_value(drain));
    return answer_result(server, id, json_true(), -1);
}

static int take_attach(struct server *server, json_t *id, json_t *params)
{
    struct cordon_error error = {{0}};
    struct shelved *shelved = find_cell(server, params);
    int fd = -1;
    if (!shelved) {
        return answer_error(server, id, ANSWER_PARAMETERS, "no such cell");
    }
    int r = cordon_lender_attach(server->shelf.lender, shelved->cell, server->client_pidfd, &fd,
                                 &error);
    if (r != 0) {
        return answer_error(server, id, r == -EAGAIN ? ANSWER_BUSY : ANSWER_INTERNAL, error.text);
    }
    return answer_result(server, id, json_true(), fd);
}

static json_t *cell_json(const struct server *server, const struct shelved *shelved)
{
    static const char *const breakers[] = {"closed", "open", "half-open"};
    struct cordon_cell_stats stats = {0};
    struct cordon_lend_stats lent = {0};
    cordon_cell_stats(shelved->cell, &stats);
    (void)cordon_lender_stats(server->shelf.lender, shelved->cell, &lent);
    return json_pack("{s:s, s:i, s:s, s:I, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
                     shelved->name, "generation", (int)shelved->generation, "breaker",
                     breakers[stats.breaker % 3], "starts_failed", (json_int_t)stats.starts_failed,
                     "leases", (int)lent.leases, "in_flight", (int)lent.in_flight, "lent",
                     (json_int_t)lent.lent, "refused", (json_int_t)lent.refused, "crashes",
                     (json_int_t)lent.crashes, "timeouts", (json_int_t)lent.timeouts, "recalled",
                     (json_int_t)lent.recalled, "calls", (json_int_t)lent.calls);
}

static int take_stats(struct server *server, json_t *id, json_t *params)
{
    json_t *cells = json_array();
    (void)params;
    for (struct shelved *shelved = server->shelf.cells; shelved; shelved = shelved->next) {
        if (!shelved->leaving) {
            (void)json_array_append_new(cells, cell_json(server, shelved));
        }
    }
    return answer_result(server, id, json_pack("{s:o}", "cells", cells), -1);
}

static const struct {
    const char *name;
    int (*take)(struct server *server, json_t *id, json_t *params);
} methods[] = {
    {"cordon.ping", take_ping},     {"cordon.open", opening_take}, {"cordon.close", take_close},
    {"cordon.attach", take_attach}, {"cordon.stats", take_stats},  {"cordon.reports", reading_take},
};

static int take(struct server *server, json_t *request)
{
    json_t *id = json_object_get(request, "id");
    json_t *params = json_object_get(request, "params");
    const char *method = json_string_value(json_object_get(request, "method"));
    if (!method || (!json_is_integer(id) && !json_is_string(id)) ||
        (params && !json_is_object(params))) {
        return answer_error(server, id, ANSWER_INVALID,
                            "a request is an object with id, method and, if it has any, params");
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, method) == 0) {
            return methods[i].take(server, id, params);
        }
    }
    return answer_error(server, id, ANSWER_METHOD, "there is no such method");
}

int requests_take(struct server *server, const char *text, size_t length)
{
    json_error_t error;
    json_t *request =
        json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!request) {
        return answer_error(server, NULL, ANSWER_PARSE, error.text);
    }
    int r = take(server, request);
    json_decref(request);
    return r;
}
