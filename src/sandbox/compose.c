/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <asm/sockios.h>

#include "sandbox/program.h"
#include "sandbox/sandbox_filters.h" /* generated */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the number of this architecture is not known"
#endif

/*
 * How it works. A table gives each system call its target: an answer, or a block that looks at arguments.
 * Neighbours with the same target make one range, and a balanced tree of comparisons finds the range; the
 * call's number is loaded once. All of it is written backwards (program.h). Where the filter only reads the
 * number, the kernel knows its answer beforehand and does not run it.
 */

#define FIELD(name)    ((uint32_t)offsetof(struct seccomp_data, name))
#define LOW(at)        (at) /* of 64 bits, on little-endian machines */
#define HIGH(at)       ((at) + 4u)
#define ARGUMENT(i)    LOW(FIELD(args[i])) /* the kernel looks at the low half of ints, too */
#define TYPE_MASK      0xfu
#define CONTROL_KIND   0xff00u
#define OTHER_TABLE    0x40000000u /* x32 */
#define NO_APPEND      0x20u       /* RWF_NOAPPEND, Linux 6.9 */
#define CALLS          (FILTER_NEWEST + 1u)
#define RANGES_MAX     (CALLS + 4u)
#define ELEMENTS(list) (sizeof(list) / sizeof(list)[0])

struct range {
    uint32_t first;
    program_label target;
};

struct composer {
    const struct compose_wish *wish;
    struct program program;
    program_label allow;
    program_label refuse;
    program_label tell; /* somebody looks; nobody there: allowed */
    program_label target[CALLS];
};

/* ---- Grants ------------------------------------------------------------------------------------ */

static bool grants_network_call(const struct policy *policy, enum filter_class class)
{
    uint32_t groups = POLICY_SOCKETS | POLICY_UNIX;
    if (class != FILTER_LISTENS) {
        groups |= POLICY_UDP | POLICY_RESOLVER;
    }
    return policy_has(policy, groups) ||
           policy_has_kind(policy, class == FILTER_CONNECTS ? POLICY_CONNECT : POLICY_BIND);
}

static bool grants_writing(const struct policy *policy)
{
    return policy_writes_all(policy) || policy_has_kind(policy, POLICY_WRITE);
}

static bool grants_class(const struct compose_wish *wish, enum filter_class class, uint32_t number)
{
    const struct policy *policy = wish->policy;
    switch (class) {
    case FILTER_PROCESSES:
        return policy_has(policy, POLICY_PROCESSES);
    case FILTER_SIGNALS:
        return policy_has(policy, POLICY_PROCESSES) && wish->signals_guarded;
    case FILTER_MAKES_FILES:
        return number == SYS_truncate && !wish->truncates_guarded ? policy_writes_all(policy)
                                                                  : grants_writing(policy);
    case FILTER_MARKS_FILES:
        return policy_writes_all(policy);
    case FILTER_CUTS_FILES:
        return grants_writing(policy);
    case FILTER_OPEN_WRITING:
        return wish->files_guarded || grants_writing(policy) ||
               policy_has_kind(policy, POLICY_DEVICE);
    case FILTER_CONNECTS:
    case FILTER_BINDS:
    case FILTER_LISTENS:
        return grants_network_call(policy, class);
    case FILTER_FAST_OPEN:
        return !policy_limits_ports(policy);
    case FILTER_THREADS:
    case FILTER_EXITS:
    case FILTER_FORBIDDEN:
    case FILTER_UNREADABLE:
        break;
    }
    return false;
}

static program_label judge(struct composer *composer, enum filter_class class, uint32_t number)
{
    const struct policy *policy = composer->wish->policy;
    if (class == FILTER_THREADS || class == FILTER_EXITS) {
        return composer->tell;
    }
    bool by_name = policy_grants_call(policy, number) &&
                   (class != FILTER_UNREADABLE || !policy_has(policy, POLICY_EVERYTHING));
    if (by_name || grants_class(composer->wish, class, number)) {
        return composer->allow;
    }
    return class == FILTER_UNREADABLE
               ? program_answer(&composer->program, SECCOMP_RET_ERRNO | ENOSYS)
               : composer->refuse;
}

