# SPDX-License-Identifier: Apache-2.0
"""Every fault of the test suite, from Python: an exception or a number, and the interpreter is alive after."""

import re
import subprocess

import conftest
import pytest

import cordon

OTHERS = {
    "storm": "wants a callback: test_callbacks.py has callbacks that never end",
    "lane_use": "wants an object",
    "lane_rewrite": "wants bytes to rewrite",
    "ctor_thread": "is in a library of its own",
}
# Forbidden acts and leaks that return at once need no deadline of their own; all others get one.
DEADLINE = 1.0 * conftest.SCALE


def names():
    listed = subprocess.run(["nm", "-D", "--defined-only", conftest.FAULTS], capture_output=True, text=True, check=True)
    return sorted(re.findall(r" T fault_(\w+)$", listed.stdout, re.MULTILINE))


@pytest.mark.parametrize("name", names())
def test_fault(name):
    if name in OTHERS:
        pytest.skip(OTHERS[name])
    text = f'library "{conftest.FAULTS}"; int fault_{name}(int value); symbol("fault_none") int behaves(int value);'
    with cordon.open(None, text, timeout=DEADLINE, spares=0, reports="") as cell:
        assert cell.behaves(1) == 1
        try:
            value = getattr(cell, f"fault_{name}")(3)
            assert isinstance(value, int)
        except cordon.CordonError as error:
            assert str(error).startswith(f"fault_{name}(): "), error
        for _ in range(50):  # breakers and pauses between starts let it through at last
            try:
                assert cell.behaves(7) == 7
                break
            except (cordon.OpenError, cordon.BusyError, cordon.AbortedError, cordon.CrashError):
                pass
        else:
            pytest.fail("the cell does not heal")
    assert sum(range(1000)) == 499500
