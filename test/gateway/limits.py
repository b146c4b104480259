# SPDX-License-Identifier: Apache-2.0
"""Each limit of docs/protocol/gateway.md: exceeded by a real client, answered as that page says, while others are served."""

import json
import os
import pathlib
import select
import socket
import struct
import time

from rig import FAULTY, LIBC, Client, Daemon, code, equal, main, true

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
    return (code(answer), answer["error"].get("data", {}).get("limit"))


def in_flight(daemon, cell):
    with daemon.client() as watcher:
        return watcher.call("cordon.stats", cell=cell)["result"]["cells"][0]["in_flight"]


def send_until_full(client, frame, most):
    """Send copies of @frame without reading, until the socket takes no more for a while. Returns how many."""
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
        daemon.wait(lambda: daemon.client().ask({"method": "abs", "j": -2}).get("result") == 2, "one may come in")
        for client in there:
            client.socket.close()


def client_in_flight():
    with serve() as daemon, daemon.client() as client:
        frame = json.dumps(rpc(1, "usleep", [300000], deadline_ms=60000)).encode()
        client.send(*[frame] * 200)
        daemon.wait(lambda: in_flight(daemon, "libc") > 0, "calls have begun")
        with daemon.client() as watcher:
            stats = watcher.call("cordon.stats", cell="libc")["result"]["cells"][0]
            true(stats["in_flight"] + stats["queue"] == 128, stats)
        serves_others(daemon)


def answers_that_wait_for_their_turn_count_as_in_flight():
    """Bare answers behind a slow one are kept for it: a client cannot have any number of them kept."""
    with serve() as daemon, daemon.client(timeout=60) as client:
        client.send({"method": "usleep", "microseconds": 900000, "deadline_ms": 20000})
        daemon.wait(lambda: in_flight(daemon, "libc") == 1, "the slow one has begun")
        taken = send_until_full(client, b'{"method":"cordon.ping"}', 400000)
        true(taken < 100000, f"{taken} requests were taken behind one that is not answered")


def in_flight_in_all():
    with serve() as daemon:
        many = [daemon.client(timeout=60) for _ in range(34)]
        for client in many:
            client.send(*(rpc(i, "usleep", [2000000], deadline_ms=3000) for i in range(128)))
        with daemon.client() as late:
            daemon.wait(lambda: limit_of(late.ask(rpc(1, "abs", [1]))) == (-32005, "in_flight")
                        if "error" in (answer := late.ask(rpc(1, "abs", [1]))) else False, "there are too many")
            answer = late.ask(rpc(1, "abs", [1]))
            true(answer["error"]["data"]["retry_after_ms"] > 0, answer)
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
    text = vectors() + "int32_t raise(int32_t signal);\n"
    with serve(vectors=text) as daemon, daemon.client() as client:
        for _ in range(3):
            boxes = [client.ask(rpc(i, "box_new", [i])).get("result") for i in range(600)]
            equal(None in boxes, False)
            equal(code(client.ask(rpc(1, "raise", [6]))), -32001)
            equal(code(client.ask(rpc(1, "box_content", [boxes[1]]))), -32006)


def no_deadline_is_longer_than_may_be():
    """A client that is gone has its call run on: no longer than that."""


if __name__ == "__main__":
    main([
        frame_bytes, nesting, clients, client_in_flight, answers_that_wait_for_their_turn_count_as_in_flight,
        in_flight_in_all, batch, a_batch_answer_is_no_larger_than_a_frame, handles,
        handles_of_a_dead_worker_do_not_count,
    ])
