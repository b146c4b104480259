# SPDX-License-Identifier: Apache-2.0
"""The wire: both forms, ids, batches, order, values, errors; what is malformed, and clients that vanish."""

import json
import re
import struct
import threading
import time

from rig import FAULTY, INTERFACES, LIBC, Client, Daemon, code, equal, main, true


def serve(**more):
    return Daemon(interfaces={"libc": LIBC, "faulty": FAULTY, **more})


def bare_form_is_answered_in_order():
    with serve() as daemon, daemon.client() as client:
        equal(client.ask(b'{"method":"abs","j":-7}'), {"result": 7})
        equal(client.ask({"method": "strlen", "s": "hello"}), {"result": 5})
        client.send({"method": "usleep", "microseconds": 200000}, *({"method": "abs", "j": -i} for i in range(50)))
        equal(client.receive(), {"result": 0})
        equal([client.receive()["result"] for _ in range(50)], list(range(50)))


def a_deadline_is_the_calls_own():
    with serve() as daemon, daemon.client() as client:
        begin = time.monotonic()
        answer = client.ask({"method": "sleep", "seconds": 30, "deadline_ms": 100})
        equal((code(answer), answer["error"]["data"]["outcome"]), (-32002, "timeout"))
        true(time.monotonic() - begin < 3, "it came soon")
        equal(code(client.ask({"method": "abs", "j": 1, "deadline_ms": "soon"})), -32602)
        equal(code(client.ask({"method": "abs", "j": 1, "deadline_ms": 0})), -32602)
        request = {"jsonrpc": "2.0", "id": 4, "method": "sleep", "params": [30], "deadline_ms": 50}
        equal(code(client.ask(request)), -32002)


def ids_come_back_as_they_were():
    with serve() as daemon, daemon.client() as client:
        for text in ("1", '"a\\u0000b"', "null", '""', "-9223372036854775808", "18446744073709551615", '"\\u00fc"'):
            frame = b'{"jsonrpc":"2.0","id":%s,"method":"abs","params":[-3]}' % text.encode()
            answer = client.ask(frame)
            equal(answer, {"jsonrpc": "2.0", "id": json.loads(text), "result": 3})
        for text in ("1.5", "[]", "{}", "true", '"%s"' % ("x" * 2000)):
            frame = b'{"jsonrpc":"2.0","id":%s,"method":"abs","params":[-3]}' % text.encode()
            answer = client.ask(frame)
            equal((code(answer), answer["id"]), (-32600, None))


def requests_with_ids_are_answered_as_they_end():
    with serve() as daemon, daemon.client() as client:
        client.send({"jsonrpc": "2.0", "id": "slow", "method": "usleep", "params": [900000]})
        with daemon.client() as watcher:  # it has begun: a call behind it would wait for it
            cell = {"jsonrpc": "2.0", "id": 1, "method": "cordon.stats", "params": {"cell": "libc"}}
            daemon.wait(lambda: watcher.ask(cell)["result"]["cells"][0]["in_flight"] == 1, "the slow call has begun")
        client.send(*({"jsonrpc": "2.0", "id": i, "method": "abs", "params": [-i]} for i in range(20)))
        answers = [client.receive() for _ in range(21)]
        equal(answers[-1]["id"], "slow")
        equal({a["id"]: a["result"] for a in answers[:-1]}, {i: i for i in range(20)})


def notifications_are_never_answered():
    with serve() as daemon, daemon.client() as client:
        client.send(
            {"jsonrpc": "2.0", "method": "abs", "params": [1]},
            {"jsonrpc": "2.0", "method": "no_such"},
            {"jsonrpc": "2.0", "method": "abs", "params": ["x"]},
            {"jsonrpc": "2.0", "id": 9, "method": "abs", "params": [-9]},
        )
        equal(client.receive(), {"jsonrpc": "2.0", "id": 9, "result": 9})


def batches_are_answered_by_batches():
    with serve() as daemon, daemon.client() as client:
        batch = [{"jsonrpc": "2.0", "id": i, "method": "abs", "params": {"j": -i}} for i in range(100)]
        batch += [{"jsonrpc": "2.0", "method": "abs", "params": [0]}, 7, {"jsonrpc": "2.0", "id": "m", "method": "x"}]
        answers = client.ask(batch)
        equal(len(answers), 102)
        equal({a["id"]: a["result"] for a in answers if "result" in a}, {i: i for i in range(100)})
        equal(sorted(code(a) for a in answers if "error" in a), [-32601, -32600])
        client.send([{"jsonrpc": "2.0", "method": "abs", "params": [1]}], {"method": "abs", "j": 2})
        equal(client.receive(), {"result": 2})
        equal(code(client.ask(b"[]")), -32600)
        equal(code(client.ask([{}] * 300)), -32600)


