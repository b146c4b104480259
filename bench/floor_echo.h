/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FLOOR_ECHO_H
#define BENCH_FLOOR_ECHO_H

/*
 * Echo: a server that does nothing but read as many bytes as a request has and write as many as its answer
 * has, for one client, which is driven as every other one. What a request by socket costs at least.
 *
 * Life: all zero, opened, closed; its server ends with the caller's process at the latest.
 */

#include <sys/types.h>

#include "socket_caller.h"

struct floor_echo {
    struct socket_caller caller;
    pid_t server;
};

/* The server on @server_cpu; -1: where the scheduler likes. Returns 0 or a negative errno. */
int floor_echo_open(struct floor_echo *echo, int server_cpu, const char *json, size_t answer_bytes);
void floor_echo_close(struct floor_echo *echo);

#endif
