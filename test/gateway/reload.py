# SPDX-License-Identifier: Apache-2.0
"""Reload: the difference between two configurations, applied while clients call: nothing is lost, nothing that is equal is
touched, and what cannot be changes nothing."""

import http.client
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import threading
import time

from daemon_rig import NOBODY, OTHERS, Supervisor, ask_as, directory, events
from rig import CORDON, SCALE, Daemon, code, equal, main, true

ATTACHED = os.environ.get("CORDON_TEST_ATTACHED")
CALM = """library "libc.so.6";
int abs(int j);
int usleep(unsigned microseconds);
"""
OTHER = """library "libc.so.6";
long labs(long j);
unsigned sleep(unsigned seconds);
int getpid(void);
"""
HANDLES = """library "libcrypto.so.3";
struct evp_md_ctx_st *EVP_MD_CTX_new(void);
int EVP_MD_CTX_test_flags(const struct evp_md_ctx_st *ctx, int flags);
void EVP_MD_CTX_free(release struct evp_md_ctx_st *ctx);
"""


def cell(name, interface, **more):
    return {"name": name, "interface_text": interface, "functions": "all", "limits": {"memory_bytes": "256MiB"}, "workers": 2} | more


def calm(**more):
    return cell("calm", CALM, **more)


def other(**more):
    return cell("other", OTHER, **more)


def settings(*cells, **more):
    """JSON is YAML."""
    return json.dumps({"cells": list(cells)} | more)


def serve(*cells, options=(), rig=None, **more):
    return Daemon(*options, config=settings(*cells, **more), **(rig or {}))


def rewrite(daemon, *cells, **more):
    """As an editor does it that is in no hurry: the file is whole at every moment."""
    fresh = daemon.directory / "fresh.yaml"
    fresh.write_text(cells[0] if cells and isinstance(cells[0], str) else settings(*cells, **more))
    fresh.rename(daemon.config_path)


def reload(daemon, *cells, **more):
    """The answer to cordon.reload, after the configuration was changed to this."""
    if cells or more:
        rewrite(daemon, *cells, **more)
    with daemon.client(timeout=60) as client:
        return client.call("cordon.reload")


def changes(answer):
    return {c["cell"]: (c["change"], c["generation"]) for c in answer["result"]["cells"]}


def generations(daemon):
    with daemon.client() as client:
        return {c["name"]: c["generation"] for c in client.call("cordon.cells")["result"]}


def worker_pids(daemon, name):
    """Of the cell's workers that serve; one at least does, or will soon."""
    pids = set()

    def some_serve():
        with daemon.client() as client:
            (found,) = client.call("cordon.stats", cell=name)["result"]["cells"]
            pids.update(worker["pid"] for worker in found["workers"] if worker["pid"])
        return pids

    daemon.wait(some_serve, "it has a worker")
    return pids


def in_flight(daemon):
    with daemon.client() as client:
        return sum(c["in_flight"] for c in client.call("cordon.stats")["result"]["cells"])


def settled(daemon):
    """Its processes, once each of the two cells has a worker and a spare."""
    daemon.wait(lambda: len(daemon.workers()) == 4, "workers and spares are there")
    return daemon.workers()


def is_gone(pid):
    return not pathlib.Path(f"/proc/{pid}").exists()


# ---- Under load ------------------------------------------------------------------------------------------------------


class Hammer(threading.Thread):
    """Asks without a pause until it is told to stop. @wrong: answers that are not what they should be."""

    def __init__(self, daemon, number, stop):
        super().__init__()
        self.daemon_under_test, self.number, self.stop = daemon, number, stop
        self.asked = self.answered = 0
        self.wrong = []

    def run(self):
        try:
            with self.daemon_under_test.client(timeout=60) as client:
                while not self.stop.is_set():
                    batch = range(4)
                    client.send(*(
                        {"jsonrpc": "2.0", "id": i, "method": ("abs", "labs")[(i + self.number) % 2], "params": [-i]} for i in batch))
                    self.asked += len(batch)
                    waiting = set(batch)
                    while waiting:
                        answer = client.receive()
                        waiting.remove(answer["id"])  # KeyError: answered twice
                        self.answered += 1
                        if answer.get("result") != answer["id"]:
                            self.wrong.append(answer)
        except Exception as error:  # whatever it is, the case shall hear of it
            self.wrong.append(repr(error))


