# SPDX-License-Identifier: Apache-2.0
"""`cordon top` on a terminal: what a person reads there while cells work, crash, go and come back."""

import json
import signal
import subprocess
import threading

from impostor import Impostor, answering, frame, take
from rig import CORDON, FAULTY, LIBC, SCALE, Client, Daemon, equal, main, true
from terminal import Terminal

ENTER, ESCAPE, TAB, UP, DOWN = "\r", "\x1b", "\t", "\x1b[A", "\x1b[B"


class Load:
    """A client that calls, until it is told to end; it survives its daemon."""

    def __init__(self, path):
        self.path = path
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _run(self):
        while not self.over.wait(0.02):
            try:
                with Client(self.path) as client:
                    while not self.over.wait(0.02):
                        for _ in range(10):
                            client.call("abs", -1)
            except (OSError, EOFError):
                continue


def serve(*options):
    return Daemon(*options, interfaces={"libc": LIBC, "faulty": FAULTY})


def top(path, *args, **how):
    return Terminal([CORDON, "top", "--socket", str(path), "--interval", "0.2", *args], **how)


def rate(terminal, name):
    """CALLS/S of a row, where it stands."""
    title = next((line for line in terminal.lines() if "CALLS/S" in line), "")
    row = next((line for line in terminal.lines() if line.split()[:1] == [name]), "")
    end = title.find("CALLS/S") + len("CALLS/S")
    return row[:end].split()[-1] if row else ""


def is_busy(terminal, name):
    return rate(terminal, name) not in ("", "0")


def cells_are_shown_as_they_work():
    with serve() as daemon, top(daemon.path) as terminal:
        terminal.wait_for("CELL", "CALLS/S", "P99", "libc", "faulty", "q quit", "cordon ")
        terminal.wait(lambda t: t.row("libc")[1:3] == ["ready", "0"], "a cell that is ready, and rests")
        with Load(daemon.path):
            terminal.wait(lambda t: is_busy(t, "libc"), "calls of libc")
            true(not is_busy(terminal, "faulty"), "nobody calls that one")
        terminal.wait(lambda t: not is_busy(t, "libc"), "that nobody calls any more")
        equal(terminal.look("ready", "libc")[0], "green")
        terminal.press("q")
        equal(terminal.end(), 0)
        true(terminal.is_as_before(), "the terminal's modes are as before")


def a_person_drills_down_and_comes_back():
    with serve() as daemon, daemon.client() as client, top(daemon.path) as terminal:
        terminal.wait_for("faulty", "libc")
        equal(client.call("fault_null_read", 1)["error"]["data"]["outcome"], "crashed")
        terminal.wait(lambda t: t.row("faulty")[10:11] == ["crashed"], "how it ended last")
        terminal.press(DOWN)
        terminal.wait(lambda t: t.is_chosen("libc"), "libc chosen")
        terminal.press(UP + ENTER)
        terminal.wait_for("Methods", "Workers", "Reports", "METHOD", "fault_spin")
        true(terminal.look("Methods")[2] and not terminal.look("Workers")[2], "it is the methods")
        equal(terminal.row("fault_null_read")[5:7], ["1", "1"])  # calls, crashed
        terminal.press(ENTER)
        terminal.wait_for("SERVES", "idle")
        pids = {line.split()[2] for line in terminal.lines() if line.split()[1:2] == ["idle"]}
        true(pids <= set(map(str, daemon.workers())), f"{pids} are workers")
        terminal.press(TAB)
        terminal.wait(lambda t: any(line.split()[2:4] == ["crash", "fault_null_read"] for line in t.lines()), "the report")
        report = next(line.split()[0] for line in terminal.lines() if "fault_null_read" in line)
        terminal.press(ENTER)
        terminal.wait_for(f"cordon report {report}", "SIGSEGV")
        terminal.press("x" + ESCAPE)
        terminal.wait_for("SERVES")
        terminal.press(ESCAPE)
        terminal.wait_for("METHOD")
        terminal.press(ESCAPE)
        terminal.wait(lambda t: "CELL" in t.text() and t.is_chosen("faulty"), "the cell that was open, chosen")
        terminal.press(DOWN + ENTER)
        terminal.wait_for("METHOD", "strtol")
        terminal.press(ESCAPE)
        terminal.wait(lambda t: t.is_chosen("libc"), "the cell that was open, chosen")


