/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/composer.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <asm/sockios.h>

#define LOW(at)      (at) /* of 64 bits, on little-endian machines */
#define HIGH(at)     ((at) + 4u)
#define ARGUMENT(i)  LOW(FIELD(args[i])) /* the kernel looks at the low half of ints, too */
#define TYPE_MASK    0xfu
#define CONTROL_KIND 0xff00u
#define NO_APPEND    0x20u /* RWF_NOAPPEND, Linux 6.9 */

/* The low half of an argument is one of these: refused; else @other, which has it loaded. */
static program_label put_any_of(struct composer *composer, uint32_t argument,
                                const uint32_t *values, size_t count, program_label other)
{
    program_label next = other;
    for (size_t i = 0; i < count; i++) {
        next = program_if(&composer->program, BPF_JEQ, values[i], composer->refuse, next);
    }
    return program_load(&composer->program, ARGUMENT(argument), next);
}

/* One of these bits: refused. */
static program_label put_any_bit(struct composer *composer, uint32_t argument, uint32_t bits)
{
    struct program *program = &composer->program;
    program_label next = program_if(program, BPF_JSET, bits, composer->refuse, composer->allow);
    return program_load(program, ARGUMENT(argument), next);
}

/* This value alone. */
static program_label put_only(struct composer *composer, uint32_t argument, uint32_t value)
{
    struct program *program = &composer->program;
    program_label next = program_if(program, BPF_JEQ, value, composer->allow, composer->refuse);
    return program_load(program, ARGUMENT(argument), next);
}

static void compose_processes(struct composer *composer)
{
    struct program *program = &composer->program;
    program_label next = program_if(program, BPF_JSET, CLONE_THREAD,
                                    composer_judge(composer, FILTER_THREADS, SYS_clone),
                                    composer_judge(composer, FILTER_PROCESSES, SYS_clone));
    composer->target[SYS_clone] = program_load(program, ARGUMENT(0), next);
}

static void compose_signals(struct composer *composer)
{
    static const uint32_t senders[] = {SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo,
                                       SYS_rt_tgsigqueueinfo};
    program_label own = put_only(composer, 0, composer->wish->pid);
    for (size_t i = 0; i < ELEMENTS(senders); i++) {
        if (composer_forbids(composer, FILTER_SIGNALS, senders[i])) {
            composer->target[senders[i]] = own;
        }
    }
    if (composer_forbids(composer, FILTER_FORBIDDEN, SYS_prlimit64)) {
        composer->target[SYS_prlimit64] = put_only(composer, 0, 0);
    }
}

static void compose_escapes(struct composer *composer)
{
    static const uint32_t options[] = {PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER,
                                       PR_SET_CHILD_SUBREAPER, PR_SET_MM};
    if (composer_forbids(composer, FILTER_FORBIDDEN, SYS_prctl)) {
        composer->target[SYS_prctl] =
            put_any_of(composer, 0, options, ELEMENTS(options), composer->allow);
    }
}

/* Reserving, punching holes and sharing blocks are controls of files as well; they have kinds. */
static void compose_controls(struct composer *composer)
{
    static const uint32_t controls[] = {FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, TIOCSCTTY,
                                        TCSETS,    TCSETSW,   TCSETSF, TIOCSETD};
    struct program *program = &composer->program;
    program_label other = composer->allow;
    if (!composer_forbids(composer, FILTER_FORBIDDEN, SYS_ioctl)) {
        return;
    }
    if (composer_forbids(composer, FILTER_CUTS_FILES, SYS_ioctl)) {
        other = program_if(program, BPF_JEQ, 'X' << 8, composer->refuse, other);
        other = program_if(program, BPF_JEQ, 0x94 << 8, composer->refuse, other);
        other = program_mask(program, CONTROL_KIND, other);
    }
    composer->target[SYS_ioctl] = put_any_of(composer, 1, controls, ELEMENTS(controls), other);
}

