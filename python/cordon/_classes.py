# SPDX-License-Identifier: Apache-2.0
"""Classes that are made while a program runs: values of structs and of functions with several outputs."""

import collections
import keyword


def _fitting(names):
    """Names that a named tuple can have, as near to the declaration's as may be."""
    seen = set()
    for name in names:
        fit = name.lstrip("_") or "unnamed"
        if not fit.isidentifier():
            fit = "unnamed"
        if keyword.iskeyword(fit):
            fit += "_"
        while fit in seen:
            fit += "_"
        seen.add(fit)
        yield fit


def make(name, fields):
    words = name.split()
    title = next(_fitting([words[-1]])) if words else "struct"
    made = collections.namedtuple(title, list(_fitting(fields)))
    made._cordon_members = tuple(fields)  # as declared: what came back goes in again
    made.__doc__ = f"{name or 'A struct'}: {', '.join(made._fields)}"
    return made
