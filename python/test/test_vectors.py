# SPDX-License-Identifier: Apache-2.0
"""Real libraries against what Python has of them, structs of random shapes, a million calls."""

import gc
import hashlib
import os
import pathlib
import random
import tracemalloc
import zlib

import conftest
import pytest

import cordon

# Lengths of CPython's own test_zlib and test_hashlib, and the vectors that both have in common.
TEXTS = [b"", b"a", b"abc", b"message digest", b"penguin", b"abcdefghijklmnopqrstuvwxyz", b"abcdefghabcdefgh" * 64, bytes(range(256)) * 300]
MILLION = b"a" * 1000000

# ---- libz, as test_zlib asks it ----


@pytest.mark.parametrize("start", [0, 1, 432, 0xFFFFFFFF])
def test_checksums(zlib_cell, start):
    for text in [*TEXTS, MILLION]:
        assert zlib_cell.crc32(start, text) == zlib.crc32(text, start)
        assert zlib_cell.adler32(start & 0xFFFFFFF or 1, text) == zlib.adler32(text, start & 0xFFFFFFF or 1)
    assert zlib_cell.crc32(0, b"penguin") == 0xE5C1A120
    assert zlib_cell.adler32(1, b"abcdefghijklmnop" * 100) == zlib.adler32(b"abcdefghijklmnop" * 100)


