# SPDX-License-Identifier: Apache-2.0
"""What tests of the daemon need beside the rig: other users, a supervisor, its log."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from rig import SCALE

NOBODY = 65534
OTHERS = os.geteuid() == 0 and shutil.which("setpriv")  # other users can be had

# Connects as whoever it is, and says what it got.
VISITOR = """
import json, socket, struct, sys
try:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(sys.argv[1])
    frame = sys.argv[2].encode()
    try:
        s.sendall(struct.pack(">I", len(frame)) + frame)
    except BrokenPipeError:
        pass
    got = b""
    while len(got) < 4 or len(got) < 4 + struct.unpack(">I", got[:4])[0]:
        piece = s.recv(65536)
        if not piece:
            raise EOFError
        got += piece
    try:
        end = s.recv(1) if sys.argv[3] == "to the end" else None
    except ConnectionResetError:
        end = b""
    print(json.dumps([json.loads(got[4:]), None if end is None else end == b""]))
except (PermissionError, EOFError) as error:
    print(json.dumps([type(error).__name__, None]))
"""


@contextlib.contextmanager
def directory(mode=0o755):
    path = pathlib.Path(tempfile.mkdtemp(prefix="gateway-"))
    path.chmod(mode)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def ask_as(user, path, group=NOBODY, groups=(), request=None, to_the_end=False):
    """What a process of @user, of these groups, gets for its request: [answer, whether it was closed then]."""
    who = ["setpriv", f"--reuid={user}", f"--regid={group}"]
    who += [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]
    command = [*who, "/usr/bin/python3", "-c", VISITOR, str(path), json.dumps(request or {"method": "abs", "j": -4})]
    command.append("to the end" if to_the_end else "")
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, timeout=60 * SCALE, check=True, cwd="/").stdout)


def log_lines(daemon):
    """Those that are whole: the log is written beside what it tells of, a moment later."""
    text = daemon.log()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def events(daemon, event, least=0):
    """Lines of this event, once there are so many."""

    def found():
        return [line for line in log_lines(daemon) if line["event"] == event]

    daemon.wait(lambda: len(found()) >= least, f"{least} lines tell of {event!r}")
    return found()


class Supervisor:
    """A real NOTIFY_SOCKET."""

    def __init__(self, place, abstract=False):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.name = f"@cordon-test-{os.getpid()}-{time.monotonic_ns()}" if abstract else str(place / "notify")
        self.socket.bind(self.name.replace("@", "\0", 1) if abstract else self.name)
        self.socket.settimeout(20 * SCALE)

    def hear(self, *, skip=("WATCHDOG",)):
        while True:
            said = dict(line.split("=", 1) for line in self.socket.recv(65536).decode().splitlines())
            if not any(key in said for key in skip):
                return said
