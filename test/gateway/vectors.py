# SPDX-License-Identifier: Apache-2.0
"""The vectors of docs/protocol/vectors, played: those of gateway/ as they say, and the calls of frame/ by JSON, too: what a
decoder makes of a reply is what the daemon answers."""

import json
import os
import pathlib
import re
import socket
import struct

from rig import Client, Daemon, equal, main, true

VECTORS = pathlib.Path(__file__).parents[2] / "docs/protocol/vectors"
LIBRARY = os.environ["CORDON_TEST_VECTORS"]
TYPES = {"string": str, "object": dict, "array": list, "boolean": bool, "number": (int, float)}


class NoFit(Exception):
    pass


def fit_object(value, pattern, kept):
    if not isinstance(value, dict):
        raise NoFit(f"{value!r} is no object")
    more = pattern.get("$more", False)
    keys = {key for key in pattern if not key.startswith("$")}
    if not keys <= set(value) or (not more and keys != set(value)):
        raise NoFit(f"{value!r} has other keys than {sorted(keys)}")
    for key in keys:
        fit(value[key], pattern[key], kept)


def fit_any_order(values, patterns, kept):
    """Each pattern takes the first value that it fits: patterns that overlap come with the narrow ones first."""
    left = list(values)
    if len(left) != len(patterns):
        raise NoFit(f"{len(left)} values for {len(patterns)} patterns: {values!r}")
    for pattern in patterns:
        for value in left:
            try:
                fit(value, pattern, kept)
            except NoFit:
                continue
            left.remove(value)
            break
        else:
            raise NoFit(f"none of {left!r} fits {pattern!r}")


def fit(value, pattern, kept):
    if not isinstance(pattern, dict):
        if isinstance(pattern, list):
            if not isinstance(value, list) or len(value) != len(pattern):
                raise NoFit(f"{value!r} is no array of {len(pattern)}")
            for one, its in zip(value, pattern):
                fit(one, its, kept)
        elif type(value) is not type(pattern) or value != pattern:
            raise NoFit(f"{value!r} is not {pattern!r}")
        return
    if "$is" in pattern:
        wanted = TYPES[pattern["$is"]]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise NoFit(f"{value!r} is no {pattern['$is']}")
    elif "$matches" in pattern:
        if not isinstance(value, str) or not re.search(pattern["$matches"], value):
            raise NoFit(f"{value!r} does not match {pattern['$matches']!r}")
    elif "$members" in pattern:
        if not isinstance(value, list):
            raise NoFit(f"{value!r} is no array")
        fit_any_order(value, pattern["$members"], kept)
    else:
        fit_object(value, pattern, kept)
    if "$keep" in pattern:
        kept[pattern["$keep"]] = value


def filled_in(value, kept):
    if isinstance(value, dict):
        return kept[value["$use"]] if "$use" in value else {k: filled_in(v, kept) for k, v in value.items()}
    return [filled_in(v, kept) for v in value] if isinstance(value, list) else value


class Play:
    def __init__(self, daemon):
        self.daemon = daemon
        self.kept = {}
        self.clients = {}
        self.client = self.of(1)

    def of(self, number):
        if number not in self.clients:
            self.clients[number] = Client(self.daemon.path)
        return self.clients[number]

    def step(self, step):
        (key,) = set(step) - {"note"}
        getattr(self, key)(step[key])

    def connection(self, number):
        self.client = self.of(number)

    def send(self, value):
        self.client.send(filled_in(value, self.kept))

    def send_text(self, text):
        self.client.send(text.encode())

    def send_hex(self, digits):
        self.client.socket.sendall(bytes.fromhex(digits))

    def receive(self, pattern):
        fit(self.client.receive(), pattern, self.kept)

    def receive_in_any_order(self, patterns):
        fit_any_order([self.client.receive() for _ in patterns], patterns, self.kept)

    def receive_text(self, text):
        equal(self.client.receive_bytes().decode(), text)

    def receive_hex(self, digits):
        wanted = bytes.fromhex(digits)
        equal(self.client._read(len(wanted)), wanted)

    def half_close(self, _):
        self.client.socket.shutdown(socket.SHUT_WR)

    def closed(self, _):
        true(self.client.is_closed(), "the daemon closed it and sent nothing more")

    def end(self):
        for client in self.clients.values():
            client.socket.close()


def serve(name):
    text = (VECTORS / name if "/" in name else VECTORS / "gateway" / name)
    text = text if text.exists() else VECTORS / name
    return Daemon(interfaces={text.stem: text.read_text().replace('"libvectors.so"', f'"{LIBRARY}"')})


def conversations():
    files = sorted((VECTORS / "gateway").glob("*.json"))
    count = 0
    true(len(files) >= 7, "they are there")
    for file in files:
        vectors = json.loads(file.read_text())
        equal(vectors["format"], 1)
        with serve(vectors["interface"]) as daemon:
            for case in vectors["cases"]:
                play = Play(daemon)
                for number, step in enumerate(case["steps"]):
                    try:
                        play.step(step)
                    except Exception as error:
                        raise AssertionError(f"{file.name}, '{case['name']}', step {number} {step}: {error!r}") from error
                play.end()
                count += 1
    print(f"{count} conversations")


def same(a, b):
    """Equal, and of one type all the way down; a result that is no number at all is a string here."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b and (not isinstance(a, float) or struct.pack("d", a) == struct.pack("d", b))


def calls():
    count = 0
    with serve("vectors.cordon") as daemon, daemon.client() as client:
        for file in sorted((VECTORS / "frame").glob("*.json")):
            for case in json.loads(file.read_text())["cases"]:
                if file.stem in ("handles", "callbacks"):
                    continue  # handles have other names there, callbacks none
                answer = client.call(case["function"], **case["arguments"])
                true(same(answer.get("result"), case["result"]), f"{file.name} {case}: {answer}")
                count += 1
    true(count > 100, f"{count} calls")
    print(f"{count} calls")


if __name__ == "__main__":
    main([conversations, calls])