def test_there_and_back(zlib_cell):
    random_ = random.Random(6)
    for length in (0, 1, 2, 255, 4096, 65537, 300000):
        for data in (bytes(length), random_.randbytes(length), (b"hamlet, prince of denmark; " * (length // 27 + 1))[:length]):
            packed = zlib_cell.compress(length + length // 10 + 64, data)
            assert packed.result == 0
            assert zlib.decompress(packed.dest) == data
            unpacked = zlib_cell.uncompress(length + 1, zlib.compress(data, 9))
            assert (unpacked.result, unpacked.dest) == (0, data)


def test_damaged_data_is_refused(zlib_cell):
    packed = bytearray(zlib.compress(b"abc" * 100))
    packed[-1] ^= 1
    assert zlib_cell.uncompress(300, bytes(packed)).result == -3
    assert zlib_cell.uncompress(10, zlib.compress(b"abc" * 100)).result == -5


# ---- libcrypto, as test_hashlib asks it ----

DIGESTS = {"SHA1": 20, "SHA224": 28, "SHA256": 32, "SHA384": 48, "SHA512": 64}
KNOWN = {
    ("SHA1", b"abc"): "a9993e364706816aba3e25717850c26c9cd0d89d",
    ("SHA224", b"abc"): "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    ("SHA256", b""): "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ("SHA256", b"abc"): "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ("SHA256", MILLION): "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    ("SHA512", b"abc"): "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
}


@pytest.fixture(scope="module")
def digests():
    text = "".join(
        f"within(md) unsigned char *{name}(const unsigned char data[n], size_t n, out unsigned char md[{size}]);\n"
        for name, size in DIGESTS.items()
    )
    with cordon.open("libcrypto.so.3", text) as cell:
        yield cell


@pytest.mark.parametrize("name", DIGESTS)
def test_digests(digests, name):
    function = getattr(digests, name)
    random_ = random.Random(name)
    for text in [*TEXTS, MILLION, *(random_.randbytes(n) for n in (55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 8191))]:
        assert function(text).md == getattr(hashlib, name.lower())(text).digest()
    for (of, text), digest in KNOWN.items():
        if of == name:
            assert function(text).md.hex() == digest


# ---- Structs of random shapes ----

SCALARS = {
    "int8_t": (1, lambda r: r.randint(-128, 127)),
    "uint8_t": (1, lambda r: r.randint(0, 255)),
    "int16_t": (2, lambda r: r.randint(-(2**15), 2**15 - 1)),
    "uint16_t": (2, lambda r: r.randint(0, 2**16 - 1)),
    "int32_t": (4, lambda r: r.randint(-(2**31), 2**31 - 1)),
    "uint32_t": (4, lambda r: r.randint(0, 2**32 - 1)),
    "int64_t": (8, lambda r: r.randint(-(2**63), 2**63 - 1)),
    "uint64_t": (8, lambda r: r.randint(0, 2**64 - 1)),
    "float": (4, lambda r: float(r.randint(-(2**20), 2**20)) / 8),
    "double": (8, lambda r: r.uniform(-1e9, 1e9)),
    "bool": (1, lambda r: r.random() < 0.5),
}


class Shape:
    """A struct: its declaration, its size as C lays it out, values for it."""

    def __init__(self, random_, name, depth):
        self.name = name
        self.members = []
        self.before = ""
        self.align = 1
        at = 0
        for i in range(random_.randint(1, 7)):
            count = random_.choice([0, 0, 0, 1, 3, 8])
            if depth > 0 and random_.random() < 0.3:
                inner = Shape(random_, f"{name}_{i}", depth - 1)
                self.before += inner.before + inner.text()
                size, align, make, kind = inner.size, inner.align, inner.value, f"struct {inner.name}"
            else:
                kind = random_.choice(list(SCALARS))
                size, make = SCALARS[kind]
                align = size
            self.members.append((f"m{i}", kind, count, make))
            at = (at + align - 1) // align * align + size * max(1, count)
            self.align = max(self.align, align)
        self.size = (at + self.align - 1) // self.align * self.align

    def text(self):
        members = " ".join(f"{kind} {name}{f'[{count}]' if count else ''};" for name, kind, count, _ in self.members)
        return f"struct {self.name} {{ {members} }};\n"

    def value(self, random_):
        made = {}
        for name, kind, count, make in self.members:
            if count and kind == "uint8_t":
                made[name] = random_.randbytes(count)
            else:
                made[name] = [make(random_) for _ in range(count)] if count else make(random_)
        return made


def as_given(value):
    """What came back as it was given: named tuples as dicts."""
    if hasattr(value, "_asdict"):
        return {name: as_given(member) for name, member in value._asdict().items()}
    return [as_given(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(30))
def test_structs_of_random_shapes_come_back_as_they_went(seed):
    random_ = random.Random(seed)
    shape = Shape(random_, f"shape{seed}", 2)
    text = (
        shape.before
        + shape.text()
        + f'symbol("memcpy") void one(out struct {shape.name} *to, const struct {shape.name} *from, size_t bytes);\n'
        + f'symbol("memcpy") void many(out struct {shape.name} to[bytes / {shape.size}],'
        + f" const struct {shape.name} from[bytes / {shape.size}], size_t bytes);\n"
    )
    with cordon.open("libc.so.6", text, level="thread") as cell:
        for _ in range(5):
            value = shape.value(random_)
            came = cell.one(value, shape.size)
            assert as_given(came) == value, text
            assert cell.one(came, shape.size) == came
        values = [shape.value(random_) for _ in range(random_.randint(1, 20))]
        assert [as_given(one) for one in cell.many(values, shape.size * len(values))] == values, text


# ---- A million calls ----


def resident():
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_a_million_calls_leave_nothing_behind():
    thousands = 1000 if conftest.SCALE == 1 else 30
    text = """
        int abs(int j);
        size_t strlen(const char *s);
        symbol("memcpy") void copy(out uint8_t to[n], const uint8_t from[n], size_t n);
        void qsort(inout int base[n], size_t n, size_t size, int (*compare)(const int *a, const int *b) fails(0));
        struct div { int quot; int rem; };
        symbol("memcpy") void pair(out struct div *to, const struct div *from, size_t bytes);
    """
    with cordon.open("libc.so.6", text) as cell:

        def thousand():
            cell.abs.map(range(500))
            for i in range(300):
                cell.abs(-i)
            for _ in range(60):
                cell.strlen("hello")
                cell.copy(b"12345678", 8)
                cell.pair({"quot": 1, "rem": 2}, 8)
            for _ in range(5):
                cell.qsort([3, 1, 2], 4, lambda a, b: a - b)
            for _ in range(5):
                with pytest.raises(OverflowError):
                    cell.abs(2**40)
                with pytest.raises(TypeError):
                    cell.strlen(7)
            with cell.batch() as batch:
                for i in range(5):
                    batch.abs(i)

        for _ in range(3):
            thousand()
        gc.collect()
        tracemalloc.start()
        thousand()
        gc.collect()
        objects, traced = len(gc.get_objects()), tracemalloc.get_traced_memory()[0]
        for _ in range(3):
            thousand()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - traced < 20000
        tracemalloc.stop()
        before, fds = resident(), descriptors()
        for _ in range(thousands):
            thousand()
        gc.collect()
        assert conftest.SCALE > 1 or resident() - before < 2 << 20, "sanitizers keep what is freed"
        assert descriptors() == fds
        assert abs(len(gc.get_objects()) - objects) < 200
