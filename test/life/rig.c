/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "frame/frame.h"
#include "invoke/engine.h"
#include "prototype/plan.h"
#include "prototype/prototype.h"

#define ROOM_BYTES (1u << 20)

/* ---- Keeper and lane --------------------------------------------------------------------------- */

void rig_open(struct rig *rig, const struct rig_start *start)
{
    static uint32_t workers;
    struct message why = {.text = ""};
    struct keeper_options options = {.without = start->without};
    *rig = (struct rig){.worker = ++workers};
    if (keeper_client_start(&options, &rig->keeper, &why) < 0) {
        fail_msg("keeper: %s", why.text);
    }
    struct lane_options lane_options = {.wake = LANE_WAKE_FUTEX};
    assert_int_equal(lane_open(&lane_options, &rig->lane), 0);

    struct errand errand = {
        .magic = ERRAND_MAGIC,
        .version = ERRAND_VERSION,
        .kind = ERRAND_START,
        .worker = rig->worker,
        .without = start->without,
        .start_timeout_ns = start->start_timeout_ns ? start->start_timeout_ns : RIG_PATIENCE_NS,
    };
    policy_init(&errand.policy, (enum policy_preset)start->policy);
    (void)snprintf(errand.library, sizeof errand.library, "%s", start->library);
    int fds[] = {lane_peek_h_fd(rig->lane), lane_peek_w_fd(rig->lane)};
    assert_int_equal(keeper_client_send(rig->keeper, &errand, fds, 2), 0);
}

void rig_errand(struct rig *rig, uint32_t kind)
{
    struct errand errand = {.magic = ERRAND_MAGIC,
                            .version = ERRAND_VERSION,
                            .kind = (uint16_t)kind,
                            .worker = rig->worker};
    assert_int_equal(keeper_client_send(rig->keeper, &errand, NULL, 0), 0);
}

void rig_close(struct rig *rig)
{
    keeper_client_stop(rig->keeper);
    lane_close(rig->lane);
}

enum lane_verdict rig_await_end(struct rig *rig, struct lane_death *ret_death)
{
    uint32_t seq;
    if (keeper_client_alive(rig->keeper) && lane_verdict(rig->lane, NULL, NULL) == LANE_ALIVE) {
        struct lane_event event;
        struct lane_message message = {.verb = LANE_CALL, .tag = ENGINE_HELLO};
        if (lane_submit(rig->lane, &message, CLOCK_NEVER, true, &seq) == 0) {
            uint64_t until = clock_after_ns(RIG_PATIENCE_NS);
            int wait;
            do {
                wait = lane_await(rig->lane, seq, until, NULL, NULL, &event);
                lane_collect(rig->lane, seq);
            } while (wait == LANE_CAME &&
                     lane_submit(rig->lane, &message, CLOCK_NEVER, true, &seq) == 0);
        }
    }
    assert_true(lane_await_gone(rig->lane, clock_after_ns(RIG_PATIENCE_NS)));
    return lane_verdict(rig->lane, &seq, ret_death);
}

/* ---- Calls ------------------------------------------------------------------------------------- */

static int exchange(struct rig *rig, const struct lane_message *message, uint64_t deadline_ns,
                    struct lane_event *ret_event)
{
    uint32_t seq;
    int r = lane_submit(rig->lane, message, deadline_ns, true, &seq);
    if (r < 0) {
        return LANE_VERDICT;
    }
    if (deadline_ns != CLOCK_NEVER) {
        rig_errand(rig, ERRAND_WATCH);
    }
    r = lane_await(rig->lane, seq, clock_after_ns(RIG_PATIENCE_NS), NULL, NULL, ret_event);
    if (r == LANE_CAME && ret_event->verb == LANE_ALARM) {
        /* A host may give the verdict itself, or wait for the keeper's, which is what is looked at here. */
        struct lane_death death;
        assert_int_equal(rig_await_end(rig, &death), LANE_DIED);
        r = LANE_VERDICT;
    }
    lane_collect(rig->lane, seq);
    return r;
}

int rig_hello(struct rig *rig)
{
    struct lane_event event;
    struct lane_message message = {.verb = LANE_CALL, .tag = ENGINE_HELLO};
    int r = exchange(rig, &message, CLOCK_NEVER, &event);
    if (r == LANE_CAME) {
        assert_int_equal((uint32_t)event.words[0], ENGINE_PROTOCOL);
    }
    return r;
}

static const struct plan *bind(struct rig *rig, const char *prototype,
                               struct interface **ret_interface)
{
    struct message why = {.text = ""};
    if (interface_parse("prototype", prototype, strlen(prototype), ret_interface, &why) < 0) {
        fail_msg("%s", why.text);
    }
    size_t bytes;
    const void *plan_bytes = interface_plan(*ret_interface, 0, &bytes);
    const struct plan *plan;
    assert_int_equal(plan_validate(plan_bytes, bytes, &plan, &why), 0);