def twenty_reloads_under_32_clients_lose_nothing():
    with serve(calm(), other(workers=2)) as daemon:
        stop = threading.Event()
        with daemon.client() as client:
            equal(client.ask({"method": "abs", "j": -1}), {"result": 1})
        before = worker_pids(daemon, "calm")
        clients = [Hammer(daemon, n, stop) for n in range(32)]
        for client in clients:
            client.start()
        attached = attach(daemon) if ATTACHED else None
        for turn in range(20):
            asked = sum(client.asked for client in clients)
            answer = reload(daemon, calm(), other(workers=3 - turn % 2))
            equal(changes(answer), {"calm": ("kept", 1), "other": ("replaced", turn + 2)})
            daemon.wait(lambda: sum(client.asked for client in clients) > asked + 64 or stop.is_set(), "calls go on")
        stop.set()
        for client in clients:
            client.join(60 * SCALE)
        equal([client.wrong for client in clients if client.wrong], [])
        asked = sum(client.asked for client in clients)
        equal(sum(client.answered for client in clients), asked)
        true(asked > 32 * 20, f"{asked} were asked")
        equal(generations(daemon), {"calm": 1, "other": 21})
        true(before <= worker_pids(daemon, "calm"), "the worker of what did not change is the same")
        if attached:
            calls, failed, workers = detach(attached)
            equal(failed, 0)
            true(calls > 0 and workers > 1, f"{calls} calls of an attached client went on, by {workers} workers")
        print(f"{asked} requests, {asked} answers, 20 reloads")
        daemon.wait(lambda: len(daemon.workers()) <= 2 + 3 + 2 + 2, "the workers of old generations end")


