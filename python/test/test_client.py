# SPDX-License-Identifier: Apache-2.0
"""The plain client of the gateway's socket, against a real daemon."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import conftest
import pytest

import cordon

INTERFACE = """library "libc.so.6";
int abs(int j);
size_t strlen(const char *s);
int raise(int signal);
symbol("memcpy") void copy(out uint8_t to[n], const uint8_t from[n], size_t n);
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    folder.chmod(0o700)
    (folder / "libc.cordon").write_text(INTERFACE)
    path = folder / "socket"
    daemon = subprocess.Popen(
        [os.environ["CORDON_PROGRAM"], "serve", "--interface", folder / "libc.cordon", "--socket", path],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 20 * conftest.SCALE
    while True:
        try:
            cordon.connect(path).close()
            break
        except OSError:
            assert time.monotonic() < end and daemon.poll() is None, "the daemon does not listen"
            time.sleep(0.01)
    yield path
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(20 * conftest.SCALE) == 0


def test_calls(path):
    with cordon.connect(path, timeout=20) as client:
        assert client.abs(-5) == 5
        assert client.abs(j=-6) == 6
        assert client.libc.abs(-7) == 7
        assert client.strlen("hello") == 5
        assert client.copy(b"\x00\xff", 2) == {"to": b"\x00\xff"}
        assert client.call("cordon.ping")["protocol"] == 1


def test_errors(path):
    with cordon.connect(path, timeout=20) as client:
        with pytest.raises(cordon.GatewayError) as caught:
            client.call("raise", 11)
        assert caught.value.outcome == "crashed" and caught.value.code == -32001
        with pytest.raises(cordon.GatewayError, match="none_such") as caught:
            client.none_such()
        assert caught.value.code == -32601
        with pytest.raises(TypeError):
            client.call("abs", 1, j=2)
        with pytest.raises(TypeError):
            client.abs(object())
        assert client.abs(-1) == 1


def test_the_example_needs_nothing_of_ours(path):
    program = conftest.ROOT / "examples" / "gateway" / "client.py"
    ends = [
        subprocess.run(
            [sys.executable, "-I", program, path, *arguments], capture_output=True, text=True, timeout=60 * conftest.SCALE, check=True
        ).stdout
        for arguments in (["abs", "j=-5"], ["strlen", "s=hello"], ["raise", "signal=11"])
    ]
    assert ends[:2] == ['{"result": 5}\n', '{"result": 5}\n']
    assert json.loads(ends[2])["error"], ends


def test_threads_share_a_client(path):
    with cordon.connect(path, timeout=20) as client:
        sums = []
        threads = [threading.Thread(target=lambda: sums.append(sum(client.abs(-i) for i in range(100)))) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sums == [4950] * 5


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x00", struct.pack(">I", 2**31), struct.pack(">I", 9) + b'{"id":77}', struct.pack(">I", 4) + b"none"],
)
def test_a_daemon_that_lies(tmp_path, answer):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()

        def serve():
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with cordon.connect(tmp_path / "socket", timeout=20) as client, pytest.raises((ConnectionError, ValueError)):
            client.abs(1)
        thread.join()


def test_a_daemon_that_is_full_says_so(path):
    # The last one here: whoever comes next would find some of these still there.
    with contextlib.ExitStack() as there:
        for _ in range(256):
            assert there.enter_context(cordon.connect(path, timeout=20)).abs(-1) == 1
        with cordon.connect(path, timeout=20) as client, pytest.raises(cordon.GatewayError) as caught:
            client.abs(-1)
        assert caught.value.outcome == "busy"
