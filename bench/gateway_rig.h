/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_GATEWAY_RIG_H
#define BENCH_GATEWAY_RIG_H

/*
 * Gateway rig: the real `cordon serve` at a socket in a directory of its own, offering sha256 of libcrypto, and
 * what it is held against: an echo, and the plain server (plain_server.c).
 *
 * Life: stage_open(), any number of daemons, one at a time, stage_close().
 */

#include "bench_child.h"
#include "bench_rig.h"
#include "floor_echo.h"
#include "socket_caller.h"

#define STAGE_TEXT_BYTES 1024u

struct stage {
    struct rig *rig;
    char directory[64];
    char program[256];      /* cordon itself */
    char configuration[96]; /* files in the directory */
    char socket[96];
    char plain_socket[96];
    char log[96];
    char text[STAGE_TEXT_BYTES + 1]; /* what is digested */
    char json[STAGE_TEXT_BYTES + 64];
    char digest[65]; /* what has to come, in hex */
    size_t answer_bytes;
    struct bench_child daemon;
    struct bench_child plain;
};

/* Returns 0 or a negative errno, sentence in rig->error. */
int stage_open(struct rig *rig, struct stage *ret_stage);
void stage_close(struct stage *stage);

/*
 * The daemon runs on @daemon_cpu, its workers on @worker_cpu; -1: anywhere. It has answered once when this returns,
 * stage->answer_bytes long. @caller: connected. Ended by stage_end_daemon(), after the caller was closed.
 */
int stage_start_daemon(struct stage *stage, int daemon_cpu, int worker_cpu,
                       struct socket_caller *caller);
void stage_end_daemon(struct stage *stage);

/* -ENOENT: this build has none. */
int stage_start_plain(struct stage *stage);

/* One more client of the daemon, or of the plain server, that asks for the same. */
int stage_connect(struct stage *stage, const char *socket, struct socket_caller *caller);

#endif
