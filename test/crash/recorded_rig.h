/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRASH_RECORDED_RIG_H
#define CRASH_RECORDED_RIG_H

/* A cell that records, the session that its last report holds, and that session replayed. */

#include <jansson.h>

#include "cordon/replay.h"
#include "harness/harness.h"

struct rig {
    struct cordon_cell_options options; /* may be changed between rig_init() and rig_open() */
    struct cordon_cell *cell;
    struct cordon_session *session;
    char reports[64];
    uint64_t report; /* of the last call that rig_end() made */
};

/* A recording, as a report holds it. */
struct rig_session {
    void *bytes;
    size_t length;
    uint32_t until;
};

void rig_init(struct rig *rig, const struct harness *harness, const char *library,
              const char *interface_text);
void rig_open(struct rig *rig);
/* Cell, session, reports. */
void rig_close(struct rig *rig);

/* A call that must be done. */
struct cordon_value rig_call(const struct rig *rig, const char *name,
                             const struct cordon_value *args, size_t count);
#define RIG_CALL(rig, name, ...)                                                                   \
    rig_call(rig, name, (const struct cordon_value[]){__VA_ARGS__},                                \
             sizeof((const struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value))

/* The last call: it must end as @outcome, with a report. */
void rig_end(struct rig *rig, int outcome, const char *name, const struct cordon_value *args,
             size_t count);
#define RIG_END(rig, outcome, name, ...)                                                           \
    rig_end(rig, outcome, name, (const struct cordon_value[]){__VA_ARGS__},                        \
            sizeof((const struct cordon_value[]){__VA_ARGS__}) / sizeof(struct cordon_value))

/* Member call.replay of the report; a new reference to the whole in @ret_report. */
const json_t *rig_replay_of(const struct rig *rig, json_t **ret_report);

/* The session of the report, which must have one. */
struct rig_session rig_session(const struct rig *rig);
void rig_session_deinit(struct rig_session *session);

/* Replay it in a cell like the rig's, at @level. Returns what cordon_replay() did. */
int rig_replay(const struct rig *rig, const struct rig_session *session, enum cordon_level level,
               struct cordon_replay_result *ret_result);

/* All at once: it ends as it did, and nothing is different on the way. */
void rig_expect_replay(const struct rig *rig, int outcome, int signal);

/*
 * SQLite: open, fill, ask with a row callback, prepare, step - and a step on a statement that was overwritten,
 * which crashes.
 */
extern const char rig_sqlite_text[];
void rig_break_sqlite(struct rig *rig);

/* recorded_library.c; the case is skipped where it was not built. */
extern const char rig_things_text[];
const char *rig_things_library(void);

#endif
