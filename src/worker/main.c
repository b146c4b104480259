/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon-worker: one library, one lane, one engine, in a process that may do little else.
 *
 * How it works. The keeper has placed descriptors at fixed numbers and a start order in the start
 * socket. Memories are mapped first (the arena at its address, before foreign code could take it),
 * then privileges are given up, then the library is loaded: its constructors are foreign code and run
 * inside the finished sandbox. The start socket hears how that went. From then on the process serves
 * its lane until a verdict stands there, or the keeper kills it.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/message.h"
#include "base/passing.h"
#include "invoke/engine.h"
#include "lane/identity.h"
#include "lane/start.h"
#include "lane/worker.h"
#include "library/library.h"
#include "sandbox/sandbox.h"
#include "serve/provision.h"
#include "serve/serve.h"
#include "worker/alarm.h"

struct worker {
    struct start_order order;
    struct lane_end end;
    struct library library;
    struct serve serve;
    struct engine *engine;
    struct provision provision;
};

/* ---- Orders and answers ------------------------------------------------------------------------ */

static int read_order(struct start_order *order)
{
    ssize_t length = read(START_FD_SOCKET, order, sizeof *order);
    size_t fixed = offsetof(struct start_order, library);
    if (length < 0 || (size_t)length <= fixed || order->magic != START_MAGIC ||
        order->version != START_VERSION || !memchr(order->library, '\0', (size_t)length - fixed) ||
        !policy_fits(&order->policy)) {
        return -EBADMSG;
    }
    return 0;
}

static _Noreturn void refuse(int error, const struct message *why)
{
    char answer[START_ANSWER_BYTES];
    size_t length = strnlen(why->text, sizeof answer - 2);
    answer[0] = START_REFUSED;
    answer[1] = (char)(unsigned char)(error < 0 && error > -256 ? -error : ENOEXEC);
    memcpy(answer + 2, why->text, length);
    (void)!write(START_FD_SOCKET, answer, length + 2);
    _exit(START_EXIT_REFUSED);
}

static void say_loaded(void)
{
    char answer = START_LOADED;
    (void)!write(START_FD_SOCKET, &answer, 1);
    (void)close(START_FD_SOCKET);
}

/* ---- Before foreign code ----------------------------------------------------------------------- */

static int map_lane(struct worker *worker, struct message *why)
{
    const struct start_order *order = &worker->order;
    void *h = mmap(NULL, order->h_bytes, PROT_READ, MAP_SHARED, START_FD_H, 0);
    void *w = mmap(NULL, order->w_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, START_FD_W, 0);
    if (h == MAP_FAILED || w == MAP_FAILED) {
        return message_set(why, -errno, "the lane cannot be mapped: %s", strerror(errno));
    }
    (void)close(START_FD_H);
    (void)close(START_FD_W);
    int event = order->flags & ERRAND_HAS_EVENT ? START_FD_EVENT : -1;
    int r = lane_end_init(&worker->end, h, order->h_bytes, w, order->w_bytes, event);
    return r < 0 ? message_set(why, r, "the lane is not of this version") : 0;
}

static int map_arena(const struct start_order *order, struct message *why)
{
    if (!(order->flags & ERRAND_HAS_ARENA)) {
        return 0;
    }
    void *wanted = (void *)(uintptr_t)order->arena_base;
    void *got = mmap(wanted, order->arena_bytes, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_FIXED_NOREPLACE, START_FD_ARENA, 0);
    if (got != wanted) {
        return message_set(why, -EADDRINUSE, "the arena cannot be mapped at %p: %s", wanted,
                           got == MAP_FAILED ? strerror(errno) : "the address is taken");
    }
    (void)close(START_FD_ARENA);
    return 0;
}

/*
 * Changing the user clears PDEATHSIG, so it comes behind. Between a keeper's death and the call here
 * no signal would come: the parent is looked at afterwards.
 */
static int die_with_keeper(const struct start_order *order, struct message *why)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return message_set(why, -errno, "PDEATHSIG cannot be set: %s", strerror(errno));
    }
    return (uint32_t)getppid() == order->keeper_pid
               ? 0
               : message_set(why, -ESRCH, "the keeper is not there any more");
}

/* ---- Serving ----------------------------------------------------------------------------------- */

static void *resolve(void *context, const char *symbol)
{
    return library_find(context, symbol);
}

static void explain(void *context, const char *symbol, struct message *why)
{
    library_explain(context, symbol, why);
}

static __attribute__((noreturn)) void end(const struct worker *worker, enum lane_leaving why)
{
    static const int statuses[] = {[LANE_LEAVING_NOT] = 0,
                                   [LANE_LEAVING_BROKEN] = START_EXIT_BROKEN_LANE,
                                   [LANE_LEAVING_ABANDONED] = START_EXIT_ABANDONED};
    lane_end_leave(&worker->end, why);
    _exit(statuses[why]);
}

/* Native frames lie on the stack: there is no way back through them. */
static __attribute__((noreturn)) void leave(void *context, enum serve_leave why)
{
    end(context, why == SERVE_BROKEN      ? LANE_LEAVING_BROKEN
                 : why == SERVE_ABANDONED ? LANE_LEAVING_ABANDONED
                                          : LANE_LEAVING_NOT);
}

