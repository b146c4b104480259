# SPDX-License-Identifier: Apache-2.0
"""`cordon client`, `cells` and `stats` against a real daemon, and against servers that are none."""

import json
import os
import struct
import subprocess
import time

from impostor import Impostor, answering, frame, take
from rig import CORDON, FAULTY, INTERFACES, LIBC, SCALE, Daemon, equal, main, true
from terminal import Terminal

SQLITE = open(f"{INTERFACES}/sqlite3.cordon").read()
ZLIB = open(f"{INTERFACES}/zlib.cordon").read()
DONE, COULD_NOT, USAGE, CRASHED, TIMED_OUT, REFUSED = range(6)


def serve(**more):
    return Daemon(interfaces={"libc": LIBC, "faulty": FAULTY, "zlib": ZLIB, "sqlite3": SQLITE, **more})


def run(command, path, *args, stdin=b"", env=None):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([CORDON, command, "--socket", str(path), *args], input=stdin, capture_output=True,
                          timeout=60 * SCALE, env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# ---- cordon client -------------------------------------------------------------------------------


def client_calls_by_name_by_position_and_by_json():
    with serve() as daemon:
        file = daemon.directory / "hello"
        file.write_bytes(b"hello")
        for args in (("crc=0", "buf=hello"), ("0", "hello"), ("buf=hello", "crc=0"), ("crc=0x0", "buf=hex:68656c6c6f"),
                     ("0", "base64:aGVsbG8="), ("0", f"@{file}"), ("0", "text:hello"), ("0", "json:\"hello\""),
                     ("crc:=0", 'buf:={"base64":"aGVsbG8="}'), ('{"crc":0,"buf":"hello"}',),
                     ("--json", '[0,"hello"]'), ("--json", '{"crc":0,"buf":{"hex":"68656c6c6f"}}')):
            equal((args, run("client", daemon.path, "crc32", *args)), (args, (DONE, "907060870\n", "")))
        equal(run("client", daemon.path, "zlib.crc32", "0", "@-", stdin=b"hello")[1], "907060870\n")
        equal(run("client", daemon.path, "crc32", "0", "null")[1], "0\n")
        equal(run("client", daemon.path, "strlen", "s=a=b")[1], "3\n")
        equal(run("client", daemon.path, "strlen", "12")[1], "2\n")
        equal(run("client", daemon.path, "strlen", "text:null")[1], "4\n")
        equal(run("client", daemon.path, "abs", "-7")[1], "7\n")
        equal(run("client", daemon.path, "labs", "-9223372036854775807")[1], "9223372036854775807\n")
        equal(run("client", daemon.path, "--raw", "abs", "-7")[1], '{"jsonrpc":"2.0","id":1,"result":7}\n')


def client_writes_the_bytes_of_one_output():
    with serve() as daemon:
        text = b"cordon " * 1000
        status, packed, _ = run("client", daemon.path, "compress", "destLen=9000", "source=@-", stdin=text)
        equal((status, sorted(json.loads(packed))), (DONE, ["dest", "destLen", "return"]))
        done = subprocess.run([CORDON, "client", "--socket", str(daemon.path), "--output", "dest", "compress", "9000", "@-"],
                              input=text, capture_output=True, timeout=60)
        status, _, errors = done.returncode, done.stdout, done.stderr
        equal((status, errors), (DONE, b""))
        equal(subprocess.run(["/usr/bin/python3", "-c", "import sys,zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))"],
                             input=done.stdout, capture_output=True, check=True, timeout=60).stdout, text)
        status, _, errors = run("client", daemon.path, "--output", "no", "compress", "9000", "x")
        equal((status, errors), (USAGE, "cordon: the result has no output 'no'\n"))


def client_lists_methods():
    with serve() as daemon:
        status, text, _ = run("client", daemon.path)
        equal(status, DONE)
        true("zlib\n" in text and "  crc32(crc unsigned long, [buf bytes]) -> unsigned long\n" in text, text)
        true("  sqlite3_open(filename string) -> return int, ppDb handle of sqlite3\n" in text, text)


def every_outcome_has_its_exit_status():
    with serve() as daemon:
        for wanted, words, args in (
                (USAGE, "did you mean 'crc32'?", ("crc33", "0")), (USAGE, "no method 'nonsense'", ("nonsense",)),
                (USAGE, "no parameter 'crx'; did you mean 'crc'?", ("crc32", "crx=0")),
                (USAGE, "'crc' is given twice", ("crc32", "crc=0", "crc=1")), (USAGE, "has no name", ("crc32", "crc=0", "x")),
                (USAGE, "parameter 'j'", ("abs", "seven")), (USAGE, "no JSON", ("--json", "{", "abs")),
                (USAGE, "an object or an array", ("--json", "7", "abs")), (USAGE, "one too many", ("--json", "[]", "abs", "1")),
                (USAGE, "cannot open", ("crc32", "0", "@/no/such/file")), (USAGE, "--deadline", ("--deadline", "soon", "abs", "1")),
                (USAGE, "no METHOD", ("--raw",)), (USAGE, "option", ("--no-such", "abs")), (USAGE, "--batch", ("--batch", "-", "abs")),
                (CRASHED, "cordon: crashed: ", ("fault_null_read", "1")), (CRASHED, "exit with status 7", ("fault_exit7", "1")),
                (TIMED_OUT, "cordon: timeout: ", ("--deadline", "100ms", "fault_spin", "1")),
                (REFUSED, "cordon: stale: ", ("sqlite3_close", "h:" + 32 * "0"))):
            status, text, errors = run("client", daemon.path, *args)
            equal((args, status, text), (args, wanted, ""))
            true(words in errors, f"{args}: {errors}")
        _, _, errors = run("client", daemon.path, "fault_abort", "1")
        true("\nmore: cordon report " in errors, errors)
        identity = errors.split()[-1]
        shown = []

        def is_written():
            shown.append(subprocess.run([CORDON, "report", "--json", identity], capture_output=True, timeout=60,
                                        env=dict(os.environ, XDG_STATE_HOME=str(daemon.directory))))
            return shown[-1].returncode == 0

        # One after the other, and with the least priority: `cordon report` waits for three seconds, a busy machine takes more.
        daemon.wait(is_written, f"report {identity} is there")
        equal(json.loads(shown[-1].stdout)["id"], identity)
    for command in ("client", "cells", "stats"):
        status, text, errors = run(command, daemon.path)
        equal((status, text), (COULD_NOT, ""))
        true("no daemon" in errors and str(daemon.path) in errors, errors)
    equal(run("client", "x" * 200)[0], USAGE)


def codes_of_a_daemon_are_exit_statuses():
    wanted = {-32700: USAGE, -32600: USAGE, -32601: USAGE, -32602: USAGE, -32603: COULD_NOT, -32001: CRASHED, -32002: TIMED_OUT,
              -32003: CRASHED, -32004: REFUSED, -32005: REFUSED, -32006: REFUSED, -32007: REFUSED, -32008: COULD_NOT,
              -32009: REFUSED, -5: COULD_NOT, 7: COULD_NOT}
    for code, status in wanted.items():
        answer = frame({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "so it is", "data": {"retry_after_ms": 250}}})
        with Impostor(answering(answer)) as server:
            equal((code, run("client", server.path, "x")),
                  (code, (status, "", "cordon: so it is\ntry again in 250 ms\n")))


