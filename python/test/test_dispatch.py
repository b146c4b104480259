# SPDX-License-Identifier: Apache-2.0
"""Callables that the library calls on threads of its own, and those that it keeps from one call to another."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import conftest
import pytest

import cordon

TICKER = os.environ.get("CORDON_TEST_TICKER", "")
TICK = "kept anythread int (*callback)(void *context, const char *text, int n) fails(-1), void *context"
TEXT = f"""
int ticker_start({TICK}, int times);
int ticker_join(void);
int ticker_call({TICK});
"""

pytestmark = pytest.mark.skipif(not TICKER, reason="CORDON_TEST_TICKER names no library")


@pytest.fixture(params=["process", "thread", "inline"])
def session(request, open_cell):
    with open_cell(TICKER, TEXT, level=request.param, timeout=30 * conftest.SCALE).session() as opened:
        yield opened


def dispatch_until(session, enough):
    until = time.monotonic() + 30 * conftest.SCALE
    while not enough() and time.monotonic() < until:
        session.dispatch(1)
    assert enough()


def test_they_run_on_the_thread_that_dispatches(session):
    seen = []

    def tick(context, text, n):
        seen.append((text, n, threading.get_ident()))
        return 2 * n

    session.ticker_start(tick, 77, 20)
    dispatch_until(session, lambda: len(seen) == 20)
    assert seen == [("tick", n, threading.get_ident()) for n in range(1, 21)]
    assert session.ticker_join() == 2 * 210
    assert session.dispatch() == 0


def test_dispatch_says_how_many_and_waits_no_longer_than_it_may(session):
    assert session.dispatch() == 0
    begin = time.monotonic()
    assert session.dispatch(0.05) == 0
    assert time.monotonic() - begin >= 0.05
    session.ticker_start(lambda *_: 1, 1, 1)
    assert session.dispatch(None) == 1
    for wrong, why in ((-1, ValueError), (float("nan"), ValueError), ("soon", TypeError)):
        with pytest.raises(why):
            session.dispatch(wrong)


def test_what_they_raise_is_raised_by_dispatch(session):
    def tick(context, text, n):
        raise LookupError("not here")

    session.ticker_start(tick, 1, 1)
    with pytest.raises(LookupError, match="not here"):
        session.dispatch(None)
    assert session.ticker_join() == -1, "the library has got its failure value"


def test_what_kept_ones_raise_is_raised_by_the_call(session):
    def tick(context, text, n):
        raise LookupError("not here")

    with pytest.raises(LookupError, match="not here") as caught:
        session.ticker_call(tick, 1)
    assert any("tick" in str(entry) for entry in caught.traceback)
    assert session.ticker_call(lambda context, text, n: n, 1) == 100
    with pytest.raises(LookupError, match="not here"):
        session.ticker_call.map([(tick, 1)])


def test_a_cell_dispatches_for_this_thread(open_cell):
    cell = open_cell(TICKER, TEXT, timeout=30 * conftest.SCALE)
    seen = []
    cell.ticker_start(lambda context, text, n: seen.append(n) or n, 1, 3)
    dispatch_until(cell, lambda: len(seen) == 3)
    assert cell.ticker_join() == 6


def test_others_run_while_one_waits_to_dispatch(session):
    def start():
        started.append(session.cell.ticker_join.__name__)

    started = []
    thread = threading.Timer(0.1, start)
    thread.start()
    begin = time.monotonic()
    assert session.dispatch(0.3) == 0
    assert time.monotonic() - begin >= 0.3
    thread.join()
    assert started == ["ticker_join"]


def test_a_worker_that_is_gone_calls_nobody_back(open_cell):
    cell = open_cell(TICKER, TEXT, timeout=30 * conftest.SCALE)
    with cell.session() as session:
        session.ticker_start(lambda *_: 1, 1, 0)
        session.interrupt()
        with pytest.raises(cordon.AbortedError):
            session.dispatch(5)
    with pytest.raises(cordon.ClosedError):
        session.dispatch()


def test_closing_ends_a_dispatch_of_another_thread(open_cell):
    session = open_cell(TICKER, TEXT, timeout=30 * conftest.SCALE).session()
    session.ticker_start(lambda *_: 1, 1, 0)
    ends = []
    waits = threading.Event()

    def wait():
        waits.set()
        try:
            session.dispatch(None)
        except cordon.CordonError as error:
            ends.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    waits.wait()
    session.close()
    thread.join(30 * conftest.SCALE)
    assert len(ends) == 1 and isinstance(ends[0], (cordon.AbortedError, cordon.ClosedError)), ends


def test_ctrl_c_ends_a_dispatch_and_nothing_else():
    program = f"""
import cordon, signal, threading
with cordon.open({TICKER!r}, {TEXT!r}, timeout=60) as cell, cell.session() as session:
    session.ticker_start(lambda context, text, n: n, 1, 0)
    pid = session.worker_pid()
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    try:
        session.dispatch(None)
    except KeyboardInterrupt:
        session.ticker_join()
        print("stopped", session.worker_pid() == pid)
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60 * conftest.SCALE,
        check=False,
    )
    assert done.stdout == "stopped True\n", done


# ---- asyncio ----


def test_on_asyncio_beside_calls(session):
    seen = []

    def tick(context, text, n):
        seen.append(n)
        if n == 3:
            raise LookupError("three")
        return n

    async def listen():
        raised = 0
        while len(seen) < 5:
            try:
                await session.aio_dispatch(30 * conftest.SCALE)
            except LookupError:
                raised += 1
        return raised

    async def main():
        listening = asyncio.ensure_future(listen())
        await asyncio.sleep(0)
        await session.ticker_start.aio(tick, 7, 5)
        assert await listening == 1
        assert await session.aio_dispatch(0.01) == 0
        return await session.ticker_join.aio()

    assert asyncio.run(main()) == 1 + 2 - 1 + 4 + 5
    assert seen == [1, 2, 3, 4, 5]


def test_a_session_that_is_closed_under_a_dispatch_of_asyncio(open_cell):
    session = open_cell(TICKER, TEXT, timeout=30 * conftest.SCALE).session()
    session.ticker_start(lambda *_: 1, 1, 0)

    async def main():
        waiting = asyncio.ensure_future(session.aio_dispatch())
        await asyncio.sleep(0.05)
        session.close()
        with pytest.raises(cordon.ClosedError):
            await asyncio.wait_for(waiting, 30 * conftest.SCALE)

    asyncio.run(main())


def test_what_kept_ones_raise_is_raised_by_the_call_on_asyncio(session):
    def tick(context, text, n):
        raise LookupError("not here")

    async def main():
        with pytest.raises(LookupError, match="not here"):
            await session.ticker_call.aio(tick, 1)
        return await session.ticker_call.aio(lambda context, text, n: n, 1)

    assert asyncio.run(main()) == 100


def test_signal_handlers_run_while_one_waits_to_dispatch(session):
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(session.dispatch()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        begin = time.monotonic()
        while not seen and time.monotonic() - begin < 30 * conftest.SCALE:
            assert session.dispatch(1) == 0
        assert seen == [0]
    finally:
        signal.signal(signal.SIGALRM, before)
