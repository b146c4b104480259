# SPDX-License-Identifier: Apache-2.0
"""Servers that are no daemon of ours, for those who must not believe what they say."""

import json
import pathlib
import socket
import struct
import tempfile
import threading


class Impostor:
    """A server that says what it likes. @talk is called with each connection, and closes it by returning."""

    def __init__(self, talk):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="impostor-"))
        self.path = self.directory / "socket"
        self.talk = talk
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.path))
        self.server.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def _serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client):
        try:
            self.talk(client)
        except OSError:
            pass
        client.close()


def frame(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack(">I", len(text)) + text


def take(client):
    """One request of a client; None: it has gone."""
    head = client.recv(4, socket.MSG_WAITALL)
    return json.loads(client.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)) if len(head) == 4 else None


def answering(answer):
    """Each request is answered by these bytes, or by what a function makes of it."""
    def talk(client):
        while (request := take(client)) is not None:
            client.sendall(answer(request) if callable(answer) else answer)
    return talk
