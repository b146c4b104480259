# SPDX-License-Identifier: Apache-2.0
"""The wheel, and what makes it: everything is inside, and what is missing is said in a sentence."""

import base64
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import conftest
import pytest

import cordon

TOUR = """
import doctest, sys, cordon
assert cordon.__file__.startswith(sys.argv[2]), cordon.__file__
failed, tried = doctest.testfile(sys.argv[1], module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
print(failed, tried)
"""


@pytest.fixture
def backend(monkeypatch):
    monkeypatch.syspath_prepend(str(conftest.ROOT / "python"))
    import build_backend

    return build_backend


@pytest.fixture
def wheel(backend, monkeypatch, tmp_path):
    """Of the extension that the tests run with: the rest is the backend's."""
    monkeypatch.setattr(backend, "_build", lambda folder: pathlib.Path(cordon._cordon.__file__))
    return tmp_path / backend.build_wheel(str(tmp_path))


def test_the_tour_runs_from_the_wheel_alone(wheel, tmp_path):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    environment = {"PYTHONPATH": str(site), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {name: os.environ[name] for name in ("LD_PRELOAD", "ASAN_OPTIONS", "PYTHONMALLOC") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", TOUR, str(conftest.ROOT / "python" / "README.md"), str(site)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120 * conftest.SCALE,
        check=False,
    )
    assert done.returncode == 0, done
    failed, tried = done.stdout.split()[-2:]
    assert failed == "0" and int(tried) > 20, done.stdout


def test_its_record_is_true(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        info = next(name for name in names if name.endswith("/RECORD"))
        listed = set()
        for line in file.read(info).decode().splitlines():
            name, digest, size = line.rsplit(",", 2)
            listed.add(name)
            if name != info:
                data = file.read(name)
                assert int(size) == len(data)
                assert digest == "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    assert listed == names
    assert {"cordon/__init__.pyi", "cordon/py.typed", "cordon/interfaces/zlib.cordon"} <= names
    assert any(name.endswith("/LICENSE") for name in names)


def test_a_source_tree_is_configured_with_nothing_built_before(backend, monkeypatch, tmp_path):
    monkeypatch.delenv("LD_PRELOAD", raising=False)  # a sanitizer's, which is nothing for compilers
    for tool in ("meson", "ninja"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}")
    built = backend._configure(str(tmp_path / "build"))
    assert built.name.startswith("_cordon.") and not built.exists()


def test_missing_tools_are_named(backend, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(SystemExit, match="meson, ninja, a C compiler.*tools/setup"):
        backend.build_wheel(str(tmp_path))