static bool forbids(struct composer *composer, enum filter_class class, uint32_t number)
{
    return judge(composer, class, number) != composer->allow;
}

/* ---- Blocks: calls whose arguments matter ------------------------------------------------------ */

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
    program_label next =
        program_if(program, BPF_JSET, CLONE_THREAD, judge(composer, FILTER_THREADS, SYS_clone),
                   judge(composer, FILTER_PROCESSES, SYS_clone));
    composer->target[SYS_clone] = program_load(program, ARGUMENT(0), next);
}

static void compose_signals(struct composer *composer)
{
    static const uint32_t senders[] = {SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo,
                                       SYS_rt_tgsigqueueinfo};
    program_label own = put_only(composer, 0, composer->wish->pid);
    for (size_t i = 0; i < ELEMENTS(senders); i++) {
        if (forbids(composer, FILTER_SIGNALS, senders[i])) {
            composer->target[senders[i]] = own;
        }
    }
    if (forbids(composer, FILTER_FORBIDDEN, SYS_prlimit64)) {
        composer->target[SYS_prlimit64] = put_only(composer, 0, 0);
    }
}

static void compose_escapes(struct composer *composer)
{
    static const uint32_t options[] = {PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER,
                                       PR_SET_CHILD_SUBREAPER, PR_SET_MM};
    if (forbids(composer, FILTER_FORBIDDEN, SYS_prctl)) {
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
    if (!forbids(composer, FILTER_FORBIDDEN, SYS_ioctl)) {
        return;
    }
    if (forbids(composer, FILTER_CUTS_FILES, SYS_ioctl)) {
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
    if (forbids(composer, FILTER_CUTS_FILES, SYS_pwritev2)) {
        composer->target[SYS_pwritev2] = put_any_bit(composer, 5, NO_APPEND);
    }
    if (!forbids(composer, FILTER_FORBIDDEN, SYS_fcntl)) {
        return;
    }
    if (forbids(composer, FILTER_CUTS_FILES, SYS_fcntl)) {
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
        if (forbids(composer, FILTER_FAST_OPEN, senders[i].number)) {
            composer->target[senders[i].number] =
                put_any_bit(composer, senders[i].argument, MSG_FASTOPEN);
        }
    }
}

/* ---- Opening ----------------------------------------------------------------------------------- */

/* Who makes the call: code between @first and @last, the dynamic loader's, or other code. */
static program_label put_loader(struct program *program, uint64_t first, uint64_t last,
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
            composer->target[number] = put_loader(&composer->program, wish->loader_first,
                                                  wish->loader_last, loads, composer->tell);
        } else if (forbids(composer, FILTER_OPEN_WRITING, number)) {
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
    if (forbids(composer, FILTER_FORBIDDEN, SYS_socket)) {
        program_label kinds = composer->refuse;
        for (size_t i = 0; i < ELEMENTS(socket_kinds); i++) {
            if (grants_socket(policy, &socket_kinds[i])) {
                kinds = put_socket_kind(composer, &socket_kinds[i], kinds);
            }
        }
        composer->target[SYS_socket] = kinds;
    }
    if (forbids(composer, FILTER_FORBIDDEN, SYS_socketpair) && !policy_has(policy, POLICY_UNIX)) {
        composer->target[SYS_socketpair] = put_socket_pairs(composer);
    }
}

/* ---- The tree ---------------------------------------------------------------------------------- */

static uint32_t add_range(struct range *ranges, uint32_t count, uint32_t first,
                          program_label target)
{
    if (count > 0 && ranges[count - 1].target == target) {
        return count;
    }
    ranges[count] = (struct range){.first = first, .target = target};
    return count + 1;
}

static uint32_t find_ranges(struct composer *composer, struct range *ranges)
{
    const struct compose_wish *wish = composer->wish;
    program_label unknown = program_answer(&composer->program, SECCOMP_RET_ERRNO | ENOSYS);
    program_label newer = policy_has(wish->policy, POLICY_EVERYTHING) ? composer->allow : unknown;
    uint32_t count = 0;
    for (uint32_t i = 0; i < CALLS; i++) {
        count = add_range(ranges, count, i, composer->target[i]);
    }
    count = add_range(ranges, count, CALLS, newer);
    count = add_range(ranges, count, wish->alarm_call, wish->listener ? composer->tell : unknown);
    count = add_range(ranges, count, wish->alarm_call + 1, newer);
    return add_range(ranges, count, OTHER_TABLE, unknown);
}

/* Half of them on each side, which makes the depth that of a balanced tree: no deeper than 10. */
static program_label put_tree(struct program *program, const struct range *ranges, uint32_t count)
{
    if (count == 1) {
        return ranges[0].target;
    }
    uint32_t half = count / 2;
    program_label above = put_tree(program, ranges + half, count - half);
    program_label below = put_tree(program, ranges, half);
    return program_if(program, BPF_JGE, ranges[half].first, above, below);
}

static int end_filter(struct program *program, program_label root, uint32_t otherwise)
{
    program_label foreign = program_answer(program, otherwise);
    program_label native = program_load(program, FIELD(nr), root);
    program_label next = program_if(program, BPF_JEQ, ARCHITECTURE, native, foreign);
    (void)program_load(program, FIELD(arch), next);
    return program_end(program);
}

int compose_filter(const struct compose_wish *wish, struct sock_filter *code)
{
    struct composer composer = {.wish = wish};
    struct range ranges[RANGES_MAX];
    struct program *program = &composer.program;
    program_begin(program, code, FILTER_COUNT_MAX);
    composer.allow = program_answer(program, SECCOMP_RET_ALLOW);
    composer.refuse = program_answer(program, wish->listener ? SECCOMP_RET_USER_NOTIF
                                                             : SECCOMP_RET_ERRNO | EPERM);
    composer.tell = wish->listener ? composer.refuse : composer.allow;
    for (uint32_t i = 0; i < CALLS; i++) {
        composer.target[i] = composer.allow;
    }
    for (size_t i = 0; i < ELEMENTS(filter_calls); i++) {
        const struct filter_call *call = &filter_calls[i];
        if (call->number < CALLS) { /* else it is newer than all that is judged */
            composer.target[call->number] = judge(&composer, call->class, call->number);
        }
    }
    compose_processes(&composer);
    compose_signals(&composer);
    compose_escapes(&composer);
    compose_controls(&composer);
    compose_descriptors(&composer);
    compose_fast_open(&composer);
    compose_opening(&composer);
    compose_sockets(&composer);
    uint32_t count = find_ranges(&composer, ranges);
    return end_filter(program, put_tree(program, ranges, count), SECCOMP_RET_KILL_PROCESS);
}

int compose_seal(uint64_t loader_first, uint64_t loader_last, struct sock_filter *code)
{
    struct program program;
    program_begin(&program, code, FILTER_COUNT_MAX);
    program_label allow = program_answer(&program, SECCOMP_RET_ALLOW);
    program_label refuse = program_answer(&program, SECCOMP_RET_ERRNO | EACCES);
    if (loader_last != 0) {
        refuse = put_loader(&program, loader_first, loader_last, refuse, allow);
    }
    program_label next = allow;
    for (size_t i = 0; i < ELEMENTS(opening_calls); i++) {
        next = program_if(&program, BPF_JEQ, opening_calls[i].number, refuse, next);
    }
    return end_filter(&program, next, SECCOMP_RET_KILL_PROCESS);
}
