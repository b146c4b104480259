# SPDX-License-Identifier: Apache-2.0
"""What programs see of functions, and what else calls can be asked for: signatures, errno, batches, constants, stubs."""

import errno
import gc
import importlib.util
import inspect
import os
import subprocess
import sys
import warnings

import conftest
import pytest

import cordon

TEXT = """
// The absolute value of a number.
int abs(int j);
enum whence { SET = 0, CUR = 1, END = 2 };
symbol("abs") enum whence whence(enum whence w);
int chdir(const char *path);
symbol("memcpy") void copy(out uint8_t to[n], const uint8_t from[n], size_t n);
long strtol(const char *text, nullable out within(text) char **end, int base);
int snprintf(out char s[n], size_t n, const char *format, ...);
char *getenv(const char *name);
struct pair { int a; int b; };
symbol("memcpy") void pair(out struct pair *to, const struct pair *from, size_t bytes);
int raise(int signal);
"""


@pytest.fixture
def libc(open_cell):
    return open_cell("libc.so.6", TEXT)


def test_signatures(libc):
    assert str(inspect.signature(libc.abs)) == "(j: int, *, timeout: float = Ellipsis) -> int"
    copy = inspect.signature(libc.copy)
    assert list(copy.parameters) == ["from_", "n", "timeout"], "what only comes back is not passed"
    assert copy.return_annotation is bytes
    result = inspect.signature(libc.strtol).return_annotation
    assert result is libc.strtol.result_class
    assert result._fields == ("result", "end")
    assert "args" in inspect.signature(libc.snprintf).parameters
    assert inspect.signature(libc.pair).return_annotation == "struct pair"
    assert inspect.signature(libc.whence).return_annotation is not None


def test_comments_are_docstrings(libc):
    assert inspect.getdoc(libc.abs) == "The absolute value of a number."
    assert libc.chdir.__doc__ is None


def test_names_are_completed(libc):
    assert {"abs", "copy", "close", "session", "batch"} <= set(dir(libc))
    with libc.session() as session:
        assert {"abs", "copy", "close"} <= set(dir(session))
        assert {"abs", "copy"} <= set(dir(session.batch()))


def test_reprs(open_cell, libc):
    assert repr(libc) == "<cordon.Cell libc.so.6>"
    assert repr(libc.abs) == "<cordon function abs of libc.so.6>"
    with libc.session() as session:
        assert repr(session) == "<cordon.Session of libc.so.6>"
    assert repr(session) == "<cordon.Session of libc.so.6, closed>"
    assert repr(libc.pair({"a": 1, "b": 2}, 8)) == "pair(a=1, b=2)"
    with open_cell("sqlite3").sqlite3_open(":memory:").ppDb as database:
        assert repr(database).startswith("<cordon.Handle sqlite3 ")
    assert repr(database).endswith(", closed>")


def test_constants(libc):
    assert libc.constants == {"SET": 0, "CUR": 1, "END": 2}
    assert libc.whence(libc.constants["END"]) == 2


def test_errno_beside_the_value(libc):
    assert libc.chdir.errno("/nowhere/to/be/found") == (-1, errno.ENOENT)
    value, number = libc.abs.errno(-5)
    assert (value, number) == (5, 0)
    assert libc.abs.errno(j=-5, timeout=10) == (5, 0)
    result, number = libc.strtol.errno("9" * 30, 10)
    assert number == errno.ERANGE
    assert result.result == 2**63 - 1


def test_failures_as_oserror(libc):
    with pytest.raises(FileNotFoundError) as caught:
        libc.chdir.check("/nowhere/to/be/found")
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == "chdir"
    assert libc.abs.check(-3) == 3
    with pytest.raises(OSError):
        libc.getenv.check("NONE_SUCH")
    with pytest.raises(cordon.CrashError):
        getattr(libc, "raise").check(11)


def test_batches(libc):
    with libc.batch() as batch:
        first = batch.abs(-1)
        with pytest.raises(RuntimeError, match="not been run"):
            first.result()
        text = batch.copy(b"hello", n=5)
        wrong = batch.abs("x")
        crash = getattr(batch, "raise")(11)
        last = batch.abs(-2)
        many = [batch.abs(-i) for i in range(200)]
        assert len(batch) == 205
    assert (first.result(), text.result()) == (1, b"hello")
    with pytest.raises(TypeError):
        wrong.result()
    with pytest.raises(cordon.CrashError):
        crash.result()
    with pytest.raises(cordon.AbortedError):
        last.result()
    assert "AbortedError" in repr(last)
    assert many[-1].result() == 199, "those after the crash's worker have a fresh one"
    with libc.session() as session, session.batch() as batch:
        kept = batch.abs(-7)
    assert kept.result() == 7


def test_a_batch_that_raises_makes_no_calls(libc):
    before = libc.stats()["calls"]
    with pytest.raises(KeyError), libc.batch() as batch:
        call = batch.abs(-1)
        raise KeyError
    with pytest.raises(RuntimeError):
        call.result()
    with pytest.raises(AttributeError):
        libc.batch().nothing_like_this
    assert libc.stats()["calls"] == before


def test_handles_that_are_dropped_unclosed_are_told(open_cell):
    cell = open_cell("sqlite3")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        cell.sqlite3_open(":memory:")
        gc.collect()
    assert [one.category for one in told] == [ResourceWarning]
    assert "unclosed <cordon.Handle sqlite3" in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        database = cell.sqlite3_open(":memory:").ppDb
        cell.sqlite3_close(database)
        assert database.closed
        del database
        with cell.sqlite3_open(":memory:").ppDb:
            pass
        gc.collect()


@pytest.mark.parametrize("name", sorted(path.stem for path in conftest.INTERFACES.glob("*.cordon")))
def test_generated_modules(tmp_path, name):
    made = subprocess.run(
        [os.environ["CORDON_PROGRAM"], "generate", "python", conftest.INTERFACES / f"{name}.cordon"],
        capture_output=True,
        text=True,
        timeout=30 * conftest.SCALE,
        check=True,
    )
    module = tmp_path / f"made_{name}.py"
    module.write_text(made.stdout)
    spec = importlib.util.spec_from_file_location(module.stem, module)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    assert loaded.INTERFACE == (conftest.INTERFACES / f"{name}.cordon").read_text()
    # What a type checker reads is a class: its methods are the cell's functions, parameter by parameter.
    scope = {}
    exec(compile(made.stdout.replace("if TYPE_CHECKING:", "if True:").replace("(cordon.Cell)", ""), str(module), "exec"), scope)
    with loaded.open() as cell:
        functions = {key for key in vars(scope["Cell"]) if not key.startswith("_")}
        assert functions
        for key in functions:
            method = inspect.signature(getattr(scope["Cell"], key))
            try:
                function = inspect.signature(getattr(cell, key))
            except AttributeError:
                continue  # this machine's library has no such function
            given = [parameter.kind for parameter in method.parameters.values()][1:]
            assert len(given) == len(function.parameters), key
    if importlib.util.find_spec("mypy"):
        checked = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", module],
            capture_output=True, text=True, timeout=200 * conftest.SCALE, check=False,
            env={**os.environ, "MYPYPATH": str(conftest.ROOT / "python")},
        )  # fmt: skip
        assert checked.returncode == 0, checked.stdout
