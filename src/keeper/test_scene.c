/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/test_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/passing.h"
#include "lane/start.h"

/* ---- Keeper ------------------------------------------------------------------------------------ */

/* Numbers from 10 on are nobody's here. */
static void place(int fd, int number)
{
    if (fd < 0) {
        (void)close(number);
    } else if (dup2(fd, number) < 0) {
        _exit(127);
    }
}

static void run_keeper(int socket, int worker, int scribe)
{
    int high[] = {fcntl(socket, F_DUPFD, 20), fcntl(worker, F_DUPFD, 20),
                  scribe < 0 ? -1 : fcntl(scribe, F_DUPFD, 20)};
    place(high[0], KEEPER_FD_SOCKET);
    place(high[1], KEEPER_FD_PROGRAM);
    place(-1, KEEPER_FD_HOST);
    place(high[2], KEEPER_FD_SYMBOLIZER);
    (void)close_range(KEEPER_FD_END, ~0u, 0);
    (void)execl(TEST_KEEPER, TEST_KEEPER, "0", "0", NULL);
    _exit(127);
}

void scene_open(struct scene *scene, bool scribe)
{
    int pair[2];
    struct errand_hello hello;
    OWN_FD worker = open(TEST_ACTOR, O_RDONLY | O_CLOEXEC);
    OWN_FD writer = scribe ? open(TEST_SCRIBE, O_RDONLY | O_CLOEXEC) : -1;
    assert_true(worker >= 0 && (writer >= 0 || !scribe));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *scene = (struct scene){.socket = pair[0], .path = "/tmp/cordon-scene-XXXXXX"};
    policy_init(&scene->policy, POLICY_STRICT);
    assert_non_null(mkdtemp(scene->path));
    scene->directory = open(scene->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(scene->directory >= 0);
    scene->keeper = fork();
    if (scene->keeper == 0) {
        run_keeper(pair[1], worker, writer);
    }
    (void)close(pair[1]);
    struct pollfd readable = {.fd = scene->socket, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, (int)(SCENE_PATIENCE_NS / CLOCK_MS_NS)), 1);
    assert_int_equal(recv(scene->socket, &hello, sizeof hello, 0), sizeof hello);
    scene->mechanisms = hello.mechanisms;
}

static void remove_directory(struct scene *scene)
{
    DIR *folder = opendir(scene->path);
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
        (void)unlinkat(scene->directory, entry->d_name, 0);
    }
    if (folder) {
        (void)closedir(folder);
    }
    (void)rmdir(scene->path);
    (void)close(scene->directory);
}

void scene_leave(struct scene *scene)
{
    int status = -1;
    (void)close(scene->socket);
    assert_int_equal(waitpid(scene->keeper, &status, 0), scene->keeper);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    scene->keeper = 0;
}

void scene_close(struct scene *scene)
{
    if (scene->keeper != 0) {
        scene_leave(scene);
    }
    remove_directory(scene);
}

/* ---- Actors ------------------------------------------------------------------------------------ */

static void send_errand(const struct scene *scene, const struct errand *errand, const int *fds,
                        uint32_t count)
{
    size_t bytes = errand->kind == ERRAND_START ? sizeof *errand : offsetof(struct errand, policy);
    assert_int_equal(passing_send(scene->socket, errand, bytes, fds, count), 0);
}

void scene_start(struct scene *scene, const char *script, struct actor *ret_actor)
{
    struct lane_options options = {.wake = LANE_WAKE_FUTEX};
    *ret_actor = (struct actor){.worker = ++scene->workers};
    assert_int_equal(lane_open(&options, &ret_actor->lane), 0);
    ret_actor->h = lane_peek_h(ret_actor->lane);
    const uint8_t *w = lane_peek_w(ret_actor->lane);
    ret_actor->page = (const struct actor_page *)(const void *)(w + LANE_W_BYTES_AT);
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = ERRAND_START,
                            .flags = ERRAND_HAS_REPORTS,
                            .worker = ret_actor->worker,
                            .report_id = 1000 + ret_actor->worker,
                            .start_timeout_ns = SCENE_PATIENCE_NS};
    errand.policy = scene->policy;
    (void)snprintf(errand.library, sizeof errand.library, "%s", script);
    int fds[] = {lane_peek_h_fd(ret_actor->lane), lane_peek_w_fd(ret_actor->lane),
                 scene->directory};
    send_errand(scene, &errand, fds, 3);
}

void scene_send(const struct scene *scene, const struct actor *actor, uint32_t kind)
{
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = (uint16_t)kind,
                            .worker = actor->worker};
    send_errand(scene, &errand, NULL, 0);
}

void actor_close(struct actor *actor)
{
    lane_close(actor->lane);
}

/* The test's own time limit is behind this one. */
static void await_at_least(const _Atomic uint32_t *word, uint32_t count)
{
    uint64_t until = clock_after_ns(SCENE_PATIENCE_NS);
    while (atomic_load(word) < count) {
        assert_true(clock_now_ns() < until);
        (void)poll(NULL, 0, 1);
    }
}

void actor_await_done(const struct actor *actor, uint32_t count)
{
    await_at_least(&actor->page->done, count);
}

void actor_await_violations(const struct actor *actor, uint32_t count)
{
    await_at_least(&actor->h->violations, count);
}

enum lane_verdict actor_await_verdict(const struct actor *actor, struct lane_death *ret_death)
{
    await_at_least(&actor->h->verdict_final, 1);
    return lane_verdict(actor->lane, NULL, ret_death);
}

struct lane_act actor_violation(const struct actor *actor, uint32_t number)
{
    struct lane_act act;
    assert_true(lane_violation_read(actor->h, number, &act));
    return act;
}

/* ---- Captures ---------------------------------------------------------------------------------- */

uint8_t *scene_await_capture(const struct scene *scene, uint32_t number, uint64_t *ret_bytes)
{
    char name[16];
    struct stat stat;
    uint64_t until = clock_after_ns(SCENE_PATIENCE_NS);
    (void)snprintf(name, sizeof name, "%u", number);
    while (fstatat(scene->directory, name, &stat, 0) != 0) {
        assert_true(clock_now_ns() < until);
        (void)poll(NULL, 0, 1);
    }
    OWN_FD fd = openat(scene->directory, name, O_RDONLY | O_CLOEXEC);
    uint8_t *bytes = malloc((size_t)stat.st_size);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)stat.st_size), stat.st_size);
    *ret_bytes = (uint64_t)stat.st_size;
    return bytes;
}

uint32_t scene_count_captures(const struct scene *scene)
{
    char name[16];
    uint32_t count = 0;
    do {
        (void)snprintf(name, sizeof name, "%u", count);
    } while (faccessat(scene->directory, name, F_OK, 0) == 0 && ++count);
    return count;
}
