/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/killing.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

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