def values_fit_or_are_refused_by_a_sentence():
    with serve() as daemon, daemon.client() as client:
        equal(client.call("labs", "-9223372036854775807")["result"], 9223372036854775807)
        equal(client.call("difftime", 2, 5)["result"], -3.0)
        equal(client.call("strlen", "gr\u00fc\u00df")["result"], 6)
        equal(client.call("getenv", "NO_SUCH_NAME")["result"], None)
        for params in ([], [1, 2], {"k": 1}, [1.5], [None], ["seven"], [2147483648], {"j": 1, "x": 2}):
            answer = client.ask({"jsonrpc": "2.0", "id": 1, "method": "abs", "params": params})
            equal(code(answer), -32602)
            true(len(answer["error"]["message"]) > 10, "a sentence")
        equal(code(client.call("strlen", "a\0b")), -32602)


def malformed_frames_are_answered_and_survived():
    with serve() as daemon, daemon.client() as client:
        deep = b'{"method":' + b"[" * 500 + b"]" * 500 + b"}"
        for frame in (b"x", b"{", b'{"method":"abs"', b'{"a":\xff}', b"\xef\xbb\xbf{}", b'{"j":1e999}', b"\0", deep,
                      b'{"j":123456789012345678901234567890}', b'{"method":"abs","j":-}'):
            equal((frame, code(client.ask(frame))), (frame, -32700))
        for frame in (b'{"method":"abs","j":1,"j":2}', b"7", b"{}", b'{"method":7}', b'"abs"', b"null",
                      b'{"jsonrpc":"1.0","id":1,"method":"abs"}', b'{"jsonrpc":"2.0","id":1,"method":"abs","params":7}',
                      b'{"jsonrpc":"2.0","id":1}'):
            equal((frame, code(client.ask(frame))), (frame, -32600))
        for name in ("no_such", "libc.no_such", "faulty.abs", "", "x" * 5000, "cordon.no_such", ".", "libc."):
            equal((name, code(client.ask({"method": name}))), (name, -32601))
        equal(client.ask({"method": "libc.abs", "j": -1}), {"result": 1})


def lengths_that_no_frame_has_close_the_connection():
    with serve() as daemon:
        for length in (0, (16 << 20) + 1, 0xFFFFFFFF):
            with daemon.client() as client:
                client.send({"method": "usleep", "microseconds": 50000})
                client.socket.sendall(struct.pack(">I", length) + b"rest")
                equal(client.receive(), {"result": 0})
                equal(code(client.receive()), -32600)
                true(client.is_closed(), "closed")
        with daemon.client() as client:
            equal(client.ask({"method": "abs", "j": -1}), {"result": 1})


def frames_may_come_in_pieces_and_all_at_once():
    with serve() as daemon, daemon.client() as client:
        frame = b'{"method":"abs","j":-12}'
        for byte in struct.pack(">I", len(frame)) + frame:
            client.socket.sendall(bytes([byte]))
        equal(client.receive(), {"result": 12})
        big = "x" * (5 << 20)
        equal(client.ask({"method": "strlen", "s": big}), {"result": 5 << 20})
        client.send(*({"method": "abs", "j": -i} for i in range(5000)))
        equal([client.receive()["result"] for _ in range(5000)], list(range(5000)))


def a_client_that_half_closes_gets_its_answers():
    with serve() as daemon, daemon.client() as client:
        client.send({"method": "usleep", "microseconds": 200000}, {"method": "abs", "j": -1})
        client.socket.shutdown(1)
        equal((client.receive(), client.receive()), ({"result": 0}, {"result": 1}))
        true(client.is_closed(), "closed")


def clients_that_vanish_leave_nothing():
    with serve() as daemon:
        with daemon.client() as client:
            equal(client.ask({"method": "abs", "j": -1}), {"result": 1})
        before = daemon.fds()
        for i in range(60):
            client = daemon.client()
            client.send(*({"jsonrpc": "2.0", "id": n, "method": "usleep", "params": [1000]} for n in range(i % 7)))
            client.socket.sendall(struct.pack(">I", 100) + b'{"half' if i % 2 else b"\0\0")
            client.socket.close()
        with daemon.client() as client:
            equal(client.ask({"method": "abs", "j": -1}), {"result": 1})
        # Workers that were started meanwhile have some descriptors each.
        daemon.wait(lambda: daemon.fds() <= before + 4 * 8, "descriptors are back")


