# SPDX-License-Identifier: Apache-2.0
"""Put cordon-private where the Go package embeds it, without its debugging information.

usage: embed.py PROGRAM

The file is written only when it changes, so that Go's cache of tests and builds holds.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

MACHINES = {b"\x3e\x00": "amd64", b"\xb7\x00": "arm64"}  # e_machine of ELF
FOLDER = pathlib.Path(__file__).resolve().parent / "internal" / "private" / "programs"


def embed(program):
    with open(program, "rb") as file:
        machine = MACHINES.get(file.read(20)[18:20])
    if not machine:
        raise SystemExit(f"{program} is for neither x86-64 nor arm64")
    target = FOLDER / f"cordon-private_{machine}"
    handle, stripped = tempfile.mkstemp(dir=FOLDER, prefix=".")
    os.close(handle)
    try:
        subprocess.run(["strip", "-s", "-o", stripped, program], check=True)
        fresh = pathlib.Path(stripped).read_bytes()
        if not target.exists() or target.read_bytes() != fresh:
            os.chmod(stripped, 0o755)
            os.replace(stripped, target)
    finally:
        pathlib.Path(stripped).unlink(missing_ok=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    embed(sys.argv[1])
