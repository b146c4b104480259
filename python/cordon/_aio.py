# SPDX-License-Identifier: Apache-2.0
"""Calls for asyncio: no threads. A ring is a loop's workers of one cell: each has one call at a time, so that a task that is
cancelled ends its own worker and nobody else's. A session of the program's own, or one that a handle belongs to, is used
likewise: one call at a time."""

import asyncio
import collections
import contextlib
import os
import weakref

from ._cordon import Handle, Object
from ._errors import ClosedError


_TICK = 0.01  # seconds between two looks at a session that has no descriptor: level inline


class _Watch:
    """A session's descriptor in a loop, and whoever looks when it is readable. The descriptor is one of our own: the session's
    may be closed, and its number another's, before the loop hears of it."""

    def __init__(self, loop, session):
        self.loop = loop
        self.session = session
        self.looks = []
        self.descriptor = None
        self.timer = None
        descriptor = session._event_fd()
        if descriptor >= 0:
            self.descriptor = os.dup(descriptor)
            loop.add_reader(self.descriptor, self.see)
        else:
            self.tick()
        session._on_change = self.changed

    def see(self):
        if self.session.closed and self.descriptor is not None:  # nobody makes it quiet any more
            self.loop.remove_reader(self.descriptor)
        for look in tuple(self.looks):
            look()

    def tick(self):
        self.timer = self.loop.call_later(_TICK, self.tick)
        self.see()

    def changed(self):
        """It was closed, or used past the loop: what came for the loop may have been taken along."""
        with contextlib.suppress(RuntimeError):  # the loop may have ended before
            self.loop.call_soon_threadsafe(self.see)

    def end(self):
        self.session._on_change = None
        if self.descriptor is not None:
            self.loop.remove_reader(self.descriptor)
            os.close(self.descriptor)
        if self.timer is not None:
            self.timer.cancel()


class _Ring:
    """Belongs to the cell, which forgets it with the loop: neither is kept alive by it."""

    def __init__(self, cell, most):
        self.cell = cell
        self.most = most
        self.free = []
        self.own = set()  # those that were made here
        self.busy = set()
        self.waiting = collections.deque()  # (turn, the session that is wanted or None)
        self.watches = {}

    def find(self, wanted):
        """A session without a call; None: there is none."""
        if wanted is None and self.free:
            return self.free.pop()
        if wanted is None and len(self.own) < self.most:
            session = self.cell.session()
            self.own.add(session)
            return session
        if wanted is None or wanted in self.busy:
            return None
        if wanted in self.free:
            self.free.remove(wanted)
        return wanted

    async def take(self, wanted):
        while (session := self.find(wanted)) is None:
            turn = asyncio.get_running_loop().create_future()
            self.waiting.append((turn, wanted))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.wake()  # the turn was ours: the next one has it
                raise
        self.busy.add(session)
        return session

    def wake(self):
        """The first one for whom there is a session now."""
        for i, (turn, wanted) in enumerate(self.waiting):
            if turn.done():
                continue
            if wanted is None or wanted not in self.busy:
                del self.waiting[i]
                turn.set_result(None)
                return

    def give(self, session):
        self.busy.discard(session)
        if session.closed:
            self.own.discard(session)
        elif session in self.own:
            self.free.append(session)
        if session in self.watches:  # callbacks that rang meanwhile may be dispatched now
            asyncio.get_running_loop().call_soon(self.watches[session].see)
        self.wake()

    async def call(self, function, args, keywords):
        session = await self.take(_home(function, args, keywords))
        try:
            return await self.run(session, function, args, keywords)
        finally:
            self.give(session)

    async def run(self, session, function, args, keywords):
        pending = session._submit(function, args, keywords)
        while pending is None:  # its worker has to be started: a few milliseconds
            session._prepare(getattr(session, function.__name__))
            pending = session._submit(function, args, keywords)
        session._event_fd()  # answers ring it from now on
        session._collect()
        if not pending.done:
            await self.ended(session, pending)
        return pending.result()

    async def ended(self, session, pending):
        """The call in flight has ended, or its session was closed."""
        done = asyncio.get_running_loop().create_future()

        def look():
            with contextlib.suppress(ClosedError):
                session._collect()
            if pending.done and not done.done():
                done.set_result(None)

        with self.watched(session, look):
            look()
            try:
                await done
            except asyncio.CancelledError:
                with contextlib.suppress(ClosedError):
                    session.interrupt()
                    while not pending.done:
                        session._collect()  # it has ended: the answer is on its way
                raise

    @contextlib.contextmanager
    def watched(self, session, look):
        """Have @look called when something has come for the session, and when it is closed."""
        watch = self.watches.get(session)
        if watch is None:
            watch = self.watches[session] = _Watch(asyncio.get_running_loop(), session)
        watch.looks.append(look)
        try:
            yield
        finally:
            watch.looks.remove(look)
            if not watch.looks:
                del self.watches[session]
                watch.end()


def _home(function, args, keywords):
    """The session that a call has to be made in: its function's, or that of a handle; None: any."""
    if function._session is not None:
        return function._session
    for given in (*args, *keywords.values()):
        if isinstance(given, (Handle, Object)) and given._session is not None:
            return given._session
    return None


def _ring_of(cell):
    if cell._rings is None:
        cell._rings = weakref.WeakKeyDictionary()  # loop -> ring
    loop = asyncio.get_running_loop()
    ring = cell._rings.get(loop)
    if ring is None:
        ring = cell._rings[loop] = _Ring(cell, cell._workers)
    return ring


async def call(function, args, keywords):
    return await _ring_of(function.cell).call(function, args, keywords)


async def dispatch(session, timeout=None):
    """Session.dispatch() for asyncio. While a call of the session is in flight its worker runs that one."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def look():
        if done.done():
            return
        try:
            count = session.dispatch()
        except BaseException as error:
            done.set_exception(error)
        else:
            if count > 0:
                done.set_result(count)

    with _ring_of(session.cell).watched(session, look):
        session._on_change()  # looks, and not only this one
        if timeout is None:
            return await done
        try:
            return await asyncio.wait_for(done, timeout)
        except asyncio.TimeoutError:
            return 0
