/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/killing.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "harness/harness.h"

bool kill_worker(struct cordon_session *session, bool await)
{
    int pid = cordon_session_worker_pid(session);
    if (pid <= 1) {
        return false;
    }
    OWN_FD process = (int)syscall(SYS_pidfd_open, pid, 0);
    /* The number may have been given to a stranger before we opened it, not after. */
    if (process < 0 || cordon_session_worker_pid(session) != pid ||
        syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) != 0) {
        return false;
    }
    struct pollfd end = {.fd = process, .events = POLLIN};
    return !await || poll(&end, 1, 5000) == 1;
}

static bool is_worker_below(int ancestor, int pid)
{
    int pids[64];
    size_t found = harness_descendants(ancestor, "cordon-worker", pids, HARNESS_COUNT(pids));
    for (size_t i = 0; i < found && i < HARNESS_COUNT(pids); i++) {
        if (pids[i] == pid) {
            return true;
        }
    }
    return false;
}

bool kill_some_worker(int ancestor, unsigned *seed)
{
    int pids[64];
    size_t found = harness_descendants(ancestor, "cordon-worker", pids, HARNESS_COUNT(pids));
    found = found < HARNESS_COUNT(pids) ? found : HARNESS_COUNT(pids);
    if (found == 0) {
        return false;
    }
    int pid = pids[(size_t)rand_r(seed) % found];
    OWN_FD process = (int)syscall(SYS_pidfd_open, pid, 0);
    /* As above: what the number names now cannot change any more. */
    return process >= 0 && is_worker_below(ancestor, pid) &&
           syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0) == 0;
}
