/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_TEST_SCENE_H
#define KEEPER_TEST_SCENE_H

/*
 * Scene: the real keeper program with actors for workers (test_actor.h), and a scribe that writes down
 * captures. Everything that cannot be had fails the test.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/test_actor.h"
#include "lane/errand.h"
#include "lane/host.h"
#include "lane/violation.h"
#include "policy/policy.h"
#include "report/capture.h"

#define SCENE_PATIENCE_NS (20ull * 1000000000ull)

struct scene {
    pid_t keeper;
    int socket;
    int directory; /* of what the scribe writes */
    char path[64];
    uint32_t mechanisms; /* as the keeper's hello has them */
    uint32_t workers;
    struct policy policy; /* of those that are started: strict */
};

/* One worker, by what it is to do. */
struct actor {
    struct lane *lane;
    uint32_t worker;
    const struct lane_host_page *h;
    const struct actor_page *page;
};

void scene_open(struct scene *scene, bool scribe);

/* The keeper has to end by itself, and with it all. */
void scene_leave(struct scene *scene);
/* Unless it was left: that, too. */
void scene_close(struct scene *scene);

void scene_start(struct scene *scene, const char *script, struct actor *ret_actor);
void scene_send(const struct scene *scene, const struct actor *actor, uint32_t kind);
void actor_close(struct actor *actor);

/* Until so many acts are over. */
void actor_await_done(const struct actor *actor, uint32_t count);
void actor_await_violations(const struct actor *actor, uint32_t count);

/* Until there is a verdict. Returns it, with the death if that is told already. */
enum lane_verdict actor_await_verdict(const struct actor *actor, struct lane_death *ret_death);

/* Violation @number has to be there. */
struct lane_act actor_violation(const struct actor *actor, uint32_t number);

/* Capture @number, as bytes that the caller frees. */
uint8_t *scene_await_capture(const struct scene *scene, uint32_t number, uint64_t *ret_bytes);
uint32_t scene_count_captures(const struct scene *scene);

#endif