/* Who may not write files may not write over what is in the file that is its standard error. */
static void compose_descriptors(struct composer *composer)
{
    static const uint32_t owners[] = {F_SETOWN, F_SETOWN_EX, F_SETSIG};
    struct program *program = &composer->program;
    program_label other = composer->allow;
    if (composer_forbids(composer, FILTER_CUTS_FILES, SYS_pwritev2)) {
        composer->target[SYS_pwritev2] = put_any_bit(composer, 5, NO_APPEND);
    }
    if (!composer_forbids(composer, FILTER_FORBIDDEN, SYS_fcntl)) {
        return;
    }
    if (composer_forbids(composer, FILTER_CUTS_FILES, SYS_fcntl)) {
        other = program_if(program, BPF_JSET, O_APPEND, composer->allow, composer->refuse);
        other = program_load(program, ARGUMENT(2), other);
        other = program_if(program, BPF_JEQ, F_SETFL, other, composer->allow);
    }
    composer->target[SYS_fcntl] = put_any_of(composer, 1, owners, ELEMENTS(owners), other);
}

/* A connection made by sending is one that Landlock does not see. */
static void compose_fast_open(struct composer *composer)
{
    static const struct {
        uint32_t number, argument;
    } senders[] = {{SYS_sendto, 3}, {SYS_sendmmsg, 3}, {SYS_sendmsg, 2}};
    for (size_t i = 0; i < ELEMENTS(senders); i++) {
        if (composer_forbids(composer, FILTER_FAST_OPEN, senders[i].number)) {
            composer->target[senders[i].number] =
                put_any_bit(composer, senders[i].argument, MSG_FASTOPEN);
        }
    }
}

/* ---- Opening ----------------------------------------------------------------------------------- */

/* Who makes the call: code between @first and @last, the dynamic loader's, or other code. */
program_label compose_if_loader(struct program *program, uint64_t first, uint64_t last,
                                program_label inside, program_label outside)
{
    uint32_t at = FIELD(instruction_pointer);
    uint32_t first_high = (uint32_t)(first >> 32);
    uint32_t last_high = (uint32_t)(last >> 32);
    program_label next = program_if(program, BPF_JGT, (uint32_t)last, outside, inside);
    next = program_load(program, LOW(at), next);
    next = program_if(program, BPF_JEQ, last_high, next, inside);
    next = program_if(program, BPF_JGT, last_high, outside, next);
    program_label below_last = program_load(program, HIGH(at), next);
    next = program_if(program, BPF_JGE, (uint32_t)first, below_last, outside);
    next = program_load(program, LOW(at), next);
    next = program_if(program, BPF_JEQ, first_high, next, outside);
    next = program_if(program, BPF_JGT, first_high, below_last, next);
    return program_load(program, HIGH(at), next);
}

static const struct {
    uint32_t number;
    uint32_t flags; /* the argument; 0: there are none, it writes */
} opening_calls[] = {
    {SYS_openat, 2},
#ifdef SYS_open /* newer architectures never had it */
    {SYS_open, 1},
    {SYS_creat, 0},
#endif
};

/* Refused if it may write; @flags: the argument that says so; 0: there is none, it does. */
static program_label put_writing(struct composer *composer, uint32_t flags)
{
    return flags == 0 ? composer->refuse
                      : put_any_bit(composer, flags, O_ACCMODE | O_CREAT | O_TRUNC);
}

/* Opens by the dynamic loader go on to Landlock, where there is one; all others to the listener first. */
static void compose_opening(struct composer *composer)
{
    const struct compose_wish *wish = composer->wish;
    bool listens = wish->listener && (wish->files_guarded || wish->opens_nothing) &&
                   wish->loader_last != 0 && !policy_writes_all(wish->policy);
    for (size_t i = 0; i < ELEMENTS(opening_calls); i++) {
        uint32_t number = opening_calls[i].number;
        uint32_t flags = opening_calls[i].flags;
        if (listens) {
            program_label loads =
                wish->files_guarded ? composer->allow : put_writing(composer, flags);
            composer->target[number] = compose_if_loader(&composer->program, wish->loader_first,
                                                         wish->loader_last, loads, composer->tell);
        } else if (composer_forbids(composer, FILTER_OPEN_WRITING, number)) {
            composer->target[number] = put_writing(composer, flags);
        }
    }
}

/* ---- Sockets ----------------------------------------------------------------------------------- */

struct socket_kind {
    uint32_t groups; /* enum policy_group: one of them grants it */
    bool to_ports;   /* connect:PORT and bind:PORT do as well */
    uint32_t family;
    uint32_t type;
    uint32_t protocol; /* or 0 */
};

