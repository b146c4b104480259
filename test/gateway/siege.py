# SPDX-License-Identifier: Apache-2.0
"""siege.py [--seconds N]: 200 clients call cells whose library crashes, hangs and exits, some vanish in the middle; at the end
every request has had its answer, and the daemon holds what it held before. 10 s in the suite, 60 and more by hand."""

import json
import os
import pathlib
import random
import socket
import sys
import tempfile
import threading
import time

from rig import FAULTY, LIBC, SCALE, Daemon, code, equal, main, true

CLIENTS = 200
SECONDS = 10.0
if "--seconds" in sys.argv:
    at = sys.argv.index("--seconds")
    SECONDS = float(sys.argv[at + 1])
    del sys.argv[at:at + 2]
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


def flood(client, stop):
    """128 requests in flight, always."""
    frame = {"jsonrpc": "2.0", "id": 0, "method": "turn", "params": [2000], "deadline_ms": 60000}
    client.send(*[frame] * 128)
    try:
        while not stop.is_set():
            client.receive()
            client.send(frame)
    except OSError:
        pass


def a_flood_leaves_every_other_turn_to_others():
    """One worker, one client that floods: calls of the other one wait for few turns of it, whatever the time they take."""
    text = (pathlib.Path(__file__).parents[2] / "docs/protocol/vectors/vectors.cordon").read_text()
    interface = text.replace('"libvectors.so"', f'"{os.environ["CORDON_TEST_VECTORS"]}"')
    cell = {"name": "vectors", "interface_text": interface, "workers": 1, "functions": "all", "limits": {"memory_bytes": 1 << 30}}
    file = pathlib.Path(tempfile.mkdtemp(prefix="gateway-")) / "cordon.yaml"
    file.write_text(json.dumps({"cells": [cell]}))
    stop = threading.Event()
    with Daemon("--config", str(file)) as daemon, daemon.client() as noisy, daemon.client() as polite:
        thread = threading.Thread(target=flood, args=(noisy, stop))
        thread.start()
        with daemon.client() as watcher:
            daemon.wait(lambda: watcher.call("cordon.stats")["result"]["cells"][0]["queue"] > 100, "there is a flood")
        numbers = [polite.call("turn", 2000)["result"] for _ in range(60)]
        stop.set()
        thread.join(20 * SCALE)
        waits = sorted(after - before for before, after in zip(numbers, numbers[1:]))
        print(f"turns from one call to the next: half of them {waits[len(waits) // 2]}, most {waits[-1]}")
        true(waits[len(waits) // 2] <= 4, waits)
        true(waits[len(waits) * 9 // 10] <= 16, waits)


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
    main([every_request_has_its_answer, a_flood_leaves_every_other_turn_to_others, a_killed_daemon_leaves_no_worker, a_live_socket_of_any_kind_is_left_alone])
