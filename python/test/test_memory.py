# SPDX-License-Identifier: Apache-2.0
"""Shared memory, structs that live in the worker, handles."""

import gc
import zlib

import conftest
import pytest

import cordon

CRC32 = "uint32_t crc32(uint32_t crc, const uint8_t buf[len], uint32_t len);"


def test_arena_memory_is_passed_as_it_is(open_cell):
    cell = open_cell("libz.so.1", CRC32, arena=1 << 20)
    with cell.alloc(4096) as buffer:
        assert len(buffer) == 4096
        view = memoryview(buffer)
        view[:5] = b"hello"
        assert cell.crc32(0, buffer) == zlib.crc32(bytes(view))
        assert cell.crc32(0, view[:5]) == zlib.crc32(b"hello")
        with pytest.raises(BufferError):
            buffer.close()
        with pytest.raises(BufferError, match="views"):
            cell.close()
        view.release()
    buffer.close()
    with pytest.raises(ValueError, match="given back"):
        memoryview(buffer)


def test_arena_memory_ends(open_cell):
    cell = open_cell("libz.so.1", CRC32, arena=1 << 16)
    with pytest.raises(MemoryError, match="arena"):
        cell.alloc(1 << 20)
    for wrong in (0, -1):
        with pytest.raises(ValueError):
            cell.alloc(wrong)
    for _ in range(100):
        cell.alloc(1 << 15)  # each goes when nobody has it
    none = open_cell("libz.so.1", CRC32)
    with pytest.raises(MemoryError):
        none.alloc(1)


def test_arena_memory_survives_a_crash(open_cell):
    cell = open_cell("libc.so.6", "int raise(int signal); size_t strnlen(const uint8_t s[n], size_t n);", arena=1 << 16)
    buffer = cell.alloc(16)
    memoryview(buffer)[:3] = b"abc"
    with pytest.raises(cordon.CrashError):
        getattr(cell, "raise")(11)
    assert bytes(memoryview(buffer)[:3]) == b"abc"
    assert cell.strnlen(buffer) == 3


def test_numpy_arrays(open_cell):
    numpy = pytest.importorskip("numpy")
    cell = open_cell(
        "libc.so.6",
        "void qsort(inout int base[n], size_t n, size_t size, int (*cmp)(const int *a, const int *b) fails(0));",
        arena=1 << 16,
    )
    numbers = numpy.array([3, 1, 2], dtype=numpy.int32)
    assert cell.qsort(numbers, 4, lambda a, b: a - b) is numbers
    assert numbers.tolist() == [1, 2, 3]
    for wrong in (numbers.astype(numpy.int64), numbers.astype(numpy.float32), numbers.astype(numpy.uint32)):
        with pytest.raises(TypeError, match="does not fit"):
            cell.qsort(wrong, 4, lambda a, b: 0)
    shared = numpy.frombuffer(cell.alloc(12), dtype=numpy.int32)
    shared[:] = [9, 7, 8]
    cell.qsort(shared, 4, lambda a, b: a - b)
    assert shared.tolist() == [7, 8, 9]
    del shared
    gc.collect()


def test_streams_by_a_struct_in_the_worker(open_cell):
    cell = open_cell("libz.so.1", conftest.INTERFACES / "zlib.cordon")
    data = bytes(range(256)) * 100
    with cell.session() as session:
        stream = session.object("struct z_stream_s")
        assert stream.avail_in == 0
        assert session.deflateInit_(stream, 6, "1.2.13", 112) == 0
        stream.next_in = data
        stream.avail_in = len(data)
        stream.next_out = 4096
        stream.avail_out = 4096
        assert session.deflate(stream, 4) == 1
        assert stream.total_in == len(data)
        assert 0 < stream.total_out < 4096
        assert session.deflateEnd(stream) == 0
        with pytest.raises(AttributeError):
            stream.no_such_member
        with pytest.raises(AttributeError):
            stream.no_such_member = 1
        with pytest.raises(OverflowError):
            stream.avail_in = -1
        stream.close()
        stream.close()
        with pytest.raises(ValueError, match="closed"):
            stream.avail_in


def test_handles_are_objects(open_cell):
    cell = open_cell("libsqlite3.so.0", conftest.INTERFACES / "sqlite3.cordon")
    one = cell.sqlite3_open(":memory:").ppDb
    other = cell.sqlite3_open(":memory:").ppDb
    assert one != other and one == one and len({one, other, one}) == 2
    assert "sqlite3" in repr(one)
    with one as same:
        assert same is one and not one.closed
    assert one.closed
    one.close()
    with pytest.raises(TypeError, match="handle"):
        cell.sqlite3_changes(7)
    with pytest.raises(TypeError):
        type(one)()
    other.close()


def test_bytes_of_every_small_length_arrive(open_cell):
    # Up to 16 travel inside the mail, more beside it; the first call of a worker takes another way than the next.
    cell = open_cell("libz.so.1", CRC32 + "unsigned long adler32_z(unsigned long a, const uint8_t buf[n], size_t n);")
    for round_ in range(2):
        for length in range(1, 41):
            text = bytes(range(round_ + 1, round_ + 1 + length))
            assert cell.crc32(0, text) == zlib.crc32(text), length
            assert cell.crc32(0, bytearray(text)) == zlib.crc32(text), length
            assert cell.adler32_z(1, text) == zlib.adler32(text), length
    assert cell.crc32.map((0, bytes([i]) * 16) for i in range(200)) == [zlib.crc32(bytes([i]) * 16) for i in range(200)]
