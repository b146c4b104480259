# SPDX-License-Identifier: Apache-2.0
"""siege.py [SECONDS]: 200 clients call cells whose library crashes, hangs and exits, some vanish in the middle; at the end
every request has had its answer, and the daemon holds what it held before. 10 s in the suite, 60 and more by hand."""

import os
import random
import socket
import sys
import tempfile
import threading
import time

from rig import FAULTY, LIBC, SCALE, Daemon, code, equal, main, true

CLIENTS = 200
SECONDS = float(sys.argv.pop(1)) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 10.0
CALM = [("abs", [-5]), ("labs", [-6]), ("strlen", ["seven"]), ("fault_none", [3]), ("usleep", [500])]
WILD = [("fault_null_read", [1]), ("fault_abort", [1]), ("fault_exit7", [1]), ("fault_spin", [1])]
OUTCOMES = {None, -32001, -32002, -32003, -32005, -32007, -32008}


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.asked = self.answered = self.vanished = 0
        self.codes = {}

    def add(self, asked, codes, vanished):
        with self.lock:
            self.asked += asked
            self.answered += sum(codes.values())
            self.vanished += vanished
            for key, count in codes.items():
                self.codes[key] = self.codes.get(key, 0) + count


def request(dice, number):
    method, params = dice.choice(WILD) if dice.random() < 0.01 else dice.choice(CALM)
    asked = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return asked | {"deadline_ms": 200} if method == "fault_spin" else asked


def besiege(daemon, seed, until, tally):
    dice = random.Random(seed)
    asked = vanished = 0
    codes = {}
    while time.monotonic() < until:
        with daemon.client(timeout=60) as client:
            for _ in range(dice.randrange(1, 20)):
                count = dice.choice([1, 1, 1, 4, 30])
                client.send(*(request(dice, i) for i in range(count)))
                if dice.random() < 0.02:
                    vanished += count
                    break
                asked += count
                waiting = set(range(count))
                while waiting:
                    answer = client.receive()
                    waiting.remove(answer["id"])  # KeyError: answered twice
                    codes[code(answer)] = codes.get(code(answer), 0) + 1
                if time.monotonic() > until:
                    break
    tally.add(asked, codes, vanished)


def every_request_has_its_answer():
    with Daemon(interfaces={"libc": LIBC, "faulty": FAULTY}) as daemon:
        with daemon.client() as client:
            equal(client.ask({"method": "abs", "j": -1}), {"result": 1})
        fds = daemon.fds()
        until = time.monotonic() + SECONDS
        tally = Tally()
        threads = [
            threading.Thread(target=besiege, args=(daemon, os.getpid() * 1000 + n, until, tally)) for n in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS + 120 * SCALE)
        print(f"asked {tally.asked}, answered {tally.answered}, vanished from {tally.vanished}: {tally.codes}")
        equal([t.is_alive() for t in threads], [False] * CLIENTS)
        equal(tally.answered, tally.asked)
        equal(set(tally.codes) - OUTCOMES, set())
        true(tally.codes.get(-32001, 0) > 0 and tally.codes.get(-32002, 0) > 0, "there were crashes and deadlines")

        def is_served():
            with daemon.client() as client:
                return client.ask({"method": "fault_none", "value": 4}).get("result") is not None

        daemon.wait(is_served, "the cell serves again")
        # Two cells, each with five workers at most and a spare: a few descriptors each.
        daemon.wait(lambda: daemon.fds() <= fds + 2 * 6 * 8, "descriptors are back")
        daemon.wait(lambda: len(daemon.workers()) <= 12, "workers beyond those of the cells are gone")


def a_killed_daemon_leaves_no_worker():
    with Daemon(interfaces={"libc": LIBC}) as daemon:
        with daemon.client() as client:
            client.send({"method": "sleep", "seconds": 30})
            daemon.wait(lambda: len(daemon.workers()) > 0, "there is a worker")
            daemon.wait(lambda: len(daemon.keepers()) == 1, "there is a keeper")
            everyone = daemon.workers() | daemon.keepers()
            daemon.process.kill()
            daemon.process.wait()
            daemon.wait(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in everyone), "all are gone")
            true(client.is_closed(), "the client sees it")
        with Daemon("--socket", str(daemon.path), interfaces={"libc": LIBC}) as again, again.client() as client:
            equal(client.ask({"method": "abs", "j": -1}), {"result": 1})


def a_live_socket_of_any_kind_is_left_alone():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        path = os.path.join(tempfile.mkdtemp(prefix="gateway-"), "socket")
        with socket.socket(socket.AF_UNIX, kind) as there:
            there.bind(path)
            if kind != socket.SOCK_DGRAM:
                there.listen()
            before = os.stat(path).st_ino
            daemon = Daemon("--socket", path, interfaces={"libc": LIBC}, expect_ready=False)
            equal(daemon.process.wait(20 * SCALE), 1)
            true("listens at" in daemon.log(), daemon.log())
            equal(os.stat(path).st_ino, before)


if __name__ == "__main__":
    main([every_request_has_its_answer, a_killed_daemon_leaves_no_worker, a_live_socket_of_any_kind_is_left_alone])
