# SPDX-License-Identifier: Apache-2.0
"""What surrounds the calls: threads, forks, signals, the interpreter's end."""

import multiprocessing
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

import conftest
import pytest

import cordon

TEXT = "int abs(int j); int usleep(unsigned microseconds); unsigned sleep(unsigned seconds); int getpid(void);"


@pytest.fixture
def libc(open_cell):
    return open_cell("libc.so.6", TEXT)


def run(program, **options):
    """A program of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60 * conftest.SCALE,
        stdin=subprocess.DEVNULL,
        check=False,
        **options,
    )
    assert done.returncode == 0, done
    return done.stdout


def test_threads(libc):
    sums = []

    def work():
        sums.append(sum(libc.abs(-i) for i in range(1000)))

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [499500] * 20


def test_others_run_while_one_waits(libc):
    ticks = []
    waiting = threading.Thread(target=lambda: libc.usleep(300000))
    waiting.start()
    while waiting.is_alive():
        ticks.append(None)
        time.sleep(0.005)
    assert len(ticks) > 10


def test_ctrl_c_ends_a_long_call(libc):
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        libc.sleep(60, timeout=50)
    assert time.monotonic() - begin < 20 * conftest.SCALE
    timer.join()
    assert libc.abs(-3) == 3


def interrupted_after(seconds):
    timer = threading.Timer(seconds, signal.raise_signal, [signal.SIGINT])
    timer.start()
    return timer


def test_ctrl_c_ends_the_wait_for_another_threads_call(libc):
    with libc.session() as session:
        session.abs(-1)
        ends = []

        def call():
            try:
                session.sleep(60, timeout=50)
            except cordon.AbortedError as error:
                ends.append(error)

        other = threading.Thread(target=call)
        other.start()
        while libc.stats()["calls"] < 2:
            time.sleep(0.001)
        pid = session.worker_pid()
        for wait in (lambda: session.abs(-1), lambda: session.abs.map([-1]), lambda: session.abs(j=-1)):
            timer = interrupted_after(0.2)
            begin = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                wait()
            assert time.monotonic() - begin < 20 * conftest.SCALE
            timer.join()
        assert other.is_alive() and session.worker_pid() == pid, "the other's call goes on"
        session.interrupt()
        other.join()
        assert len(ends) == 1
        assert session.abs(-2) == 2


def test_a_wait_for_another_threads_call_ends_with_that(libc):
    with libc.session() as session:
        session.abs(-1)
        other = threading.Thread(target=lambda: session.usleep(300000))
        other.start()
        while libc.stats()["calls"] < 2:
            time.sleep(0.001)
        assert session.abs(-7) == 7
        other.join()


HANG = pathlib.Path(conftest.FAULTS).with_name("libfault_ctor_hang.so")


@pytest.fixture
def slow(open_cell, tmp_path):
    """A cell whose first worker is gone, and whose next one never has its library loaded."""
    library = tmp_path / "library.so"
    shutil.copy(conftest.FAULTS, library)
    text = "int fault_none(int value); int fault_spin(int value);"
    cell = open_cell(library, text, start_timeout=50, timeout=50, spares=0)
    cell.fault_none(1)
    with pytest.raises(cordon.TimeoutError):
        cell.fault_spin(1, timeout=0.1)
    other = tmp_path / "other.so"
    shutil.copy(HANG, other)
    other.replace(library)
    return cell


def test_ctrl_c_ends_the_wait_for_a_workers_start(slow):
    for wait in (
        lambda: slow.fault_none(1),
        lambda: slow.fault_none.map([1]),
        lambda: cordon.open(HANG, TEXT, start_timeout=50),
    ):
        timer = interrupted_after(0.3)
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            wait()
        assert time.monotonic() - begin < 20 * conftest.SCALE
        timer.join()  # and the cell makes no pause, as after starts that fail


def test_signal_handlers_call_while_a_worker_starts(slow, libc):
    ends = []

    def call(*_):
        ends.append(libc.abs(-5))
        try:
            slow.fault_none(1)
        except cordon.CordonError as error:
            ends.append(error)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, call)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            slow.fault_none(1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ends[0] == 5 and isinstance(ends[1], cordon.CordonError), ends


def test_signal_handlers_run_and_the_call_goes_on(libc):
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        begin = time.monotonic()
        assert libc.usleep(400000) == 0
        assert seen and seen[0] - begin < 0.39
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_forked_child_says_so(libc):
    absolute = libc.abs
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        told = b""
        try:
            absolute(-1)
        except cordon.ForkedError as error:
            told = str(error).encode()
        with cordon.open("libc.so.6", TEXT) as own:
            told += b" %d" % own.abs(-5)
        os.write(write, told)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        text = told.read().decode()
    os.waitpid(pid, 0)
    assert "fork" in text and text.endswith(" 5"), text
    assert absolute(-2) == 2, "the parent's goes on"


def absolute_elsewhere(number):
    with cordon.open("libc.so.6", TEXT) as own:
        return own.abs(number)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(libc, method):
    assert libc.abs(-1) == 1
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(absolute_elsewhere, [-1, -2, -3]) == [1, 2, 3]


def test_the_interpreter_ends_with_calls_in_flight():
    assert (
        run(
            f"""
            import cordon, threading, time
            cell = cordon.open("libc.so.6", {TEXT!r})
            cell.abs(-1)
            for _ in range(3):
                threading.Thread(target=lambda: cell.sleep(60, timeout=50), daemon=True).start()
            while cell.stats()["calls"] < 4:
                time.sleep(0.001)
            print("over", flush=True)
            """
        )
        == "over\n"
    )


def test_the_interpreter_ends_with_cells_open():
    assert (
        run(
            f"""
            import cordon
            cell = cordon.open("libc.so.6", {TEXT!r}, arena=1 << 16)
            session = cell.session()
            kept = [cell.abs, session.abs, cell.alloc(100), cell]
            kept.append(kept)
            print(kept[1](-4))
            """
        )
        == "4\n"
    )


def test_sub_interpreters_are_refused():
    said = run(
        """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        try:
            print(interpreters.run_string(interpreters.create(), "import cordon"))
        except Exception as error:
            print(error)
        """
    )
    assert "cannot be used in a sub-interpreter" in said or "does not support loading in subinterpreters" in said, said


def test_a_library_runs_elsewhere(libc):
    assert libc.getpid() != os.getpid()
