#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The configuration file: `cordon check`, and what `cordon serve --config` makes of it."""

import base64
import errno
import hashlib
import json
import os
import pathlib
import pty
import shutil
import subprocess
import tempfile
import time
import zlib

import rig
from rig import CORDON, Client, Daemon, code, equal, main, true

EXAMPLE = pathlib.Path(os.environ["CORDON_TEST_INTERFACES"]).parent / "examples" / "gateway"

LIBC = """cells:
- name: libc
  interface: libc.cordon
  limits: {memory_bytes: 256MiB}
"""


def folder(**files):
    """A private folder with these files: names with a point for each '__'."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="gateway-config-"))
    for name, text in {"libc__cordon": rig.LIBC, **files}.items():
        file = path / name.replace("__", ".")
        file.write_text(text)
        file.chmod(0o644)
    return path


def run(*arguments, **options):
    return subprocess.run(
        [CORDON, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=20 * rig.SCALE, **options,
    )


def example():
    """A copy that belongs to us, whatever the checkout's modes are."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="gateway-example-"))
    for file in EXAMPLE.iterdir():
        shutil.copy(file, path / file.name)
        (path / file.name).chmod(0o644)
    return path / "cordon.yaml"


def serve(text, *options, **files):
    return Daemon("--config", str(folder(cordon__yaml=text, **files) / "cordon.yaml"), *options)


# ---- The example ------------------------------------------------------------------------------------


def the_example_is_clean():
    done = run("check", example())
    equal((done.returncode, done.stderr), (0, ""))
    true(done.stdout.endswith(": nothing is wrong (3 cells)\n"), done.stdout)


def the_example_serves_three_libraries():
    with Daemon("--config", str(example())) as daemon:
        with daemon.client() as client:
            # The words of the requirement, byte by byte.
            client.send(b'{"method":"sha256","data":"hello"}')
            equal(client.receive_bytes(), b'{"result":"' + hashlib.sha256(b"hello").hexdigest().encode() + b'"}')
            equal(client.ask({"method": "crc32", "buf": "hello"}), {"result": zlib.crc32(b"hello")})
            text = b"once upon a time " * 100
            packed = client.call("compress", destLen=4096, source={"base64": base64.b64encode(text).decode()})["result"]
            equal(zlib.decompress(base64.b64decode(packed["base64"])), text)
            plain = client.call("uncompress", destLen=4096, source=packed)["result"]
            equal(base64.b64decode(plain["base64"]), text)
            equal(len(base64.b64decode(client.call("random", num=16)["result"]["base64"])), 16)
            a_table(client)


def a_table(client):
    """Sessions and handles: what SQLite keeps between calls."""
    db = client.call("sqlite3_open")["result"]
    true(db.startswith("h:"), db)

    def run_statement(sql, *values):
        statement = client.call("sqlite3_prepare_v2", db=db, zSql=sql, nByte=-1)["result"]["ppStmt"]
        for i, value in enumerate(values, 1):
            equal(client.call("sqlite3_bind_int64", stmt=statement, index=i, value=value)["result"], 0)
        rows = []
        while client.call("sqlite3_step", stmt=statement)["result"] == 100:
            count = client.call("sqlite3_column_count", stmt=statement)["result"]
            rows.append([client.call("sqlite3_column_text", stmt=statement, column=i)["result"] for i in range(count)])
        equal(client.call("sqlite3_finalize", stmt=statement)["result"], 0)
        return rows

    run_statement("create table t (n integer)")
    for n in (20, 22):
        run_statement("insert into t values (?)", n)
    equal(run_statement("select sum(n), count(*) from t"), [["42", "2"]])
    equal(client.call("sqlite3_close_v2", db=db)["result"], 0)


# ---- cordon check -----------------------------------------------------------------------------------

BAD = """socket: /tmp/x
workers: 5
cells:
- name: libc
  interface: libc.cordon
  policy: trusted
  methods:
  - {name: abs, function: abbs}
"""


def check_lists_every_finding():
    path = folder(cordon__yaml=BAD) / "cordon.yaml"
    done = run("check", path)
    equal((done.returncode, done.stderr), (1, ""))
    lines = [line.removeprefix(f"{path}:").split(": ") for line in done.stdout.splitlines()]
    equal(
        [line[:3] for line in lines],
        [
            ["1:9", "note", "socket"],
            ["2:1", "error", "workers"],
            ["4:3", "unsafe", "cells[0].limits.memory_bytes"],
            ["6:11", "unsafe", "cells[0].policy"],
            ["8:27", "error", "cells[0].methods[0].function"],
        ],
    )
    true("\033" not in done.stdout, "no colours in a file")


