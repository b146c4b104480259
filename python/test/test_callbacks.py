# SPDX-License-Identifier: Apache-2.0
"""Callables that the library calls."""

import functools
import gc
import threading
import weakref

import conftest
import pytest

import cordon

QSORT = "void qsort(inout int base[n], size_t n, size_t size, int (*cmp)(const int *a, const int *b) fails(0));"


@pytest.fixture(params=["process", "thread", "inline"])
def libc(request, open_cell):
    return open_cell("libc.so.6", QSORT + "int abs(int j);", level=request.param)


def test_any_callable_will_do(libc):
    class Less:
        def __call__(self, a, b):
            return a - b

        def method(self, a, b):
            return b - a

    assert libc.qsort([2, 3, 1], 4, Less()) == [1, 2, 3]
    assert libc.qsort([2, 3, 1], 4, Less().method) == [3, 2, 1]
    assert libc.qsort([2, 3, 1], 4, functools.partial(lambda sign, a, b: sign * (a - b), -1)) == [3, 2, 1]


def test_exceptions_travel(libc):
    calls = []

    def fail(a, b):
        calls.append((a, b))
        raise LookupError("not here")

    with pytest.raises(LookupError, match="not here") as caught:
        libc.qsort([2, 3, 1], 4, fail)
    assert len(calls) == 1, "what is over is not called again"
    assert any("fail" in str(entry) for entry in caught.traceback)
    assert libc.qsort([2, 1], 4, lambda a, b: a - b) == [1, 2]


def test_wrong_values_are_refused(libc):
    for wrong in ("x", None, 2**31, 1.5):
        with pytest.raises((TypeError, OverflowError), match="callback"):
            libc.qsort([2, 1], 4, lambda a, b, wrong=wrong: wrong)
    with pytest.raises(TypeError, match="callable"):
        libc.qsort([2, 1], 4, "less")


def test_they_may_call_again(libc):
    depth = []

    def nested(a, b):
        if len(depth) < 5:
            depth.append(None)
            assert libc.qsort([3, 1, 2], 4, nested) == [1, 2, 3]
        return libc.abs(a) - libc.abs(b)

    assert libc.qsort([3, -1, 2], 4, nested) == [-1, 2, 3]


def test_they_run_on_the_calling_thread(libc):
    threads = set()

    def note(a, b):
        threads.add(threading.get_ident())
        return a - b

    libc.qsort([3, 1, 2], 4, note)
    assert threads == {threading.get_ident()}


def test_they_are_let_go_of(libc):
    class Less:
        def __call__(self, a, b):
            return a - b

    less = Less()
    there = weakref.ref(less)
    libc.qsort([2, 1], 4, less)
    del less
    gc.collect()
    assert there() is None


def test_a_generator_that_raises_stops(libc):
    with pytest.raises(KeyboardInterrupt):
        libc.qsort([2, 1], 4, lambda a, b: (_ for _ in ()).throw(KeyboardInterrupt))
    assert libc.abs(-1) == 1


def test_rows_of_a_query(open_cell):
    cell = open_cell("libsqlite3.so.0", conftest.INTERFACES / "sqlite3.cordon")
    database = cell.sqlite3_open(":memory:").ppDb
    rows = []
    assert cell.sqlite3_exec(database, "create table t(a, b); insert into t values (1, 'x'), (2, null)", None, None).result == 0

    def row(_, *values):
        rows.append(values)
        return 0

    assert cell.sqlite3_exec(database, "select a, b from t order by a", row, None).result == 0
    assert rows == [(["1", "x"], ["a", "b"]), (["2", None], ["a", "b"])]
    database.close()
    assert database.closed
    with pytest.raises(ValueError, match="closed"):
        cell.sqlite3_changes(database)
