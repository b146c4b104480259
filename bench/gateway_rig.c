/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODE_PRIVATE 0600

static const char configuration[] =
    "cells:\n"
    "  - name: crypto\n"
    "    limits:\n"
    "      memory_bytes: 256MiB\n"
    "    interface_text: |\n"
    "      library \"libcrypto.so.3\";\n"
    "      within(md) unsigned char *SHA256(const unsigned char data[n], size_t n,\n"
    "                                       out unsigned char md[32]);\n"
    "    methods:\n"
    "      - name: sha256\n"
    "        function: SHA256\n"
    "        result: md\n"
    "        encoding: hex\n";

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE_PRIVATE);
    if (fd < 0) {
        return -errno;
    }
    ssize_t wrote = write(fd, text, strlen(text));
    (void)close(fd);
    return wrote == (ssize_t)strlen(text) ? 0 : -ENOSPC;
}

static void name_files(struct stage *stage)
{
    const char *directory = stage->directory;
    (void)snprintf(stage->configuration, sizeof stage->configuration, "%s/cordon.yaml", directory);
    (void)snprintf(stage->socket, sizeof stage->socket, "%s/socket", directory);
    (void)snprintf(stage->plain_socket, sizeof stage->plain_socket, "%s/plain", directory);
    (void)snprintf(stage->log, sizeof stage->log, "%s/log", directory);
}

static void make_request(struct stage *stage)
{
    for (size_t i = 0; i < STAGE_TEXT_BYTES; i++) {
        stage->text[i] = (char)('a' + i % 26);
    }
    (void)snprintf(stage->json, sizeof stage->json, "{\"method\":\"sha256\",\"data\":\"%s\"}",
                   stage->text);
}

int stage_open(struct rig *rig, struct stage *ret_stage)
{
    *ret_stage = (struct stage){.rig = rig, .directory = "/tmp/cordon-bench-XXXXXX"};
    ssize_t length = readlink("/proc/self/exe", ret_stage->program, sizeof ret_stage->program - 1);
    if (length <= 0) {
        return rig_fail(rig, -errno, "cannot find this program");
    }
    if (!mkdtemp(ret_stage->directory)) {
        return rig_fail(rig, -errno, "cannot make a directory in /tmp");
    }
    name_files(ret_stage);
    make_request(ret_stage);
    int r = write_file(ret_stage->configuration, configuration);
    if (r < 0) {
        stage_close(ret_stage);
        return rig_fail(rig, r, "cannot write the daemon's configuration");
    }
    return 0;
}

void stage_close(struct stage *stage)
{
    stage_end_daemon(stage);
    child_close(&stage->plain);
    (void)unlink(stage->configuration);
    (void)unlink(stage->plain_socket);
    (void)unlink(stage->log);
    (void)rmdir(stage->directory);
}

static int complain(struct stage *stage, struct bench_child *child, int error, const char *who)
{
    char said[200];
    child_complaint(child, said, sizeof said);
    (void)snprintf(stage->rig->error.text, sizeof stage->rig->error.text, "%s: %s: %s", who,
                   strerror(-error), said);
    return error;
}

int stage_connect(struct stage *stage, const char *socket, struct socket_caller *caller)
{
    int r = caller_connect(caller, socket, stage->json);
    return r < 0 ? rig_fail(stage->rig, r, "cannot connect to a server") : 0;
}

/* The right answer, once: else what is measured would be something else. */
static int check(struct stage *stage, struct socket_caller *caller)
{
    size_t bytes;
    const char *answer = caller_ask(caller, &bytes);
    if (stage->digest[0] == '\0' && bytes == strlen("{\"result\":\"\"}") + 64) {
        memcpy(stage->digest, answer + strlen("{\"result\":\""), 64);
    }
    if (!memmem(answer, bytes, stage->digest, 64)) {
        (void)snprintf(stage->rig->error.text, sizeof stage->rig->error.text,
                       "a server answered %.*s", (int)(bytes < 200 ? bytes : 200), answer);
        return -EBADMSG;
    }
    stage->answer_bytes = bytes;
    return 0;
}

int stage_start_daemon(struct stage *stage, int daemon_cpu, int worker_cpu,
                       struct socket_caller *caller)
{
    const char *argv[] = {stage->program, "serve",       "--config", stage->configuration,
                          "--socket",     stage->socket, NULL};
    *caller = (struct socket_caller){0};
    rig_unpin(stage->rig);
    if (worker_cpu >= 0) {
        (void)measure_pin(worker_cpu); /* keeper and workers inherit it */
    }
    int r = child_open(&stage->daemon, argv, stage->log, 0);
    rig_unpin(stage->rig);
    r = r < 0 ? r : child_await_file(&stage->daemon, stage->socket);
    if (r < 0) {
        return complain(stage, &stage->daemon, r, "cordon serve");
    }
    r = stage_connect(stage, stage->socket, caller);
    r = r < 0 ? r : check(stage, caller);
    if (r == 0 && worker_cpu >= 0) {
        r = child_pin(&stage->daemon, daemon_cpu);
    }
    if (r < 0) {
        caller_close(caller);
    }
    return r;
}

void stage_end_daemon(struct stage *stage)
{
    char lock[sizeof stage->socket + 8];
    child_close(&stage->daemon);
    (void)snprintf(lock, sizeof lock, "%s.lock", stage->socket);
    (void)unlink(lock);
    (void)unlink(stage->socket);
}

int stage_start_plain(struct stage *stage)
{
    static const char *const paths[] = {BENCH_PLAIN_BUILT, BENCH_PLAIN_INSTALLED};
    const char *path = access(paths[0], X_OK) == 0 ? paths[0] : paths[1];
    const char *argv[] = {path, stage->plain_socket, NULL};
    if (access(path, X_OK) != 0) {
        return -ENOENT;
    }
    int r = child_open(&stage->plain, argv, stage->log, 0);
    r = r < 0 ? r : child_await_file(&stage->plain, stage->plain_socket);
    if (r < 0) {
        return complain(stage, &stage->plain, r, "the plain server");
    }
    struct socket_caller caller;
    r = stage_connect(stage, stage->plain_socket, &caller);
    r = r < 0 ? r : check(stage, &caller);
    caller_close(&caller);
    return r;
}
