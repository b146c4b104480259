# SPDX-License-Identifier: Apache-2.0
"""Rig of the gateway's tests: a real daemon in a directory of its own, clients that say what they like, and cases
that are counted like those of cmocka."""

import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

CORDON = os.environ["CORDON_PROGRAM"]
FAULTS = os.environ["CORDON_TEST_FAULTS"]
INTERFACES = os.environ["CORDON_TEST_INTERFACES"]
SCALE = float(os.environ.get("CORDON_TEST_TIME_SCALE", "1"))

# Functions of libc and of test/faults that the cases call: as an interface of each.
LIBC = """library "libc.so.6";
int abs(int j);
long labs(long j);
size_t strlen(const char *s);
int usleep(unsigned microseconds);
unsigned sleep(unsigned seconds);
int raise(int signal);
int getpid(void);
char *getenv(const char *name);
double difftime(long end, long begin);
long strtol(const char *text, nullable out within(text) char **end, int base);
"""
FAULTY = f"""library "{FAULTS}";
int fault_none(int value);
int fault_null_read(int value);
int fault_spin(int value);
int fault_exit7(int value);
int fault_abort(int value);
"""


class Client:
    """One connection. Frames are sent and received as Python values, or as the bytes that they are."""

    def __init__(self, path, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))  # waits while the backlog is full
        self.socket.settimeout(timeout * SCALE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *values):
        frames = [v if isinstance(v, bytes) else json.dumps(v).encode() for v in values]
        self.socket.sendall(b"".join(struct.pack(">I", len(f)) + f for f in frames))

    def _read(self, count):
        got = b""
        while len(got) < count:
            piece = self.socket.recv(min(count - len(got), 1 << 20))
            if not piece:
                raise EOFError(f"closed after {len(got)} of {count} bytes")
            got += piece
        return got

    def receive_bytes(self):
        (length,) = struct.unpack(">I", self._read(4))
        return self._read(length)

    def receive(self):
        return json.loads(self.receive_bytes())

    def ask(self, value):
        self.send(value)
        return self.receive()

    def call(self, method, *params, **named):
        """By JSON-RPC. Returns the whole answer."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": named or list(params)}
        return self.ask(request)

    def is_closed(self):
        """The daemon has nothing more to say."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class Daemon:
    """`cordon serve`, ready. @interfaces: texts by name, or paths of interface files. @config: text of a cordon.yaml.
    @launcher: a command that is to start it. @own_socket: it knows where to listen. Whatever else is for subprocess.Popen."""

    def __init__(self, *options, interfaces=None, config=None, expect_ready=True, launcher=(), env=None, own_socket=False, **popen):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gateway-"))
        self.path = pathlib.Path(options[options.index("--socket") + 1]) if "--socket" in options else self.directory / "socket"
        self.log_path = self.directory / "log"
        self.config_path = self.directory / "cordon.yaml"
        command = [*launcher, CORDON, "serve", *options]
        if "--socket" not in options and not own_socket:
            command += ["--socket", str(self.path)]
        for name, text in (interfaces or {}).items():
            file = self.directory / f"{name}.cordon"
            file.write_text(text)
            command += ["--interface", str(file)] if config is None else []
        if config is not None:
            self.config_path.write_text(config)
            command += ["--config", str(self.config_path)]
        env = {key: value for key, value in (dict(os.environ, XDG_STATE_HOME=str(self.directory)) | (env or {})).items() if value is not None}
        with open(self.log_path, "wb") as log:
            popen = {"stderr": log, "stdin": subprocess.DEVNULL} | popen
            self.process = subprocess.Popen(command, env=env, **popen)
        if expect_ready:
            try:
                self.wait(self.is_listening, "the daemon listens")
            except BaseException:
                self.process.kill()
                raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20 * SCALE)
        if kind:
            sys.stdout.write(self.log()[-4000:])

    def is_listening(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended: {self.log()[-2000:]}")
        try:
            with Client(self.path):
                return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def wait(self, condition, what, seconds=20):
        until = time.monotonic() + seconds * SCALE
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"in {seconds} s it did not come about that {what}")
            time.sleep(0.01)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def client(self, **options):
        return Client(self.path, **options)

    def _is_keeper(self, pid):
        """The keeper holds a pidfd of its host; it is nobody's child."""
        try:
            if (pathlib.Path("/proc") / pid / "comm").read_text() != "cordon-keeper\n":
                return False
            infos = (pathlib.Path("/proc") / pid / "fdinfo").iterdir()
            return any(f"\nPid:\t{self.process.pid}\n" in info.read_text() for info in infos)
        except OSError:
            return False

    def keepers(self):
        return {int(e.name) for e in pathlib.Path("/proc").iterdir() if e.name.isdigit() and self._is_keeper(e.name)}

    def workers(self):
        """Ids of the workers' processes, and of whatever they made."""
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                parents[int(entry.name)] = int(fields[1])
        keepers = found = self.keepers()
        while True:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            if not more:
                return found - keepers
            found = found | more

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def equal(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def true(condition, what="it holds"):
    if not condition:
        raise AssertionError(f"not true: {what}")


def code(answer):
    return answer.get("error", {}).get("code")


class Skip(Exception):
    """Raised by a case that cannot be run here, with the reason."""


def main(cases):
    """Run them all, or those named by a part of their name. Exits."""
    wanted = sys.argv[1:]
    failed = 0
    for case in cases:
        if wanted and not any(part in case.__name__ for part in wanted):
            continue
        print(f"[ RUN      ] {case.__name__}", flush=True)
        try:
            case()
            print(f"[       OK ] {case.__name__}", flush=True)
        except Skip as why:
            print(f"{why}\n[  SKIPPED ] {case.__name__}", flush=True)
        except Exception:  # whatever it is, the next case shall run
            traceback.print_exc(file=sys.stdout)
            print(f"[  FAILED  ] {case.__name__}", flush=True)
            failed += 1
    sys.exit(1 if failed else 0)


signal.signal(signal.SIGPIPE, signal.SIG_IGN)
