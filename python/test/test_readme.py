# SPDX-License-Identifier: Apache-2.0
"""The tours in the package's README, and in the project's, say what really happens."""

import doctest

import conftest
import pytest


@pytest.mark.parametrize(("page", "least"), [("python/README.md", 21), ("README.md", 5)])
def test_the_tour(page, least):
    failed, tried = doctest.testfile(str(conftest.ROOT / page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried >= least
    assert failed == 0
