/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/seccomp.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/filter.h"
#include "sandbox/sandbox_filters.h"

struct filter {
    const struct sock_filter *code;
    size_t count;
};

#define FILTER(name)                                                                               \
    {                                                                                              \
        filter_##name, sizeof filter_##name / sizeof filter_##name[0]                              \
    }

/* By policy; the second column where nothing else guards files. TRUSTED has none. */
static const struct filter enter_filters[][2] = {
    [ERRAND_POLICY_STRICT] = {FILTER(strict), FILTER(strict_alone)},
    [ERRAND_POLICY_FILES] = {FILTER(files), FILTER(files)},
    [ERRAND_POLICY_NETWORK] = {FILTER(network), FILTER(network_alone)},
};
static const struct filter seal_filter = FILTER(seal);

/* Put this process's id where the build left room for it. */
static void fit(struct sock_filter *code, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (BPF_CLASS(code[i].code) == BPF_JMP && code[i].k == FILTER_OWN_PID) {
            code[i].k = (uint32_t)getpid();
        }
    }
}

static int set(const struct filter *filter, unsigned int flags)
{
    struct sock_filter code[FILTER_COUNT_MAX];
    assert(filter->count <= FILTER_COUNT_MAX);
    memcpy(code, filter->code, filter->count * sizeof code[0]);
    fit(code, filter->count);
    struct sock_fprog program = {.len = (unsigned short)filter->count, .filter = code};
    long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    return r == 0 ? 0 : r > 0 ? -ESRCH : -errno;
}

int seccomp_enter(enum errand_policy policy, bool files_guarded)
{
    if (policy == ERRAND_POLICY_TRUSTED) {
        return 0;
    }
    if ((size_t)policy >= sizeof enter_filters / sizeof enter_filters[0]) {
        return -EINVAL;
    }
    return set(&enter_filters[policy][files_guarded ? 0 : 1], 0);
}

int seccomp_seal(enum errand_policy policy)
{
    return policy == ERRAND_POLICY_TRUSTED ? 0 : set(&seal_filter, SECCOMP_FILTER_FLAG_TSYNC);
}
