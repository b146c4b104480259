# SPDX-License-Identifier: Apache-2.0
"""What calls raise. All are CordonError; a timeout is the built-in TimeoutError, too."""

import builtins


class CordonError(Exception):
    """A call, or a cell, did not come to its end.

    function         the function's name, or None
    report_id        id of the report of this end, as ``cordon report`` takes it; None: there is none
    retry_after      seconds after which calling again may help, or None
    """

    function = None
    signal = 0
    exit_status = 0
    report_id = None
    retry_after = None
    _cell = None

    def _describe(self, details, cell):
        self.function = details["function"]
        self.signal = details["signal"]
        self.exit_status = details["exit_status"]
        self.report_id = f"{details['report_id']:016x}" if details["report_id"] else None
        self.retry_after = details["retry_after_ms"] / 1000 or None
        self._cell = cell

    @property
    def report(self):
        """The report as a dict, waited for up to ten seconds; None if there is none."""
        if self.report_id is None or self._cell is None:
            return None
        return self._cell._report(int(self.report_id, 16), 10000)


class CrashError(CordonError):
    """The library crashed, or left by exit(). ``signal``: its number, or 0 and ``exit_status``."""


class TimeoutError(CordonError, builtins.TimeoutError):
    """The deadline passed first; the worker has been ended."""


class AbortedError(CordonError):
    """The call ended with its worker by something else than itself."""


class DeniedError(CordonError, PermissionError):
    """A forbidden act, where the policy says that such an act ends the call."""


class BusyError(CordonError):
    """No worker became free in time, or the queue is full."""


class StaleError(CordonError):
    """A handle whose worker, or whose object, is gone."""


class OpenError(CordonError):
    """The breaker is open: too many calls crashed or were late."""


class PrototypeError(CordonError, ValueError):
    """A declaration that does not compile; the text shows where."""


class LimitError(CordonError, ValueError):
    """More than a limit allows; the text names it."""


class LoadError(CordonError, OSError):
    """The library cannot be found, or is none."""


class UnsupportedError(CordonError, NotImplementedError):
    """What is asked for cannot be had here; the text says why."""


class ClosedError(CordonError, ValueError):
    """The cell or session is closed."""


class ForkedError(CordonError, RuntimeError):
    """The cell belongs to the parent process."""