def a_crash_is_an_answer_and_the_others_get_theirs():
    with serve() as daemon, daemon.client() as client:
        answer = client.call("fault_null_read", 1)
        equal((code(answer), answer["error"]["data"]["outcome"]), (-32001, "crashed"))
        equal(answer["error"]["data"]["signal"], 11)
        true(re.fullmatch("[0-9a-f]{16}", answer["error"]["data"]["report"]), "it names a report")
        answer = client.call("fault_exit7", 1)
        equal((code(answer), answer["error"]["data"]["exit_status"]), (-32001, 7))
        for _ in range(10):
            calls = [{"jsonrpc": "2.0", "id": i, "method": "fault_none", "params": [i]} for i in range(60)]
            calls[20]["method"] = "fault_abort"
            calls[40]["method"] = "fault_null_read"
            client.send(*calls)
            answers = {a["id"]: a for a in (client.receive() for _ in range(60))}
            equal({i for i, a in answers.items() if code(a) == -32001}, {20, 40})
            equal({i for i, a in answers.items() if "result" in a}, set(range(60)) - {20, 40})


def handles_belong_to_their_connection():
    text = open(f"{INTERFACES}/sqlite3.cordon").read()
    with serve(sqlite=text) as daemon, daemon.client() as client, daemon.client() as stranger:
        db = client.call("sqlite3_open", ":memory:")["result"]["ppDb"]
        true(db.startswith("h:") and len(db) == 34, db)
        client.call("sqlite3_exec", db=db, sql="create table t(a); insert into t values(41),(42)")
        made = client.call("sqlite3_prepare_v2", db=db, zSql="select a from t order by a", nByte=-1)["result"]
        rows = []
        while client.call("sqlite3_step", made["ppStmt"])["result"] == 100:
            rows.append(client.call("sqlite3_column_int", made["ppStmt"], 0)["result"])
        equal(rows, [41, 42])
        equal(code(stranger.call("sqlite3_step", made["ppStmt"])), -32006)
        equal(client.call("sqlite3_finalize", made["ppStmt"])["result"], 0)
        equal(code(client.call("sqlite3_step", made["ppStmt"])), -32006)
        equal(code(client.call("sqlite3_step", "h:" + "0" * 32)), -32006)
        equal(code(client.call("sqlite3_step", "nonsense")), -32602)
        equal(client.call("sqlite3_close", db)["result"], 0)


def a_client_with_handles_has_a_worker_of_its_own():
    text = open(f"{INTERFACES}/sqlite3.cordon").read()
    with serve(sqlite=text) as daemon:
        with daemon.client() as probe:
            probe.call("sqlite3_libversion")
            workers = len(daemon.workers())
            clients = [daemon.client() for _ in range(3)]
            for client in clients:
                true(client.call("sqlite3_open", ":memory:")["result"]["ppDb"], "it is open")
            # One of them may have been a spare.
            daemon.wait(lambda: len(daemon.workers()) >= workers + 2, "workers came for the three")
            most = len(daemon.workers())
            for client in clients:
                client.socket.close()
            daemon.wait(lambda: len(daemon.workers()) <= most - 2, "their workers have gone")


def the_daemon_tells_about_itself():
    with serve() as daemon, daemon.client() as client:
        equal(client.call("cordon.ping")["result"]["protocol"], 1)
        cells = {c["name"]: c for c in client.call("cordon.cells")["result"]}
        equal(set(cells), {"libc", "faulty"})
        equal((cells["libc"]["library"], cells["libc"]["level"]), ("libc.so.6", "process"))
        true("no-network" in cells["libc"]["isolation"], "isolation is told")
        methods = {m["method"]: m for m in client.call("cordon.describe")["result"]}
        equal(methods["abs"]["parameters"], [{"name": "j", "type": "int", "direction": "in", "optional": False}])
        one = {"jsonrpc": "2.0", "id": 1, "method": "cordon.describe", "params": {"method": "abs"}}
        equal(len(client.ask(one)["result"]), 1)
        one["params"]["method"] = "no_such"
        equal(code(client.ask(one)), -32602)


def many_clients_share_few_workers():
    with serve() as daemon:
        wrong = []

        def work(number):
            with daemon.client() as client:
                for i in range(100):
                    answer = client.ask({"method": "labs", "j": -(number * 1000 + i)})
                    if answer != {"result": number * 1000 + i}:
                        wrong.append(answer)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(wrong, [])
        true(0 < len(daemon.workers()) < 30, "there are fewer workers than clients")


if __name__ == "__main__":
    main([value for name, value in list(globals().items())
          if callable(value) and getattr(value, "__module__", "") == "__main__" and name not in ("serve",)])
