/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cordon-keeper: starts, watches, times, reaps and kills the workers of one host process.
 *
 * How it works. One thread waits for five kinds of events: errands from the host, the end of the
 * host, the end or stop of a child, an answer of a starting worker, a system call that a worker's
 * filter did not let pass; and for the earliest time that a ward waits for. There is no tick: an idle keeper sleeps. What an event means for a worker is decided by
 * the table in ward.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/errands.h"
#include "keeper/listener.h"
#include "keeper/reports.h"
#include "keeper/strays.h"
#include "keeper/taking.h"
#include "keeper/wards.h"
#include "lane/identity.h"
#include "lane/start.h"
#include "sandbox/examine.h"
#include "sandbox/probe.h"

#define EVENTS_AT_ONCE   16
#define CAPTURES_AT_ONCE 8
#define FAREWELL_NS      (2 * CLOCK_SECOND_NS) /* for children that SIGKILL does not end at once */
#define REPORTS_LAST_NS  (3 * CLOCK_SECOND_NS / 2) /* for reports to be written; then they hurry */
#define REPORTS_HURRY_NS (3 * CLOCK_SECOND_NS / 2)

/* What an epoll event is about: a ward's start socket or listener (wards.h), or one of these. */
enum source {
    SOURCE_ERRANDS = 2 * WARDS_MAX,
    SOURCE_HOST,
    SOURCE_CHILDREN,
};

struct keeper {
    int epoll;
    int children;   /* signalfd: SIGCHLD */
    uint32_t given; /* bit by number: descriptors that the host gave (enum keeper_fd) */
    struct wards wards;
    struct reports reports;
    struct taking takings[CAPTURES_AT_ONCE];
};

static int listen_to(struct keeper *keeper, int fd, uint32_t source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};
    return epoll_ctl(keeper->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* ---- Children ---------------------------------------------------------------------------------- */

/* A thread that a report needs stands; or a worker stopped itself, which is its own affair. */
static void take_stop(struct keeper *keeper, pid_t id)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)id, &info, WSTOPPED | WNOHANG | __WALL) == 0 && info.si_pid == id) {
        wards_stopped(&keeper->wards, id);
    }
}

static bool is_stop(const siginfo_t *info)
{
    return info->si_code == CLD_STOPPED || info->si_code == CLD_TRAPPED;
}

/* Workers are reaped by their wards, which want to know how they died; strays here. */
static void reap_children(struct keeper *keeper)
{
    struct signalfd_siginfo ignored;
    while (read(keeper->children, &ignored, sizeof ignored) > 0) {
    }
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0 &&
           info.si_pid != 0) {
        struct ward *ward = wards_find_pid(&keeper->wards, info.si_pid);
        if (is_stop(&info)) {
            take_stop(keeper, info.si_pid);
        } else if (ward) {
            ward_step(ward, WARD_EXIT);
        } else if (!reports_exited(&keeper->reports, info.si_pid)) {
            (void)waitid(P_PID, (id_t)info.si_pid, NULL, WEXITED | WNOHANG | __WALL);
        }
        info.si_pid = 0;
    }
    wards_sweep(&keeper->wards);
}

/* ---- Errands ----------------------------------------------------------------------------------- */

static void run_start(struct keeper *keeper, struct errand_letter *letter)
{
    struct ward_fds fds = errand_letter_fds(letter);
    struct ward *ward = wards_start(&keeper->wards, &letter->errand, &fds);
    if (ward && listen_to(keeper, ward->start_socket, wards_index(&keeper->wards, ward)) < 0) {
        ward_step(ward, WARD_END);
    }
    errand_letter_return_fds(letter, &fds);
}

static void run_errand(struct keeper *keeper, struct errand_letter *letter)
{
    if (letter->errand.kind == ERRAND_START) {
        run_start(keeper, letter);
        return;
    }
    static const enum ward_event events[] = {
        [ERRAND_END] = WARD_END, [ERRAND_WATCH] = WARD_WATCH, [ERRAND_MEASURE] = WARD_MEASURE};
    struct ward *ward = wards_find(&keeper->wards, letter->errand.worker);
    /* It may be gone already: the host learns that from the lane. */
    if (ward) {
        ward->end_reason = letter->errand.kind == ERRAND_END ? letter->errand.reason : 0;
        ward_step(ward, events[letter->errand.kind]);
    }
}

