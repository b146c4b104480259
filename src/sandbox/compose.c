/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/compose.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox/sandbox_filters.h" /* generated */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the number of this architecture is not known"
#endif

/*
 * How it works. What stands in front is written from its end conditions: a block jumps over itself by a
 * distance that is known when it is written, and everything falls through to the generated filter. The
 * call's number is loaded anew where a block needs it. Another architecture's calls skip all of it: the
 * generated filter ends the process.
 */

#define FIELD(name) ((uint32_t)offsetof(struct seccomp_data, name))
#define LOW(at)     (at) /* of 64 bits, on little-endian machines */
#define HIGH(at)    ((at) + 4u)
#define TYPE_MASK   0xfu
#define BLOCK_MAX   96u /* instructions of a block: a jump reaches 255 */

struct writer {
    struct sock_filter code[BLOCK_MAX];
    uint32_t count;
};

static void put(struct writer *writer, uint16_t operation, uint32_t operand)
{
    assert(writer->count < BLOCK_MAX);
    writer->code[writer->count++] = (struct sock_filter)BPF_STMT(operation, operand);
}

static void load(struct writer *writer, uint32_t at)
{
    put(writer, BPF_LD | BPF_W | BPF_ABS, at);
}

/* Skip so many instructions if true, so many if false. */
static void jump(struct writer *writer, uint16_t comparison, uint32_t value, uint8_t if_true,
                 uint8_t if_false)
{
    assert(writer->count < BLOCK_MAX);
    writer->code[writer->count++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_K | comparison, value, if_true, if_false);
}

static void answer(struct writer *writer, uint32_t action)
{
    put(writer, BPF_RET | BPF_K, action);
}

static uint32_t refusal(const struct compose_wish *wish)
{
    return wish->listener ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | EPERM;
}

/* ---- In front ---------------------------------------------------------------------------------- */

static void put_alarm_and_future(struct writer *writer, const struct compose_wish *wish)
{
    load(writer, FIELD(nr));
    jump(writer, BPF_JEQ, wish->alarm_call, 0, 1);
    answer(writer, wish->listener ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | ENOSYS);
    if (!policy_has(wish->policy, POLICY_EVERYTHING)) {
        jump(writer, BPF_JGT, FILTER_NEWEST, 0, 1);
        answer(writer, SECCOMP_RET_ERRNO | ENOSYS);
    }
}

/* Opens by the dynamic loader go on to Landlock, all others to the listener first. */
static void put_open(struct writer *writer, const struct compose_wish *wish, uint32_t number)
{
    uint32_t at = FIELD(instruction_pointer);
    uint32_t first_high = (uint32_t)(wish->loader_first >> 32);
    uint32_t last_high = (uint32_t)(wish->loader_last >> 32);
    load(writer, FIELD(nr));
    jump(writer, BPF_JEQ, number, 0, 11);
    load(writer, HIGH(at));
    jump(writer, BPF_JGT, first_high, 3, 0);
    jump(writer, BPF_JEQ, first_high, 0, 7);
    load(writer, LOW(at));
    jump(writer, BPF_JGE, (uint32_t)wish->loader_first, 0, 5);
    load(writer, HIGH(at));
    jump(writer, BPF_JGT, last_high, 3, 0);
    jump(writer, BPF_JEQ, last_high, 0, 3);
    load(writer, LOW(at));
    jump(writer, BPF_JGT, (uint32_t)wish->loader_last, 0, 1);
    answer(writer, SECCOMP_RET_USER_NOTIF);
}

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

/* One kind that is allowed; the others fall through. */
static void put_socket_kind(struct writer *writer, const struct socket_kind *kind)
{
    load(writer, LOW(FIELD(args[0])));
    jump(writer, BPF_JEQ, kind->family, 0, 7);
    load(writer, LOW(FIELD(args[1])));
    put(writer, BPF_ALU | BPF_AND | BPF_K, TYPE_MASK);
    jump(writer, BPF_JEQ, kind->type, 0, 4);
    load(writer, LOW(FIELD(args[2])));
    jump(writer, BPF_JEQ, 0, 1, 0);
    jump(writer, BPF_JEQ, kind->protocol, 0, 1);
    answer(writer, SECCOMP_RET_ALLOW);
}

static void put_sockets(struct writer *writer, const struct compose_wish *wish)
{
    struct writer kinds = {.count = 0};
    for (size_t i = 0; i < sizeof socket_kinds / sizeof socket_kinds[0]; i++) {
        if (grants_socket(wish->policy, &socket_kinds[i])) {
            put_socket_kind(&kinds, &socket_kinds[i]);
        }
    }
    answer(&kinds, refusal(wish));
    load(writer, FIELD(nr));
    jump(writer, BPF_JEQ, SYS_socket, 0, (uint8_t)kinds.count);
    for (uint32_t i = 0; i < kinds.count; i++) {
        put(writer, 0, 0);
        writer->code[writer->count - 1] = kinds.code[i];
    }
}

