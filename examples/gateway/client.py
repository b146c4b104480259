# SPDX-License-Identifier: Apache-2.0
"""A client of `cordon serve` by the standard library alone: python3 client.py SOCKET METHOD [NAME=VALUE ...]"""

import json
import socket
import struct
import sys


def call(path, method, **params):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        frame = json.dumps({"method": method, **params}).encode()
        connection.sendall(struct.pack(">I", len(frame)) + frame)  # its length in four bytes, then JSON
        with connection.makefile("rb") as answers:
            (length,) = struct.unpack(">I", answers.read(4))
            return json.loads(answers.read(length))


if __name__ == "__main__":
    path, method, *given = sys.argv[1:]
    pairs = (one.split("=", 1) for one in given)
    print(json.dumps(call(path, method, **{name: int(v) if v.lstrip("-").isdigit() else v for name, v in pairs})))
