/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_WARD_H
#define KEEPER_WARD_H

/*
 * Ward: one worker in the care of the keeper, from the errand that asked for it until it is gone.
 *
 *           START            answer          EXIT, or the last stray's end
 *   NOTHING -----> STARTING -------> SERVING ------------------------------> NOTHING
 *                     |  crash, exit,  | |  a forbidden act            ^
 *                     |  late    crash | v                             |
 *                     |         MOURNED  |                             |
 *                     |                | v                             |
 *                     +----------> CAPTURING ---> ENDING ---> SWEEPING -+
 *
 * CAPTURING is passed over where nothing has to be waited for. MOURNED: of a crash the caller is told, and
 * goes on with another worker, before anybody spends time on this one.
 *
 * The host learns everything from its lane: the verdict as soon as it is known, `gone` when nobody is
 * left who could write the lane.
 *
 * Threads: the keeper's only one.
 */

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/listener.h"
#include "lane/errand.h"
#include "lane/keeper.h"
#include "policy/policy.h"

struct reports;
struct taking;

enum ward_state {
    WARD_NOTHING = 0,
    WARD_STARTING, /* the process is there, the library is being loaded */
    WARD_SERVING,
    WARD_MOURNED,   /* its verdict stands, the crashed thread stands in the kernel */
    WARD_CAPTURING, /* its verdict stands, its threads are being stopped for a report */
    WARD_ENDING,    /* killed, not yet dead */
    WARD_SWEEPING,  /* dead, but processes that it made are not */
    WARD_STATE_COUNT,
};

enum ward_event {
    WARD_ANSWER,  /* something came on the start socket, or its end */
    WARD_END,     /* the host wants it ended */
    WARD_WATCH,   /* the host wants its deadlines watched */
    WARD_MEASURE, /* the host wants to know its resident bytes */
    WARD_TIME,    /* what it waited for is due */
    WARD_NOTICE,  /* its filter's listener has something to tell */
    WARD_STOPPED, /* a thread of it stands, for a report */
    WARD_EXIT,    /* the process is dead */
    WARD_SWEPT,   /* no stray is left */
    WARD_EVENT_COUNT,
};

struct ward {
    /* What is looked at in all wards, whatever happens to one, lies together. */
    alignas(64) enum ward_state state;
    uint32_t worker; /* its name, given by the host */
    pid_t pid;
    int number;              /* of the process in /proc; negative: not known */
    uint64_t start_until_ns; /* when it has to be serving */
    uint64_t look_ns;        /* when its calls' deadlines are to be looked at */
    uint64_t listen_ns;      /* when it is listened to again; CLOCK_NEVER: it is, or never */
    uint64_t bury_ns;        /* MOURNED: when the rest is done */
    uint64_t capture_until_ns;
    /* Lent, SERVING: until when a crash that its client tells of is waited for; 0. */
    uint64_t leave_ns;

    struct lane_ward lane;
    int bell_fd;      /* owned; -1: none */
    int start_socket; /* owned; -1: answered */
    int pidfd;        /* owned */
    bool may_make_processes;

    const struct ward_house *house;
    struct policy policy;
    uint32_t mechanisms; /* enum errand_mechanism: in force */
    uint64_t memory_bytes;
    char library[ERRAND_LIBRARY_BYTES];

    int listener;             /* owned; -1: none */
    uint32_t listener_source; /* epoll knows it by this */
    bool listener_came;       /* or will not */
    bool listening;
    uint32_t refused; /* notices, ever */

    struct notice alarm;     /* MOURNED: of the crash */
    uint64_t mourn_until_ns; /* when the rest is done though no alarm came */

    uint32_t end_reason;  /* enum errand_reason, of an END */
    bool refusal_counted; /* the first one had its report, or none */
    uint64_t report_id;
    int h_fd; /* these four are owned; -1: none, or handed over */
    int card_fd;
    int recording_fd;
    int reports_fd;
    struct taking *taking; /* borrowed of the house, CAPTURING */
    pid_t blamed;

    uint64_t start_ns;       /* when it was started */
    struct lane_death death; /* as far as it is known */
};

/* Descriptors of a START errand; -1 where there is none. Those that a ward keeps are taken. */
struct ward_fds {
    int h;
    int w;
    int event;
    int arena;
    int card;
    int reports;
    int bell;
    int recording;
    int provision; /* 0, as well: none */
    int ledger;
};

/* What all wards have in common. */
struct ward_house {
    int program;             /* of the worker */
    uint32_t mechanisms;     /* enum errand_mechanism that can be in force */
    int events;              /* epoll set in which start sockets are watched; -1: none */
    int epoll;               /* where listeners are watched; -1: nowhere, they are not taken */
    struct reports *reports; /* NULL: none are made */
    struct taking *takings;  /* captures that can be made at once */
    uint32_t taking_count;
};

/*
 * How long a crashed worker is left lying: capturing and ending it take some 300 us of CPUs that the caller and
 * the next worker want (measured: 250 of 420 us to the next answer, where both had one CPU).
 */
#define WARD_MOURNING_NS 500000ull

/*
 * And how long one whose host has heard of the crash, and we have not: its thread was held up between the two (more
 * threads than CPUs), and what it says is what the report needs.
 */
#define WARD_MOURNING_MOST_NS 50000000ull

/* How long a crash is waited for of which a lent worker's client has heard already. */
#define WARD_LEAVING_NS 2000000000ull

#define WARD_NOTICES_FREE  256u /* refused in a worker's life without a pause */
#define WARD_NOTICE_MS_MAX 50u  /* the longest pause */

/*
 * Start a worker as @errand (judged) says. A start that fails is told to the host through its lane.
 * Returns 0: @ward is STARTING, or the failure was told and it is NOTHING; -EBADMSG: the memories are
 * no lane, nobody could be told.
 */
int ward_start(struct ward *ward, const struct ward_house *house, const struct errand *errand,
               struct ward_fds *fds);

/* Tell the host of @fds' lane that its worker cannot be started. -EBADMSG as above. */
int ward_refuse(const struct ward_fds *fds, const char *text);

void ward_step(struct ward *ward, enum ward_event event);

/* When ward_step(ward, WARD_TIME) is due; CLOCK_NEVER: no need. */
uint64_t ward_due_ns(const struct ward *ward);

#endif
