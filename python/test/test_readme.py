# SPDX-License-Identifier: Apache-2.0
"""The tour in the package's README says what really happens."""

import doctest

import conftest


def test_the_tour():
    failed, tried = doctest.testfile(
        str(conftest.ROOT / "python" / "README.md"), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert tried > 20
    assert failed == 0
