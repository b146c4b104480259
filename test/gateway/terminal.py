# SPDX-License-Identifier: Apache-2.0
"""A terminal for programs that draw: what they write becomes a screen that is read as a person would read it."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time

import pyte
from rig import SCALE


class Terminal:
    """One program on a terminal of its own."""

    def __init__(self, command, columns=100, lines=30, env=None):
        self.master, slave = os.openpty()
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.written = b""
        self._set_size(columns, lines)
        self.before = termios.tcgetattr(slave)
        whole = dict(os.environ, TERM="linux", LC_ALL="C.UTF-8")
        whole.pop("NO_COLOR", None)
        whole.update(env or {})
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=whole,
                                        start_new_session=True, preexec_fn=self._take_terminal)
        self.slave = slave

    @staticmethod
    def _take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.text())
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10 * SCALE)
        os.close(self.master)
        os.close(self.slave)

    def _set_size(self, columns, lines):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns, lines):
        self.screen.resize(lines, columns)
        self._set_size(columns, lines)  # the kernel tells the program

    def press(self, keys):
        os.write(self.master, keys.encode())

    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def text(self):
        return "\n".join(self.lines())

    def read(self, seconds):
        """Take what comes, for so long or until something came."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:
                data = b""
            self.written += data
            self.stream.feed(data)

    def wait(self, condition, what, seconds=15):
        """Until @condition (of this terminal) holds."""
        until = time.monotonic() + seconds * SCALE
        while not condition(self):
            if time.monotonic() > until:
                raise AssertionError(f"in {seconds} s the screen did not show {what}:\n{self.text()}")
            self.read(0.05)

    def wait_for(self, *texts):
        self.wait(lambda t: all(text in t.text() for text in texts), " and ".join(map(repr, texts)))

    def row(self, begin):
        """The words of the first line that begins so; [] if there is none."""
        return next((line.split() for line in self.lines() if line.split()[:1] == [begin]), [])

    def look(self, text, begin=""):
        """How the first character of @text, in a line that begins so, is drawn: (foreground, bold, reverse)."""
        for y, line in enumerate(self.screen.display):
            if text in line and line.startswith(begin):
                cell = self.screen.buffer[y][line.index(text)]
                return cell.fg, cell.bold, cell.reverse
        raise AssertionError(f"{text!r} is not on the screen:\n{self.text()}")

    def is_chosen(self, begin):
        """Whether a line that begins so is drawn in reverse."""
        return any(line.startswith(begin) and self.screen.buffer[y][0].reverse for y, line in enumerate(self.screen.display))

    def is_colourless(self):
        return all(self.screen.buffer[y][x].fg == "default" and self.screen.buffer[y][x].bg == "default"
                   for y in range(self.screen.lines) for x in range(self.screen.columns))

    def end(self, seconds=10):
        """Its exit status; what it still writes is read."""
        until = time.monotonic() + seconds * SCALE
        while self.process.poll() is None:
            if time.monotonic() > until:
                raise AssertionError(f"it did not end:\n{self.text()}")
            self.read(0.02)
        while select.select([self.master], [], [], 0)[0]:
            self.read(0)
        return self.process.returncode

    def is_as_before(self):
        """Whether the terminal has the modes it had."""
        return termios.tcgetattr(self.slave) == self.before

    def signal(self, number=signal.SIGINT):
        self.process.send_signal(number)