def a_worker_that_works_is_busy():
    with serve() as daemon, daemon.client() as client, top(daemon.path) as terminal:
        terminal.wait_for("libc")
        client.send({"method": "sleep", "seconds": 20, "deadline_ms": 3000})
        terminal.press(DOWN + ENTER + ENTER)
        terminal.wait_for("SERVES", "busy")
        equal(client.receive()["error"]["data"]["outcome"], "timeout")
        terminal.wait(lambda t: "busy" not in t.text(), "that nothing works")


def lines_are_sorted_and_turned_round():
    def names(terminal):
        return [line.split()[0] for line in terminal.lines() if line.split()[1:2] == ["ready"]]

    with serve() as daemon, top(daemon.path) as terminal, Load(daemon.path):
        terminal.wait(lambda t: names(t) == ["faulty", "libc"], "the cells by name")
        terminal.press("r")
        terminal.wait(lambda t: names(t) == ["libc", "faulty"], "them turned round")
        terminal.press("r")
        terminal.wait(lambda t: names(t) == ["faulty", "libc"], "them as before")
        terminal.press("ss")
        terminal.wait(lambda t: names(t) == ["libc", "faulty"] and t.look("CALLS/S")[2], "the busy one first")
        terminal.press("SS")
        terminal.wait(lambda t: names(t) == ["faulty", "libc"], "them by name again")


def it_pauses_and_helps():
    with serve() as daemon, top(daemon.path) as terminal:
        terminal.wait_for("libc")
        terminal.press("p")
        terminal.wait_for("PAUSED")
        with Load(daemon.path), daemon.client() as client:
            stats = lambda: sum(c["calls"] for c in client.call("cordon.stats")["result"]["cells"])
            daemon.wait(lambda: stats() > 100, "there are calls")
            for _ in range(5):  # it turns, and draws, but does not ask
                terminal.press("?")
                terminal.wait_for("any key goes back")
                terminal.press("x")
                terminal.wait_for("CELL", "q quit")
                equal(rate(terminal, "libc"), "0")
            terminal.press(" ")
            terminal.wait(lambda t: is_busy(t, "libc") and "PAUSED" not in t.text(), "the calls")
        terminal.press("?")
        terminal.wait_for("choose a line", "any key goes back")
        terminal.press("x")
        terminal.wait_for("CELL")
        terminal.press("-")
        terminal.wait_for("every 400ms")


def it_follows_the_terminals_size():
    with serve() as daemon, top(daemon.path, columns=120) as terminal, Load(daemon.path):
        terminal.wait_for("RESTARTS", "BREAKER")
        terminal.resize(40, 12)
        titles = ["CELL", "STATE", "CALLS/S", "P99", "WORKERS"]
        terminal.wait(lambda t: t.lines()[3].split() == titles and is_busy(t, "libc"), "what is most important")
        terminal.wait(lambda t: t.lines()[-1] == "Enter open  ? help  q quit", "the keys that fit")
        terminal.press(DOWN + ENTER)
        terminal.wait_for("METHOD", "Reports", "abs")
        terminal.press(DOWN * 9)
        terminal.wait(lambda t: t.is_chosen("usleep"), "the last one, scrolled to")
        for columns, lines in ((12, 3), (1, 1), (300, 60), (100, 5)):
            terminal.resize(columns, lines)
            terminal.read(0.3)
            equal(terminal.process.poll(), None)
        terminal.resize(100, 30)
        terminal.wait_for("METHOD", "REFUSED", "abs")


