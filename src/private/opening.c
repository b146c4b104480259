/* SPDX-License-Identifier: Apache-2.0 */
#include "private/opening.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cordon/session.h"
#include "private/answer.h"
#include "private/options.h"
#include "private/requests.h"

struct opening {
    struct job job;
    struct server *server;
    json_t *id;     /* owned */
    json_t *params; /* owned: options borrow its texts */
    struct options options;
    struct cordon_cell *cell;
    int r;
    struct cordon_error error;
};

static void free_opening(struct opening *opening)
{
    json_decref(opening->id);
    json_decref(opening->params);
    free(opening);
}

static void work(struct job *job)
{
    struct opening *opening = (struct opening *)job;
    opening->r = cordon_cell_open(&opening->options.cell, &opening->cell, &opening->error);
    if (opening->r == 0) {
        (void)cordon_session_rest(cordon_session_current(opening->cell));
    }
}

static json_t *isolation_json(const struct cordon_cell *cell)
{
    json_t *names = json_array();
    uint32_t isolation = cordon_cell_isolation(cell);
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        if ((isolation & bit) && cordon_isolation_name(bit)) {
            (void)json_array_append_new(names, json_string(cordon_isolation_name(bit)));
        }
    }
    return names;
}

static json_t *opened_json(const struct shelved *shelved)
{
    char policy[1024];
    (void)cordon_cell_policy(shelved->cell, policy, sizeof policy);
    json_t *text = json_string(policy); /* a path may be no UTF-8 */
    return json_pack("{s:s, s:i, s:o, s:o*}", "cell", shelved->name, "generation",
                     (int)shelved->generation, "isolation", isolation_json(shelved->cell), "policy",
                     text);
}

static void done(struct job *job)
{
    struct opening *opening = (struct opening *)job;
    struct server *server = opening->server;
    struct shelved *shelved = NULL;
    struct message why = {{0}};
    int r = opening->r;
    if (r == 0) {
        r = shelf_put(&server->shelf, opening->options.name, opening->cell, &opening->options.lend,
                      &shelved, &why);
    } else {
        (void)message_set(&why, 0, "%s", opening->error.text);
    }
    /* An answer that finds no memory is missed by the program, whose wait has an end. */
    if (r == 0) {
        (void)answer_result(server, opening->id, opened_json(shelved), -1);
    } else {
        (void)answer_failure(server, opening->id, ANSWER_PARAMETERS, why.text, r);
    }
    free_opening(opening);
}

int opening_take(struct server *server, json_t *id, json_t *params)
{
    struct message why;
    struct opening *opening = calloc(1, sizeof *opening);
    if (!opening) {
        return -ENOMEM;
    }
    *opening = (struct opening){.job = {.work = work, .done = done},
                                .server = server,
                                .id = json_incref(id),
                                .params = json_incref(params)};
    int r = options_read(params, &opening->options, &why);
    if (r != 0) {
        free_opening(opening);
        return answer_failure(server, id, ANSWER_PARAMETERS, why.text, r);
    }
    opening->options.cell.events = false;
    opening->options.cell.workers = opening->options.lend.leases;
    opening->options.cell.spares = CORDON_NONE; /* lent workers are started for who has them */
    jobs_add(&server->jobs, &opening->job);
    return 0;
}