/* Other protocols of the same type (MPTCP, UDP-Lite) pass by what Landlock sees. */
static const struct socket_kind socket_kinds[] = {
    {POLICY_SOCKETS | POLICY_RESOLVER, true, AF_INET, SOCK_STREAM, IPPROTO_TCP},
    {POLICY_SOCKETS | POLICY_RESOLVER, true, AF_INET6, SOCK_STREAM, IPPROTO_TCP},
    {POLICY_SOCKETS | POLICY_UDP | POLICY_RESOLVER, false, AF_INET, SOCK_DGRAM, IPPROTO_UDP},
    {POLICY_SOCKETS | POLICY_UDP | POLICY_RESOLVER, false, AF_INET6, SOCK_DGRAM, IPPROTO_UDP},
    {POLICY_SOCKETS | POLICY_RESOLVER, false, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
    {POLICY_SOCKETS | POLICY_RESOLVER, false, AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE},
    {POLICY_UNIX, false, AF_UNIX, SOCK_STREAM, 0},
    {POLICY_UNIX, false, AF_UNIX, SOCK_DGRAM, 0},
    {POLICY_UNIX, false, AF_UNIX, SOCK_SEQPACKET, 0},
};

static bool grants_socket(const struct policy *policy, const struct socket_kind *kind)
{
    return policy_has(policy, kind->groups) ||
           (kind->to_ports &&
            (policy_has_kind(policy, POLICY_CONNECT) || policy_has_kind(policy, POLICY_BIND)));
}

static program_label put_socket_kind(struct composer *composer, const struct socket_kind *kind,
                                     program_label other)
{
    struct program *program = &composer->program;
    program_label next = program_if(program, BPF_JEQ, kind->protocol, composer->allow, other);
    if (kind->protocol != 0) {
        next = program_if(program, BPF_JEQ, 0, composer->allow, next);
    }
    next = program_load(program, ARGUMENT(2), next);
    next = program_if(program, BPF_JEQ, kind->type, next, other);
    next = program_mask(program, TYPE_MASK, next);
    next = program_load(program, ARGUMENT(1), next);
    next = program_if(program, BPF_JEQ, kind->family, next, other);
    return program_load(program, ARGUMENT(0), next);
}

/*
 * A pair of stream sockets reaches nobody. One of datagram sockets does: each message may be sent to
 * another address than its peer's.
 */
static program_label put_socket_pairs(struct composer *composer)
{
    struct program *program = &composer->program;
    program_label next =
        program_if(program, BPF_JEQ, SOCK_SEQPACKET, composer->allow, composer->refuse);
    next = program_if(program, BPF_JEQ, SOCK_STREAM, composer->allow, next);
    next = program_mask(program, TYPE_MASK, next);
    next = program_load(program, ARGUMENT(1), next);
    next = program_if(program, BPF_JEQ, AF_UNIX, next, composer->refuse);
    return program_load(program, ARGUMENT(0), next);
}

static void compose_sockets(struct composer *composer)
{
    const struct policy *policy = composer->wish->policy;
    if (composer_forbids(composer, FILTER_FORBIDDEN, SYS_socket)) {
        program_label kinds = composer->refuse;
        for (size_t i = 0; i < ELEMENTS(socket_kinds); i++) {
            if (grants_socket(policy, &socket_kinds[i])) {
                kinds = put_socket_kind(composer, &socket_kinds[i], kinds);
            }
        }
        composer->target[SYS_socket] = kinds;
    }
    if (composer_forbids(composer, FILTER_FORBIDDEN, SYS_socketpair) &&
        !policy_has(policy, POLICY_UNIX)) {
        composer->target[SYS_socketpair] = put_socket_pairs(composer);
    }
}

/* ---- All ------------------------------------------------------------------------------------------ */

program_label compose_if_opening(struct program *program, program_label opens, program_label other)
{
    program_label next = other;
    for (size_t i = 0; i < ELEMENTS(opening_calls); i++) {
        next = program_if(program, BPF_JEQ, opening_calls[i].number, opens, next);
    }
    return next;
}

void compose_blocks(struct composer *composer)
{
    compose_processes(composer);
    compose_signals(composer);
    compose_escapes(composer);
    compose_controls(composer);
    compose_descriptors(composer);
    compose_fast_open(composer);
    compose_opening(composer);
    compose_sockets(composer);
}
