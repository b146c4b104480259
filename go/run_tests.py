# SPDX-License-Identifier: Apache-2.0
"""Run the Go package's tests and tell of each as cmocka does, so that tools/run_tests.py can count them.

usage: run_tests.py [--module FOLDER] [ARGUMENT OF `go test`...]

The module is the package's own, or the one in a folder of it. That in inproc is by cgo: it needs a C compiler, and
libcordon where pkg-config and the loader find it.

Exits with 77 where there is no Go.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import embed

MESON_SKIPPED = 77
WORDS = {"pass": "      OK", "fail": "  FAILED", "skip": " SKIPPED"}


def environment(directory):
    env = dict(os.environ, CGO_ENABLED="0", GOFLAGS="-buildvcs=false", GOPROXY="off", GOTOOLCHAIN="local")
    if "-race" in sys.argv or "inproc" in sys.argv:
        env["CGO_ENABLED"] = "1"  # of the others only the race detector wants it
        env["GOFLAGS"] += " -tags=netgo,osusergo"  # what the standard library has by cgo is not what is tested
    # Beside the build, unless somebody keeps one already: tests run without a home directory, too.
    env.setdefault("GOCACHE", str(directory / "go-cache"))
    return env


def main():
    go = shutil.which("go")
    if not go:
        print("skipped: there is no Go toolchain (golang-go)")
        return MESON_SKIPPED
    if "CORDON_PRIVATE" in os.environ:
        embed.embed(os.environ["CORDON_PRIVATE"])
    folder, arguments = pathlib.Path(__file__).parent, sys.argv[1:]
    if arguments[:1] == ["--module"]:
        folder, arguments = folder / arguments[1], arguments[2:]
    command = [go, "test", "-json", "-count=1", "-timeout", "480s", *arguments, "./..."]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(pathlib.Path.cwd()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = {}
    for line in process.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            print(line, end="")  # of the compiler
            continue
        package = event.get("Package", "").split("/", 1)[-1]
        name = f"{package}:{event['Test']}" if "Test" in event else package
        action = event["Action"]
        if action == "run" and "/" not in event.get("Test", "/"):
            print(f"[ RUN      ] {name}", flush=True)
        elif action == "output":
            said.setdefault(name, []).append(event["Output"])
        elif action in WORDS and "Test" in event:
            if "/" not in event["Test"]:
                print(f"[ {WORDS[action]} ] {name}", flush=True)
            if action == "fail":
                print("".join(said.get(name, [])), end="")
        elif action == "fail":
            print("".join(said.get(name, [])), end="")
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
