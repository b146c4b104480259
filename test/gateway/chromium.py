# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven over the pipe of its DevTools protocol: no library, no port, no waiting by luck."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time

SCALE = float(os.environ.get("CORDON_TEST_TIME_SCALE", "1"))
PROGRAM = next((p for p in map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome")) if p), None)


class Browser:
    """One process with one page. Errors that the page met, and what it asked for, are kept."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="chromium-")
        to_read, self.to = self._pipe()
        self.back, back_write = self._pipe()
        # It takes its commands from descriptor 3 and answers to 4.
        null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
        self.pid = os.posix_spawn(
            PROGRAM,
            [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--remote-debugging-pipe", "--force-color-profile=srgb", "--hide-scrollbars",
             f"--user-data-dir={self.directory}", "about:blank"],
            os.environ, setpgroup=0,
            file_actions=[*null, (os.POSIX_SPAWN_DUP2, to_read, 3), (os.POSIX_SPAWN_DUP2, back_write, 4)])
        os.close(to_read)
        os.close(back_write)
        self.number = 0
        self.rest = b""
        self.errors = []
        self.requests = []
        target = next(t for t in self.command("Target.getTargets", whole=True)["targetInfos"] if t["type"] == "page")
        self.session = None
        self.session = self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True, whole=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(f"{domain}.enable")

    @staticmethod
    def _pipe():
        """Both ends beyond the descriptors that the browser wants them at."""
        low = os.pipe()
        high = tuple(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16) for fd in low)
        for fd in low:
            os.close(fd)
        return high

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        os.close(self.to)
        os.close(self.back)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _message(self, until):
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.back], [], [], left)[0]:
                raise AssertionError("the browser does not answer")
            piece = os.read(self.back, 1 << 20)
            if not piece:
                raise AssertionError("the browser has ended")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        kind, what = event.get("method"), event.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(what["exceptionDetails"])[:2000])
        elif kind == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(what["args"])[:2000])
        elif kind == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{what['entry']['text']} {what['entry'].get('url', '')}")
        elif kind == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])

    def command(self, method, whole=False, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if not whole and self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        until = time.monotonic() + 20 * SCALE
        while True:
            answer = self._message(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def evaluate(self, expression):
        result = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression, what, seconds=10):
        """Until @expression is true in the page. Returns its value."""
        until = time.monotonic() + seconds * SCALE
        while True:
            value = self.evaluate(f"(value => value instanceof Node ? true : value)({expression})")
            if value:
                return value
            if time.monotonic() > until:
                raise AssertionError(f"in {seconds} s it did not come about that {what}: {expression}; "
                                     f"the page says: {self.evaluate('document.body.innerText')[:1500]}; errors: {self.errors}")
            time.sleep(0.02)

    def open(self, url):
        self.command("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})", f"{url} is loaded")

    def look(self, width, height=900, dark=False, reduced=False):
        """As on a screen of that size."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if reduced else "no-preference"}])

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode={"Tab": 9, "Enter": 13, "Escape": 27}.get(key, 0),
                         **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}))

    def picture(self, path, whole=True):
        data = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
