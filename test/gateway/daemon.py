# SPDX-License-Identifier: Apache-2.0
"""Being a good daemon: who may connect, whose socket it is, what its supervisor hears, its log, and how it stops."""

import contextlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

from daemon_rig import NOBODY, OTHERS, VISITOR, Supervisor, ask_as, directory, events, log_lines
from rig import CORDON, FAULTY, LIBC, SCALE, Client, Daemon, code, equal, main, true

# Starts a daemon as a supervisor does: sockets from 3 on, and who they are for.
LAUNCHER = """
import fcntl, os, sys
count = 0
spare = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 64) for fd in sys.argv[1].split(",")]
for fd in spare:
    os.dup2(fd, 3 + count)
    count += 1
os.environ["LISTEN_FDS"] = str(count)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""

def serve(*options, **more):
    return Daemon(*options, **({"interfaces": {"libc": LIBC, "faulty": FAULTY}} | more))


def given_socket(directory, mode=0o600):
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(directory / "given"))
    os.chmod(directory / "given", mode)
    listening.listen(5)
    return listening


def launched(*fds, **env):
    """Arguments of a Daemon that a supervisor starts."""
    return {
        "launcher": [sys.executable, "-c", LAUNCHER, ",".join(str(fd) for fd in fds)],
        "pass_fds": fds,
        "env": env,
        "expect_ready": False,
    }


def ends_with(daemon, status, *words):
    """It does not come to serve, and says why."""
    equal(daemon.process.wait(30 * SCALE), status)
    for word in words:
        true(word in daemon.log(), f"{word!r} is in {daemon.log()!r}")


# ---- The socket ------------------------------------------------------------------------------------------------------


def the_socket_is_private():
    before = os.umask(0)
    try:
        with serve() as daemon:
            found = daemon.path.stat()
            equal((stat.S_IMODE(found.st_mode), found.st_uid), (0o600, os.geteuid()))
            equal(stat.S_IMODE(pathlib.Path(f"{daemon.path}.lock").stat().st_mode), 0o600)
    finally:
        os.umask(before)


def others_are_refused_by_a_frame():
    if not OTHERS:
        return
    with directory() as place, given_socket(place, 0o666) as listening:
        with serve(**launched(listening.fileno())) as daemon:
            answer, closed = ask_as(NOBODY, place / "given", to_the_end=True)
            equal((code(answer), answer["error"]["data"]["outcome"], closed), (-32010, "forbidden", True))
            equal(ask_as(0, place / "given", group=0), [{"result": 4}, None])
            (told,) = events(daemon, "forbidden", 1)
            equal((told["user"], told["level"]), (NOBODY, "warning"))
            with Client(place / "given") as client:
                equal(client.call("cordon.stats")["result"]["clients_forbidden"], 1)


def a_flood_of_others_is_told_in_few_lines():
    if not OTHERS:
        return
    flood = VISITOR.replace("try:\n    s = ", "for _ in range(60):\n    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.close()\ntry:\n    s = ", 1)
    with directory() as place, given_socket(place, 0o666) as listening:
        with serve(**launched(listening.fileno())) as daemon:
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "/usr/bin/python3", "-c"]
            command += [flood, str(place / "given"), '{"method":"abs","j":1}', ""]
            subprocess.run(command, stdout=subprocess.DEVNULL, timeout=60 * SCALE, check=True, cwd="/")
            with Client(place / "given") as client:
                equal(client.ask({"method": "abs", "j": -4}), {"result": 4})
            true(len(events(daemon, "forbidden", 1)) <= 40, "few lines tell of many")


def a_lock_that_somebody_else_made_is_refused():
    def other(path):
        path.touch(0o600)
        os.chown(path, NOBODY, NOBODY)

    def linked(path):
        path.touch(0o600)
        os.link(path, f"{path}.2")

    traps = {
        "symlink": lambda path: path.symlink_to(path.parent / "elsewhere"),
        "fifo": lambda path: os.mkfifo(path, 0o600),
        "directory": lambda path: path.mkdir(),
        "open to others": lambda path: (path.touch(), path.chmod(0o644)),
        "two links": linked,
    } | ({"another's": other} if OTHERS else {})
    for name, trap in traps.items():
        with directory(0o1777) as place:
            trap(place / "gateway.sock.lock")
            with serve("--socket", str(place / "gateway.sock"), expect_ready=False) as daemon:
                equal((name, daemon.process.wait(30 * SCALE)), (name, 1))
                true(".lock" in daemon.log(), f"{name}: it is named in {daemon.log()!r}")
            true(not (place / "elsewhere").exists(), "nothing was made by it")


def a_place_where_all_may_replace_it_is_refused():
    with directory(0o777) as place:
        (place / "inner").mkdir(0o700)
        for path in ("gateway.sock", "inner/gateway.sock"):
            with serve("--socket", str(place / path), expect_ready=False) as daemon:
                ends_with(daemon, 1, f"everybody may write {place}")
        equal(sorted(os.listdir(place)), ["inner"])
        equal(os.listdir(place / "inner"), [])


def a_path_that_is_none_is_refused():
    with directory(0o700) as place, serve("--socket", "", expect_ready=False, cwd=place) as daemon:
        ends_with(daemon, 1, "path is empty")
        equal(os.listdir(place), [])


def a_file_that_names_no_cell_is_refused():
    for name in ("", "cordon", "two words", "red\x1b[31m", "ž", "x" * 65):
        with Daemon(interfaces={name: LIBC}, expect_ready=False) as daemon:
            ends_with(daemon, 2, "daemon's own name" if name == "cordon" else "is called as its file")
            true("\x1b" not in daemon.log(), "and told in plain text")


def what_is_in_the_way_stays():
    with directory() as place:
        (place / "gateway.sock").write_text("precious")
        with serve("--socket", str(place / "gateway.sock"), expect_ready=False) as daemon:
            ends_with(daemon, 1, "is no socket")
        equal((place / "gateway.sock").read_text(), "precious")


def a_live_socket_is_not_taken_a_dead_one_is():
    with directory() as place:
        path = str(place / "gateway.sock")
        with serve("--socket", path) as first:
            with serve("--socket", path, expect_ready=False) as second:
                ends_with(second, 1, "another daemon listens")
            workers = first.workers()
            first.process.kill()
            first.process.wait(10)
            first.wait(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers), "its workers end")
            true(os.path.exists(path), "the socket is left over")
            with serve("--socket", path) as third, third.client() as client:
                equal(client.ask({"method": "abs", "j": -5}), {"result": 5})


def a_stop_leaves_what_is_not_its_own():
    with directory() as place, serve("--socket", str(place / "gateway.sock")) as daemon:
        daemon.path.unlink()
        with socket.socket(socket.AF_UNIX) as usurper:
            usurper.bind(str(daemon.path))
            daemon.process.terminate()
            equal(daemon.process.wait(20 * SCALE), 0)
            true(daemon.path.exists(), "the other's socket is there still")
    with serve() as daemon:
        daemon.process.terminate()
        equal(daemon.process.wait(20 * SCALE), 0)
        true(not daemon.path.exists(), "its own is gone")


def root_does_not_believe_xdg_runtime_dir():
    if os.geteuid() != 0:
        return
    with directory() as place:
        probe = subprocess.run(
            [CORDON, "serve", "--interface", "/nonexistent"], env=dict(os.environ, XDG_RUNTIME_DIR=str(place)),
            stderr=subprocess.PIPE, timeout=20 * SCALE, check=False)
        true(probe.returncode != 0, "there is no such interface")
        equal(list(place.iterdir()), [])


# ---- The supervisor --------------------------------------------------------------------------------------------------


def a_socket_that_was_handed_over_is_served():
    with directory() as place, given_socket(place) as listening, Client(place / "given") as early:
        early.send({"method": "abs", "j": -3})
        with serve(**launched(listening.fileno())) as daemon:
            equal(early.receive(), {"result": 3})
            true(not daemon.path.exists(), "no other one was made")
            equal(events(daemon, "listening", 1)[0]["socket"], str(place / "given"))
            daemon.process.terminate()
            equal(daemon.process.wait(20 * SCALE), 0)
        true((place / "given").exists(), "it is the supervisor's")


def what_is_no_listening_socket_is_refused():
    with directory() as place, given_socket(place) as listening:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram, socket.socket(socket.AF_UNIX) as silent:
            for fd in (datagram.fileno(), silent.fileno()):
                with serve(**launched(fd)) as daemon:
                    ends_with(daemon, 1, "not a listening Unix stream socket")
        with serve(**launched(listening.fileno(), listening.fileno())) as daemon:
            ends_with(daemon, 1, "2 sockets were handed over")
        with serve(**(launched(listening.fileno(), LISTEN_PID="1") | {"expect_ready": True})) as daemon:
            true(daemon.path.exists(), "they were for another process")


def systemd_s_own_activation_is_understood():
    program = shutil.which("systemd-socket-activate")
    if not program:
        return
    with directory() as place:
        path = place / "activated"
        launcher = [program, "-l", str(path), "-E", f"XDG_STATE_HOME={place}"]
        with serve(launcher=launcher, expect_ready=False, stderr=subprocess.DEVNULL) as daemon:
            daemon.wait(path.exists, "systemd's program listens")
            with Client(path) as client:
                equal(client.ask({"method": "abs", "j": -3}), {"result": 3})


def the_supervisor_hears_of_start_and_stop():
    for abstract in (False, True):
        with directory() as place:
            supervisor = Supervisor(place, abstract)
            with serve(env={"NOTIFY_SOCKET": supervisor.name}, expect_ready=False) as daemon:
                said = supervisor.hear()
                equal(said["READY"], "1")
                true(re.match(r"2 cells, \d+ methods, at ", said["STATUS"]), said["STATUS"])
                with daemon.client() as client:  # ready means ready
                    client.send({"method": "usleep", "microseconds": 300000})
                    daemon.wait(lambda: is_busy(daemon), "it has begun")
                    daemon.process.terminate()
                    said = supervisor.hear()
                    equal((said["STOPPING"], said["STATUS"]), ("1", "Waiting for 1 calls"))
                    true(int(said["EXTEND_TIMEOUT_USEC"]) >= 10000000, "drain_ms is asked for")
                    equal(client.receive(), {"result": 0})
                equal(daemon.process.wait(20 * SCALE), 0)


def the_watchdog_is_fed_while_the_loop_turns():
    with directory() as place:
        supervisor = Supervisor(place)
        with serve(env={"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "300000"}, expect_ready=False) as daemon:
            for _ in range(5):
                while "WATCHDOG" not in supervisor.hear(skip=()):
                    pass
            daemon.process.send_signal(signal.SIGSTOP)
            daemon.wait(lambda: "\nState:\tT" in pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text(), "it stands")
            supervisor.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    supervisor.socket.recv(65536)
            supervisor.socket.settimeout(1.0)
            try:
                raise AssertionError(f"a loop that stands said {supervisor.socket.recv(65536)!r}")
            except TimeoutError:
                pass
            supervisor.socket.settimeout(20 * SCALE)
            daemon.process.send_signal(signal.SIGCONT)
            true("WATCHDOG" in supervisor.hear(skip=()), "it goes on")
        with serve(env={"NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "300000", "WATCHDOG_PID": "1"}) as daemon:
            pass
    said = []
    supervisor.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            said.append(supervisor.socket.recv(65536))
    true(b"WATCHDOG=1" not in said[-2:], "a watchdog for another process is not fed")


def a_supervisor_that_is_gone_is_no_matter():
    for name in ("/nonexistent/notify", "not a path", "/" + "x" * 200, "@nobody-listens-here"):
        with serve(env={"NOTIFY_SOCKET": name}) as daemon, daemon.client() as client:
            equal(client.ask({"method": "abs", "j": -3}), {"result": 3})


# ---- The log ---------------------------------------------------------------------------------------------------------


def the_log_tells_what_happens():
    with serve("--log-level", "debug") as daemon:
        with daemon.client() as client:
            answer = client.call("fault_exit7", 1)
            client.ask({"method": "abs", "j": 1})
        daemon.wait(lambda: any(line["requests"] == 2 for line in events(daemon, "disconnected")), "it is told")
        (crashed,) = events(daemon, "crashed", 1)
        equal((crashed["cell"], crashed["method"], crashed["level"]), ("faulty", "fault_exit7", "warning"))
        equal(crashed["report"], answer["error"]["data"]["report"])
        true(all(line["pid"] == os.getpid() for line in events(daemon, "connected")), "whose client it is")
        equal(sorted((line["cell"], line["generation"]) for line in events(daemon, "opened")), [("faulty", 1), ("libc", 1)])
        for line in log_lines(daemon):
            true(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]), line["time"])
            true(line["level"] in ("error", "warning", "notice", "debug") and line["message"], "level and sentence")


def a_slow_client_is_told_of():
    config = {"cells": [{"name": "libc", "interface_text": LIBC, "functions": "all", "limits": {"memory_bytes": "256MiB"}}]}
    with Daemon(config=json.dumps(config | {"limits": {"read_timeout_ms": 200}})) as daemon, daemon.client() as slow:
        slow.socket.sendall(b"\0\0\0\x20{")
        (told,) = events(daemon, "slow", 1)
        equal((told["pid"], told["user"], told["level"]), (os.getpid(), os.geteuid(), "warning"))
        true("read_timeout_ms" in told["message"] and slow.is_closed(), "it was closed, for that")
        with daemon.client() as client:
            stats = client.call("cordon.stats")["result"]
            equal((stats["clients_slow"], stats["clients_forbidden"]), (1, 0))


def levels_and_formats_are_chosen():
    with serve("--log-level", "error") as daemon:
        pass
    equal(daemon.log(), "")
    with serve("--log-format", "text") as daemon:
        pass
    true(re.search(r"^\d\d:\d\d:\d\d\.\d{3} 2 cells, \d+ methods, at ", daemon.log(), re.MULTILINE), daemon.log())
    for options in (("--log-level", "loud"), ("--log-format", "xml")):
        with serve(*options, expect_ready=False) as daemon:
            ends_with(daemon, 2, options[1])


def drain(fd):
    got = b""
    with contextlib.suppress(OSError):
        while piece := os.read(fd, 65536):
            got += piece
    return got


def a_terminal_gets_no_control_characters():
    name = "evil\x1b[2J\x07\u202e\x9b31m"
    for form, escaped in (("text", r"evil\x1b[2J\x07\u202e\u009b31m"), ("json", r"evil\\x1b[2J\\x07\\u202e\\u009b31m")):
        ours, theirs = pty.openpty()
        env = {"NO_COLOR": "1", "TERM": "xterm"}
        with directory(0o700) as place, serve("--log-format", form, "--socket", str(place / name), stderr=theirs, env=env) as daemon:
            daemon.process.terminate()
            equal(daemon.process.wait(20 * SCALE), 0)
        os.close(theirs)
        text = drain(ours).decode()
        os.close(ours)
        true(escaped in text, f"{escaped} is in {text!r}")
        bad = [c for c in text.replace("\r\n", "") if not c.isprintable()]
        equal(bad, [])


def a_terminal_is_coloured_unless_told_otherwise():
    for env, coloured in (({"TERM": "xterm", "NO_COLOR": None}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb", "NO_COLOR": None}, False)):
        ours, theirs = pty.openpty()
        with serve(stderr=theirs, env=env) as daemon, daemon.client() as client:
            client.call("fault_exit7", 1)
        os.close(theirs)
        text = drain(ours).decode()
        os.close(ours)
        equal("\x1b[33m" in text, coloured)


def lines_are_for_the_journal_where_it_listens():
    reading, writing = os.pipe()
    found = os.fstat(writing)
    with serve(stderr=writing, env={"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}) as daemon, daemon.client() as client:
        client.call("fault_exit7", 1)
    os.close(writing)
    lines = drain(reading).decode().splitlines()
    os.close(reading)
    equal({line[:3] for line in lines}, {"<4>", "<5>"})
    for line in lines:
        json.loads(line[3:])


def connect_often(daemon, times):
    for _ in range(times):
        with daemon.client():
            pass


def a_log_that_nobody_reads_stalls_nothing():
    times = 2500  # two lines each: more than the pipe and the buffer hold
    reading, writing = os.pipe()
    with serve("--log-level", "debug", stderr=writing) as daemon:
        os.close(writing)
        with daemon.client() as client:
            connect_often(daemon, times)
            equal(client.ask({"method": "abs", "j": -3}), {"result": 3})
            begin = time.monotonic()
            got = b""
            while b'"dropped"' not in got:
                got += os.read(reading, 65536)
            equal(client.ask({"method": "abs", "j": -4}), {"result": 4})
            true(time.monotonic() - begin < 20 * SCALE, "it goes on soon")
    got += drain(reading)
    os.close(reading)
    lines = [json.loads(line) for line in got.decode().splitlines()]  # each is whole
    told = sum(line["event"] in ("connected", "disconnected") for line in lines)
    dropped = sum(line["lines"] for line in lines if line["event"] == "dropped")
    true(dropped > 0 and told < 2 * times, "some were dropped")
    true(told + dropped >= 2 * times, f"each line was told or counted: {told} + {dropped}")


def a_log_that_is_closed_is_no_matter():
    reading, writing = os.pipe()
    with serve("--log-level", "debug", stderr=writing) as daemon:
        os.close(writing)
        os.close(reading)
        connect_often(daemon, 50)
        with daemon.client() as client:
            equal(client.ask({"method": "abs", "j": -3}), {"result": 3})
        daemon.process.terminate()
        equal(daemon.process.wait(20 * SCALE), 0)
    with serve(launcher=["sh", "-c", 'exec "$@" 2>&-', "sh"]) as daemon, daemon.client() as client:
        equal(client.ask({"method": "abs", "j": -3}), {"result": 3})
        equal(os.readlink(f"/proc/{daemon.process.pid}/fd/2"), "/dev/null")


def a_log_that_does_not_block_loses_nothing():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with serve("--log-level", "debug", stderr=writing) as daemon:
        os.close(writing)
        connect_often(daemon, 800)  # more than the pipe holds, less than the buffer
        got = b""
        while got.count(b'"disconnected"') < 800:
            got += os.read(reading, 65536)
    os.close(reading)
    true(b'"dropped"' not in got, "all of it came")


# ---- The end ---------------------------------------------------------------------------------------------------------


def is_busy(daemon, count=1):
    with daemon.client() as watcher:
        answer = watcher.call("cordon.stats")
        return sum(cell["in_flight"] for cell in answer["result"]["cells"]) >= count


def a_stop_answers_what_it_has():
    with serve() as daemon, daemon.client() as client, daemon.client() as late:
        client.send(*({"method": "usleep", "microseconds": int(900000 * SCALE), "deadline_ms": 60000} for _ in range(4)))
        daemon.wait(lambda: is_busy(daemon), "they have begun")
        workers = daemon.workers() | daemon.keepers()
        daemon.process.terminate()
        daemon.wait(lambda: not daemon.path.exists(), "it listens no more")
        equal(code(late.ask({"method": "abs", "j": 1})), -32009)
        equal([client.receive() for _ in range(4)], [{"result": 0}] * 4)
        equal(daemon.process.wait(20 * SCALE), 0)
        daemon.wait(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers), "no process is left")
        equal(events(daemon, "stopped")[0]["message"], "all calls were answered")


def a_stop_waits_for_answers_to_be_taken():
    with serve() as daemon, daemon.client() as client, daemon.client() as watcher:
        count = 400  # answers of more bytes than a socket holds
        client.send(*({"jsonrpc": "2.0", "id": i, "method": "cordon.describe"} for i in range(count)))
        for _ in range(60):  # turns of the loop: all are read, and answered as far as that goes
            watcher.call("cordon.ping")
        daemon.process.terminate()
        daemon.wait(lambda: not daemon.path.exists(), "it stops")
        equal(sum("result" in client.receive() for _ in range(count)), count)
        equal(daemon.process.wait(20 * SCALE), 0)


def a_second_signal_ends_it_at_once():
    for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
        with serve() as daemon, daemon.client() as client:
            client.send({"method": "sleep", "seconds": 60, "deadline_ms": 60000})
            daemon.wait(lambda: is_busy(daemon), "it has begun")
            workers = daemon.workers() | daemon.keepers()
            begin = time.monotonic()
            daemon.process.send_signal(first)
            daemon.wait(lambda: not daemon.path.exists(), "it stops")
            equal(daemon.process.poll(), None)
            daemon.process.send_signal(second)
            equal(daemon.process.wait(20 * SCALE), 3)
            true(time.monotonic() - begin < 8 * SCALE, "sooner than drain_ms")
            true(client.is_closed(), "the client sees it")
            daemon.wait(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers), "no process is left")
            equal(events(daemon, "cut_off")[0]["level"], "warning")


def a_hangup_stops_it_where_nothing_can_be_read_again():
    with serve() as daemon:
        with daemon.client() as client:
            answer = client.call("cordon.reload")
            equal((code(answer), answer["error"]["data"]["outcome"]), (-32011, "refused"))
        daemon.process.send_signal(signal.SIGHUP)
        equal(daemon.process.wait(20 * SCALE), 0)


main([
    the_socket_is_private,
    others_are_refused_by_a_frame,
    a_flood_of_others_is_told_in_few_lines,
    a_lock_that_somebody_else_made_is_refused,
    a_place_where_all_may_replace_it_is_refused,
    a_path_that_is_none_is_refused,
    a_file_that_names_no_cell_is_refused,
    what_is_in_the_way_stays,
    a_live_socket_is_not_taken_a_dead_one_is,
    a_stop_leaves_what_is_not_its_own,
    root_does_not_believe_xdg_runtime_dir,
    a_socket_that_was_handed_over_is_served,
    what_is_no_listening_socket_is_refused,
    systemd_s_own_activation_is_understood,
    the_supervisor_hears_of_start_and_stop,
    the_watchdog_is_fed_while_the_loop_turns,
    a_supervisor_that_is_gone_is_no_matter,
    the_log_tells_what_happens,
    a_slow_client_is_told_of,
    levels_and_formats_are_chosen,
    a_terminal_gets_no_control_characters,
    a_terminal_is_coloured_unless_told_otherwise,
    lines_are_for_the_journal_where_it_listens,
    a_log_that_nobody_reads_stalls_nothing,
    a_log_that_is_closed_is_no_matter,
    a_log_that_does_not_block_loses_nothing,
    a_stop_answers_what_it_has,
    a_stop_waits_for_answers_to_be_taken,
    a_second_signal_ends_it_at_once,
    a_hangup_stops_it_where_nothing_can_be_read_again,
])