def a_daemon_that_goes_is_told_of_and_met_again():
    with serve() as daemon, top(daemon.path) as terminal:
        terminal.wait_for("libc")
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        terminal.wait_for("gone for", "no daemon", "libc")  # what was known stays
        equal(terminal.look("gone for")[0], "red")
        with serve("--socket", str(daemon.path)), Load(daemon.path):
            terminal.wait(lambda t: "daemon restarted" in t.text() and is_busy(t, "libc"), "the new one at work")
            true("gone for" not in terminal.text(), terminal.text())


def one_that_hangs_is_told_of():
    with serve() as daemon, top(daemon.path) as terminal:
        terminal.wait_for("libc")
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            terminal.wait_for("gone for", "did not answer in time")
            terminal.press("?")  # it answers keys meanwhile
            terminal.wait_for("any key goes back")
            terminal.press("x")
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        terminal.wait(lambda t: "gone for" not in t.text() and "CELL" in t.text(), "that it is back")
        true("restarted" not in terminal.text(), "it is the same one")


def it_waits_for_the_first_daemon():
    with serve() as daemon:
        path = daemon.path
    with top(path) as terminal:
        terminal.wait_for("no daemon")
        with serve("--socket", str(path)):
            terminal.wait_for("CELL", "libc")


def impostors_do_not_end_it():
    state = {"answers": [b"\0\0\0\0", frame(b"garbage"), frame({"result": 7}), frame({"error": {"code": 7, "message": "\x1b[2Jno"}}), b""]}
    cell = {"cell": "\x1b[31mred\x9b\u202e", "state": "ready", "methods": [{"method": "\x07bell", "calls": 3}]}

    def answer(_):
        return state["answers"].pop(0) if state["answers"] else frame({"id": 1, "result": {"cells": [cell], "uptime_ms": 1}})

    def talk(client):
        while take(client) is not None:
            answered = answer(None)
            client.sendall(answered)
            if not answered:
                return

    with Impostor(talk) as server, top(server.path) as terminal:
        terminal.wait(lambda t: "?[31mred??" in t.text() and not state["answers"], "the name, made harmless", seconds=20)
        terminal.press(ENTER)
        terminal.wait_for("?bell")
        true(b"\x1b[31mred" not in terminal.written and b"\x1b[2Jno" not in terminal.written, "as it came")


