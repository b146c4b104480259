# SPDX-License-Identifier: Apache-2.0
"""Call native libraries in isolation: a crash is an exception, a loop ends at its deadline.

>>> import cordon
>>> z = cordon.open("libz.so.1", "uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);")
>>> z.crc32(0, b"hello")
907060870
"""

import os
import pathlib

from . import _cordon
from ._cordon import Buffer, Cell, Function, Handle, Object, Session
from ._errors import (
    AbortedError,
    BusyError,
    ClosedError,
    CordonError,
    CrashError,
    DeniedError,
    ForkedError,
    LimitError,
    LoadError,
    OpenError,
    PrototypeError,
    StaleError,
    TimeoutError,
    UnsupportedError,
)
from .client import Client, GatewayError, connect

__all__ = [
    "AbortedError", "Buffer", "BusyError", "Cell", "Client", "ClosedError", "CordonError", "CrashError", "DeniedError",
    "ForkedError", "Function", "GatewayError", "Handle", "LimitError", "LoadError", "Object", "OpenError",
    "PrototypeError", "Session", "StaleError", "TimeoutError", "UnsupportedError", "connect", "open",
]  # fmt: skip
__version__ = "0.1.0"

_LEVELS = {"process": 0, "thread": 1, "inline": 2}
_POLICIES = {"strict": 0, "files": 1, "network": 2, "trusted": 3}
_ON_VIOLATION = {"refuse": 0, "kill": 1}
_HERE = pathlib.Path(__file__).parent
_SHIPPED = _HERE / "interfaces" if (_HERE / "interfaces").is_dir() else _HERE  # a wheel; a build directory


def _choice(what, value, choices):
    try:
        return choices[value]
    except KeyError:
        raise ValueError(f"{what} is {value!r}; it has to be one of {', '.join(choices)}") from None


def _milliseconds(what, seconds):
    if seconds is None:
        return 0
    if not seconds > 0:
        raise ValueError(f"{what} has to be more than 0 seconds")
    return max(1, round(seconds * 1000))


def _interface_text(interface):
    """Text and name of an interface: the text itself, a file, or one that ships with Cordon."""
    if interface is None:
        return None, None
    if isinstance(interface, os.PathLike):
        return pathlib.Path(interface).read_text(), os.fspath(interface)
    if interface.endswith(".cordon") and "\n" not in interface and ";" not in interface:
        return pathlib.Path(interface).read_text(), interface
    if interface.replace("-", "_").isidentifier():
        file = _SHIPPED / f"{interface}.cordon"
        if not file.exists():
            known = sorted(path.stem for path in _SHIPPED.glob("*.cordon"))
            raise FileNotFoundError(f"no interface {interface!r} ships with Cordon; there are {', '.join(known)}")
        return file.read_text(), file.name
    return interface, "interface"


def open(
    library=None,
    interface=None,
    *,
    level="process",
    policy="strict",
    grants=(),
    on_violation="refuse",
    workers=5,
    sessions=0,
    queue=0,
    spares=None,
    timeout=3.0,
    start_timeout=None,
    memory=0,
    call_bytes=0,
    arena=0,
    require=(),
    recycle_calls=0,
    recycle_seconds=None,
    recycle_bytes=0,
    breaker=True,
    reports=None,
    report_bytes=False,
    record=False,
    cpu_seconds=None,
    file_bytes=0,
    fds=0,
    threads=0,
):
    """Open a library in isolation; its functions are attributes of what is returned.

    library      soname or path; None: what the interface names; "": the C library
    interface    declarations as text, a path, or the name of one that ships with Cordon ("zlib")
    level        "process": sandboxed workers; "thread", "inline": guarded, in this process
    policy       "strict", "files", "network", "trusted"; grants go beyond it: "read:/usr/share/fonts"
    timeout      seconds that a call may take unless it says otherwise
    arena        bytes of shared memory for each session: Cell.alloc()
    memory       bytes that a worker may allocate; 0: 2 GiB. The other limits are those of cordon/cell.h
    """
    text, name = _interface_text(interface)
    library = None if library is None else os.fspath(library)
    if text is None and library is not None and library.replace("-", "_").isidentifier():
        text, name = _interface_text(library)
        library = None
    bits = 0
    for isolation in require:
        bits |= _cordon.isolation_bit(isolation)
    return Cell(
        library or name or "the C library",
        library,
        text,
        name,
        level=_choice("level", level, _LEVELS),
        policy=_choice("policy", policy, _POLICIES),
        grants=tuple(grants),
        on_violation=_choice("on_violation", on_violation, _ON_VIOLATION),
        workers=workers,
        sessions=sessions,
        queue=queue,
        spares=0 if spares is None else spares or _cordon.NONE,
        timeout_ms=_milliseconds("timeout", timeout),
        start_ms=_milliseconds("start_timeout", start_timeout),
        memory_bytes=memory,
        call_bytes=call_bytes,
        arena_bytes=arena,
        require=bits,
        recycle_calls=recycle_calls,
        recycle_ms=_milliseconds("recycle_seconds", recycle_seconds),
        recycle_bytes=recycle_bytes,
        breaker_percent=0 if breaker else _cordon.NONE,
        reports=None if reports is None else os.fspath(reports),
        report_bytes=report_bytes,
        record=record,
        cpu_ms=_milliseconds("cpu_seconds", cpu_seconds),
        file_bytes=file_bytes,
        fds=fds,
        threads=threads,
    )
