/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_REGISTERS_H
#define REPORT_REGISTERS_H

/* The THREAD section of a capture: one thread's registers, numbered as DWARF does, and its name. */

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/user.h>
#include <ucontext.h>

#define CAPTURE_REGISTERS 40u

enum capture_thread_flags {
    CAPTURE_THREAD_BLAMED = 1u << 0,  /* it crashed, called exit, made the forbidden call */
    CAPTURE_THREAD_SERVING = 1u << 1, /* it executes the lane's calls */
};

#if defined(__x86_64__)
#define CAPTURE_MACHINE EM_X86_64
/* 0-15: rax rdx rcx rbx rsi rdi rbp rsp r8-r15 (System V ABI, figure 3.36), 16: rip */
#define CAPTURE_REGISTER_COUNT 18u
#define CAPTURE_REGISTER_SP    7u
#define CAPTURE_REGISTER_FP    6u
#define CAPTURE_REGISTER_PC    16u
#define CAPTURE_REGISTER_FLAGS 17u
/* Of a ucontext_t: up to the end of the registers. */
#define CAPTURE_CONTEXT_BYTES                                                                      \
    (offsetof(ucontext_t, uc_mcontext) + sizeof(((ucontext_t *)NULL)->uc_mcontext))
#elif defined(__aarch64__)
#define CAPTURE_MACHINE        EM_AARCH64
/* 0-30: x0-x30, 31: sp, 32: pc */
#define CAPTURE_REGISTER_COUNT 34u
#define CAPTURE_REGISTER_SP    31u
#define CAPTURE_REGISTER_FP    29u
#define CAPTURE_REGISTER_PC    32u
#define CAPTURE_REGISTER_FLAGS 33u
/* Behind them lie 4 KB for vector registers. */
#define CAPTURE_CONTEXT_BYTES  offsetof(ucontext_t, uc_mcontext.__reserved)
#endif

struct capture_thread {
    uint32_t machine; /* EM_* */
    uint32_t flags;   /* enum capture_thread_flags */
    uint32_t count;
    int32_t system_call; /* it stands in; -1: none, or not known */
    uint64_t registers[CAPTURE_REGISTERS];
    char name[16]; /* NUL-terminated */
};
_Static_assert(sizeof(struct capture_thread) == 352, "a capture travels between programs");

/* As PTRACE_GETREGSET NT_PRSTATUS gives them. */
static inline void capture_thread_from_ptrace(struct capture_thread *thread,
                                              const struct user_regs_struct *regs)
{
    memset(thread, 0, sizeof *thread);
    thread->machine = CAPTURE_MACHINE;
    thread->count = CAPTURE_REGISTER_COUNT;
    thread->system_call = -1;
#if defined(__x86_64__)
    const uint64_t values[CAPTURE_REGISTER_COUNT] = {
        regs->rax, regs->rdx, regs->rcx, regs->rbx, regs->rsi, regs->rdi,
        regs->rbp, regs->rsp, regs->r8,  regs->r9,  regs->r10, regs->r11,
        regs->r12, regs->r13, regs->r14, regs->r15, regs->rip, regs->eflags};
    if ((int64_t)regs->orig_rax >= 0 && regs->orig_rax < 4096) {
        thread->system_call = (int32_t)regs->orig_rax;
    }
#elif defined(__aarch64__)
    uint64_t values[CAPTURE_REGISTER_COUNT];
    memcpy(values, regs->regs, sizeof regs->regs);
    values[CAPTURE_REGISTER_SP] = regs->sp;
    values[CAPTURE_REGISTER_PC] = regs->pc;
    values[CAPTURE_REGISTER_FLAGS] = regs->pstate;
#endif
    memcpy(thread->registers, values, sizeof values);
}

/* As a signal handler was given them. */
static inline void capture_thread_from_context(struct capture_thread *thread,
                                               const ucontext_t *context)
{
    memset(thread, 0, sizeof *thread);
    thread->machine = CAPTURE_MACHINE;
    thread->count = CAPTURE_REGISTER_COUNT;
    thread->system_call = -1;
#if defined(__x86_64__)
    static const uint8_t order[CAPTURE_REGISTER_COUNT] = {
        REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
        REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP, REG_EFL};
    for (uint32_t i = 0; i < CAPTURE_REGISTER_COUNT; i++) {
        thread->registers[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
    }
#elif defined(__aarch64__)
    memcpy(thread->registers, context->uc_mcontext.regs, sizeof context->uc_mcontext.regs);
    thread->registers[CAPTURE_REGISTER_SP] = context->uc_mcontext.sp;
    thread->registers[CAPTURE_REGISTER_PC] = context->uc_mcontext.pc;
    thread->registers[CAPTURE_REGISTER_FLAGS] = context->uc_mcontext.pstate;
#endif
}

#endif