/*
 * A pair of stream sockets reaches nobody. One of datagram sockets does: each message may be sent to
 * another address than its peer's.
 */
static void put_socket_pairs(struct writer *writer, const struct compose_wish *wish)
{
    load(writer, FIELD(nr));
    jump(writer, BPF_JEQ, SYS_socketpair, 0, 7);
    load(writer, LOW(FIELD(args[0])));
    jump(writer, BPF_JEQ, AF_UNIX, 0, 4);
    load(writer, LOW(FIELD(args[1])));
    put(writer, BPF_ALU | BPF_AND | BPF_K, TYPE_MASK);
    jump(writer, BPF_JEQ, SOCK_STREAM, 2, 0);
    jump(writer, BPF_JEQ, SOCK_SEQPACKET, 1, 0);
    answer(writer, refusal(wish));
}

/* Append a writer's block. */
static uint32_t append(struct sock_filter *code, uint32_t count, const struct writer *writer)
{
    memcpy(code + count, writer->code, writer->count * sizeof code[0]);
    return count + writer->count;
}

static const uint32_t opening_calls[] = {
    SYS_openat,
#ifdef SYS_open /* newer architectures never had it */
    SYS_open,
    SYS_creat,
#endif
};

static uint32_t put_front(const struct compose_wish *wish, struct sock_filter *code)
{
    const struct policy *policy = wish->policy;
    bool everything = policy_has(policy, POLICY_EVERYTHING);
    struct writer writer = {.count = 0};
    uint32_t count = 2; /* the architecture's two come last: they jump over all */
    put_alarm_and_future(&writer, wish);
    count = append(code, count, &writer);
    bool listens = wish->listener && wish->files_guarded && wish->loader_last != 0;
    if (listens && !policy_writes_all(policy)) {
        writer.count = 0;
        for (size_t i = 0; i < sizeof opening_calls / sizeof opening_calls[0]; i++) {
            put_open(&writer, wish, opening_calls[i]);
        }
        count = append(code, count, &writer);
    }
    if (!everything && !policy_grants_call(policy, SYS_socket)) {
        writer.count = 0;
        put_sockets(&writer, wish);
        count = append(code, count, &writer);
    }
    if (!everything && !policy_has(policy, POLICY_UNIX) &&
        !policy_grants_call(policy, SYS_socketpair)) {
        writer.count = 0;
        put_socket_pairs(&writer, wish);
        count = append(code, count, &writer);
    }
    assert(count - 2 <= UINT8_MAX);
    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(arch));
    code[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0,
                                           (uint8_t)(count - 2));
    return count;
}

/* ---- Questions --------------------------------------------------------------------------------- */

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

static uint32_t answer_to(const struct compose_wish *wish, uint32_t question)
{
    enum filter_class class = filter_question_class(question);
    uint32_t number = filter_question_number(question);
    if (class == FILTER_THREADS || class == FILTER_EXITS) {
        /* Never refused here: somebody counts, or looks. */
        return wish->listener ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;
    }
    bool by_name = policy_grants_call(wish->policy, number) &&
                   (class != FILTER_UNREADABLE || !policy_has(wish->policy, POLICY_EVERYTHING));
    if (by_name || grants_class(wish, class, number)) {
        return SECCOMP_RET_ALLOW;
    }
    return class == FILTER_UNREADABLE ? SECCOMP_RET_ERRNO | ENOSYS : refusal(wish);
}

static void answer_all(const struct compose_wish *wish, struct sock_filter *code, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (BPF_CLASS(code[i].code) == BPF_JMP && code[i].k == FILTER_OWN_PID) {
            code[i].k = wish->pid;
        }
        if (BPF_CLASS(code[i].code) == BPF_RET &&
            (code[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE) {
            code[i].k = answer_to(wish, code[i].k & SECCOMP_RET_DATA);
        }
    }
}

int compose_filter(const struct compose_wish *wish, struct sock_filter *code)
{
    uint32_t count = put_front(wish, code);
    size_t generated = sizeof filter_enter / sizeof filter_enter[0];
    if (generated > FILTER_COUNT_MAX - count) {
        return -E2BIG;
    }
    memcpy(code + count, filter_enter, sizeof filter_enter);
    answer_all(wish, code + count, generated);
    return (int)(count + generated);
}

size_t compose_seal(struct sock_filter *code)
{
    memcpy(code, filter_seal, sizeof filter_seal);
    return sizeof filter_seal / sizeof filter_seal[0];
}
