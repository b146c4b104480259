# SPDX-License-Identifier: Apache-2.0
"""Values in both directions, at the edges of every type."""

import array
import collections
import dataclasses
import math

import pytest

import cordon

INTEGERS = {
    "int8_t": (-(2**7), 2**7 - 1),
    "uint8_t": (0, 2**8 - 1),
    "int16_t": (-(2**15), 2**15 - 1),
    "uint16_t": (0, 2**16 - 1),
    "int32_t": (-(2**31), 2**31 - 1),
    "uint32_t": (0, 2**32 - 1),
    "int64_t": (-(2**63), 2**63 - 1),
    "uint64_t": (0, 2**64 - 1),
}

TM = """
struct tm {
    int tm_sec; int tm_min; int tm_hour; int tm_mday; int tm_mon; int tm_year; int tm_wday; int tm_yday; int tm_isdst;
    long tm_gmtoff; const char *tm_zone;
};
long timegm(inout struct tm *t);
"""


@pytest.fixture(scope="module")
def libc():
    # memcpy() as an echo of each type: what goes in comes back.
    echoes = "".join(
        f'symbol("memcpy") void echo_{kind}(out {kind} to[1], const {kind} from[1], size_t bytes);\n'
        for kind in (*INTEGERS, "float", "double", "bool")
    )
    with cordon.open(
        "libc.so.6",
        echoes
        + TM
        + """
        int abs(int j);
        long labs(long j);
        double ldexp(double x, int e);
        size_t strlen(const char *s);
        char *getenv(const char *name);
        symbol("memcpy") void copy(out uint8_t to[n], const uint8_t from[n], size_t n);
        symbol("memfrob") void frob(inout uint8_t s[n], size_t n);
        int memcmp(const uint8_t a[n], const uint8_t b[n], size_t n);
        long strtol(const char *text, nullable out within(text) char **end, int base);
        int snprintf(out char s[n], size_t n, const char *format, ...);
        enum whence { SET = 0, CUR = 1, END = 2 };
        symbol("abs") enum whence whence(enum whence w);
        """,
        grants=["env:HOME=/home/somebody"],
    ) as cell:
        yield cell


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_at_their_edges(libc, kind):
    least, most = INTEGERS[kind]
    echo = getattr(libc, f"echo_{kind}")
    size = (most.bit_length() + (least < 0) + 7) // 8
    for value in {least, least + 1, -1 if least else 0, 0, 1, most - 1, most}:
        assert echo([value], size)[0] == value
    for value in (least - 1, most + 1, 2**64, -(2**64), 2**200):
        with pytest.raises(OverflowError, match="does not fit"):
            echo([value], size)
    for value in ("1", 1.0, None, b"1", []):
        with pytest.raises(TypeError):
            echo([value], size)


def test_arguments_of_registers(libc):
    assert libc.abs(-(2**31) + 1) == 2**31 - 1
    assert libc.labs(-(2**63) + 1) == 2**63 - 1
    assert libc.abs(True) == 1
    assert libc.abs(j=-7) == 7
    with pytest.raises(OverflowError, match=r"abs\(\): argument 'j': 2147483648 does not fit int32_t"):
        libc.abs(2**31)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -math.inf, math.inf, 5e-324, 1.7976931348623157e308, 3])
def test_doubles(libc, value):
    came = libc.ldexp(value, 0)
    assert came == value and math.copysign(1, came) == math.copysign(1, value)
    assert libc.echo_double([value], 8) == [value]


def test_floats(libc):
    assert math.isnan(libc.ldexp(math.nan, 0))
    assert libc.echo_float([0.1], 4)[0] == pytest.approx(0.1, rel=1e-7)
    assert libc.echo_float([math.inf], 4) == [math.inf]
    with pytest.raises(OverflowError):
        libc.echo_float([1e39], 4)
    with pytest.raises(TypeError):
        libc.ldexp("1", 0)


def test_strings(libc):
    assert libc.strlen("") == 0
    assert libc.strlen("grüße") == 7
    assert libc.strlen(b"\xff\xfe") == 2
    assert libc.getenv("HOME") == "/home/somebody"
    assert libc.getenv("NONE_SUCH") is None
    with pytest.raises(ValueError, match="NUL"):
        libc.strlen("a\0b")
    with pytest.raises(TypeError):
        libc.strlen(7)


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda b: array.array("B", b), list, tuple])
def test_bytes_of_many_kinds(libc, make):
    data = bytes(range(256))
    assert libc.copy(make(data), len(data)) == data
    assert libc.memcmp(make(data), data) == 0


