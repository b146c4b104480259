# SPDX-License-Identifier: Apache-2.0
"""Each limit of docs/protocol/gateway.md: exceeded by a real client, answered as that page says, while others are served."""

import json
import os
import pathlib
import select
import struct
import subprocess
import tempfile
import time

from daemon_rig import NOBODY, OTHERS
from rig import LIBC, SCALE, Daemon, Skip, code, equal, main, true

VECTORS = os.environ["CORDON_TEST_VECTORS"]
MIB = 1 << 20


def vectors():
    """The library of the test vectors: handles, and outputs of any size."""
    text = (pathlib.Path(__file__).parents[2] / "docs/protocol/vectors/vectors.cordon").read_text()
    return text.replace('"libvectors.so"', f'"{VECTORS}"')


def serve(**more):
    return Daemon(interfaces={"libc": LIBC, **more})


def serves_others(daemon):
    with daemon.client() as other:
        equal(other.ask({"method": "abs", "j": -4}), {"result": 4})


def rpc(number, method, params, **more):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params, **more}


def limit_of(answer):
    return (code(answer), answer.get("error", {}).get("data", {}).get("limit"))


def in_flight(daemon, cell):
    with daemon.client() as watcher:
        return watcher.call("cordon.stats", cell=cell)["result"]["cells"][0]["in_flight"]


def send_until_full(client, frame, most):
    """Send copies of @frame without reading, until the socket takes no more for a while, or is closed. Returns how many."""
    piece = (struct.pack(">I", len(frame)) + frame) * 64
    client.socket.setblocking(False)
    sent = 0
    while sent < most * (len(frame) + 4):
        if not select.select([], [client.socket], [], 0.7)[1]:
            break
        try:
            sent += client.socket.send(piece[sent % len(piece):])
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            break
    client.socket.settimeout(30)
    return sent // (len(frame) + 4)


def frame_bytes():
    with serve() as daemon:
        for length in (0, 16 * MIB + 1, 0xFFFFFFFF):
            with daemon.client() as client:
                client.socket.sendall(struct.pack(">I", length) + b'{"method":"abs","j":1}')
                equal(code(client.receive()), -32600)
                true(client.is_closed(), f"closed after a length of {length}")
            serves_others(daemon)
        with daemon.client() as client:  # as large as may be
            text = b'{"method":"strlen","s":"'
            text += b"x" * (16 * MIB - len(text) - 2) + b'"}'
            equal(len(text), 16 * MIB)
            answer = client.ask(text)
            true("result" in answer or code(answer) == -32602, answer)


def nesting():
    with serve() as daemon, daemon.client() as client:
        for depth, wanted in ((63, -32602), (64, -32700), (10000, -32700), (1000000, -32700)):
            text = b'{"method":"abs","j":' + b"[" * depth + b"1" + b"]" * depth + b"}"
            equal((depth, code(client.ask(text))), (depth, wanted))
        equal(code(client.ask(b"[" * 100000)), -32700)
        equal(code(client.ask(b'{"a":' * 100000)), -32700)
        serves_others(daemon)
        equal(client.ask({"method": "abs", "j": -4}), {"result": 4})


def clients():
    with serve() as daemon:
        there = []
        while len(there) < 256:
            there.append(daemon.client())
            equal(there[-1].ask({"method": "abs", "j": -1}), {"result": 1})
        for _ in range(20):
            with daemon.client() as one_more:
                equal(limit_of(one_more.receive()), (-32005, "clients"))
                true(one_more.is_closed(), "closed")
        equal(there[0].ask({"method": "abs", "j": -1}), {"result": 1})
        there.pop().socket.close()

        def one_comes_in():
            try:
                with daemon.client() as one_more:
                    return one_more.ask({"method": "abs", "j": -2}).get("result") == 2
            except (BrokenPipeError, ConnectionResetError):
                return False  # turned away before it said anything

        daemon.wait(one_comes_in, "one may come in")
        for client in there:
            client.socket.close()