static int make_engine(struct worker *worker, struct message *why)
{
    struct serve_options options = {
        .end = &worker->end, .read_only_bytes = true, .leave = leave, .leave_context = worker};
    serve_init(&worker->serve, &options);
    struct engine_config config = {
        .arena = {.base = worker->order.arena_base, .bytes = worker->order.arena_bytes},
        .resolve_context = &worker->library,
        .resolve = resolve,
        .explain = explain,
        .transport = serve_transport(&worker->serve),
        .closures_max = LIMIT_CLOSURES,
        .handles_max = LIMIT_HANDLES,
        .kept_bytes_max = LIMIT_KEPT_BYTES,
        .identity = lane_identity(),
    };
    return engine_new(&config, &worker->engine, why);
}

/* ---- Start ------------------------------------------------------------------------------------- */

static int prepare(struct worker *worker, struct message *why)
{
    int r = map_lane(worker, why);
    r = r < 0 ? r : map_arena(&worker->order, why);
    if (r == 0 && (worker->order.flags & ERRAND_HAS_PROVISION)) {
        r = provision_map(&worker->provision, START_FD_PROVISION, why);
    }
    /* The file is opened as whoever started us, who may read more than we shall. */
    r = r < 0 ? r : library_prepare(&worker->library, worker->order.library, why);
    return r < 0 ? r : make_engine(worker, why);
}

/* The loader says what it could not do, and not that it was the limit on address space. */
static void blame_memory(const struct policy *policy, struct message *why, int error)
{
    if (error < 0 && policy->memory_bytes > 0 &&
        (strstr(why->text, "failed to map") || strstr(why->text, "annot allocate memory") ||
         strstr(why->text, "annot map"))) {
        message_add(why, " (memory_bytes is %llu)", (unsigned long long)policy->memory_bytes);
    }
}

/*
 * A process of this user's - another worker's library - may keep so many descriptors in flight that no other can
 * send one. The keeper takes it here; nothing foreign has run, and nothing does before it has answered.
 */
static int have_listener_taken(int listener)
{
    unsigned char text[2] = {START_LISTENER_HERE, (unsigned char)listener};
    unsigned char error = EBADMSG;
    if (listener > UINT8_MAX || write(START_FD_SOCKET, text, sizeof text) != sizeof text) {
        return -ETOOMANYREFS;
    }
    return read(START_FD_SOCKET, &error, 1) == 1 ? -(int)error : -EBADMSG;
}

/* What the kernel stops from now on, somebody hears of. */
static int send_listener(int listener, struct message *why)
{
    char what = START_LISTENER;
    int r = passing_send(START_FD_SOCKET, &what, 1, &listener, 1);
    r = r == -ETOOMANYREFS ? have_listener_taken(listener) : r;
    return r < 0 ? message_set(why, r, "the keeper cannot be given the listener: %s", strerror(-r))
                 : 0;
}

/* Of the granted variables the last of a name counts. */
static int set_environment(const struct policy *policy, struct message *why)
{
    for (uint32_t i = 0; i < policy->item_count; i++) {
        const struct policy_item *item = &policy->items[i];
        char text[LIMIT_GRANT_TEXT_BYTES];
        if (item->kind != POLICY_ENV) {
            continue;
        }
        memcpy(text, policy_text(policy, item), item->text_bytes);
        char *value = strchr(text, '=');
        *value++ = '\0';
        if (setenv(text, value, 1) != 0) {
            return message_set(why, -errno, "the variable %s cannot be set: %s", text,
                               strerror(errno));
        }
    }
    return 0;
}

static int load(struct worker *worker, struct message *why)
{
    struct sandbox sandbox = SANDBOX_NONE;
    struct sandbox_wish wish = {.policy = &worker->order.policy,
                                .mechanisms = worker->order.mechanisms,
                                .library = worker->order.library,
                                .alarm_call = START_ALARM_CALL};
    int r = sandbox_leave_root(&wish, why);
    r = r < 0 ? r : library_settle(&worker->library, why);
    r = r < 0 ? r : die_with_keeper(&worker->order, why);
    r = r < 0 ? r : set_environment(wish.policy, why);
    r = r < 0 ? r : alarm_install(why);
    r = r < 0 ? r : sandbox_enter(&wish, &sandbox, why);
    if (r == 0 && sandbox.listener >= 0) {
        r = send_listener(sandbox.listener, why);
        fd_release(&sandbox.listener);
    }
    if (r == 0) {
        r = library_open(&worker->library, why);
        blame_memory(wish.policy, why, r);
    }
    return r < 0 ? r : sandbox_seal(&wish, &sandbox, why);
}

int main(void)
{
    static struct worker worker;
    struct message why = {.text = ""};
    /* Executed from a descriptor, it would have a number for a name. */
    (void)prctl(PR_SET_NAME, "cordon-worker", 0, 0, 0);
    if (read_order(&worker.order) < 0) {
        return START_EXIT_REFUSED;
    }
    int r = prepare(&worker, &why);
    r = r < 0 ? r : load(&worker, &why);
    r = r < 0 ? r : provision_execute(&worker.provision, worker.engine, &why);
    if (r < 0) {
        refuse(r, &why);
    }
    say_loaded();
    alarm_serve(&worker.end);
    /* Destructors and atexit handlers are the library's: they get no turn. */
    end(&worker, serve_run(&worker.serve, worker.engine) == -ESHUTDOWN ? LANE_LEAVING_NOT
                                                                       : LANE_LEAVING_BROKEN);
}
