/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "sandbox/landlock.h"
#include "sandbox/limits.h"
#include "sandbox/network.h"
#include "sandbox/privileges.h"
#include "sandbox/seccomp.h"

#define TASK_LINKS 3 /* of a folder with one folder in it: that of the only thread */

static int failed(struct message *why, int error, const char *mechanism)
{
    return message_set(why, error, "the sandbox cannot be entered: %s: %s", mechanism,
                       strerrordesc_np(-error));
}

/* Sockets that are granted for the worker's own use must not be anybody else's. */
static bool needs_own_network(const struct policy *policy)
{
    return policy_has(policy, POLICY_SOCKETS) && !policy_has(policy, POLICY_EVERYTHING);
}

int sandbox_leave_root(const struct sandbox_wish *wish, struct message *why)
{
    bool apart = needs_own_network(wish->policy);
    int r = apart ? network_leave() : 0;
    if (r < 0) {
        return failed(why, r, "a network namespace, which the grant 'sockets' needs");
    }
    if (wish->mechanisms & ERRAND_UNPRIVILEGED_USER) {
        r = privileges_leave_root();
        if (r < 0) {
            return failed(why, r, "becoming an unprivileged user");
        }
    }
    if (apart || (wish->mechanisms & ERRAND_UNPRIVILEGED_USER)) {
        r = privileges_drop_capabilities();
    }
    return r < 0 ? failed(why, r, "giving up capabilities") : 0;
}

static int enter_landlock(const struct sandbox_wish *wish, struct sandbox *sandbox)
{
    int r = landlock_enter(wish->policy, wish->library);
    return r < 0 ? r : landlock_prepare_seal(wish->policy, &sandbox->seal);
}

static int visit_none(void *context, const struct policy_path *path)
{
    (void)context;
    (void)path;
    return 1;
}

static bool opens_nothing(const struct policy *policy)
{
    return !policy_writes_all(policy) && policy_each_path(policy, visit_none, NULL) == 0;
}

/* Without Landlock the keeper refuses what is opened, if it is to be told at all. */
static bool keeper_refuses_opens(const struct sandbox_wish *wish)
{
    return (wish->mechanisms & ERRAND_NOTIFY) && !(wish->mechanisms & ERRAND_LANDLOCK) &&
           opens_nothing(wish->policy);
}

static int enter_seccomp(const struct sandbox_wish *wish, struct sandbox *sandbox)
{
    struct seccomp_wish filter = {
        .policy = wish->policy,
        .listener = (wish->mechanisms & ERRAND_NOTIFY) != 0,
        .landlock = wish->mechanisms & ERRAND_LANDLOCK ? landlock_version() : 0,
        .opens_nothing = keeper_refuses_opens(wish),
        .alarm_call = wish->alarm_call,
    };
    return seccomp_enter(&filter, &sandbox->listener);
}

int sandbox_enter(const struct sandbox_wish *wish, struct sandbox *sandbox, struct message *why)
{
    int r = wish->mechanisms & ERRAND_NO_NEW_PRIVILEGES ? privileges_forbid_new() : 0;
    if (r < 0) {
        return failed(why, r, "no_new_privs");
    }
    if (wish->mechanisms & ERRAND_LIMITS) {
        r = limits_apply(wish->policy);
        if (r < 0) {
            return failed(why, r, "resource limits");
        }
    }
    if (wish->mechanisms & ERRAND_LANDLOCK) {
        r = enter_landlock(wish, sandbox);
        if (r < 0) {
            return failed(why, r, "Landlock");
        }
    }
    if (wish->mechanisms & ERRAND_SECCOMP) {
        r = enter_seccomp(wish, sandbox);
    }
    return r < 0 ? failed(why, r, "seccomp") : 0;
}

/* Constructors may have made threads, which no second layer of Landlock reaches. */
static bool is_alone(void)
{
    struct stat stat_of_tasks;
    return stat("/proc/self/task", &stat_of_tasks) == 0 && stat_of_tasks.st_nlink == TASK_LINKS;
}

int sandbox_seal(const struct sandbox_wish *wish, struct sandbox *sandbox, struct message *why)
{
    bool reaches_all = sandbox->seal >= 0 && is_alone();
    int r = sandbox->seal >= 0 ? landlock_seal(sandbox->seal) : 0;
    fd_release(&sandbox->seal);
    if (r < 0) {
        return failed(why, r, "Landlock, second layer");
    }
    if (!reaches_all && (wish->mechanisms & ERRAND_SECCOMP) && opens_nothing(wish->policy)) {
        r = seccomp_close_opening(keeper_refuses_opens(wish));
    }
    return r < 0 ? failed(why, r, "seccomp, second stage") : 0;
}
