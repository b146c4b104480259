/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include <stdbool.h>
#include <string.h>

#include "sandbox/landlock.h"
#include "sandbox/limits.h"
#include "sandbox/privileges.h"
#include "sandbox/seccomp.h"

static int failed(struct message *why, int error, const char *mechanism)
{
    return message_set(why, error, "the sandbox cannot be entered: %s: %s", mechanism,
                       strerrordesc_np(-error));
}

int sandbox_leave_root(const struct sandbox_wish *wish, struct message *why)
{
    if (!(wish->mechanisms & ERRAND_UNPRIVILEGED_USER)) {
        return 0;
    }
    int r = privileges_leave_root();
    if (r < 0) {
        return failed(why, r, "becoming an unprivileged user");
    }
    r = privileges_drop_capabilities();
    return r < 0 ? failed(why, r, "giving up capabilities") : 0;
}

int sandbox_enter(const struct sandbox_wish *wish, struct message *why)
{
    bool guarded = (wish->mechanisms & ERRAND_LANDLOCK) && wish->policy != ERRAND_POLICY_TRUSTED;
    int r = wish->mechanisms & ERRAND_NO_NEW_PRIVILEGES ? privileges_forbid_new() : 0;
    if (r < 0) {
        return failed(why, r, "no_new_privs");
    }
    if (wish->mechanisms & ERRAND_LIMITS) {
        r = limits_apply(wish->memory_bytes);
        if (r < 0) {
            return failed(why, r, "resource limits");
        }
    }
    if (guarded) {
        struct landlock_wish files = {.all_files = wish->policy == ERRAND_POLICY_FILES,
                                      .network = wish->policy == ERRAND_POLICY_NETWORK,
                                      .library = wish->library};
        r = landlock_apply(&files);
        if (r < 0) {
            return failed(why, r, "Landlock");
        }
    }
    if (wish->mechanisms & ERRAND_SECCOMP) {
        r = seccomp_enter(wish->policy, guarded);
    }
    return r < 0 ? failed(why, r, "seccomp") : 0;
}

int sandbox_seal(const struct sandbox_wish *wish, struct message *why)
{
    int r = wish->mechanisms & ERRAND_SECCOMP ? seccomp_seal(wish->policy) : 0;
    return r < 0 ? failed(why, r, "seccomp, second stage") : 0;
}
