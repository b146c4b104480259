# SPDX-License-Identifier: Apache-2.0
"""check.py SERVICE SOCKET KUBERNETES: whether systemd understands the units, whether they are as hardened as they were, and
whether what they and the pod run exists. Skips (77) what it has no program for."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# systemd-analyze's exposure, in tenths, that the service had when this was written: it is not to get worse.
EXPOSURE_MAX = 30
# What the service must not say, since cells could not be isolated: its comments say why.
NEVER = ("RestrictNamespaces", "MemoryDenyWriteExecute", "PrivateUsers", "ProcSubset")
NEVER_FILTERED = ("@sandbox", "@debug", "@process", "@privileged", "@setuid", "@mount", "seccomp", "ptrace", "unshare")

CORDON = os.environ["CORDON_PROGRAM"]


def settings(text):
    return [line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#")]


def commands_exist(text):
    """Each command line of @text is one that this program has."""
    for command in re.findall(r"cordon, ([a-z]+),|/cordon ([a-z]+) ", text):
        name = command[0] or command[1]
        known = subprocess.run([CORDON, name, "--help"], stdout=subprocess.DEVNULL, timeout=20, check=False)
        assert known.returncode == 0, f"there is no 'cordon {name}'"


def check_service(path):
    text = path.read_text()
    said = settings(text)
    for name, value in said:
        assert name not in NEVER, f"{name} must not be set"
        if name == "SystemCallFilter":
            assert value.startswith("~"), "a list of what is allowed lacks what workers need"
            assert not set(value[1:].split()) & set(NEVER_FILTERED), f"{value} takes away what cells are isolated by"
    assert ("KillMode", "mixed") in [tuple(s) for s in said], "calls would be cut off"
    commands_exist(text)


def verify(place, service, socket):
    """A copy whose programs exist here: those of the units may not be installed."""
    text = re.sub(r"=([+]?)\S*/cordon ", rf"=\g<1>{CORDON} ", service.read_text())
    (place / "cordon.service").write_text(text)
    shutil.copy(socket, place / "cordon.socket")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", place / "cordon.service", place / "cordon.socket"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50, check=False)
    complaints = [line for line in done.stdout.splitlines() if "cordon." in line]
    assert done.returncode == 0 and not complaints, f"systemd-analyze verify: {done.returncode}\n{done.stdout}"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", place / "cordon.service"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50, check=False)
    assert done.returncode == 0, f"systemd-analyze security: {done.returncode}\n{done.stdout}"
    print(done.stdout.splitlines()[-1])


def main():
    service, socket, kubernetes = (pathlib.Path(path) for path in sys.argv[1:])
    check_service(service)
    commands_exist(kubernetes.read_text())
    if not shutil.which("systemd-analyze"):
        print("systemd-analyze is not here: the units were not shown to systemd")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as place:
        verify(pathlib.Path(place), service, socket)


main()