def test_lengths_that_follow_agree(libc):
    with pytest.raises(ValueError):
        libc.memcmp(b"abc", b"ab")
    assert libc.copy(b"", 0) == b""


def test_writable_buffers_are_written_in_place(libc):
    data = bytearray(b"secret")
    came = libc.frob(data)
    assert came is data and data != b"secret"
    assert libc.frob(data) is data and data == b"secret"
    fresh = libc.frob(b"secret")
    assert isinstance(fresh, bytes) and fresh != b"secret"
    target = bytearray(5)
    assert libc.copy(b"hello", 5, to=target) is target and target == b"hello"
    with pytest.raises(ValueError, match="its length says 5"):
        libc.copy(b"hello", 5, to=bytearray(4))
    with pytest.raises(TypeError, match="only comes back"):
        libc.copy(b"hello", 5, to=7)


def test_slices_that_are_not_contiguous_are_refused_or_copied(libc):
    view = memoryview(bytes(range(10)))[::2]
    with pytest.raises((BufferError, TypeError)):
        libc.copy(view, 5)
    assert libc.copy(bytes(view), 5) == bytes(range(0, 10, 2))


def test_offsets_into_arguments(libc):
    assert libc.strtol("42 apples", 10) == (42, 2)
    assert libc.strtol("x", 10).end == 0


def test_variadic(libc):
    assert libc.snprintf(64, "%d %s %.2f %ld", -42, "hi", 1.5, 2**40).s == f"-42 hi 1.50 {2**40}"
    with pytest.raises(TypeError):
        libc.snprintf(64, "%d", object())


def test_enumerators_by_name_or_number(libc):
    assert libc.whence("END") == 2
    assert libc.whence(1) == 1
    with pytest.raises(ValueError, match="no such enumerator"):
        libc.whence("MIDDLE")


@dataclasses.dataclass
class Tm:
    tm_year: int
    tm_mday: int
    tm_sec: int = 0


def test_structs_of_many_kinds(libc):
    named = collections.namedtuple("named", "tm_year tm_mday tm_sec")
    for given in (
        {"tm_year": 70, "tm_mday": 1, "tm_sec": 5},
        Tm(70, 1, 5),
        named(70, 1, 5),
        collections.ChainMap({"tm_year": 70}, {"tm_mday": 1, "tm_sec": 5}),
    ):
        result = libc.timegm(given)
        assert result.result == 5
        assert (result.t.tm_wday, result.t.tm_yday) == (4, 0)
    assert libc.timegm(result.t).result == 5, "what came back goes in again"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tm_yaer": 70}, "has no member 'tm_yaer'"),
        ({"tm_year": "x"}, r"argument 't'\.tm_year"),
        (7, "wants a dict"),
        ("abc", "wants a dict"),
        (object(), "none of its members"),
    ],
)
def test_structs_that_are_none(libc, given, says):
    with pytest.raises((TypeError, ValueError), match=says):
        libc.timegm(given)


def test_arguments_are_counted(libc):
    with pytest.raises(TypeError, match=r"abs\(\) takes 1 positional argument but 2 were given"):
        libc.abs(1, 2)
    with pytest.raises(TypeError, match="missing required argument: 'j'"):
        libc.abs()
    with pytest.raises(TypeError, match="unexpected keyword argument 'k'"):
        libc.abs(k=1)
    with pytest.raises(TypeError, match="multiple values for argument 'j'"):
        libc.abs(1, j=2)


def test_array_formats_are_judged(open_cell):
    cell = open_cell(
        "libc.so.6",
        "void qsort(inout int base[n], size_t n, size_t size, int (*cmp)(const int *a, const int *b) fails(0));",
    )
    numbers = array.array("i", [3, 1, 2])
    assert cell.qsort(numbers, 4, lambda a, b: a - b) is numbers
    assert list(numbers) == [1, 2, 3]
    assert cell.qsort([3, 1, 2], 4, lambda a, b: b - a) == [3, 2, 1]
    for wrong in (array.array("d", [1.0]), array.array("I", [1]), array.array("h", [1])):
        with pytest.raises(TypeError, match="does not fit"):
            cell.qsort(wrong, 4, lambda a, b: 0)