def check_speaks_json():
    path = folder(cordon__yaml=BAD) / "cordon.yaml"
    done = run("check", "--json", path)
    equal(done.returncode, 1)
    said = json.loads(done.stdout)
    equal((said["ok"], said["left_out"], len(said["findings"])), (False, 0, 5))
    equal(
        {key: said["findings"][4][key] for key in ("file", "line", "column", "severity", "field")},
        {"file": str(path), "line": 8, "column": 27, "severity": "error", "field": "cells[0].methods[0].function"},
    )
    true("did you mean 'abs'?" in said["findings"][4]["sentence"], said["findings"][4]["sentence"])
    good = run("check", "--json", folder(cordon__yaml=LIBC + "  functions: all\n") / "cordon.yaml")
    equal((good.returncode, json.loads(good.stdout)), (0, {"ok": True, "cells": 1, "findings": [], "left_out": 0}))


def check_has_colours_on_a_terminal():
    path = folder(cordon__yaml=BAD) / "cordon.yaml"
    ours, theirs = pty.openpty()
    environment = dict(os.environ, TERM="xterm")
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen([CORDON, "check", str(path)], stdin=subprocess.DEVNULL, stdout=theirs, env=environment)
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # nobody has the other side any more
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    equal(process.wait(10 * rig.SCALE), 1)
    true(b"\033[31merror\033[0m" in said and b"\033[35munsafe\033[0m" in said, said)


def check_says_how_it_is_used():
    for arguments in (["check"], ["check", "a", "b"], ["check", "--jsn", "a"]):
        equal(run(*arguments).returncode, 2)
    done = run("check", "/nowhere/cordon.yaml")
    equal(done.returncode, 1)
    true("cannot read the configuration" in done.stdout, done.stdout)
    done = run("check", "--help")
    equal(done.returncode, 0)
    true(done.stdout.startswith("Usage: cordon check [OPTION...] FILE\n"), done.stdout)


# ---- cordon serve -----------------------------------------------------------------------------------


def serve_refuses_with_every_finding():
    path = folder(cordon__yaml=BAD) / "cordon.yaml"
    done = run("serve", "--config", path, "--socket", path.parent / "socket")
    equal((done.returncode, done.stdout), (1, ""))
    for field in ("workers", "cells[0].limits.memory_bytes", "cells[0].policy", "cells[0].methods[0].function"):
        true(f": {field}: " in done.stderr, f"{field} in {done.stderr}")
    true(not (path.parent / "socket").exists(), "nothing was opened")


def serve_wants_one_source():
    path = folder(cordon__yaml=LIBC + "  functions: all\n") / "cordon.yaml"
    done = run("serve")
    equal(done.returncode, 2)
    true("--config FILE" in done.stderr and "--interface FILE" in done.stderr, done.stderr)
    done = run("serve", "--config", path, "--interface", path.parent / "libc.cordon")
    equal(done.returncode, 2)
    true("exclude each other" in done.stderr, done.stderr)
    equal(run("serve", "--config", path, "--config", path).returncode, 2)


def options_hold_against_the_file():
    text = "socket: from-file\nlog: {level: error}\n" + LIBC + "  functions: all\n"
    path = folder(cordon__yaml=text) / "cordon.yaml"
    with Daemon("--config", str(path)) as daemon:  # the rig gives --socket
        equal(daemon.client().call("abs", -3)["result"], 3)
        true(not (path.parent / "from-file").exists(), "the file's socket is not made")
        equal(daemon.log(), "")