def client_in_flight():
    with serve() as daemon, daemon.client() as client:
        frame = json.dumps(rpc(1, "usleep", [300000], deadline_ms=60000)).encode()
        client.send(*[frame] * 200)
        with daemon.client() as watcher:
            def taken():
                stats = watcher.call("cordon.stats", cell="libc")["result"]["cells"][0]
                return stats["in_flight"] + stats["queue"]

            daemon.wait(lambda: taken() >= 100, "requests are read")
            true(100 <= max(taken() for _ in range(20)) <= 128, "and no more than may be")
        serves_others(daemon)


def answers_that_wait_for_their_turn_count_as_in_flight():
    """Bare answers behind a slow one are kept for it: a client cannot have any number of them kept."""
    with serve() as daemon, daemon.client(timeout=60) as client:
        client.send({"method": "usleep", "microseconds": 900000, "deadline_ms": 20000})
        daemon.wait(lambda: in_flight(daemon, "libc") == 1, "the slow one has begun")
        taken = send_until_full(client, b'{"method":"cordon.ping"}', 400000)
        true(taken < 100000, f"{taken} requests were taken behind one that is not answered")


def no_more_is_read_than_is_looked_at():
    """A client that sends faster than it is served, and reads all answers, fills its socket, not the daemon's memory."""
    with configured({"output_bytes": 65536}) as daemon, daemon.client() as client:
        text = b'{"method":"cordon.ping"}'
        request = struct.pack(">I", len(text)) + text
        client.send(text)
        answer = len(json.dumps(client.receive(), separators=(",", ":"))) + 4
        piece, wanted = request * 2048, 400000 * len(request)
        client.socket.setblocking(False)
        sent, got, ahead = 0, 0, 0
        while sent < wanted:
            readable, writable, _ = select.select([client.socket], [client.socket], [], 30)
            true(readable or writable, "it goes on")
            if writable:
                sent += client.socket.send(piece[sent % len(piece):])
            if readable:
                got += len(client.socket.recv(MIB))
            ahead = max(ahead, sent // len(request) - got // answer)
        true(ahead < 100000, f"{ahead} requests were taken that were not answered")


def in_flight_in_all():
    with serve() as daemon:
        many = [daemon.client(timeout=60) for _ in range(34)]
        for client in many:
            client.send(*(rpc(i, "usleep", [2000000], deadline_ms=3000) for i in range(128)))
        # Until then a request would be one of those that are taken.
        daemon.wait(lambda: select.select([client.socket for client in many], [], [], 0)[0], "some are refused")
        with daemon.client() as late:
            answers = []

            def is_busy():
                answers.append(late.ask(rpc(1, "abs", [1])))
                return limit_of(answers[-1]) == (-32005, "in_flight")

            daemon.wait(is_busy, "there are too many")
            true(answers[-1]["error"]["data"]["retry_after_ms"] > 0, answers[-1])
        for client in many:
            client.socket.close()
        daemon.wait(lambda: daemon.client().ask({"method": "abs", "j": -2}).get("result") == 2, "it serves again")


def batch():
    with serve() as daemon, daemon.client() as client:
        equal(len(client.ask([rpc(i, "abs", [-i]) for i in range(256)])), 256)
        answer = client.ask([rpc(i, "abs", [-i]) for i in range(257)])
        equal((code(answer), answer["id"]), (-32600, None))
        equal(code(client.ask([])), -32600)
        equal(client.ask(rpc(1, "abs", [-3]))["result"], 3)


def a_batch_answer_is_no_larger_than_a_frame():
    with serve(vectors=vectors()) as daemon, daemon.client(timeout=60) as client:
        client.send([rpc(i, "fill", {"len": 5 * MIB, "with": 1}) for i in range(4)])
        text = client.receive_bytes()
        true(len(text) <= 16 * MIB, f"{len(text)} bytes in a frame")
        answers = json.loads(text)
        equal(sorted(a["id"] for a in answers), [0, 1, 2, 3])
        equal([code(a) for a in answers if "error" in a], [-32603, -32603])
        one = client.ask(rpc(1, "fill", {"len": 13 * MIB, "with": 1}))
        equal(code(one), -32603)


def handles():
    with serve(vectors=vectors()) as daemon, daemon.client() as client:
        boxes = []
        for i in range(1024):
            boxes.append(client.ask(rpc(i, "box_new", [i]))["result"])
        equal(limit_of(client.ask(rpc(1, "box_new", [1]))), (-32005, "handles"))
        equal(client.ask(rpc(1, "box_content", [boxes[7]]))["result"], 7)
        client.ask(rpc(1, "box_free", [boxes[7]]))
        boxes[7] = client.ask(rpc(1, "box_new", [77]))["result"]
        equal(client.ask(rpc(1, "box_content", [boxes[7]]))["result"], 77)
        with daemon.client() as other:
            true(other.ask(rpc(1, "box_new", [5]))["result"].startswith("h:"), "others have theirs")
            equal(code(other.ask(rpc(1, "box_content", [boxes[7]]))), -32006)


def handles_of_a_dead_worker_do_not_count():
    text = vectors() + 'symbol("raise") int32_t end_by(int32_t signal);\n'
    with serve(vectors=text) as daemon, daemon.client() as client:
        for _ in range(3):
            boxes = [client.ask(rpc(i, "box_new", [i])).get("result") for i in range(600)]
            equal(None in boxes, False)
            equal(code(client.ask(rpc(1, "end_by", [6]))), -32001)
            equal(code(client.ask(rpc(1, "box_content", [boxes[1]]))), -32006)


def configured(limits, vector_cell=None, users=(), **cell):
    """A daemon whose limits are small, and whose cells are as said. JSON is YAML."""
    common = {"limits": {"memory_bytes": 1 << 30}, "functions": "all"}
    cells = [{"name": "libc", "interface_text": LIBC, **common, **cell}]
    if vector_cell is not None:
        cells.append({"name": "vectors", "interface_text": vectors(), **common, **vector_cell})
    file = pathlib.Path(tempfile.mkdtemp(prefix="gateway-")) / "cordon.yaml"
    file.write_text(json.dumps({"limits": limits, "users": list(users), "cells": cells}))
    return Daemon("--config", str(file))


# Connects as often as it is told to, says what limit each met, and stays until its input ends.
CROWD = """
import json, socket, struct, sys
def limit():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.settimeout(60)
    crowd.append(s)
    frame = b'{"method":"cordon.ping"}'
    try:
        s.sendall(struct.pack(">I", len(frame)) + frame)
    except BrokenPipeError:
        pass
    answer = json.loads(s.recv(65536)[4:])
    return answer.get("error", {}).get("data", {}).get("limit")
crowd = []
print(json.dumps([limit() for _ in range(int(sys.argv[2]))]), flush=True)
sys.stdin.read()
"""


def descriptors_of_the_daemon():
    """Where the system allows fewer than `clients` need: that is told; who finds none left is closed, and nobody else notices."""
    with Daemon(interfaces={"libc": LIBC}, launcher=["prlimit", "--nofile=120:120"]) as daemon:
        daemon.wait(lambda: "RLIMIT_NOFILE" in daemon.log(), "it is told of")
        first = daemon.client()
        equal(first.ask({"method": "abs", "j": -1}), {"result": 1})
        there = [daemon.client() for _ in range(200)]

        def answer(client):
            try:
                return client.ask({"method": "abs", "j": -2}).get("result")
            except (EOFError, BrokenPipeError, ConnectionResetError):
                return "closed"

        answers = [answer(client) for client in there]
        equal(set(answers), {2, "closed"})
        true(answers.count(2) > 50, answers)
        equal(first.ask({"method": "abs", "j": -1}), {"result": 1})
        for client in there:
            client.socket.close()
        daemon.wait(lambda: daemon.fds() < 60, "descriptors are back")
        serves_others(daemon)
        first.socket.close()


def clients_of_one_user():
    if not OTHERS:
        raise Skip("other users can be had by root alone")
    for given, most in (({}, 3), ({"clients_per_user": 2}, 2)):
        with configured({"clients": 6, **given}, users=[NOBODY]) as daemon:
            daemon.directory.chmod(0o755)
            who = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "/usr/bin/python3", "-c", CROWD, str(daemon.path), str(most + 2)]
            with subprocess.Popen(who, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/") as crowd:
                equal(json.loads(crowd.stdout.readline()), [None] * most + ["clients_per_user"] * 2)
                # Those who may end the daemon are not kept out, and have no share of their own.
                there = [daemon.client() for _ in range(6 - most)]
                equal(["result" in client.call("cordon.ping") for client in there], [True] * (6 - most))
                with daemon.client() as one_more:
                    equal(limit_of(one_more.receive()), (-32005, "clients"))
                crowd.stdin.close()
            daemon.wait(lambda: there[0].call("cordon.stats")["result"]["clients"] == 6 - most, "they have left")
            for client in there:
                client.socket.close()


def is_closed_within(client, seconds):
    """The daemon closes it: not before a while, nor much later."""
    begin = time.monotonic()
    client.socket.settimeout(20 * SCALE)
    while client.socket.recv(65536):
        pass
    took = time.monotonic() - begin
    true(seconds * 0.5 < took < seconds + 10 * SCALE, f"it took {took} s")


def read_timeout():
    with configured({"read_timeout_ms": 700}) as daemon, daemon.client() as idle:
        for start in (b"\0", b"\0\0\0", b"\0\0\0\x20{", struct.pack(">I", 1 << 20) + b"{" * 5000):
            with daemon.client() as client:
                client.socket.sendall(start)
                is_closed_within(client, 0.7)
            serves_others(daemon)
        equal(idle.ask({"method": "abs", "j": -9}), {"result": 9})  # between frames there is time


def a_frame_byte_by_byte_is_no_longer_in_time():
    with configured({"read_timeout_ms": 700}) as daemon, daemon.client() as client:
        begin = time.monotonic()
        try:
            for byte in struct.pack(">I", 1000) + b"{" * 990:
                client.socket.sendall(bytes([byte]))
                time.sleep(0.02)
        except BrokenPipeError:
            pass
        true(time.monotonic() - begin < 10 * SCALE, "it was closed on the way")


def a_client_that_always_has_a_frame_under_way_is_not_slow():
    """A stream without a gap: at each look some frame has begun and is not complete."""
    with configured({"read_timeout_ms": 500}) as daemon, daemon.client() as client:
        text = b'{"method":"cordon.ping"}'
        one = struct.pack(">I", len(text)) + text
        until = time.monotonic() + 2.5
        client.socket.sendall(one[:10])
        answered = 0
        while time.monotonic() < until:
            client.socket.sendall(one[10:] + one[:10])
            true("result" in client.receive(), "it is answered")
            answered += 1
            time.sleep(0.005)
        client.socket.sendall(one[10:])
        true("result" in client.receive() and answered > 20, answered)


def write_timeout_and_output_bytes():
    with configured({"write_timeout_ms": 700, "output_bytes": 65536}) as daemon:
        with daemon.client(timeout=60) as client:
            taken = send_until_full(client, b'{"method":"cordon.describe"}', 200000)
            true(taken < 100000, f"{taken} requests were taken whose answers nobody reads")
            serves_others(daemon)
            daemon.wait(lambda: "write_timeout_ms" in daemon.log(), "it is told of")
            with daemon.client() as watcher:
                equal(watcher.call("cordon.stats")["result"]["clients"], 1)
        serves_others(daemon)


def a_client_that_reads_goes_on_after_output_bytes():
    """Also where all that was too much goes at once."""
    with configured({"output_bytes": 2048}) as daemon, daemon.client() as client:
        for _ in range(20):
            client.send(*[rpc(1, "cordon.describe", [])] * 5)
            equal([client.receive()["id"] for _ in range(5)], [1] * 5)
            equal(client.ask(rpc(2, "abs", [-2]))["result"], 2)


def is_held_back(daemon):
    with daemon.client() as watcher:
        cell = watcher.call("cordon.stats", cell="vectors")["result"]["cells"][0]
        return cell["queue"] > 0 and cell["in_flight"] == 0 and cell["calls"] > 0


def calls_wait_until_answers_are_read():
    """Small requests for large answers: no more is called for a client that does not read."""
    os.environ["MALLOC_PERTURB_"] = "0"  # it touches what was only reserved, and that is counted here
    with configured({"output_bytes": MIB, "write_timeout_ms": 60000}, {"workers": 2}) as daemon:
        with daemon.client(timeout=60) as client:
            client.send(*(rpc(i, "fill", {"len": 4 * MIB, "with": 1}, deadline_ms=20000) for i in range(100)))
            daemon.wait(lambda: is_held_back(daemon), "calls wait though workers are free")
            used = resident(daemon)
            true(used < 300 * MIB, f"{used >> 20} MiB for a client that does not read")
            serves_others(daemon)
            ids = {client.receive()["id"] for _ in range(100)}
            equal(ids, set(range(100)))


def resident(daemon):
    for line in pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssAnon")


def sessions():
    with configured({}, {"sessions": 2}) as daemon:
        first, second, third = (daemon.client() for _ in range(3))
        box = first.ask(rpc(1, "box_new", [1]))["result"]
        second.ask(rpc(1, "box_new", [2]))
        equal(limit_of(third.ask(rpc(1, "box_new", [3]))), (-32005, "sessions"))
        equal(third.ask(rpc(1, "same_i8", [3]))["result"], 3)
        equal(first.ask(rpc(1, "box_content", [box]))["result"], 1)
        second.socket.close()
        daemon.wait(lambda: "result" in third.ask(rpc(1, "box_new", [3])), "the next one has the place")
        first.socket.close()
        third.socket.close()


def queue():
    with configured({}, workers=1, queue=3, deadline_ms=20000) as daemon, daemon.client() as client:
        client.send(*(rpc(i, "usleep", [500000]) for i in range(10)))
        answers = [client.receive() for _ in range(10)]
        busy = [a for a in answers if limit_of(a) == (-32005, "queue")]
        true(all(a["error"]["data"]["retry_after_ms"] > 0 for a in busy), busy)
        done = [a for a in answers if "result" in a]
        equal((len(busy) + len(done), 3 <= len(done) <= 5), (10, True))
        serves_others(daemon)


def no_deadline_is_longer_than_may_be():
    """A client that is gone has its call run on: no longer than that."""
    with configured({"deadline_max_ms": 1500}, workers=1, deadline_ms=1000) as daemon:
        with daemon.client() as client:
            client.send(rpc(1, "sleep", [3600], deadline_ms=1 << 60))
            daemon.wait(lambda: in_flight(daemon, "libc") == 1, "it has begun")
        begin = time.monotonic()
        with daemon.client() as client:
            # One that waits behind it may wait no longer either: it is asked again.
            daemon.wait(lambda: client.ask(rpc(1, "abs", [-3], deadline_ms=60000)).get("result") == 3, "the worker is free")
        true(time.monotonic() - begin < 15 * SCALE, "the worker was free in time")


def small_frames_batches_and_nesting():
    with configured({"frame_bytes": 2048, "batch": 2, "nesting": 4, "handles": 1, "client_in_flight": 1, "clients": 2},
                    {}) as daemon:
        with daemon.client() as client:
            true(client.ask({"method": "strlen", "s": "x" * 1990})["result"] == 1990, "as large as may be")
            equal(code(client.ask({"method": "cordon.describe"})), -32603)  # larger than a frame
            equal(code(client.ask(rpc("i" * 1024, "cordon.describe", []))), -32603)
            equal(code(client.ask([rpc(i, "abs", [1]) for i in range(3)])), -32600)
            equal(len(client.ask([rpc(i, "abs", [1]) for i in range(2)])), 2)
            equal(code(client.ask(b'{"method":"abs","j":[[[[1]]]]}')), -32700)
            true("result" in client.ask(rpc(1, "box_new", [1])), "one handle")
            equal(limit_of(client.ask(rpc(1, "box_new", [1]))), (-32005, "handles"))
            client.send(b"x" * 2049)
            equal(code(client.receive()), -32600)
            true(client.is_closed(), "closed")


if __name__ == "__main__":
    main([
        frame_bytes, nesting, clients, descriptors_of_the_daemon, clients_of_one_user, client_in_flight, answers_that_wait_for_their_turn_count_as_in_flight,
        no_more_is_read_than_is_looked_at, in_flight_in_all, batch, a_batch_answer_is_no_larger_than_a_frame, handles,
        handles_of_a_dead_worker_do_not_count, read_timeout, a_frame_byte_by_byte_is_no_longer_in_time,
        a_client_that_always_has_a_frame_under_way_is_not_slow, write_timeout_and_output_bytes,
        a_client_that_reads_goes_on_after_output_bytes,
        calls_wait_until_answers_are_read, sessions, queue, no_deadline_is_longer_than_may_be,
        small_frames_batches_and_nesting,
    ])