def batches_are_answered_as_they_end():
    with serve() as daemon:
        lines = [{"jsonrpc": "2.0", "id": "slow", "method": "usleep", "params": [400000]}]
        lines += [{"method": "abs", "j": -i} for i in range(2, 1002)]
        lines += [{"method": "sleep", "seconds": 9, "deadline_ms": 50}, {"jsonrpc": "2.0", "method": "abs", "params": [1]}]
        text = "\n\n".join(map(json.dumps, lines)).encode()
        status, answers, errors = run("client", daemon.path, "--batch", "-", stdin=text)
        answers = [json.loads(line) for line in answers.splitlines()]
        equal((status, errors, len(answers)), (TIMED_OUT, "", 1002))
        values = {a["id"]: a.get("result") for a in answers}
        # Every second line is empty, and counts.
        equal(values, {"slow": 0, 2003: None, **{2 * i - 1: i for i in range(2, 1002)}})
        true(answers[0]["id"] != "slow", "the slow one is not waited for")


def wrong_lines_of_a_batch_are_told():
    with serve() as daemon:
        file = daemon.directory / "requests"
        file.write_bytes(b'{"method":"abs","j":-1}\nnonsense\n[1]\n{"j":1}\n{"method":"abs","j":-2}')
        status, answers, errors = run("client", daemon.path, "--batch", str(file))
        equal(status, USAGE)
        equal(sorted(json.loads(line)["result"] for line in answers.splitlines()), [1, 2])
        equal([line.split(":")[1].strip() for line in errors.splitlines()], ["line 2", "line 3", "line 4"])
        equal(run("client", daemon.path, "--batch", "/no/such/file")[0], USAGE)


