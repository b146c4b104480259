# SPDX-License-Identifier: Apache-2.0
"""What Python's own way costs: sha256 of 1 KB by ctypes, alone, and with its request and answer as JSON.

Measures itself, at its best: argument types declared, buffers made once. Reads lines from standard input,
"direct CALLS" or "json CALLS", and answers each with the nanoseconds that a call took."""

import ctypes
import json
import sys
import time

crypto = ctypes.CDLL("libcrypto.so.3")
SHA256 = crypto.SHA256
SHA256.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p)
SHA256.restype = ctypes.c_void_p

TEXT = "".join(chr(ord("a") + i % 26) for i in range(1024))
DATA = TEXT.encode()
REQUEST = json.dumps({"method": "sha256", "data": TEXT})
DIGEST = ctypes.create_string_buffer(32)


def direct(calls):
    data, digest, sha256, size = DATA, DIGEST, SHA256, len(DATA)
    begin = time.perf_counter_ns()
    for _ in range(calls):
        sha256(data, size, digest)
    return (time.perf_counter_ns() - begin) / calls


def encoded(calls):
    request, digest, sha256, loads, dumps = REQUEST, DIGEST, SHA256, json.loads, json.dumps
    begin = time.perf_counter_ns()
    for _ in range(calls):
        data = loads(request)["data"].encode()
        sha256(data, len(data), digest)
        answer = dumps({"result": digest.raw.hex()})
    took = time.perf_counter_ns() - begin
    assert len(json.loads(answer)["result"]) == 64
    return took / calls


ROWS = {"direct": direct, "json": encoded}
for line in sys.stdin:
    name, calls = line.split()
    print(ROWS[name](int(calls)), flush=True)
