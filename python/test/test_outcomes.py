# SPDX-License-Identifier: Apache-2.0
"""How calls end: every outcome is an exception, and the interpreter is alive after."""

import gc
import os
import pathlib
import re
import signal
import time

import conftest
import pytest

import cordon

@pytest.fixture
def faults(open_cell):
    def opened(names, **options):
        text = f'library "{conftest.FAULTS}";' + "".join(f"int fault_{name}(int value);" for name in names)
        return open_cell(None, text, **options)

    return opened


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        ("null_read", signal.SIGSEGV),
        ("null_write", signal.SIGSEGV),
        ("wild_write", signal.SIGSEGV),
        ("overflow", signal.SIGSEGV),
        ("abort", signal.SIGABRT),
        ("fpe", signal.SIGFPE),
        ("ill", signal.SIGILL),
    ],
)
def test_a_crash_is_an_exception(faults, fault, number):
    cell = faults([fault, "none"])
    with pytest.raises(cordon.CrashError) as caught:
        getattr(cell, f"fault_{fault}")(0)
    assert caught.value.signal == number
    assert caught.value.function == f"fault_{fault}"
    assert isinstance(cell.fault_none(1), int)


def test_exit_is_an_exception(faults):
    cell = faults(["exit7", "none"])
    with pytest.raises(cordon.CrashError) as caught:
        cell.fault_exit7(0)
    assert (caught.value.signal, caught.value.exit_status) == (0, 7)
    cell.fault_none(1)


def test_a_loop_ends_at_its_deadline(faults):
    cell = faults(["spin", "none"])
    begin = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        cell.fault_spin(0, timeout=0.2)
    assert isinstance(caught.value, cordon.TimeoutError)
    assert 0.15 < time.monotonic() - begin < 5 * conftest.SCALE
    cell.fault_none(1)


def test_timeouts_that_are_none(faults):
    cell = faults(["none"])
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            cell.fault_none(1, timeout=wrong)
    with pytest.raises(TypeError):
        cell.fault_none(1, timeout="soon")
    cell.fault_none(1, timeout=None)


def test_a_report_is_attached(faults):
    cell = faults(["null_write"])
    with pytest.raises(cordon.CrashError) as caught:
        cell.fault_null_write(7)
    report = caught.value.report
    assert report and "fault_null_write" in str(report), report
    assert re.fullmatch("[0-9a-f]{16}", caught.value.report_id)


def test_the_breaker_opens(faults):
    cell = faults(["null_read", "none"])
    opened = None
    for _ in range(60):
        try:
            cell.fault_null_read(0)
        except cordon.CrashError:
            continue
        except cordon.OpenError as error:
            opened = error
            break
    assert opened is not None
    assert opened.retry_after > 0


def test_forbidden_acts(open_cell):
    text = 'int open(const char *path, int flags);'
    cell = open_cell("libc.so.6", text)
    assert cell.open("/etc/shadow", 0) == -1
    cell = open_cell("libc.so.6", text, on_violation="kill")
    with pytest.raises(PermissionError) as caught:
        cell.open("/etc/shadow", 0)
    assert isinstance(caught.value, cordon.DeniedError)


def test_handles_go_stale_with_their_worker(open_cell):
    cell = open_cell(
        "libsqlite3.so.0",
        (conftest.INTERFACES / "sqlite3.cordon").read_text(),
    )
    database = cell.sqlite3_open(":memory:").ppDb
    changes = cell.sqlite3_changes  # bound by a worker that lives
    if os.geteuid() != 0:
        pytest.skip("workers are another user's")
    os.kill(cell.worker_pid(), signal.SIGKILL)
    with pytest.raises((cordon.StaleError, cordon.CrashError, cordon.AbortedError)):
        changes(database)
    with pytest.raises(cordon.StaleError):
        changes(database)


def test_declarations_that_are_none(open_cell):
    for text in ("int abs(;", "int abs(int", "struct x { int a }; int f(struct x *p);"):
        with pytest.raises(cordon.PrototypeError, match=r"\^"):
            open_cell("libc.so.6", text)
    with pytest.raises(cordon.LoadError, match="libnone.so.9"):
        open_cell("libnone.so.9", "int f(void);")
    cell = open_cell("libc.so.6", "int abs(int j); int nowhere_to_be_found(int j);")
    with pytest.raises(AttributeError, match="nowhere_to_be_found"):
        cell.nowhere_to_be_found(1)
    with pytest.raises(AttributeError, match="no attribute 'labs'"):
        cell.labs(1)
    assert cell.bind("long labs(long j);")(-5) == 5
    assert cell.labs(-6) == 6


def test_closed_cells_refuse(open_cell):
    cell = open_cell("libc.so.6", "int abs(int j);")
    absolute = cell.abs
    absolute(-1)
    cell.close()
    cell.close()
    assert cell.closed
    for use in (lambda: absolute(1), lambda: cell.stats(), lambda: cell.session(), lambda: cell.isolation):
        with pytest.raises(cordon.ClosedError):
            use()


def test_levels_behave_alike(faults):
    for level in ("process", "thread", "inline"):
        cell = faults(["none", "null_read"], level=level)
        cell.fault_none(3)
        with pytest.raises(cordon.CrashError):
            cell.fault_null_read(0)
        cell.close()


def test_nothing_is_left_behind(faults):
    descriptors = pathlib.Path("/proc/self/fd")
    cordon.open("libc.so.6", "int abs(int j);").close()
    gc.collect()
    before = len(list(descriptors.iterdir()))
    for _ in range(20):
        cell = faults(["none", "abort"])
        cell.fault_none(1)
        with pytest.raises(cordon.CrashError):
            cell.fault_abort(0)
        with cell.session() as session:
            session.fault_none(1)
        cell.close()
    del cell, session
    gc.collect()
    assert len(list(descriptors.iterdir())) == before
