# SPDX-License-Identifier: Apache-2.0
"""Signatures of functions, made from their declarations when somebody asks."""

import inspect
import keyword

_KIND_VARIADIC = 20
_HINTS = {"bool": bool, "float": float, "double": float, "string": str, "bytes": bytes, "text": str}


def hint_of(text):
    """What a C type is in Python, as far as it has one name."""
    if text in _HINTS:
        return _HINTS[text]
    words = text.replace("_t", "").rstrip("0123456789")
    if words in ("int", "uint", "size", "char", "long", "short"):
        return int
    return text


def parameters_of(function):
    parameters, result = function._describe()
    return parameters, result


def signature_of(function):
    given = []
    optional = False
    parameters, result = parameters_of(function)
    outputs = []
    for name, kind, sent, may_miss, comes_back, number in parameters:
        if number == _KIND_VARIADIC:
            given.append(inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL))
            continue
        if comes_back:
            outputs.append(kind)
        if not sent:
            continue
        optional = may_miss
        given.append((name, kind, may_miss))
    return _build(given, result, outputs, function.result_class)


def _build(given, result, outputs, result_class):
    parameters = []
    names = set()
    # What may be missing has a default only if all behind it may be missing, too.
    plain = [p for p in given if isinstance(p, tuple)]
    first_default = len(plain)
    while first_default > 0 and plain[first_default - 1][2]:
        first_default -= 1
    for i, (name, kind, may_miss) in enumerate(plain):
        fit = f"{name}_" if keyword.iskeyword(name) else name
        if not fit.isidentifier() or fit in names:
            fit = f"arg{i}"
        names.add(fit)
        parameters.append(
            inspect.Parameter(
                fit,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=None if i >= first_default else inspect.Parameter.empty,
                annotation=hint_of(kind),
            )
        )
    parameters += [p for p in given if not isinstance(p, tuple)]
    parameters.append(
        inspect.Parameter("timeout", inspect.Parameter.KEYWORD_ONLY, default=..., annotation=float)
    )
    if result_class is not None:
        returned = result_class
    elif outputs:
        returned = hint_of(outputs[0])
    else:
        returned = None if result == "void" else hint_of(result)
    return inspect.Signature(parameters, return_annotation=returned)
