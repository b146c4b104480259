# SPDX-License-Identifier: Apache-2.0
"""What Python's callers pay: ctypes, direct and at its best; Cordon's package; process pools.

Measures itself. Reads lines from standard input, "ROW CALLS WARM", and answers each with the nanoseconds that a call took, behind
others that do not count. One process for all rows: they alternate in it."""

import concurrent.futures
import ctypes
import multiprocessing
import os
import signal
import sys
import time
import zlib

libz = ctypes.CDLL("libz.so.1")
crc32 = libz.crc32
crc32.argtypes = (ctypes.c_ulong, ctypes.c_char_p, ctypes.c_uint)
crc32.restype = ctypes.c_ulong
crc32_of_address = libz["crc32"]
crc32_of_address.argtypes = (ctypes.c_ulong, ctypes.c_void_p, ctypes.c_uint)
crc32_of_address.restype = ctypes.c_ulong
makedev = ctypes.CDLL("libc.so.6").gnu_dev_makedev
makedev.argtypes = (ctypes.c_uint, ctypes.c_uint)
makedev.restype = ctypes.c_ulong

SMALL = bytes(range(16))
KILOBYTE = bytes(range(256)) * 4
MEGABYTE = bytes(range(256)) * 4096
PARENT = os.getpid()
PAIRS = [(8, i) for i in range(64)]


def timed(work):
    def row(calls, warm):
        work(warm)
        begin = time.perf_counter_ns()
        work(calls)
        return (time.perf_counter_ns() - begin) / calls

    return row


def over(function, *args):
    def work(calls):
        for _ in range(calls):
            function(*args)

    return timed(work)


def in_batches(function):
    def work(calls):
        for _ in range(calls // len(PAIRS)):
            function.map(PAIRS)

    return timed(work)


def one_by_one(function):
    def work(calls):
        for _ in range(calls // len(PAIRS)):
            for major, minor in PAIRS:
                function(major, minor)

    return timed(work)


def in_pool(executor):
    def work(calls):
        for _ in range(calls):
            executor.submit(zlib.crc32, SMALL).result()

    return timed(work)


def pin(pid, cpu):
    """All threads of a process; where that is not allowed they stay where they are."""
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), {cpu})
    except OSError:
        pass


def end_with_parent():
    """In a pool's process: nothing is left behind, however the benchmark ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != PARENT:
        os._exit(1)


def main():
    import cordon  # where there is none, the caller says so

    address = ctypes.create_string_buffer(MEGABYTE, len(MEGABYTE))
    rows = {
        "ctypes-16": over(crc32, 0, SMALL, len(SMALL)),
        "ctypes-1k": over(crc32, 0, KILOBYTE, len(KILOBYTE)),
        "ctypes-1m": over(crc32_of_address, 0, ctypes.addressof(address), len(MEGABYTE)),
        "ctypes-chatty": one_by_one(makedev),
    }
    text = "unsigned long crc32(unsigned long crc, const uint8_t buf[len], unsigned len);"
    context = multiprocessing.get_context("fork")
    with (
        cordon.open("libz.so.1", text, arena=2 << 20) as z,
        cordon.open("libc.so.6", "unsigned long gnu_dev_makedev(unsigned major, unsigned minor);") as libc,
        z.alloc(len(MEGABYTE)) as shared,
        concurrent.futures.ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent) as executor,
        context.Pool(1, end_with_parent) as pool,
    ):
        with memoryview(shared) as view:
            view[:] = MEGABYTE
        rows["cordon-16"] = over(z.crc32, 0, SMALL)
        rows["cordon-1k"] = over(z.crc32, 0, KILOBYTE)
        rows["cordon-1m"] = over(z.crc32, 0, shared)
        rows["cordon-chatty"] = in_batches(libc.gnu_dev_makedev)
        rows["executor"] = in_pool(executor)
        rows["pool"] = over(pool.apply, zlib.crc32, (SMALL,))
        assert z.crc32(0, shared) == zlib.crc32(MEGABYTE) == crc32_of_address(0, ctypes.addressof(address), len(MEGABYTE))
        executor.submit(int).result()
        pin(z.worker_pid(), int(sys.argv[2]))
        libc.gnu_dev_makedev(1, 1)
        pin(libc.worker_pid(), int(sys.argv[2]))
        os.sched_setaffinity(0, {int(sys.argv[1])})
        for line in sys.stdin:
            name, calls, warm = line.split()
            print(rows[name](int(calls), int(warm)), flush=True)


main()
