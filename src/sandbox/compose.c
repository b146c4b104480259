/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/compose.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "sandbox/composer.h"
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

#define OTHER_TABLE 0x40000000u /* x32 */
#define RANGES_MAX  (COMPOSER_CALLS + 4u)

struct range {
    uint32_t first;
    program_label target;
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

program_label composer_judge(struct composer *composer, enum filter_class class, uint32_t number)
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
    for (uint32_t i = 0; i < COMPOSER_CALLS; i++) {
        count = add_range(ranges, count, i, composer->target[i]);
    }
    count = add_range(ranges, count, COMPOSER_CALLS, newer);
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
    for (uint32_t i = 0; i < COMPOSER_CALLS; i++) {
        composer.target[i] = composer.allow;
    }
    for (size_t i = 0; i < ELEMENTS(filter_calls); i++) {
        const struct filter_call *call = &filter_calls[i];
        if (call->number < COMPOSER_CALLS) { /* else it is newer than all that is judged */
            composer.target[call->number] = composer_judge(&composer, call->class, call->number);
        }
    }
    compose_blocks(&composer);
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
        refuse = compose_if_loader(&program, loader_first, loader_last, refuse, allow);
    }
    program_label next = compose_if_opening(&program, refuse, allow);
    return end_filter(&program, next, SECCOMP_RET_KILL_PROCESS);
}
