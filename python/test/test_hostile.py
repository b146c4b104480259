# SPDX-License-Identifier: Apache-2.0
"""Programs that do what nobody should while calls are made: change what they gave, close what they use, raise anywhere."""

import array
import asyncio
import gc
import subprocess
import sys
import threading
import time
import warnings
import weakref

import conftest
import pytest

import cordon

TEXT = """
int abs(int j);
int usleep(unsigned microseconds);
unsigned sleep(unsigned seconds);
symbol("memfrob") void frob(inout uint8_t s[n], size_t n);
void qsort(inout int base[n], size_t n, size_t size, int (*compare)(const int *a, const int *b) fails(0));
struct odd { int _first; int class; int count; };
symbol("memcpy") void odd(out struct odd *to, const struct odd *from, size_t bytes);
"""


@pytest.fixture
def libc(open_cell):
    return open_cell("libc.so.6", TEXT, timeout=30 * conftest.SCALE)


class Nasty:
    """An int that does something when it is asked for its value."""

    def __init__(self, value, act):
        self.value = value
        self.act = act

    def __index__(self):
        self.act()
        return self.value


# ---- What is given changes while it is taken ----


def test_a_list_that_shrinks_while_it_is_taken(libc):
    numbers = []
    numbers += [Nasty(1, numbers.clear), Nasty(2, numbers.clear), 3]
    assert libc.qsort(numbers, 4, lambda a, b: a - b) == [1, 2, 3]
    assert numbers == []


def test_a_list_that_grows_while_it_is_taken(libc):
    numbers = []
    numbers += [Nasty(i, lambda: numbers.extend(range(1000))) for i in (3, 1)]
    assert libc.qsort(numbers, 4, lambda a, b: a - b) == [1, 3]


def test_a_dict_that_changes_while_it_is_taken(libc):
    given = {}
    given.update(_first=Nasty(1, given.clear), count=3)
    assert libc.odd(given, 12)[:] == (1, 0, 0)
    given = {"_first": Nasty(1, lambda: given.update({str(i): i for i in range(1000)})), "count": 3}
    assert libc.odd(given, 12)[:] == (1, 0, 3)


def test_members_whose_names_python_has_not_go_back_in(libc):
    came = libc.odd({"_first": 1, "class": 2, "count": 3}, 12)
    assert (came.first, came.class_, came.count_ if hasattr(came, "count_") else came[2]) == (1, 2, 3)
    assert libc.odd(came, 12) == came


def test_buffers_cannot_be_resized_meanwhile(libc):
    numbers = array.array("i", [3, 1, 2])

    def compare(a, b):
        numbers.extend(range(1000))  # what the call holds cannot go elsewhere
        return a - b

    with pytest.raises(BufferError):
        libc.qsort(numbers, 4, compare)
    numbers.append(4)
    assert len(numbers) == 4, "it is given back"


# ---- Writable views in callbacks ----


def test_views_of_a_callback_may_outlive_it(open_cell):
    # The view is of a copy, whatever becomes of it.
    cell = open_cell(
        "libc.so.6",
        "void qsort(inout int base[n], size_t n, size_t size, int (*compare)(inout int a[1], inout int b[1]) fails(0));",
    )
    views = []

    def compare(a, b):
        views.extend([a, b, memoryview(a)])
        difference = a[0] - b[0]
        if len(views) > 6:
            a.release()
        return difference

    assert cell.qsort([5, 3, 1, 2, 4], 4, compare) == [1, 2, 3, 4, 5]
    cell.close()
    for view in views:
        try:
            view[0] = 7
            assert view[0] == 7
        except (ValueError, TypeError) as error:
            assert "released" in str(error) or "format" in str(error)


# ---- Closing in the middle ----


