/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/test_claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "policy/compile.h"
#include "sandbox/probe.h"
#include "sandbox/sandbox.h"

#define STATUS_HOLDS 77 /* of a child in which everything that was claimed held */

void expect(claim_fn claim)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        claim();
        _exit(STATUS_HOLDS);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), STATUS_HOLDS);
}

void need(uint32_t mechanisms)
{
    if ((probe_mechanisms() & mechanisms) != mechanisms) {
        print_message("this kernel lacks mechanism %#x\n", mechanisms);
        skip();
    }
}

void enter_policy(const struct policy *policy, uint32_t mechanisms)
{
    struct sandbox_wish wish = {.policy = policy,
                                .mechanisms = mechanisms | ERRAND_NO_NEW_PRIVILEGES,
                                .library = "",
                                .alarm_call = ALARM_CALL};
    struct sandbox sandbox = SANDBOX_NONE;
    struct message why = {.text = ""};
    CLAIM(sandbox_leave_root(&wish, &why) == 0);
    CLAIM(sandbox_enter(&wish, &sandbox, &why) == 0);
    CLAIM(sandbox_seal(&wish, &sandbox, &why) == 0);
}

void enter(enum policy_preset preset, uint32_t mechanisms)
{
    struct policy policy;
    policy_init(&policy, preset);
    policy.memory_bytes = 0;
    enter_policy(&policy, mechanisms);
}

void enter_grants(const char *const *grants, uint32_t mechanisms)
{
    struct policy policy;
    struct policy_wish wish = {.grants = grants};
    CLAIM(policy_compile(&wish, &policy, NULL) == 0);
    policy.memory_bytes = 0;
    enter_policy(&policy, mechanisms);
}

bool refused(long result)
{
    return result == -1 && errno == EPERM;
}