/* False: the host has closed its end. */
static bool run_errands(struct keeper *keeper)
{
    for (;;) {
        struct errand_letter letter;
        int r = errand_letter_receive(&letter, KEEPER_FD_SOCKET);
        if (r == 0) {
            run_errand(keeper, &letter);
            errand_letter_deinit(&letter);
        } else if (r == -EAGAIN) {
            return true;
        } else if (r != -EBADMSG) {
            return false; /* -EBADMSG: no errand; it is dropped */
        }
    }
}

/* ---- The loop ---------------------------------------------------------------------------------- */

/* False: the host is gone. */
static bool handle(struct keeper *keeper, uint32_t source)
{
    switch (source) {
    case SOURCE_ERRANDS:
        return run_errands(keeper);
    case SOURCE_HOST:
        return false;
    case SOURCE_CHILDREN:
        reap_children(keeper);
        return true;
    default:
        if (source < WARDS_LISTENERS) {
            wards_answer(&keeper->wards, source);
        } else {
            wards_notice(&keeper->wards, source - WARDS_LISTENERS);
        }
        return true;
    }
}

static int wait_for_events(struct keeper *keeper, struct epoll_event *events)
{
    uint64_t due = wards_due_ns(&keeper->wards);
    uint64_t report = reports_due_ns(&keeper->reports);
    due = report < due ? report : due;
    uint64_t now = due == CLOCK_NEVER ? 0 : clock_now_ns();
    struct timespec timeout = clock_timespec(due > now ? due - now : 0);
    return epoll_pwait2(keeper->epoll, events, EVENTS_AT_ONCE, due == CLOCK_NEVER ? NULL : &timeout,
                        NULL);
}

static void run(struct keeper *keeper)
{
    for (;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int count = wait_for_events(keeper, events);
        if (count < 0 && errno != EINTR) {
            return;
        }
        for (int i = 0; i < count; i++) {
            if (!handle(keeper, events[i].data.u32)) {
                return;
            }
        }
        wards_time(&keeper->wards);
        reports_time(&keeper->reports);
    }
}

/* How long the last that there is to do may take. */
static uint64_t patience_ns(struct keeper *keeper, uint64_t passed_ns)
{
    if (!reports_busy(&keeper->reports)) {
        return FAREWELL_NS;
    }
    if (passed_ns < REPORTS_LAST_NS) {
        return REPORTS_LAST_NS;
    }
    reports_hurry(&keeper->reports);
    return REPORTS_LAST_NS + REPORTS_HURRY_NS;
}

/* Take every worker along, and what they made. */
static void farewell(struct keeper *keeper)
{
    uint64_t begun = clock_now_ns();
    /* Their ends are known, and would be told again and again. */
    (void)epoll_ctl(keeper->epoll, EPOLL_CTL_DEL, KEEPER_FD_SOCKET, NULL);
    (void)epoll_ctl(keeper->epoll, EPOLL_CTL_DEL, KEEPER_FD_HOST, NULL);
    wards_end(&keeper->wards);
    for (;;) {
        reap_children(keeper);
        wards_time(&keeper->wards);
        uint64_t now = clock_now_ns();
        uint64_t until = begun + patience_ns(keeper, now - begun);
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 || now >= until) {
            return;
        }
        (void)strays_kill(wards_has_pid, &keeper->wards);
        struct epoll_event event;
        uint64_t due = wards_due_ns(&keeper->wards);
        due = due < until ? due : until;
        struct timespec timeout = clock_timespec(due > now ? due - now : 0);
        (void)epoll_pwait2(keeper->epoll, &event, 1, &timeout, NULL);
    }
}

/* ---- Start ------------------------------------------------------------------------------------- */

/*
 * The host's terminal, debugger and orphan handling are not this process's. The keeper adopts what
 * workers leave behind, and nobody of its user may look into it.
 */
static int settle(void)
{
    (void)setsid();
    if (prctl(PR_SET_NAME, "cordon-keeper", 0, 0, 0) != 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return -errno;
    }
    return close_range(KEEPER_FD_END, ~0u, 0) == 0 ? 0 : -errno;
}

/*
 * A number that the host left empty (no pidfd to be had) must not be taken by a descriptor of our own.
 */
