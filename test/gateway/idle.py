# SPDX-License-Identifier: Apache-2.0
"""A daemon that nobody asks anything uses no CPU, whatever has happened to its workers."""

import os
import pathlib
import signal
import time

from rig import FAULTY, LIBC, SCALE, Daemon, code, equal, main, true

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(daemon):
    fields = (pathlib.Path("/proc") / str(daemon.process.pid) / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def is_idle(daemon):
    """In one second, at most a twentieth: a loop that does not sleep takes all of it, or its share of the machine."""
    begin = cpu_seconds(daemon)
    time.sleep(1)
    return cpu_seconds(daemon) - begin < 0.05


def wait_until_idle(daemon):
    daemon.wait(lambda: is_idle(daemon), "the daemon uses no CPU", seconds=8)


def test_daemon_is_idle_when_nobody_asks():
    with Daemon(interfaces={"libc": LIBC}) as daemon, daemon.client() as client:
        equal(client.ask({"method": "abs", "j": -5}), {"result": 5})
        wait_until_idle(daemon)


def test_daemon_is_idle_when_idle_workers_were_killed():
    with Daemon(interfaces={"libc": LIBC}) as daemon, daemon.client() as client:
        # Several workers have had calls, then all of them die while none is asked.
        client.send(*[{"jsonrpc": "2.0", "id": i, "method": "usleep", "params": [200000]} for i in range(5)])
        for _ in range(5):
            true("result" in client.receive(), "it slept")
        for pid in daemon.workers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until_idle(daemon)
        equal(client.ask({"method": "abs", "j": -5}), {"result": 5})
        wait_until_idle(daemon)


def test_daemon_is_idle_after_crashes_and_deadlines():
    with Daemon(interfaces={"faulty": FAULTY}) as daemon, daemon.client() as client:
        for i in range(3):
            client.send(*[{"jsonrpc": "2.0", "id": 3 * i + k, "method": "fault_null_read", "params": [1]} for k in range(3)])
            true(all(code(client.receive()) is not None for _ in range(3)), "each ended badly")
        client.send({"method": "fault_spin", "value": 1, "deadline_ms": int(200 * SCALE)})
        true(code(client.receive()) is not None, "it ended badly")
        wait_until_idle(daemon)


if __name__ == "__main__":
    main([value for name, value in list(globals().items()) if name.startswith("test_")])