def test_a_callback_cannot_close_what_it_is_called_from(libc):
    def close(a, b):
        libc.close()
        return 0

    with pytest.raises(cordon.CordonError, match="not closed from inside"):
        libc.qsort([2, 1], 4, close)
    with libc.session() as session:

        def close_session(a, b):
            session.close()
            return 0

        with pytest.raises(cordon.CordonError, match="not closed from inside"):
            session.qsort([2, 1], 4, close_session)
        assert session.abs(-1) == 1
    assert libc.abs(-2) == 2


def test_an_iterator_cannot_close_the_cell_that_maps_it(libc):
    def numbers():
        yield -1
        libc.close()
        yield -2

    with pytest.raises(cordon.CordonError, match="not closed"):
        libc.abs.map(numbers())
    assert libc.abs(-3) == 3


@pytest.mark.parametrize("what", ["cell", "session"])
def test_closed_by_another_thread_while_a_call_waits(open_cell, what):
    cell = open_cell("libc.so.6", TEXT)
    of = cell.session() if what == "session" else cell
    of.abs(-1)
    ends = []

    def wait():
        try:
            of.sleep(60, timeout=50)
        except cordon.CordonError as error:
            ends.append(error)

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    while cell.stats()["calls"] < 2:  # one is under way; others wait for it, or are about to
        time.sleep(0.001)
    begin = time.monotonic()
    of.close()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begin < 5 * conftest.SCALE
    assert len(ends) == 8
    if what == "cell":
        assert all(isinstance(end, (cordon.AbortedError, cordon.ClosedError)) for end in ends), ends
    if what == "session":
        assert cell.abs(-5) == 5


def test_closed_while_threads_begin_calls():
    for _ in range(10):
        cell = cordon.open("libc.so.6", TEXT)
        go = threading.Event()
        ends = []

        def work(cell=cell, go=go, ends=ends):
            go.wait()
            try:
                while True:
                    cell.abs(-1)
                    cell.abs.map(range(100))
            except (cordon.ClosedError, cordon.AbortedError) as error:
                ends.append(error)

        threads = [threading.Thread(target=work) for _ in range(7)]
        for thread in threads:
            thread.start()
        go.set()
        time.sleep(0.02)
        cell.close()
        for thread in threads:
            thread.join(30 * conftest.SCALE)
            assert not thread.is_alive()
        assert len(ends) == 7


# ---- The interpreter's lock and a session's ----


def run_side_by_side(functions):
    """Each on a thread, which the interpreter changes as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=function, daemon=True) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60 * conftest.SCALE)
    finally:
        sys.setswitchinterval(before)


def test_callbacks_and_calls_of_many_threads_share_workers(open_cell):
    # More threads than workers: one waits for its callback's lock while others want its session.
    cell = open_cell("libc.so.6", TEXT, workers=2, timeout=60 * conftest.SCALE)
    done = []

    def sort():
        for _ in range(20):
            assert cell.qsort([3, 1, 2, 5, 4], 4, lambda a, b: a - b) == [1, 2, 3, 4, 5]
        done.append(None)

    def call():
        for i in range(300):
            assert cell.abs(-i) == i
        assert cell.abs.map(range(200)) == list(range(200))
        done.append(None)

    run_side_by_side((sort, call) * 4)
    assert len(done) == 8, "a thread waits for ever"


def test_members_of_objects_are_waited_for_without_the_lock(open_cell):
    # A callback wants the interpreter's lock while its session is wanted for a member.
    cell = open_cell(
        "libc.so.6",
        TEXT + 'struct counter { int n; double x; }; symbol("memset") void fill(resident struct counter *c, int byte, size_t n);',
        timeout=60 * conftest.SCALE,
    )
    done = []
    with cell.session() as session, session.object("struct counter") as counter:

        def sort():
            for _ in range(100):
                assert session.qsort([3, 1, 2, 5, 4], 4, lambda a, b: a - b) == [1, 2, 3, 4, 5]
            done.append(None)

        def count():
            for i in range(300):
                counter.n = i
                assert counter.n == i
            done.append(None)

        run_side_by_side((sort, count))
    assert len(done) == 2, "each waits for the other"


def test_handles_of_another_thread(open_cell):
    cell = open_cell("sqlite3")
    with cell.sqlite3_open(":memory:").ppDb as database:
        ends = []

        def use():
            ends.append(cell.sqlite3_changes(database))

        threads = [threading.Thread(target=use) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ends == [0] * 6


# ---- Exceptions ----


def test_map_goes_on_to_the_end_of_what_is_in_flight(libc):
    def numbers():
        for i in range(200):
            if i == 100:
                raise KeyError("in the middle")
            yield i

    with pytest.raises(KeyError):
        libc.abs.map(numbers())
    with pytest.raises(OverflowError):
        libc.abs.map([1, 2, 2**40, 3])
    with pytest.raises(TypeError):
        libc.abs.map([(1,), (1, 2)])
    with pytest.raises(TypeError):
        libc.abs.map(7)
    assert libc.abs.map([]) == []
    assert libc.abs.map(range(1000)) == list(range(1000))


def test_map_of_map(libc):
    def numbers():
        for i in range(100):
            yield -sum(libc.abs.map(range(i)))

    assert libc.abs.map(numbers()) == [i * (i - 1) // 2 for i in range(100)]


def test_map_with_callbacks_and_exceptions_in_them(libc):
    rows = [([3, 1, 2], 4, lambda a, b: a - b)] * 70
    assert libc.qsort.map(rows) == [[1, 2, 3]] * 70

    def wrong(a, b):
        raise ZeroDivisionError("in a callback")

    with pytest.raises(ZeroDivisionError):
        libc.qsort.map([*rows[:5], ([2, 1], 4, wrong), *rows[:5]])
    assert libc.abs(-1) == 1


def test_ctrl_c_in_map():
    program = f"""
