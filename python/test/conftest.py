# SPDX-License-Identifier: Apache-2.0
"""What the tests share: cells of the C library, and lines that the runner of all tests counts."""

import os
import pathlib

import pytest

import cordon

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTERFACES = ROOT / "interfaces"
FAULTS = os.environ["CORDON_TEST_FAULTS"]
SCALE = float(os.environ.get("CORDON_TEST_TIME_SCALE", "1"))


def pytest_runtest_logstart(nodeid, location):
    print(f"\n[ RUN      ] {nodeid.replace(' ', '_')}", flush=True)


def pytest_runtest_logreport(report):
    name = report.nodeid.replace(" ", "_")
    if report.when == "call" and report.passed:
        print(f"\n[       OK ] {name}", flush=True)
    elif report.skipped:
        print(f"\n[  SKIPPED ] {name}\nskipped: {report.longrepr[2] if report.longrepr else ''}", flush=True)
    elif report.failed:
        print(f"\n[  FAILED  ] {name}", flush=True)


@pytest.fixture
def open_cell():
    """cordon.open() whose cells are closed at the end."""
    cells = []

    def opened(*args, **options):
        cells.append(cordon.open(*args, **options))
        return cells[-1]

    yield opened
    for cell in cells:
        cell.close()


@pytest.fixture(scope="module")
def zlib_cell():
    with cordon.open("libz.so.1", INTERFACES / "zlib.cordon") as cell:
        yield cell


def pids_of_children():
    """Processes whose parent this one is."""
    children = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
                children.append(int(entry.name))
    return children
