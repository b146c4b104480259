# SPDX-License-Identifier: Apache-2.0
"""A client of the gateway's socket (`cordon serve`), in plain Python: JSON-RPC 2.0 in frames."""

import base64
import itertools
import json
import os
import pathlib
import socket
import struct
import threading

_FRAME_BYTES_MAX = 64 << 20


class GatewayError(Exception):
    """An error that the daemon answered. ``code``, ``data``: as docs/protocol/gateway.md has them."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.code = code
        self.data = data or {}

    @property
    def outcome(self):
        """"crashed", "timeout", ...; None: the request itself was wrong."""
        return self.data.get("outcome")


def default_path():
    runtime = os.environ.get("XDG_RUNTIME_DIR") if os.geteuid() != 0 else "/run"
    if not runtime:
        raise ValueError("XDG_RUNTIME_DIR is not set: give the socket's path")
    return pathlib.Path(runtime) / "cordon" / "gateway.sock"


def _to_json(value):
    """Bytes as the protocol has them."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _from_json(members):
    """{"base64": ...} back to bytes."""
    if len(members) == 1 and isinstance(members.get("base64"), str):
        return base64.b64decode(members["base64"])
    return members


class Client:
    """One connection. Methods of the daemon are attributes: ``client.sha256(data="hello")``.

    Threads: any; one call at a time.
    """

    def __init__(self, path=None, timeout=None):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(os.fspath(path or default_path()))
        except BaseException:
            self._socket.close()
            raise
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return _Method(self, name)

    def call(self, method, *args, deadline=None, **params):
        """Call a method, by position or by name. ``deadline``: seconds."""
        if args and params:
            raise TypeError("parameters are given by position or by name, not both")
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": args or params}
        if deadline is not None:
            request["deadline_ms"] = max(1, round(deadline * 1000))
        with self._lock:
            try:
                self._send(request)
            except BrokenPipeError:
                pass  # it may have said why it closed
            answer = self._receive()
        turned_away = "error" in answer and answer.get("id") is None
        if answer.get("id") != request["id"] and not turned_away:
            self.close()
            raise ConnectionError("the daemon answered something else than what was asked")
        if "error" in answer:
            error = answer["error"]
            raise GatewayError(error.get("code"), error.get("message"), error.get("data"))
        return answer.get("result")

    def _send(self, request):
        frame = json.dumps(request, default=_to_json).encode()
        self._socket.sendall(struct.pack(">I", len(frame)) + frame)

    def _read(self, count):
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(min(count - len(parts), 1 << 20))
            if not part:
                raise ConnectionError("the daemon closed the connection")
            parts += part
        return parts

    def _receive(self):
        (length,) = struct.unpack(">I", self._read(4))
        if length > _FRAME_BYTES_MAX:
            self.close()
            raise ConnectionError(f"the daemon announced a frame of {length} bytes")
        return json.loads(self._read(length), object_hook=_from_json)


class _Method:
    """A method by its name; of two words, ``client.zlib.crc32``."""

    def __init__(self, client, name):
        self._client = client
        self._name = name

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return _Method(self._client, f"{self._name}.{name}")

    def __call__(self, *args, **params):
        return self._client.call(self._name, *args, **params)


def connect(path=None, timeout=None):
    """Connect to a daemon; without a path, to this user's."""
    return Client(path, timeout)
