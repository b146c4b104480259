# SPDX-License-Identifier: Apache-2.0
"""Calls on asyncio: no threads, all outcomes, cancellation."""

import asyncio
import threading
import time

import conftest
import pytest

import cordon

TEXT = "int abs(int j); int usleep(unsigned microseconds); unsigned sleep(unsigned seconds); int raise(int signal);"


@pytest.fixture
def libc(open_cell):
    return open_cell("libc.so.6", TEXT, workers=3)


def test_many_calls(libc):
    async def main():
        return await asyncio.gather(*(libc.abs.aio(-i) for i in range(500)))

    before = threading.active_count()
    assert asyncio.run(main()) == list(range(500))
    assert threading.active_count() == before


def test_the_loop_goes_on_meanwhile(libc):
    async def main():
        ticks = 0
        call = asyncio.ensure_future(libc.usleep.aio(300000))
        while not call.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert await call == 0
        return ticks

    assert asyncio.run(main()) >= 5


def test_calls_run_side_by_side(libc):
    async def main():
        await asyncio.gather(*(libc.abs.aio(1) for _ in range(3)))
        begin = time.monotonic()
        await asyncio.gather(*(libc.usleep.aio(400000) for _ in range(3)))
        return time.monotonic() - begin

    assert asyncio.run(main()) < 1.1 * conftest.SCALE, "three sleeps of 0.4 s, not one after the other"


def test_outcomes(libc):
    async def main():
        return await asyncio.gather(
            getattr(libc, "raise").aio(11),
            libc.sleep.aio(60, timeout=0.2),
            libc.abs.aio("x"),
            libc.abs.aio(j=-5),
            return_exceptions=True,
        )

    crash, late, wrong, fine = asyncio.run(main())
    assert isinstance(crash, cordon.CrashError) and crash.signal == 11
    assert isinstance(late, TimeoutError)
    assert isinstance(wrong, TypeError)
    assert fine == 5


def test_a_cancelled_task_ends_its_call(libc):
    async def main():
        call = asyncio.ensure_future(libc.sleep.aio(60, timeout=30))
        await asyncio.sleep(0.2)
        begin = time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert time.monotonic() - begin < 5 * conftest.SCALE
        # Those that wait for their turn are cancelled, too, and nobody's turn is lost.
        calls = [asyncio.ensure_future(libc.usleep.aio(100000)) for _ in range(9)]
        await asyncio.sleep(0.05)
        for each in calls[3:6]:
            each.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(end, asyncio.CancelledError) for end in ended] == [False] * 3 + [True] * 3 + [False] * 3
        return await libc.abs.aio(-1)

    assert asyncio.run(main()) == 1


def test_two_loops_after_one_another(libc):
    async def one():
        return await libc.abs.aio(-2)

    assert [asyncio.run(one()) for _ in range(3)] == [2, 2, 2]


@pytest.mark.parametrize("level", ["thread", "inline"])
def test_other_levels_answer_alike(open_cell, level):
    cell = open_cell("libc.so.6", TEXT, level=level)

    async def main():
        return await asyncio.gather(*(cell.abs.aio(-i) for i in range(10)))

    assert asyncio.run(main()) == list(range(10))
