/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_PROGRAM_H
#define SANDBOX_PROGRAM_H

/*
 * Program: a seccomp filter written from its end to its beginning, so that every jump's target is there
 * when the jump is written, and each answer stands in it once. What a filter costs when it is set is
 * mostly its length: the kernel checks it, compiles it, and tries it on every system call.
 *
 * Threads: any; nothing but the program is written.
 */

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#define PROGRAM_ANSWERS 8u

/* An instruction: how many come behind it. */
typedef uint32_t program_label;

struct program {
    struct sock_filter *code; /* borrowed */
    uint32_t room;
    uint32_t count; /* so many, at the end of the room */
    bool full;      /* it did not fit; nothing more is written */
    uint32_t answer_count;
    struct {
        uint32_t action;
        program_label label;
    } answers[PROGRAM_ANSWERS];
};

void program_begin(struct program *program, struct sock_filter *code, uint32_t room);

/* End with @action. */
program_label program_answer(struct program *program, uint32_t action);

/* Load 32 bits of struct seccomp_data at @at, go on at @next. */
program_label program_load(struct program *program, uint32_t at, program_label next);

/* Keep the bits of @mask of what is loaded. */
program_label program_mask(struct program *program, uint32_t mask, program_label next);

/* Compare what is loaded (BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET) with @value. */
program_label program_if(struct program *program, uint16_t comparison, uint32_t value,
                         program_label yes, program_label no);

/* What was written last begins the filter: move it to the front. Its length, or -E2BIG. */
int program_end(struct program *program);

#endif