def attach(daemon):
    process = subprocess.Popen([ATTACHED, str(daemon.path), "other"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    equal(process.stdout.readline(), "attached\n")
    return process


def detach(process):
    process.stdin.close()
    words = process.stdout.read().split()
    equal(process.wait(60 * SCALE), 0)
    return [int(word) for word in words]


# ---- What changes ----------------------------------------------------------------------------------------------------


def equal_cells_are_kept():
    with serve(calm(), other()) as daemon:
        keepers = daemon.keepers()
        before = worker_pids(daemon, "calm")
        for _ in range(3):
            answer = reload(daemon)
            equal(answer["result"], {
                "cells": [{"cell": "calm", "change": "kept", "generation": 1}, {"cell": "other", "change": "kept", "generation": 1}],
                "settings": [], "at_start": [], "findings": answer["result"]["findings"]})
        equal(worker_pids(daemon, "calm"), before)
        true(keepers <= daemon.keepers(), "the keeper is the same")


def cells_come_and_go():
    with serve(calm()) as daemon, daemon.client() as client:
        equal(code(client.ask({"method": "labs", "j": -1})), -32601)
        equal(changes(reload(daemon, calm(), other())), {"calm": ("kept", 1), "other": ("opened", 1)})
        equal(client.ask({"method": "labs", "j": -1}), {"result": 1})
        pids = worker_pids(daemon, "other")
        equal(changes(reload(daemon, calm())), {"calm": ("kept", 1), "other": ("removed", 1)})
        equal(code(client.ask({"method": "labs", "j": -1})), -32601)
        equal(client.ask({"method": "abs", "j": -1}), {"result": 1})
        daemon.wait(lambda: all(is_gone(pid) for pid in pids), "its workers end")
        equal(changes(reload(daemon, other())), {"calm": ("removed", 1), "other": ("opened", 1)})
        equal([line["cell"] for line in events(daemon, "removed", 2)], ["other", "calm"])


def an_interface_that_changed_is_a_change():
    with serve(calm()) as daemon, daemon.client() as client:
        equal(changes(reload(daemon, cell("calm", CALM + "long labs(long j);"))), {"calm": ("replaced", 2)})
        equal(client.ask({"method": "labs", "j": -1}), {"result": 1})


def a_handle_of_an_old_generation_works_until_its_connection_closes():
    crypto = cell("crypto", HANDLES)
    with serve(crypto) as daemon:
        with daemon.client() as client:
            handle = client.call("EVP_MD_CTX_new")["result"]
            old = daemon.workers()
            equal(changes(reload(daemon, crypto | {"workers": 3})), {"crypto": ("replaced", 2)})
            equal(client.call("EVP_MD_CTX_test_flags", handle, 0)["result"], 0)
            with daemon.client() as another:
                equal(another.call("EVP_MD_CTX_test_flags", another.call("EVP_MD_CTX_new")["result"], 0)["result"], 0)
            equal(changes(reload(daemon, crypto)), {"crypto": ("replaced", 3)})
            equal(client.call("EVP_MD_CTX_test_flags", handle, 0)["result"], 0)
            second = client.call("EVP_MD_CTX_new")["result"]
            equal("result" in client.call("EVP_MD_CTX_free", handle), True)
            equal(client.call("EVP_MD_CTX_test_flags", second, 0)["result"], 0)
            true(any(not is_gone(pid) for pid in old), "the old worker serves it")
        daemon.wait(lambda: all(is_gone(pid) for pid in old), "the old workers end with the connection")
        with daemon.client() as client:
            equal(code(client.call("EVP_MD_CTX_test_flags", handle, 0)), -32006)


def a_call_that_hangs_keeps_nobody_waiting():
    with serve(calm(), other()) as daemon, daemon.client() as client:
        client.send({"jsonrpc": "2.0", "id": 1, "method": "sleep", "params": [60], "deadline_ms": 2000})
        daemon.wait(lambda: in_flight(daemon) == 1, "it has begun")
        pids = worker_pids(daemon, "other")
        begin = time.monotonic()
        equal(changes(reload(daemon, calm(), other(workers=3)))["other"], ("replaced", 2))
        with daemon.client() as another:
            equal(another.ask({"method": "labs", "j": -1}), {"result": 1})
        true(time.monotonic() - begin < 2 * SCALE, "before the call that hangs had ended")
        equal(code(client.receive()), -32002)
        daemon.wait(lambda: all(is_gone(pid) for pid in pids), "then the old workers end")


def what_waits_is_answered_by_the_old_or_the_new():
    with serve(calm(workers=1)) as daemon, daemon.client() as client:
        client.send(*({"jsonrpc": "2.0", "id": i, "method": "usleep", "params": [30000]} for i in range(20)))
        daemon.wait(lambda: in_flight(daemon) >= 1, "they are on their way")
        equal(changes(reload(daemon, calm(workers=2))), {"calm": ("replaced", 2)})
        equal(sorted(client.receive()["id"] for _ in range(20)), list(range(20)))


# ---- What cannot be --------------------------------------------------------------------------------------------------


def refused(daemon, answer):
    equal((code(answer), answer["error"]["data"]["outcome"]), (-32011, "refused"))
    true(answer["error"]["message"], "a sentence")
    return answer["error"]["data"]["findings"]


def nothing_has_changed(daemon, pids):
    equal(generations(daemon), {"calm": 1, "other": 1})
    equal(worker_pids(daemon, "calm"), pids)
    with daemon.client() as client:
        equal(client.ask({"method": "abs", "j": -1}), {"result": 1})
        equal(client.ask({"method": "labs", "j": -1}), {"result": 1})


def a_broken_configuration_changes_nothing():
    with serve(calm(), other()) as daemon:
        pids = worker_pids(daemon, "calm")
        findings = refused(daemon, reload(daemon, "cells:\n  - nmae: calm\n  - 7\n"))
        true(any(f["line"] == 2 and "nmae" in f["field"] + f["sentence"] for f in findings), findings)
        true(len(findings) >= 2 and all(f["file"].endswith("cordon.yaml") for f in findings), findings)
        for text in ("", "\0", "cells: [", "cells: {}", settings(calm(limits={})), settings(calm(), calm())):
            true(refused(daemon, reload(daemon, text)), text)
        daemon.config_path.unlink()
        true(refused(daemon, reload(daemon)), "it is not there")
        nothing_has_changed(daemon, pids)
        count = len(events(daemon, "reload_refused", 8))
        equal(count, 8)
        daemon.process.send_signal(signal.SIGHUP)
        equal(len(events(daemon, "reload_refused", count + 1)), count + 1)
        nothing_has_changed(daemon, pids)


def one_cell_that_does_not_open_changes_nothing():
    with serve(calm(), other()) as daemon:
        pids = worker_pids(daemon, "calm")
        processes = settled(daemon)
        fds = daemon.fds()
        broken = cell("broken", 'library "libnosuch.so.9";\nint pause(void);')
        for cells in ((calm(workers=3), other(workers=3), broken), (broken, calm(workers=3))):
            answer = reload(daemon, *cells)
            refused(daemon, answer)
            true("libnosuch" in answer["error"]["message"], answer["error"]["message"])
        nothing_has_changed(daemon, pids)
        daemon.wait(lambda: daemon.workers() == processes, "what was opened is closed")
        daemon.wait(lambda: daemon.fds() <= fds, "with all its descriptors")


def methods_of_one_name_change_nothing():
    with serve(calm(), other()) as daemon:
        pids = worker_pids(daemon, "calm")
        processes = settled(daemon)
        refused(daemon, reload(daemon, calm(workers=1), cell("other", CALM)))
        nothing_has_changed(daemon, pids)
        daemon.wait(lambda: daemon.workers() == processes, "what was opened is closed")


def an_address_that_is_taken_changes_nothing():
    with serve(calm(), other()) as daemon, socket.socket() as taken:
        pids = worker_pids(daemon, "calm")
        processes = settled(daemon)
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        answer = reload(daemon, calm(workers=1), other(), http="127.0.0.1:%d" % taken.getsockname()[1])
        refused(daemon, answer)
        true("http" in answer["error"]["message"], answer["error"]["message"])
        nothing_has_changed(daemon, pids)
        daemon.wait(lambda: daemon.workers() == processes, "what was opened is closed")


def only_its_own_user_and_root_may():
    if not OTHERS:
        return
    with serve(calm(), users=[NOBODY]) as daemon:
        daemon.directory.chmod(0o755)
        answer, _ = ask_as(NOBODY, daemon.path, request={"jsonrpc": "2.0", "id": 1, "method": "cordon.reload"})
        equal((code(answer), answer["error"]["data"]["outcome"]), (-32010, "forbidden"))
        equal(len(events(daemon, "reloaded")), 0)


def many_at_once_are_all_answered():
    with serve(calm(), other()) as daemon, daemon.client(timeout=60) as client, daemon.client() as vanishes:
        rewrite(daemon, calm(), other(workers=3))
        vanishes.send({"jsonrpc": "2.0", "id": 1, "method": "cordon.reload"})
        client.send(*({"jsonrpc": "2.0", "id": i, "method": "cordon.reload"} for i in range(6)))
        vanishes.socket.close()
        client.send([{"jsonrpc": "2.0", "id": 7, "method": "cordon.reload"}, {"jsonrpc": "2.0", "method": "cordon.reload"}])
        answers = [client.receive() for _ in range(7)]
        equal(sorted(a["id"] for a in answers if isinstance(a, dict)), list(range(6)))
        equal([len(a) for a in answers if isinstance(a, list)], [1])
        equal(generations(daemon), {"calm": 1, "other": 2})
        client.send({"method": "cordon.reload"}, {"method": "abs", "j": -3})  # the bare form waits for its turn
        true("cells" in client.receive()["result"], "the first is answered first")
        equal(client.receive(), {"result": 3})


# ---- Beside the cells ------------------------------------------------------------------------------------------------


def limits_and_log_change():
    with serve(calm()) as daemon, daemon.client() as client:
        batch = [{"jsonrpc": "2.0", "id": i, "method": "abs", "params": [-i]} for i in range(4)]
        equal(len(client.ask(batch)), 4)
        answer = reload(daemon, calm(), limits={"batch": 3}, log={"level": "debug"}, drain_ms=5000)
        equal(set(answer["result"]["settings"]), {"limits.batch", "log.level", "drain_ms"})
        equal(code(client.ask(batch)), -32600)
        with daemon.client():
            pass
        daemon.wait(lambda: events(daemon, "disconnected"), "it tells more")
        equal(set(reload(daemon, calm())["result"]["settings"]), {"limits.batch", "log.level", "drain_ms"})
        equal(len(client.ask(batch)), 4)


def what_the_command_line_says_holds():
    with serve(calm(), options=("--log-level", "warning")) as daemon:
        answer = reload(daemon, calm(), log={"level": "debug"}, socket="/nonexistent/elsewhere.sock")
        equal((answer["result"]["settings"], answer["result"]["at_start"]), ([], []))
        with daemon.client() as client:
            equal(client.ask({"method": "abs", "j": -3}), {"result": 3})
        equal(events(daemon, "connected"), [])


def a_socket_that_moves_is_for_the_next_start():
    with directory() as place:
        with serve(calm(), socket=str(place / "first"), options=("--socket", str(place / "first"))) as probe:
            pass
        daemon = Daemon("--log-level", "notice", config=settings(calm(), socket=str(place / "first")), expect_ready=False, own_socket=True)
        daemon.path = place / "first"
        with daemon:
            daemon.wait(daemon.is_listening, "it listens where the file says")
            answer = reload(daemon, calm(), socket=str(place / "second"))
            equal(answer["result"]["at_start"], ["socket"])
            true(not (place / "second").exists() and (place / "first").exists(), "it stays where it was")
            equal(len(events(daemon, "at_start", 1)), 1)


def the_status_page_moves():
    with serve(calm()) as daemon:
        def page(address):
            page = http.client.HTTPConnection(address, timeout=10 * SCALE)
            page.request("GET", "/metrics")
            return page.getresponse().status

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        equal(reload(daemon, calm(), http=f"127.0.0.1:{port}")["result"]["settings"], ["http"])
        equal(page(f"127.0.0.1:{port}"), 200)
        equal(reload(daemon)["result"]["settings"], [])
        equal(page(f"127.0.0.1:{port}"), 200)
        equal(reload(daemon, calm())["result"]["settings"], ["http"])
        try:
            raise AssertionError(f"status {page(f'127.0.0.1:{port}')}")
        except ConnectionRefusedError:
            pass


def who_may_connect_changes():
    if not OTHERS:
        return
    with serve(calm()) as daemon:
        daemon.directory.chmod(0o755)
        equal(ask_as(NOBODY, daemon.path)[0], "PermissionError")  # the socket's mode
        for allowed, group, groups, mode in (
            ({"users": [NOBODY]}, NOBODY, (), 0o666),
            ({"users": ["nobody"]}, NOBODY, (), 0o666),
            ({"groups": [2]}, 2, (), 0o660),
            ({"groups": [2]}, NOBODY, (5, 2), 0o660),
            ({"groups": [3, 2]}, NOBODY, (2,), 0o666),
            ({"groups": [2]}, NOBODY, range(2, 400), 0o660),  # more than fit at first sight
        ):
            reload(daemon, calm(), **allowed)
            equal((allowed, ask_as(NOBODY, daemon.path, group, groups)[0]), (allowed, {"result": 4}))
            equal((allowed, stat.S_IMODE(daemon.path.stat().st_mode)), (allowed, mode))
        reload(daemon, calm(), users=[1])
        equal(code(ask_as(NOBODY, daemon.path, to_the_end=True)[0]), -32010)
        reload(daemon, calm(), groups=[3])
        equal(ask_as(NOBODY, daemon.path, NOBODY, (2,))[0], "PermissionError")
        reload(daemon, calm())
        equal(stat.S_IMODE(daemon.path.stat().st_mode), 0o600)


def who_may_no_more_is_closed():
    if not OTHERS:
        return
    with serve(calm(), users=[NOBODY]) as daemon:
        daemon.directory.chmod(0o755)
        script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(20); print('in',flush=True); print(s.recv(1)==b'')"
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "/usr/bin/python3", "-c", script, str(daemon.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as visitor:
            equal(visitor.stdout.readline(), "in\n")
            reload(daemon, calm())
            equal(visitor.stdout.readline(), "True\n")


def the_supervisor_hears_of_it():
    with directory() as place:
        supervisor = Supervisor(place)
        with serve(calm(), rig={"env": {"NOTIFY_SOCKET": supervisor.name}}) as daemon:
            equal(supervisor.hear()["READY"], "1")
            now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            daemon.process.send_signal(signal.SIGHUP)
            said = supervisor.hear()
            equal(said["RELOADING"], "1")
            true(0 <= int(said["MONOTONIC_USEC"]) - now_us < 10_000_000 * SCALE, "when it began")
            equal(supervisor.hear()["READY"], "1")
            refused(daemon, reload(daemon, "nonsense"))
            equal(supervisor.hear()["RELOADING"], "1")
            said = supervisor.hear()
            true(said["READY"] == "1" and "refused" in said["STATUS"], said)


def drain_ms_bounds_a_stop():
    with serve(other(deadline_ms="60s"), drain_ms=300) as daemon, daemon.client() as client:
        client.send({"method": "sleep", "seconds": 50, "deadline_ms": 50000})
        daemon.wait(lambda: in_flight(daemon) == 1, "it has begun")
        workers = daemon.workers()
        begin = time.monotonic()
        daemon.process.terminate()
        equal(daemon.process.wait(20 * SCALE), 3)
        true(0.25 < time.monotonic() - begin < 6 * SCALE, "after drain_ms, and soon")
        equal(events(daemon, "cut_off")[0]["calls"], 1)
        daemon.wait(lambda: all(is_gone(pid) for pid in workers), "no worker is left")


# ---- In the middle ---------------------------------------------------------------------------------------------------


def a_stop_in_the_middle_ends_well():
    for number in (signal.SIGTERM, signal.SIGKILL):
        with serve(calm(), other()) as daemon, daemon.client() as client:
            everyone = set()
            rewrite(daemon, calm(workers=3), other(workers=3), cell("third", HANDLES))
            client.send({"jsonrpc": "2.0", "id": 1, "method": "cordon.reload"})
            daemon.wait(lambda: len(daemon.keepers() | daemon.workers()) > 0, "it runs")
            everyone = daemon.workers() | daemon.keepers()
            daemon.process.send_signal(number)
            if number == signal.SIGTERM:
                true("result" in client.receive() or True, "it is answered, one way or the other")
                equal(daemon.process.wait(30 * SCALE), 0)
            else:
                equal(daemon.process.wait(30 * SCALE), -signal.SIGKILL)
            daemon.wait(lambda: not daemon.workers() and all(is_gone(pid) for pid in everyone), "no process is left")
            with Daemon("--socket", str(daemon.path), config=settings(calm())) as next_one, next_one.client() as again:
                equal(again.ask({"method": "abs", "j": -1}), {"result": 1})


def the_command_reloads():
    with serve(calm(), other()) as daemon:
        def command(*options):
            done = subprocess.run([CORDON, "reload", "--socket", str(daemon.path), *options], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=60 * SCALE, check=False)
            return done.returncode, done.stdout, done.stderr

        status, out, err = command()
        equal((status, err), (0, ""))
        true("nothing has changed" in out, out)
        rewrite(daemon, calm(workers=3), cell("third", HANDLES), limits={"batch": 3})
        status, out, err = command()
        equal((status, err), (0, ""))
        for word in ("calm", "replaced", "third", "opened", "other", "removed", "limits.batch"):
            true(word in out, f"{word} is in {out!r}")
        equal(sorted(c["change"] for c in json.loads(command("--json")[1])["cells"]), ["kept", "kept"])
        rewrite(daemon, "cells:\n  - nmae: calm\n")
        status, out, err = command()
        equal((status, out), (1, ""))
        true("cordon.yaml:2:" in err and "nmae" in err, err)
        equal(command("surplus")[0], 2)
        daemon.process.kill()
        daemon.process.wait(10)
        equal(command()[0], 1)


main([
    twenty_reloads_under_32_clients_lose_nothing,
    equal_cells_are_kept,
    cells_come_and_go,
    an_interface_that_changed_is_a_change,
    a_handle_of_an_old_generation_works_until_its_connection_closes,
    a_call_that_hangs_keeps_nobody_waiting,
    what_waits_is_answered_by_the_old_or_the_new,
    a_broken_configuration_changes_nothing,
    one_cell_that_does_not_open_changes_nothing,
    methods_of_one_name_change_nothing,
    an_address_that_is_taken_changes_nothing,
    only_its_own_user_and_root_may,
    many_at_once_are_all_answered,
    limits_and_log_change,
    what_the_command_line_says_holds,
    a_socket_that_moves_is_for_the_next_start,
    the_status_page_moves,
    who_may_connect_changes,
    who_may_no_more_is_closed,
    the_supervisor_hears_of_it,
    drain_ms_bounds_a_stop,
    a_stop_in_the_middle_ends_well,
    the_command_reloads,
])