def the_file_says_where_to_listen():
    path = folder(cordon__yaml="socket: s\n" + LIBC + "  functions: all\n") / "cordon.yaml"
    process = subprocess.Popen([CORDON, "serve", "--config", "cordon.yaml"], cwd=path.parent, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(path.parent / "s", process)
        with Client(path.parent / "s") as client:
            equal(client.call("labs", -4)["result"], 4)
    finally:
        process.terminate()
        equal(process.wait(20 * rig.SCALE), 0)


def wait_for(path, process):
    until = time.monotonic() + 20 * rig.SCALE
    while True:
        try:
            Client(path).socket.close()
            return
        except (FileNotFoundError, ConnectionRefusedError):
            true(process.poll() is None and time.monotonic() < until, f"something listens at {path}")
            time.sleep(0.01)


def methods_are_as_they_are_configured():
    methods = """  methods:
  - {name: absolute, function: abs}
  - {name: minus_seven, function: abs, fixed: {j: -7}}
  - {name: nap, function: usleep, deadline_ms: 50}
  - {name: base36, function: strtol, fixed: {base: 36, end: null}, result: return, errno: true}
  - {name: whoami, function: getpid, session: client}
"""
    with serve(LIBC + "  deadline_ms: 10s\n" + methods) as daemon, daemon.client() as client:
        equal(client.call("absolute", -3)["result"], 3)
        equal(client.call("minus_seven")["result"], 7)
        equal(code(client.call("minus_seven", j=1)), -32602)
        equal(code(client.call("abs", 1)), -32601)
        equal(code(client.call("nap", microseconds=5000000)), -32002)
        equal(client.call("base36", text="zz")["result"], 1295)
        answer = client.call("base36", text="z" * 40)
        equal(answer["result"], 2**63 - 1)
        equal(answer["errno"], errno.ERANGE)
        with daemon.client() as other:
            pids = {client.call("whoami")["result"], client.call("whoami")["result"], other.call("whoami")["result"]}
            equal(len(pids), 2)


def limits_are_as_they_are_configured():
    text = "limits: {frame_bytes: 4KiB, nesting: 8, batch: 2}\n" + LIBC + "  functions: all\n"
    with serve(text) as daemon, daemon.client() as client:
        deep = b'{"method":"abs","j":' + b"[" * 9 + b"]" * 9 + b"}"
        equal(code(client.ask(deep)), -32700)
        request = {"jsonrpc": "2.0", "id": 1, "method": "abs", "params": [1]}
        equal(len(client.ask([request] * 2)), 2)
        equal(code(client.ask([request] * 3)), -32600)
        client.send(b" " * 4097)
        equal(code(client.receive()), -32600)
        true(client.is_closed())


def every_worker_begins_with_its_calls():
    text = """cells:
- name: libc
  interface_text: |
    library "libc.so.6";
    int setenv(const char *name, const char *value, int overwrite);
    char *getenv(const char *name);
    int raise(int signal);
  limits: {memory_bytes: 256MiB}
  on_start: [{function: setenv, arguments: {name: GREETING, value: "good \\"morning\\"", overwrite: 1}}]
  methods:
  - {name: greeting, function: getenv, fixed: {name: GREETING}}
  - {name: mine, function: getenv, fixed: {name: GREETING}, session: client}
  - {name: raise}
"""
    with serve(text) as daemon, daemon.client() as client:
        for _ in range(2):
            equal(client.call("greeting")["result"], 'good "morning"')
            equal(client.call("mine")["result"], 'good "morning"')
            equal(code(client.call("raise", 9)), -32001)  # the next worker is another
    # SIGKILL as an opening call: no worker comes to serve.
    path = folder(cordon__yaml=text.replace("{function: setenv", "{function: raise, arguments: {signal: 9}}, {function: setenv"))
    done = run("serve", "--config", path / "cordon.yaml", "--socket", path / "socket")
    equal(done.returncode, 1)
    true("cell 'libc', on_start raise: " in done.stderr, done.stderr)


def policies_are_as_they_are_configured():
    grants = "  policy: 'strict: env:CORDON_TEST_A=yes'\n  grants: ['env:CORDON_TEST_B=a b']\n  functions: all\n"
    with serve(LIBC + grants) as daemon, daemon.client() as client:
        equal(client.call("getenv", name="CORDON_TEST_A")["result"], "yes")
        equal(client.call("getenv", name="CORDON_TEST_B")["result"], "a b")
        equal(client.call("getenv", name="CORDON_TEST_C")["result"], None)


main(
    [
        the_example_is_clean,
        the_example_serves_three_libraries,
        check_lists_every_finding,
        check_speaks_json,
        check_has_colours_on_a_terminal,
        check_says_how_it_is_used,
        serve_refuses_with_every_finding,
        serve_wants_one_source,
        options_hold_against_the_file,
        the_file_says_where_to_listen,
        methods_are_as_they_are_configured,
        limits_are_as_they_are_configured,
        every_worker_begins_with_its_calls,
        policies_are_as_they_are_configured,
    ]
)
