# SPDX-License-Identifier: Apache-2.0
"""Calls on asyncio: no threads, all outcomes, cancellation."""

import asyncio
import logging
import socket
import threading
import time

import conftest
import pytest

import cordon
import cordon._aio

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


# ---- The end of what a loop waits for ----


@pytest.fixture
def looks(monkeypatch):
    """How often a loop looked at a session."""
    seen = []
    see = cordon._aio._Watch.see

    def counted(watch):
        seen.append(watch)
        see(watch)

    monkeypatch.setattr(cordon._aio._Watch, "see", counted)
    return seen


async def until_watched(cell, count=1):
    """Until that many calls of the running loop wait for their answers."""
    while not cell._rings or len(cell._rings[asyncio.get_running_loop()].watches) < count:
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("closer", ["the loop", "a thread"])
@pytest.mark.parametrize("what", ["cell", "session"])
def test_closing_ends_what_is_awaited(open_cell, looks, caplog, closer, what):
    cell = open_cell("libc.so.6", TEXT, timeout=60 * conftest.SCALE)
    session = cell.session()
    of = cell if what == "cell" else session

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        calls = [asyncio.ensure_future(of.sleep.aio(60)) for _ in range(3)]
        await until_watched(cell, 3 if what == "cell" else 1)
        before = len(looks)
        if closer == "the loop":
            of.close()
        else:
            await loop.run_in_executor(None, of.close)
        ends = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 30 * conftest.SCALE)
        await asyncio.sleep(0.1)
        assert len(looks) - before < 30, "nobody goes round and round"
        assert not cell._rings[loop].watches
        return ends

    with caplog.at_level(logging.DEBUG, "asyncio"):
        ends = asyncio.run(main())
    assert len(ends) == 3
    assert all(isinstance(end, (cordon.ClosedError, cordon.AbortedError)) for end in ends), ends
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]


def test_descriptors_that_come_after_a_closed_cell_are_watched(open_cell):
    cell = open_cell("libc.so.6", TEXT, timeout=60 * conftest.SCALE)

    async def main():
        loop = asyncio.get_running_loop()
        call = asyncio.ensure_future(cell.sleep.aio(60))
        await until_watched(cell)
        cell.close()  # its descriptors are others' from now on
        pairs = [socket.socketpair() for _ in range(40)]
        ready = [loop.create_future() for _ in pairs]
        for (near, far), future in zip(pairs, ready, strict=True):
            loop.add_reader(near, lambda future=future: future.done() or future.set_result(None))
            far.send(b"x")
        with pytest.raises((cordon.ClosedError, cordon.AbortedError)):
            await call
        await asyncio.wait_for(asyncio.gather(*ready), 30 * conftest.SCALE)
        for near, far in pairs:
            loop.remove_reader(near)
            near.close()
            far.close()

    asyncio.run(main())


def test_a_loop_that_has_ended_is_not_told(open_cell):
    cell = open_cell("libc.so.6", TEXT, timeout=60 * conftest.SCALE)
    loop = asyncio.new_event_loop()
    call = loop.create_task(cell.sleep.aio(60))
    loop.run_until_complete(until_watched(cell))
    cell.close()
    with pytest.raises((cordon.ClosedError, cordon.AbortedError)):
        loop.run_until_complete(call)
    loop.close()


# ---- Whose worker it is ----


def test_calls_of_a_session_are_made_in_it(open_cell):
    cell = open_cell("libc.so.6", "void srand(unsigned seed); int rand(void); int getpid(void);")

    async def main(of):
        await of.srand.aio(7)
        return [await of.rand.aio() for _ in range(5)], await asyncio.gather(*(of.getpid.aio() for _ in range(9)))

    with cell.session() as one, cell.session() as two:
        numbers, pids = asyncio.run(main(one))
        assert len(set(pids)) == 1 and one.getpid() == pids[0]
        two.srand(7)
        assert [two.rand() for _ in range(5)] == numbers


def test_handles_find_their_worker(open_cell):
    cell = open_cell("sqlite3")

    async def one(number):
        database = (await cell.sqlite3_open.aio(":memory:")).ppDb
        rows = []
        for i in range(5):
            await cell.sqlite3_exec.aio(
                database, f"select {number}, {i}", lambda _, values, names: rows.append(values) or 0, None
            )
        await cell.sqlite3_close.aio(database)
        return rows

    async def main():
        return await asyncio.gather(*(one(number) for number in range(12)))

    assert asyncio.run(main()) == [[[str(number), str(i)] for i in range(5)] for number in range(12)]


def test_calls_past_the_loop_do_not_take_its_answers_along(open_cell):
    cell = open_cell("libc.so.6", TEXT)

    async def main():
        with cell.session() as session:
            for _ in range(20):
                call = asyncio.ensure_future(session.abs.aio(-1))
                nap = asyncio.ensure_future(session.usleep.aio(2000))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                assert session.abs(-2) == 2
                assert session.abs.map([-3, -4]) == [3, 4]
                assert await asyncio.wait_for(asyncio.gather(call, nap), 30 * conftest.SCALE) == [1, 0]

    asyncio.run(main())
