/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEEPER_FINDING_H
#define KEEPER_FINDING_H

/*
 * Finding: what a notice means under the worker's policy, and how it reads in a list of violations.
 * Nothing is enforced by it: what is found harmless is let go on and meets Landlock; what the filter
 * forbids is never executed. Where there is no Landlock, nothing that opens a file is let go on once the
 * library is loaded.
 *
 * Threads: the keeper's only one.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/listener.h"
#include "lane/violation.h"
#include "policy/policy.h"

enum finding_kind {
    FINDING_HARMLESS = 0, /* let it go on */
    FINDING_FORBIDDEN,    /* refuse with act.error; it is a violation */
    FINDING_CRASH,   /* its handler tells of a signal: arguments are (signal, siginfo, context) */
    FINDING_EXIT,    /* the whole process wants to end, with arguments[0] */
    FINDING_NOTHING, /* refuse with ENOSYS, not worth a line: a process beside the worker */
    FINDING_DONE,    /* the keeper did it in the worker's place; act.error is the answer, 0: done */
};

struct finding_scene {
    const struct policy *policy;
    const char *library; /* as START named it */
    bool loading;        /* folders of libraries may be read */
    bool
        files_guarded; /* Landlock is in force; else opens come here only under a policy without files */
    pid_t pid;         /* of the worker */
    int process;       /* its folder in /proc; -1: not known */
    int pidfd;         /* of the worker; -1: none */
};

struct finding {
    enum finding_kind kind;
    struct lane_act act; /* FORBIDDEN: its call's number is left to the caller */
};

void finding_make(const struct finding_scene *scene, const struct notice *notice,
                  struct finding *ret_finding);

/* "the library called openat /etc/shadow, which its policy forbids; read:/etc/shadow would allow it" */
void finding_sentence(const struct lane_act *act, char *text, size_t bytes);

#endif
