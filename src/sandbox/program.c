/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/program.h"

#include <errno.h>
#include <string.h>

#define REACH 255u /* of a conditional jump */

void program_begin(struct program *program, struct sock_filter *code, uint32_t room)
{
    *program = (struct program){.code = code, .room = room};
}

static program_label put(struct program *program, struct sock_filter instruction)
{
    if (program->count == program->room) {
        program->full = true;
        return program->count - 1;
    }
    program->count++;
    program->code[program->room - program->count] = instruction;
    return program->count - 1;
}

/* How many instructions lie between the next one that is written and @label. */
static uint32_t distance(const struct program *program, program_label label)
{
    return program->count - label - 1;
}

/* The next one that is written falls through to @label. */
static void follow(struct program *program, program_label label)
{
    uint32_t between = distance(program, label);
    if (between > 0) {
        (void)put(program, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, between));
    }
}

/* @label, or a jump to it from where the next one but one can reach it. */
static program_label reachable(struct program *program, program_label label)
{
    uint32_t between = distance(program, label);
    return between + 1 <= REACH
               ? label
               : put(program, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, between));
}

program_label program_answer(struct program *program, uint32_t action)
{
    for (uint32_t i = 0; i < program->answer_count; i++) {
        if (program->answers[i].action == action) {
            return program->answers[i].label;
        }
    }
    program_label label = put(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
    if (program->answer_count < PROGRAM_ANSWERS) {
        program->answers[program->answer_count].action = action;
        program->answers[program->answer_count++].label = label;
    }
    return label;
}

program_label program_load(struct program *program, uint32_t at, program_label next)
{
    follow(program, next);
    return put(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at));
}

program_label program_mask(struct program *program, uint32_t mask, program_label next)
{
    follow(program, next);
    return put(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
}

program_label program_if(struct program *program, uint16_t comparison, uint32_t value,
                         program_label yes, program_label no)
{
    if (yes == no) {
        return yes;
    }
    yes = reachable(program, yes);
    no = reachable(program, no);
    return put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | comparison, value,
                                                     (uint8_t)distance(program, yes),
                                                     (uint8_t)distance(program, no)));
}

int program_end(struct program *program)
{
    if (program->full) {
        return -E2BIG;
    }
    memmove(program->code, program->code + (program->room - program->count),
            program->count * sizeof program->code[0]);
    return (int)program->count;
}
