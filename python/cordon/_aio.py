# SPDX-License-Identifier: Apache-2.0
"""Calls for asyncio: no threads. A ring is a loop's workers of one cell: each has one call at a time, so that a task that is
cancelled ends its own worker and nobody else's."""

import asyncio
import collections
import weakref

from ._errors import ClosedError


class _Ring:
    """Belongs to the cell, which forgets it with the loop: neither is kept alive by it."""

    def __init__(self, cell, most):
        self.cell = cell
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
            turn = asyncio.get_running_loop().create_future()
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
        if session.closed:
            self.count -= 1
        else:
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
            session._prepare(session_function(session, function))
            pending = session._submit(function, args, keywords)
        descriptor = session._event_fd()
        if not session._collect():
            await self.ended(session, descriptor, pending)
        return pending.result()

    async def ended(self, session, descriptor, pending):
        """The call in flight has ended, or its session was closed."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def over():
            if not done.done():
                done.set_result(None)

        def look():
            try:
                if session._collect():
                    over()
            except ClosedError:
                pass  # _on_close comes

        session._on_close = lambda: loop.call_soon_threadsafe(over)
        loop.add_reader(descriptor, look)
        try:
            if not pending.done:
                await done
        except asyncio.CancelledError:
            try:
                session.interrupt()
                while not session._collect():
                    pass  # it has ended: the answer is on its way
            except ClosedError:
                pass
            raise
        finally:
            session._on_close = None
            loop.remove_reader(descriptor)


def session_function(session, function):
    return getattr(session, function.__name__)


async def call(function, args, keywords):
    loop = asyncio.get_running_loop()
    cell = function.cell
    if cell._rings is None:
        cell._rings = weakref.WeakKeyDictionary()  # loop -> ring
    ring = cell._rings.get(loop)
    if ring is None:
        ring = cell._rings[loop] = _Ring(cell, cell._workers)
    return await ring.call(function, args, keywords)
