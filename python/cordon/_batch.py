# SPDX-License-Identifier: Apache-2.0
"""Calls that are recorded, and made together: what a program would wait for one by one is on its way at once."""

from ._cordon import Function


class Call:
    """A call of a batch. ``result()``: what it came to, once the with-block has ended."""

    def __init__(self, function, args, keywords):
        self._function = function
        self._given = (function, args + tuple(keywords.values()), tuple(keywords))
        self._end = None

    def result(self):
        if self._end is None:
            raise RuntimeError("the batch has not been run: its with-block has not ended")
        done, value = self._end
        if not done:
            raise value
        return value

    def __repr__(self):
        if self._end is None:
            state = "not yet made"
        else:
            state = repr(self._end[1])
        return f"<cordon call of {self._function.__name__}: {state}>"


class Batch:
    """Functions of the cell as attributes; calling one records the call and returns it. At the end of the with-block
    they are made, in order, in one worker; none if the block raised."""

    def __init__(self, of):
        self._of = of
        self._calls = []

    def __getattr__(self, name):
        function = getattr(self._of, name)
        if not isinstance(function, Function):
            raise AttributeError(f"{name!r} is no function of {self._of!r}")

        def record(*args, **keywords):
            self._calls.append(Call(function, args, keywords))
            return self._calls[-1]

        return record

    def __dir__(self):
        return dir(self._of)

    def __len__(self):
        return len(self._calls)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.run()

    def run(self):
        """Make the calls that were recorded since the last time; their results in order. The first that failed is raised
        by its ``result()``, not here."""
        calls, self._calls = self._calls, []
        ends = self._of._run(tuple(call._given for call in calls))
        for call, end in zip(calls, ends, strict=True):
            call._end = end
        return calls
