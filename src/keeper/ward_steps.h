/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_WARD_STEPS_H
#define KEEPER_WARD_STEPS_H

/* What the files of a ward share: steps of its table, and the ends that they come to. */

#include "keeper/finding.h"
#include "keeper/taking.h"
#include "keeper/ward.h"
#include "report/capture.h"

/* ---- ward.c: ends ------------------------------------------------------------------------------ */

void ward_say(struct lane_death *death, const char *text);

/* The worker has answered, or nobody wants to hear it. */
void ward_close_start(struct ward *ward);

/* SIGKILL; ENDING. */
void ward_kill(struct ward *ward);

/* The process is dead: learn how. Then give @verdict unless one stands; SWEEPING, or NOTHING. */
void ward_reap(struct ward *ward);
void ward_dead(struct ward *ward, enum lane_verdict verdict);

void ward_on_time_serving(struct ward *ward);

/* ---- ward_start.c: STARTING -------------------------------------------------------------------- */

void ward_say_how_loading_ended(struct lane_death *death);

void ward_on_answer(struct ward *ward);
void ward_on_notice_starting(struct ward *ward);
void ward_on_exit_starting(struct ward *ward);
void ward_on_time_starting(struct ward *ward);

/* ---- ward_capture.c: behind a verdict, before the kill ----------------------------------------- */

/* What a capture is told beside what the ward knows. Zero what does not matter. */
struct ward_reason {
    enum capture_why why;
    pid_t thread; /* blamed */
    uint32_t seq;
    int signal, code, status;
    int system_call;
    bool has_fault;
    uint64_t fault_address;
    uint32_t part; /* not 0: the worker goes on */
    const struct lane_act *act;
    const char *text;
    const struct taking_alarm *alarm; /* what a crashed thread handed over */
    const struct notice *notice; /* where the blamed thread stands in the kernel; NULL: not there */
};

/*
 * A verdict stands: take what a report needs, if there is to be one, then kill. CAPTURING while threads
 * are waited for, else ENDING.
 */
void ward_capture_and_kill(struct ward *ward, const struct ward_reason *reason);

/* It died without a word; nothing but the lane is left. */
void ward_capture_dead(struct ward *ward, uint32_t seq);

/* It goes on: the first refusal of its life, while the thread stands in the kernel. */
void ward_capture_refusal(struct ward *ward, const struct notice *notice,
                          const struct lane_act *act);

/* The host replaces it: nothing of its threads is taken. */
void ward_capture_recycled(struct ward *ward);

/* CAPTURING: a thread of it stands; it lasted too long; the process is dead. */
void ward_on_stopped(struct ward *ward);
void ward_on_time_capturing(struct ward *ward);
void ward_capture_cut(struct ward *ward);

/* ---- ward_notice.c: what the filter's listener tells ------------------------------------------- */

/* A worker sent its listener. */
void ward_take_listener(struct ward *ward, int *fd);

/* Nobody answers any more: threads that wait are about to die. */
void ward_stop_listening(struct ward *ward);

void ward_on_notice(struct ward *ward);
void ward_on_notice_mourned(struct ward *ward);
void ward_mourn(struct ward *ward); /* the verdict DIED stands: MOURNED */
void ward_bury(struct ward *ward);  /* MOURNED: what the crash left is taken, the worker killed */
void ward_resume_listening(struct ward *ward); /* time has come, or not */

#endif
