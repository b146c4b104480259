# SPDX-License-Identifier: Apache-2.0
"""Calls for asyncio: no threads. A ring is a loop's workers of one cell: each has one call at a time, so that a task that is
cancelled ends its own worker and nobody else's."""

import asyncio
import collections
import weakref

_rings = weakref.WeakKeyDictionary()  # loop -> cell -> ring


class _Ring:
    def __init__(self, cell, loop, most):
        self.cell = cell
        self.loop = loop
        self.most = most
        self.free = []
        self.count = 0
        self.waiting = collections.deque()

    async def take(self):
        while not self.free:
            if self.count < self.most:
                self.count += 1
                try:
                    return self.cell.session()
                except BaseException:
                    self.count -= 1
                    raise
            turn = self.loop.create_future()
            self.waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.wake()  # the turn was ours: the next one has it
                raise
        return self.free.pop()

    def wake(self):
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def give(self, session):
        self.free.append(session)
        self.wake()

    async def call(self, function, args, keywords):
        session = await self.take()
        try:
            return await self.run(session, function, args, keywords)
        finally:
            self.give(session)

    async def run(self, session, function, args, keywords):
        pending = session._submit(function, args, keywords)
        while pending is None:  # its worker has to be started: a few milliseconds
            session._prepare(getattr(session, function.__name__))
            pending = session._submit(function, args, keywords)
        descriptor = session._event_fd()
        if not session._collect():
            await self.ended(session, descriptor)
        return pending.result()

    async def ended(self, session, descriptor):
        done = self.loop.create_future()

        def look():
            if session._collect() and not done.done():
                done.set_result(None)

        self.loop.add_reader(descriptor, look)
        try:
            await done
        except asyncio.CancelledError:
            session.interrupt()
            while not session._collect():
                pass  # it has ended: the answer is on its way
            raise
        finally:
            self.loop.remove_reader(descriptor)


async def call(function, args, keywords):
    loop = asyncio.get_running_loop()
    cells = _rings.get(loop)
    if cells is None:
        cells = _rings[loop] = weakref.WeakKeyDictionary()
    ring = cells.get(function.cell)
    if ring is None:
        ring = cells[function.cell] = _Ring(function.cell, loop, function.cell._workers)
    return await ring.call(function, args, keywords)
