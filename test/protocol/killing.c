/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/killing.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "harness/harness.h"

/* The process is gone, and its keeper has told: a call from now on goes to a fresh worker. */
static bool known_dead(struct cordon_session *session, int process, int pid)
{
    struct pollfd end = {.fd = process, .events = POLLIN};
    if (poll(&end, 1, 5000) != 1) {
        return false;
    }
    for (int i = 0; i < 5000 && cordon_session_worker_pid(session) == pid; i++) {
        (void)poll(NULL, 0, 1);
    }
    return cordon_session_worker_pid(session) != pid;
}

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
    return !await || known_dead(session, process, pid);
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