import cordon, signal, threading, time
cell = cordon.open("libc.so.6", {TEXT!r}, timeout=60)
cell.abs(-1)
threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
begin = time.monotonic()
try:
    cell.usleep.map([100000] * 500)
except KeyboardInterrupt:
    print("stopped", time.monotonic() - begin < 10, cell.abs(-3))
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60 * conftest.SCALE, check=False
    )
    assert done.stdout == "stopped True 3\n", done


def test_ctrl_c_on_asyncio():
    program = f"""
import asyncio, cordon, signal, threading
main_thread = threading.get_ident()
cell = cordon.open("libc.so.6", {TEXT!r}, timeout=60)
async def main():
    await cell.sleep.aio(60)
threading.Timer(0.5, signal.pthread_kill, [main_thread, signal.SIGINT]).start()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("stopped", cell.abs(-3))
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60 * conftest.SCALE, check=False
    )
    assert done.stdout == "stopped 3\n", done


# ---- asyncio ----


@pytest.mark.parametrize("thread", [False, True])
def test_a_cell_closed_under_an_event_loop(open_cell, thread):
    cell = open_cell("libc.so.6", TEXT, timeout=60 * conftest.SCALE)

    async def main():
        calls = [asyncio.ensure_future(cell.sleep.aio(60)) for _ in range(3)]
        await asyncio.sleep(0.2)
        if thread:
            await asyncio.get_running_loop().run_in_executor(None, cell.close)
        else:
            cell.close()
        return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 10 * conftest.SCALE)

    ends = asyncio.run(main())
    assert all(isinstance(end, (cordon.ClosedError, cordon.AbortedError)) for end in ends), ends


def test_functions_beyond_the_interface_on_asyncio_and_in_sessions(libc):
    labs = libc.bind("long labs(long j);")

    async def main():
        return await labs.aio(-7)

    assert asyncio.run(main()) == 7
    with libc.session() as session:
        assert session.labs(-8) == 8


def test_loops_and_cells_are_not_kept_alive():
    cell = cordon.open("libc.so.6", TEXT)
    loops = []

    async def main():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        return await cell.abs.aio(-1)

    for _ in range(3):
        assert asyncio.run(main()) == 1
    gc.collect()
    assert [loop() for loop in loops] == [None] * 3
    gone = weakref.ref(cell)
    del cell
    gc.collect()
    assert gone() is None


# ---- Cycles ----


def test_cycles_through_kept_callbacks_are_collected():
    cell = cordon.open("expat")

    def start(context, name, attributes):
        return cell

    parser = cell.XML_ParserCreate(None)
    cell.XML_SetElementHandler(parser, start, None)
    gone = weakref.ref(cell)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del cell, parser, start
        gc.collect()
    assert gone() is None


def test_cycles_through_sessions_with_calls_in_flight_are_collected():
    cell = cordon.open("libc.so.6", TEXT)
    session = cell.session()
    session._prepare(session.sleep)
    pending = session._submit(cell.sleep, (60,), {"timeout": 50})
    assert pending is not None
    session.abs.__doc__
    gone = weakref.ref(session), weakref.ref(cell)
    begin = time.monotonic()
    del pending, session, cell
    gc.collect()
    assert [one() for one in gone] == [None, None]
    assert time.monotonic() - begin < 10 * conftest.SCALE


def test_sessions_of_a_cell_that_is_gone(libc):
    cell = cordon.open("libc.so.6", TEXT)
    session = cell.session()
    pending = None
    session._prepare(session.sleep)
    pending = session._submit(cell.sleep, (60,), {})
    cell.close()
    assert session.closed and "closed" in repr(session)
    with pytest.raises(cordon.ClosedError):
        session.abs(1)
    with pytest.raises(cordon.ClosedError):
        pending.result()
    session.close()


# ---- Names, numbers, nonsense ----


def test_very_long_names(open_cell):
    name = "n" * 200
    cell = open_cell("libc.so.6", f'symbol("abs") int {name}(int {"p" * 200});')
    function = getattr(cell, name)
    assert function(-1) == 1
    with pytest.raises(TypeError, match=name):
        function("x")
    assert function(**{"p" * 200: -5}) == 5
    assert name in repr(function)


def test_outputs_beyond_what_a_call_may_carry_are_refused_at_once(open_cell):
    cell = open_cell("libc.so.6", 'symbol("memcpy") void copy(out uint8_t to[n], const uint8_t from[m], size_t n, size_t m);')
    for count in (2**40, 2**62, 2**63):
        with pytest.raises((ValueError, MemoryError)):
            cell.copy(b"", count)


def test_grants_with_a_nul_inside():
    with pytest.raises(ValueError, match="NUL"):
        cordon.open("libc.so.6", TEXT, policy="files", grants=["read:/etc\0/x"])


def test_exceptions_with_surrogates_and_bad_reprs(libc):
    class Bad:
        def __repr__(self):
            raise RuntimeError("no repr")

        def __hash__(self):
            return 1

    with pytest.raises(TypeError):
        libc.odd({Bad(): 1}, 12)
    with pytest.raises(TypeError):
        libc.odd({"\udc80": 1}, 12)
    with pytest.raises(AttributeError):
        getattr(libc, "\udc80")
    with pytest.raises(TypeError):
        libc.abs(**{"\udc80": 1})


def test_a_fork_from_another_thread_closes_in_peace(libc):
    program = f"""
import cordon, os, threading, time
cell = cordon.open("libc.so.6", {TEXT!r})
cell.abs(-1)
threading.Thread(target=lambda: cell.sleep(3, timeout=20), daemon=True).start()
while cell.stats()["calls"] < 2:
    time.sleep(0.001)
pid = os.fork()
if pid == 0:
    cell.close()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), cell.abs(-3))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60 * conftest.SCALE, check=False
    )
    assert done.stdout == "7 3\n", done


def test_the_wrong_things_to_inner_methods(libc):
    with libc.session() as session:
        for wrong in (lambda: libc._run([]), lambda: libc._run((1,)), lambda: session._submit(1, (), {}),
                      lambda: session._prepare(None), lambda: libc._run(((libc.abs, (), ("a", "b")),))):  # fmt: skip
            with pytest.raises((TypeError, ValueError)):
                wrong()
