# SPDX-License-Identifier: Apache-2.0
"""The daemon of one program: opened cells, seats at them, and its end, as a program without libcordon sees them."""

import array
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

PROGRAM = os.environ["CORDON_PRIVATE"]
SCALE = float(os.environ.get("CORDON_TEST_TIME_SCALE", "1"))

LIBC = 'library "libc.so.6"; int abs(int j); int raise(int signal);'
WELCOME_BYTES = 64
BOARD_WITHDRAWN = 3
PR_SET_CHILD_SUBREAPER = 36


class Daemon:
    """A daemon of this program's, and the other end of its control socket."""

    def __init__(self, with_pidfd=True, client=None):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(20 * SCALE)
        pidfd = os.pidfd_open(client or os.getpid()) if with_pidfd else -1
        self.last = 0
        self.passed = []

        # A shell puts them where they belong: Popen() itself has descriptors there.
        place = f"3<&{theirs.fileno()} 4<&{pidfd if with_pidfd else '-'}"
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" {place}', PROGRAM],
            pass_fds=(theirs.fileno(), pidfd) if with_pidfd else (theirs.fileno(),),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        if with_pidfd:
            os.close(pidfd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        try:
            self.process.wait(10 * SCALE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def send_bytes(self, data):
        self.socket.sendall(struct.pack(">I", len(data)) + data)

    def send(self, method, **params):
        self.last += 1
        request = {"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}
        self.send_bytes(json.dumps(request).encode())
        return self.last

    def _read(self, count):
        got = b""
        while len(got) < count:
            piece, extra, _, _ = self.socket.recvmsg(min(count - len(got), 65536), 4096)
            if not piece:
                raise EOFError(f"closed after {len(got)} of {count} bytes")
            for level, kind, data in extra:
                assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
                fds = array.array("i")
                fds.frombytes(data)
                self.passed += fds
            got += piece
        return got

    def receive(self):
        (length,) = struct.unpack(">I", self._read(4))
        return json.loads(self._read(length))

    def ask(self, method, **params):
        wanted = self.send(method, **params)
        answer = self.receive()
        assert answer["id"] == wanted, answer
        return answer

    def attach(self, cell):
        answer = self.ask("cordon.attach", cell=cell)
        assert answer["result"] is True, answer
        assert len(self.passed) == 1, self.passed
        return Seat(socket.socket(fileno=self.passed.pop()))


class Seat:
    def __init__(self, seat):
        self.socket = seat
        self.socket.settimeout(20 * SCALE)
        self.welcome()

    def welcome(self):
        data, fds, _, _ = socket.recv_fds(self.socket, 4096, 4)
        assert len(data) == WELCOME_BYTES and data[6] == 1, data
        assert len(fds) == 2
        self.epoch = struct.unpack_from("<I", data, 20)[0]
        self.board, self.plans = fds

    def weather(self):
        return struct.unpack("<I", os.pread(self.board, 4, 8))[0] & 3

    def plan_count(self):
        return struct.unpack("<I", os.pread(self.plans, 4, 12))[0]


def family():
    """All processes below this one, which is made the parent of those that lost theirs: keepers, workers."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    below = {os.getpid()}
    while True:
        more = {child for child, parent in parents.items() if parent in below} - below
        if not more:
            return below - {os.getpid()}
        below |= more


def is_alive(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    return os.path.lexists(f"/proc/{pid}/exe") and os.path.exists(f"/proc/{pid}")


def await_(condition, what):
    end = time.monotonic() + 10 * SCALE
    while not condition():
        assert time.monotonic() < end, what
        select.select([], [], [], 0.005)


def opened_cells_are_lent():
    with Daemon() as daemon:
        answer = daemon.ask("cordon.open", name="c", interface=LIBC)["result"]
        assert answer["cell"] == "c" and answer["generation"] == 1, answer
        assert "survives-crash" in answer["isolation"], answer
        assert answer["policy"].startswith("strict"), answer
        seat = daemon.attach("c")
        assert seat.plan_count() == 2, "a plan for each function"
        assert seat.weather() == 0
        cells = daemon.ask("cordon.stats")["result"]["cells"]
        assert [cell["name"] for cell in cells] == ["c"] and cells[0]["leases"] == 0, cells


def no_worker_stays_that_nobody_has():
    before = family()
    with Daemon() as daemon:
        for i in range(5):
            daemon.ask("cordon.open", name=f"c{i}", interface=LIBC)
        await_(lambda: len(family() - before) == 2, "workers stay beside daemon and keeper")


def what_is_wrong_is_said():
    wrong = [
        ({"name": "c"}, "interface"),
        ({"interface": LIBC}, "name"),
        ({"name": "c", "interface": "int abs(;"}, "abs"),
        ({"name": "c", "interface": 'library "libnone.so.9"; int f(void);'}, "libnone.so.9"),
        ({"name": "c", "interface": LIBC, "polcy": "strict"}, "did you mean policy"),
        ({"name": "c", "interface": LIBC, "policy": "stern"}, "strict"),
        ({"name": "c", "interface": LIBC, "leases": -1}, "leases"),
        ({"name": "c", "interface": LIBC, "leases": 100000}, "workers"),
        ({"name": "c", "interface": LIBC, "leases": "5"}, "leases"),
        ({"name": "c", "interface": LIBC, "grants": "iconv"}, "grants"),
        ({"name": "c", "interface": LIBC, "grants": ["icon"]}, "icon"),
        ({"name": "c", "interface": LIBC, "grants": [7]}, "grants"),
        ({"name": "c", "interface": LIBC, "require": ["survives-everything"]}, "require"),
        ({"name": "c", "interface": "a\0b"}, "interface"),
    ]
    with Daemon() as daemon:
        for params, says in wrong:
            error = daemon.ask("cordon.open", **params)["error"]
            assert error["code"] == -32602 and says in error["message"], (params, error)
        for method, params, code in (
            ("cordon.attach", {"cell": "none"}, -32602),
            ("cordon.close", {"cell": "none"}, -32602),
            ("cordon.reports", {"id": "../x"}, -32602),
            ("cordon.reports", {"id": "0123456789abcdef"}, -32602),
            ("cordon.reports", {"id": "1", "wait_ms": 1e9}, -32602),
            ("abs", {}, -32601),
        ):
            error = daemon.ask(method, **params)["error"]
            assert error["code"] == code, (method, error)
        assert daemon.ask("cordon.ping")["result"]["protocol"] == 1


def frames_that_are_none():
    with Daemon() as daemon:
        for data, code in (
            (b"{", -32700),
            (b"\xff\xfe", -32700),
            (b'{"id":1,"id":2,"method":"cordon.ping"}', -32700),
            (b"[" * 100000, -32700),
            (b"7", -32600),
            (b"[]", -32600),
            (b'{"id":1.5,"method":"cordon.ping"}', -32600),
            (b'{"id":1,"method":7}', -32600),
            (b'{"id":1,"method":"cordon.ping","params":[]}', -32600),
        ):
            daemon.send_bytes(data)
            assert daemon.receive()["error"]["code"] == code, data
        assert daemon.ask("cordon.ping")["result"]["protocol"] == 1
    for head in (b"\0\0\0\0", b"\xff\xff\xff\xff"):
        with Daemon() as daemon:
            daemon.socket.sendall(head)
            assert daemon.process.wait(10 * SCALE) == 1, "where the next frame begins is not known"


def a_name_opened_again_is_replaced():
    with Daemon() as daemon:
        daemon.ask("cordon.open", name="c", interface=LIBC)
        seat = daemon.attach("c")
        first = seat.plan_count()
        answer = daemon.ask("cordon.open", name="c", interface=LIBC + " long labs(long j);")["result"]
        assert answer["generation"] == 2, answer
        seat.welcome()
        assert seat.plan_count() == first + 1
        assert len(daemon.ask("cordon.stats")["result"]["cells"]) == 1


def closed_cells_are_lent_no_more():
    with Daemon() as daemon:
        daemon.ask("cordon.open", name="c", interface=LIBC)
        seat = daemon.attach("c")
        assert daemon.ask("cordon.close", cell="c")["result"] is True
        assert seat.weather() == BOARD_WITHDRAWN
        assert "error" in daemon.ask("cordon.attach", cell="c")
        answer = daemon.ask("cordon.open", name="c", interface=LIBC)["result"]
        assert answer["generation"] == 1, answer


def many_open_at_once():
    with Daemon() as daemon:
        wanted = {daemon.send("cordon.open", name=f"c{i}", interface=LIBC): i for i in range(100)}
        for _ in range(len(wanted)):
            answer = daemon.receive()
            assert answer["result"]["cell"] == f"c{wanted.pop(answer['id'])}", answer
        assert len(daemon.ask("cordon.stats")["result"]["cells"]) == 100


def nothing_outlives_the_program():
    for how in ("socket", "pidfd"):
        client = subprocess.Popen(["sleep", "60"]) if how == "pidfd" else None
        before = family()
        with Daemon(client=client.pid if client else None) as daemon:
            daemon.ask("cordon.open", name="c", interface=LIBC)
            below = family() - before
            assert len(below) >= 2, "there is a keeper"
            if client:
                client.kill()
                client.wait()
            else:
                daemon.socket.shutdown(socket.SHUT_WR)
            assert daemon.process.wait(10 * SCALE) == 0
            await_(lambda: not any(is_alive(pid) for pid in below), f"processes stay: {how}")


def killed_it_takes_all_along():
    before = family()
    with Daemon() as daemon:
        daemon.ask("cordon.open", name="c", interface=LIBC)
        below = family() - before
        assert len(below) >= 2, "there is a keeper"
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        await_(lambda: not any(is_alive(pid) for pid in below), "processes stay")
        assert daemon.socket.recv(1) == b""


def signals_of_a_terminal_are_the_programs():
    with Daemon(with_pidfd=False) as daemon:
        daemon.ask("cordon.ping")
        assert os.getsid(daemon.process.pid) == daemon.process.pid
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            daemon.process.send_signal(number)
        assert daemon.ask("cordon.ping")["result"]["protocol"] == 1


def without_a_socket_it_says_what_it_is():
    for arguments in ([PROGRAM], [PROGRAM, "--help"]):
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=10 * SCALE)
        assert done.returncode == 2 and b"cordon-serve(1)" in done.stderr, done


CASES = [
    opened_cells_are_lent,
    no_worker_stays_that_nobody_has,
    what_is_wrong_is_said,
    frames_that_are_none,
    a_name_opened_again_is_replaced,
    closed_cells_are_lent_no_more,
    many_open_at_once,
    nothing_outlives_the_program,
    killed_it_takes_all_along,
    signals_of_a_terminal_are_the_programs,
    without_a_socket_it_says_what_it_is,
]


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wanted = sys.argv[1:]
    failed = 0
    cases = [case for case in CASES if not wanted or case.__name__ in wanted]
    print(f"[==========] Running {len(cases)} test(s).")
    for case in cases:
        print(f"[ RUN      ] {case.__name__}", flush=True)
        try:
            case()
            print(f"[       OK ] {case.__name__}", flush=True)
        except Exception:
            traceback.print_exc()
            failed += 1
            print(f"[  FAILED  ] {case.__name__}", flush=True)
    print(f"[==========] {len(cases)} test(s) run.")
    print(f"[  PASSED  ] {len(cases) - failed} test(s).")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