def without_colours_it_is_readable():
    with serve() as daemon, top(daemon.path, env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("libc", "ready")
        true(terminal.is_colourless(), "no colour")
        true(terminal.is_chosen("faulty") and not terminal.is_chosen("libc"), "what is chosen is seen all the same")


def an_ascii_terminal_gets_ascii():
    with serve() as daemon, top(daemon.path, env={"LC_ALL": "C"}) as terminal:
        terminal.wait_for("libc", "ready")
        terminal.press(DOWN + ENTER)
        terminal.wait_for("METHOD", "abs")
        terminal.wait(lambda t: all(byte < 0x80 for byte in t.written), "ASCII")


def signals_give_the_terminal_back():
    with serve() as daemon:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with top(daemon.path) as terminal:
                terminal.wait_for("libc")
                true(not terminal.is_as_before(), "it has taken the terminal")
                terminal.signal(number)
                equal(terminal.end(), 0)
                true(terminal.is_as_before(), f"{number}: the terminal's modes are as before")


def an_unknown_terminal_is_told():
    with serve() as daemon, top(daemon.path, env={"TERM": "no-such-terminal"}) as terminal:
        equal(terminal.end(), 1)
        true("no-such-terminal" in terminal.text() and "--once" in terminal.text(), terminal.text())


def run(path, *args):
    done = subprocess.run([CORDON, "top", "--socket", str(path), *args], capture_output=True, timeout=60 * SCALE,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def without_a_terminal_it_prints():
    with serve() as daemon, Load(daemon.path):
        for args in ((), ("--once",), ("--once", "--interval", "200ms")):
            status, text, errors = run(daemon.path, *args)
            rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
            equal((args, status, errors), (args, 0, ""))
            true({"cordon", "CELL", "libc", "faulty"} == set(rows) and float(rows["libc"][2]) > 0, text)
        status, text, _ = run(daemon.path, "--json", "--once")
        one = json.loads(text)
        cells = {c["cell"]: c for c in one["cells"]}
        equal((status, set(cells), one["pid"]), (0, {"libc", "faulty"}, daemon.process.pid))
        true(900 <= one["interval_ms"] <= 10000 and cells["libc"]["calls_per_s"] > 1, text)
        true(cells["libc"]["p50_us"] > 0 and cells["libc"]["p99_us"] >= cells["libc"]["p50_us"], text)
        equal([m["method"] for m in cells["libc"]["methods"]], ["abs"])
        process = subprocess.Popen([CORDON, "top", "--socket", str(daemon.path), "--json", "--interval", "0.1"],
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        true(all(json.loads(process.stdout.readline())["pid"] == daemon.process.pid for _ in range(4)), "line by line")
        daemon.process.kill()
        equal(process.wait(20 * SCALE), 1)
        process.communicate()
    status, text, errors = run(daemon.path, "--once")
    equal((status, text, "no daemon" in errors), (1, "", True))
    for args in (("--interval", "0"), ("--interval", "x"), ("x",), ("--no-such",)):
        equal((args, run(daemon.path, *args)[0]), (args, 2))


def rates_are_of_the_last_interval():
    """A server whose counts we know: 600 calls in the first interval, of them 6 slow; none in the second."""
    counts = [[0, 0, 0], [594, 0, 6], [594, 0, 6]]
    asked = {"times": 0}

    def answer(_):
        buckets = counts[min(asked["times"], 2)]
        asked["times"] += 1
        cell = {"cell": "a", "state": "ready", "generation": 1, "calls": sum(buckets), "ended": {"done": sum(buckets)},
                "buckets": buckets, "p50_us": 1, "p99_us": 1}
        return frame({"id": 1, "result": {"pid": 5, "uptime_ms": 5, "bucket_bounds_ns": [1000, 2000, 7000000], "cells": [cell]}})

    with Impostor(answering(answer)) as server:
        process = subprocess.Popen([CORDON, "top", "--socket", str(server.path), "--json", "--interval", "0.3"], text=True,
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        first, second = json.loads(process.stdout.readline()), json.loads(process.stdout.readline())
        process.terminate()
        process.communicate()
        cell = first["cells"][0]
        equal((cell["calls"], cell["p50_us"], cell["p99_us"]), (600, 1, 1))
        true(abs(cell["calls_per_s"] * first["interval_ms"] / 1000 - 600) < 6, f"{cell}")
        cell = second["cells"][0]
        equal((cell["calls"], cell["calls_per_s"], cell["p50_us"], cell["p99_us"]), (0, 0, 0, 0))
    counts[1][1:] = [0, 7]
    asked["times"] = 0
    with Impostor(answering(answer)) as server:
        cell = json.loads(run(server.path, "--json", "--once", "--interval", "0.1")[1])["cells"][0]
        equal((cell["calls"], cell["p50_us"], cell["p99_us"]), (601, 1, 7000))


main([
    cells_are_shown_as_they_work,
    a_person_drills_down_and_comes_back,
    a_worker_that_works_is_busy,
    lines_are_sorted_and_turned_round,
    it_pauses_and_helps,
    it_follows_the_terminals_size,
    a_daemon_that_goes_is_told_of_and_met_again,
    one_that_hangs_is_told_of,
    it_waits_for_the_first_daemon,
    impostors_do_not_end_it,
    without_colours_it_is_readable,
    an_ascii_terminal_gets_ascii,
    signals_give_the_terminal_back,
    an_unknown_terminal_is_told,
    without_a_terminal_it_prints,
    rates_are_of_the_last_interval,
])