    struct lane_room room;
    struct lane_event event;
    assert_int_equal(lane_room_new(rig->lane, ROOM_BYTES, ROOM_BYTES, &room), 0);
    memcpy(lane_room_h(rig->lane, &room), plan_bytes, bytes);
    struct lane_message message = {.verb = LANE_CALL_BYTES,
                                   .tag = ENGINE_BIND,
                                   .words = {lane_place(room.h_at, (uint32_t)bytes),
                                             lane_place(room.w_at, room.w_bytes),
                                             ++rig->functions}};
    assert_int_equal(exchange(rig, &message, CLOCK_NEVER, &event), LANE_CAME);
    /* Written, or the assertion ended this. NOLINTNEXTLINE(clang-analyzer-*) */
    if (event.status != 0) {
        char text[512] = "";
        const volatile uint8_t *reply = lane_room_w(rig->lane, &room);
        for (uint32_t i = 0; i < event.reply_bytes && i + 1 < sizeof text; i++) {
            text[i] = (char)reply[i];
        }
        fail_msg("bind: %d: %s", event.status, text);
    }
    lane_room_free(rig->lane, &room);
    return plan;
}

static void fill_message(struct rig *rig, const struct lane_room *room,
                         const struct frame_request *request, struct lane_message *message)
{
    message->tag = rig->functions;
    message->verb = request->frame_bytes ? LANE_CALL_BYTES : LANE_CALL;
    if (request->frame_bytes) {
        message->words[0] = lane_place(room->h_at, request->frame_bytes);
        message->words[1] = lane_place(room->w_at, room->w_bytes);
    } else {
        memcpy(message->words, request->words, request->word_count * sizeof(uint64_t));
    }
}

struct rig_answer rig_call(struct rig *rig, const char *prototype, const struct cordon_value *args,
                           uint32_t count, uint64_t timeout_ns)
{
    static const struct frame_hooks hooks;
    struct interface *interface;
    const struct plan *plan = bind(rig, prototype, &interface);
    struct message why = {.text = ""};
    struct lane_room room;
    assert_int_equal(lane_room_new(rig->lane, ROOM_BYTES, ROOM_BYTES, &room), 0);
    struct frame_space space = {.request = lane_room_h(rig->lane, &room),
                                .request_bytes = room.h_bytes,
                                .reply_bytes = room.w_bytes};
    struct frame_request request;
    if (frame_encode(plan, 0, rig->functions, args, count, &hooks, &space, &request, &why) < 0) {
        fail_msg("encode: %s", why.text);
    }
    struct lane_message message = {0};
    struct lane_event event = {0};
    fill_message(rig, &room, &request, &message);
    struct rig_answer answer = {.wait =
                                    exchange(rig, &message, clock_after_ns(timeout_ns), &event)};
    if (answer.wait == LANE_CAME) {
        struct frame_result result;
        assert_int_equal(event.status, 0);
        assert_int_equal(frame_decode(plan, 0, args, count, &hooks, &space, &request, event.words,
                                      lane_room_w(rig->lane, &room), &result, &why),
                         0);
        answer.result = result.value.i;
        answer.error_number = (int)event.tag;
        free(result.owned);
    }
    lane_room_free(rig->lane, &room);
    interface_free(interface);
    return answer;
}

/* ---- Processes --------------------------------------------------------------------------------- */

int rig_count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(folder);
    while (readdir(folder)) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

static bool read_file(const char *path, char *text, size_t bytes)
{
    OWN_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, bytes - 1);
    if (length < 0) {
        return false;
    }
    text[length] = '\0';
    return true;
}

/* This process has one pidfd: the keeper's. */
pid_t rig_keeper_pid(void)
{
    DIR *folder = opendir("/proc/self/fdinfo");
    pid_t pid = 0;
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char path[300];
        char text[2048];
        (void)snprintf(path, sizeof path, "/proc/self/fdinfo/%s", entry->d_name);
        const char *line = read_file(path, text, sizeof text) ? strstr(text, "\nPid:") : NULL;
        if (line) {
            pid = (pid_t)strtol(line + strlen("\nPid:"), NULL, 10);
        }
    }
    (void)closedir(folder);
    return pid;
}

int rig_children(pid_t parent, pid_t *ret_pids, int most)
{
    char path[64];
    char text[4096];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, parent);
    assert_true(read_file(path, text, sizeof text));
    int count = 0;
    for (char *rest = text; count < most; count++) {
        long pid = strtol(rest, &rest, 10);
        if (pid == 0) {
            break;
        }
        ret_pids[count] = (pid_t)pid;
    }
    return count;
}

bool rig_await_no_process(pid_t pid)
{
    OWN_FD fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) {
        return true;
    }
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, (int)(RIG_PATIENCE_NS / CLOCK_MS_NS)) == 1;
}