def a_batch_answers_while_it_is_written():
    with serve() as daemon:
        process = subprocess.Popen([CORDON, "client", "--socket", str(daemon.path), "--batch", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def ask(method, **params):
            process.stdin.write(json.dumps({"method": method, **params}).encode() + b"\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())["result"]

        db = ask("sqlite3_open", filename=":memory:")["ppDb"]  # handles live as long as the batch
        equal(ask("sqlite3_exec", db=db, sql="create table t(a)")["return"], 0)
        equal(ask("sqlite3_close", db=db), 0)
        process.stdin.close()
        equal(process.wait(20 * SCALE), DONE)


# ---- cordon cells, cordon stats ------------------------------------------------------------------


def cells_and_stats_show_what_happened():
    with serve() as daemon:
        for _ in range(3):
            run("client", daemon.path, "abs", "-1")
        run("client", daemon.path, "fault_null_read", "1")
        status, text, errors = run("cells", daemon.path)
        rows = {line.split()[0]: line.split() for line in text.splitlines()}
        equal((status, errors, sorted(rows)), (DONE, "", ["CELL", "faulty", "libc", "sqlite3", "zlib"]))
        equal(rows["libc"][1:3] + rows["libc"][4:6], ["ready", "process", "1", "libc.so.6"])
        status, text, _ = run("cells", daemon.path, "--json")
        equal((status, {c["name"] for c in json.loads(text)}), (DONE, {"faulty", "libc", "sqlite3", "zlib"}))
        status, text, _ = run("stats", daemon.path)
        rows = {line.split()[0]: line.split() for line in text.splitlines()}
        equal((status, sorted(rows)), (DONE, ["METHOD", "faulty.fault_null_read", "libc.abs"]))
        equal((rows["METHOD"][-1], rows["faulty.fault_null_read"][-1], rows["libc.abs"][1]), ("CRASHED", "1", "3"))
        status, text, _ = run("stats", daemon.path, "libc", "--all")
        true("strlen" in text and "libc." not in text and "CRASHED" not in text, text)
        status, text, _ = run("stats", daemon.path, "--json", "faulty")
        equal([c["cell"] for c in json.loads(text)["cells"]], ["faulty"])
        equal(run("stats", daemon.path, "no_such")[::2], (USAGE, "cordon: no such cell\n"))
        for args in (("--watch", "0"), ("--watch", "x"), ("a", "b")):
            equal(run("stats", daemon.path, *args)[0], USAGE)
        equal(run("cells", daemon.path, "x")[0], USAGE)


def stats_watches():
    with serve() as daemon, daemon.client() as client:
        process = subprocess.Popen([CORDON, "stats", "--socket", str(daemon.path), "--watch", "0.2", "--json"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        seen = []
        for _ in range(4):
            client.call("abs", -1)
            seen.append(sum(c["calls"] for c in json.loads(process.stdout.readline())["cells"]))
        true(seen == sorted(seen) and seen[-1] > seen[0], f"calls grow: {seen}")
        daemon.process.kill()
        equal(process.wait(20 * SCALE), COULD_NOT)
        process.stdout.close()


def what_cannot_be_written_is_a_failure():
    with serve() as daemon:
        for command in (["client", "abs", "1"], ["cells"], ["stats"], ["client"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([CORDON, *command, "--socket", str(daemon.path)], stdout=full, stderr=subprocess.PIPE,
                                      timeout=60)
            equal((command, done.returncode), (command, COULD_NOT))
            true(b"cannot write to standard output" in done.stderr, done.stderr)


# ---- Servers that are none -----------------------------------------------------------------------


def trickle(client):
    for byte in frame(b'{"jsonrpc":"2.0","id":1,"result":7}'):
        client.sendall(bytes([byte]))


def closing(data):
    def talk(client):
        take(client)
        client.sendall(data)
    return talk


def impostors_are_refused_by_a_sentence():
    cases = (
        (closing(b""), "closed the connection"), (closing(b"\0\0"), "in the middle"),
        (closing(frame(b'{"result":7}')[:9]), "in the middle"), (closing(struct.pack(">I", 0)), "no daemon of Cordon"),
        (closing(struct.pack(">I", 0xFFFFFFFF)), "no daemon of Cordon"), (closing(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "no daemon of Cordon"),
        (answering(frame(b"garbage")), "no JSON"), (answering(frame(b"{")), "no JSON"), (answering(frame(b'"\xff"')), "no JSON"),
        (answering(frame(b"[" * 5000 + b"]" * 5000)), "no JSON"), (answering(frame(b"7")), "neither result nor error"),
        (answering(frame({})), "neither"), (answering(frame([])), "neither"), (answering(frame({"result": 1, "error": {}})), "neither"),
        (answering(frame({"error": 7})), "without code"), (answering(frame({"error": {"code": "x", "message": "m"}})), "without code"),
        (answering(frame({"error": {"code": -1, "message": 7}})), "without code"),
        (answering(frame({"error": {"code": 0, "message": "m"}})), "without code"),
    )
    for talk, words in cases:
        with Impostor(talk) as server:
            for command, args in (("client", ("x",)), ("cells", ()), ("stats", ()), ("client", ("--batch", "-"))):
                status, text, errors = run(command, server.path, *args, stdin=b'{"method":"x"}\n')
                equal((words, command, args, status, text), (words, command, args, COULD_NOT, ""))
                true(words in errors and errors.startswith("cordon: ") and errors.count("\n") == 1, f"{words}: {errors}")
    with Impostor(trickle) as server:
        equal(run("client", server.path, "x"), (DONE, "7\n", ""))


def listen_only(client):
    while client.recv(1 << 20):
        pass


def silence_is_not_waited_for():
    with Impostor(listen_only) as server:
        begin = time.monotonic()
        for args in (("x",), ("x", "1"), ("--batch", "-")):
            status, _, errors = run("client", server.path, "--wait", "300ms", *args, stdin=b'{"method":"x"}\n')
            equal((args, status), (args, TIMED_OUT))
            true("did not answer" in errors, errors)
        true(time.monotonic() - begin < 5 * SCALE, "it was waited for 300 ms")
    # One that announces much and sends nothing is given no memory.
    def announce(client):
        client.sendall(struct.pack(">I", 90 << 20) + b"x")
        listen_only(client)
    with Impostor(announce) as server:
        process = subprocess.Popen([CORDON, "client", "--socket", str(server.path), "--wait", "500ms", "x"], stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        equal(process.returncode, TIMED_OUT)
        peak = usage.ru_maxrss
        true(peak < 40 << 10, f"{peak} KiB")


def strange_statistics_are_survived():
    def with_cells(cells, **more):
        return {"cells": cells, **more}
    odd = {"cell": "\x1b[2Jx\x9b1m\u202e", "state": 7, "calls": -1, "buckets": "x", "workers": {"a": 1}, "methods": 7, "p50_us": 1e300}
    wild = {"cell": "a", "calls": (1 << 64) - 1, "ended": [1], "buckets": [(1 << 64) - 1] * 1000, "in_flight": 1.5, "queue": None,
            "workers": [7, {"pid": "x", "state": "y" * 1000}], "methods": [None, {"method": "m" * 9999, "calls": 5, "buckets": [-5]}]}
    for result, wanted in (([], COULD_NOT), (7, COULD_NOT), ({}, COULD_NOT), (with_cells(7), COULD_NOT), (with_cells({}), COULD_NOT),
                           (with_cells([{}] * 5000), COULD_NOT), (with_cells([{"methods": [0] * 40000}]), COULD_NOT),
                           (with_cells([{"workers": [0] * 70000}]), COULD_NOT), (with_cells([]), DONE),
                           (with_cells([7, None, "x", []]), DONE), (with_cells([odd], bucket_bounds_ns="x"), DONE),
                           (with_cells([wild], bucket_bounds_ns=[5] * 1000, uptime_ms=-5), DONE)):
        with Impostor(answering(frame({"id": 1, "result": result}))) as server:
            for args in (("stats",), ("stats", "--all"), ("top", "--once", "--interval", "0.1"),
                         ("top", "--json", "--once", "--interval", "0.1")):
                status, text, errors = run(args[0], server.path, *args[1:], env={"LC_ALL": "C.UTF-8"})
                equal((str(result)[:60], args, status), (str(result)[:60], args, wanted))
                true(not any(c in text + errors for c in "\x1b\x9b\u202e"), repr(text))
    with Impostor(answering(frame({"id": 1, "result": [odd, {"name": "\x1b[2J", "isolation": 7}, 7]}))) as server:
        equal(run("cells", server.path)[0], COULD_NOT)


def what_a_daemon_says_moves_no_cursor():
    evil = "a\x1b[2Jb\x07\x9bc\u202ed"
    answers = {"text": {"result": evil}, "object": {"result": {"return": 1, evil: evil}}, "raw": {"result": [evil]},
               "error": {"error": {"code": -32001, "message": evil, "data": {"outcome": evil, "report": evil}}},
               "cordon.describe": {"result": [{"method": evil, "cell": evil, "parameters": [{"name": evil, "type": evil}], "result": evil}]}}
    with Impostor(answering(lambda request: frame({"id": 1, "violations": [{"act": evil}], **answers[request["method"]]}))) as server:
        for args in (["text"], ["object"], ["--raw", "raw"], ["error"], []):
            with Terminal([CORDON, "client", "--socket", str(server.path), *args], env={"NO_COLOR": "1"}) as terminal:
                terminal.end()
                true(terminal.written, "something is shown")
                for byte in (b"\x1b", b"\x07", b"\xc2\x9b", "\u202e".encode()):
                    true(byte not in terminal.written, f"{args}: {terminal.written!r}")


def people_get_words_and_programs_get_json():
    with serve() as daemon:
        base = [CORDON, "client", "--socket", str(daemon.path)]
        for args, wanted in ((["sqlite3_libversion"], ["3."]), (["compress", "100", "hello"], ["return     0", "dest       13 bytes: 789c"]),
                             (["strlen", "abc"], ["3"])):
            with Terminal(base + args) as terminal:
                equal(terminal.end(), DONE)
                for text in wanted:
                    true(text in terminal.text(), terminal.text())
        with Terminal([CORDON, "cells", "--socket", str(daemon.path)], columns=40) as terminal:
            equal(terminal.end(), DONE)
            equal(len([line for line in terminal.lines() if line]), 5)
            true(terminal.row("libc")[1] == "ready" and terminal.look("ready")[0] == "green", terminal.text())
        with Terminal([CORDON, "cells", "--socket", str(daemon.path)], env={"NO_COLOR": "1"}) as terminal:
            equal(terminal.end(), DONE)
            true(terminal.is_colourless() and b"\x1b" not in terminal.written, terminal.written)


main([
    client_calls_by_name_by_position_and_by_json,
    client_writes_the_bytes_of_one_output,
    client_lists_methods,
    every_outcome_has_its_exit_status,
    codes_of_a_daemon_are_exit_statuses,
    batches_are_answered_as_they_end,
    wrong_lines_of_a_batch_are_told,
    a_batch_answers_while_it_is_written,
    cells_and_stats_show_what_happened,
    stats_watches,
    what_cannot_be_written_is_a_failure,
    impostors_are_refused_by_a_sentence,
    silence_is_not_waited_for,
    strange_statistics_are_survived,
    what_a_daemon_says_moves_no_cursor,
    people_get_words_and_programs_get_json,
])