static int fill_gaps(uint32_t *ret_given)
{
    *ret_given = 0;
    for (int fd = KEEPER_FD_SOCKET; fd < KEEPER_FD_END; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            *ret_given |= 1u << fd;
        } else if (dup3(STDIN_FILENO, fd, O_CLOEXEC) < 0) {
            return -errno;
        }
    }
    return 0;
}

static int open_children(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &signals, NULL) != 0) {
        return -errno;
    }
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static int open_events(struct keeper *keeper)
{
    keeper->epoll = epoll_create1(EPOLL_CLOEXEC);
    keeper->children = open_children();
    if (keeper->epoll < 0 || keeper->children < 0) {
        return -errno;
    }
    int r = listen_to(keeper, KEEPER_FD_SOCKET, SOURCE_ERRANDS);
    r = r < 0 ? r : listen_to(keeper, keeper->children, SOURCE_CHILDREN);
    if (r < 0) {
        return r;
    }
    return keeper->given & (1u << KEEPER_FD_HOST) ? listen_to(keeper, KEEPER_FD_HOST, SOURCE_HOST)
                                                  : 0;
}

static void set_up_wards(struct keeper *keeper, uint32_t *mechanisms)
{
    bool writes = (keeper->given & (1u << KEEPER_FD_SYMBOLIZER)) != 0;
    bool listens = (*mechanisms & ERRAND_NOTIFY) && listener_init();
    *mechanisms &= ~(uint32_t)(listens ? 0 : ERRAND_NOTIFY);
    *mechanisms |= writes ? (uint32_t)ERRAND_REPORTS : 0;
    for (uint32_t i = 0; i < CAPTURES_AT_ONCE; i++) {
        keeper->takings[i].fd = -1;
    }
    reports_init(&keeper->reports, writes ? KEEPER_FD_SYMBOLIZER : -1);
    wards_init(&keeper->wards, KEEPER_FD_PROGRAM, *mechanisms);
    keeper->wards.house.events = keeper->epoll;
    keeper->wards.house.epoll = listens ? keeper->epoll : -1;
    keeper->wards.house.reports = &keeper->reports;
    keeper->wards.house.takings = keeper->takings;
    keeper->wards.house.taking_count = CAPTURES_AT_ONCE;
}

static int say_hello(uint32_t mechanisms)
{
    struct errand_hello hello = {
        .magic = ERRAND_MAGIC,
        .version = ERRAND_VERSION,
        .mechanisms = mechanisms,
        .pid = mechanisms & ERRAND_PID_NAMESPACE ? 0 : (uint32_t)getpid(),
        .identity = lane_identity(),
    };
    ssize_t sent = send(KEEPER_FD_SOCKET, &hello, sizeof hello, MSG_NOSIGNAL);
    return sent == (ssize_t)sizeof hello ? 0 : -errno;
}

/* As any child of the host: settled, it would be denied what its workers are not. */
static int examine(void)
{
    static struct examination examination;
    examine_platform(&examination);
    ssize_t sent = send(KEEPER_FD_SOCKET, &examination, sizeof examination, MSG_NOSIGNAL);
    return sent == (ssize_t)sizeof examination ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct keeper keeper; /* too large for a stack */
    if (argc != KEEPER_ARGUMENT_COUNT) {
        static const char text[] = "cordon-keeper is started by Cordon, not by hand\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        return 2;
    }
    if (strcmp(argv[KEEPER_ARGUMENT_NAMESPACES], KEEPER_EXAMINES) == 0) {
        return examine();
    }
    uint32_t namespaces = (uint32_t)strtoul(argv[KEEPER_ARGUMENT_NAMESPACES], NULL, 16);
    uint32_t without = (uint32_t)strtoul(argv[KEEPER_ARGUMENT_WITHOUT], NULL, 16);
    if (settle() < 0 || fill_gaps(&keeper.given) < 0 || open_events(&keeper) < 0) {
        return 1;
    }
    fd_raise_limit(); /* workers have a limit of their own (policy) */
    uint32_t mechanisms = (namespaces | probe_mechanisms()) & ~without;
    set_up_wards(&keeper, &mechanisms);
    if (say_hello(mechanisms) < 0) {
        return 1;
    }
    run(&keeper);
    farewell(&keeper);
    return 0;
}
