#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Cordon's struct layouts with those of the C compilers.

    generate.py SEED COUNT COMPILER PRINT_LAYOUT

makes COUNT random structs, lets COMPILER print sizes, alignments and offsets of all members, and
compares them with what PRINT_LAYOUT says for the same text. Exits with 77 if there is no such compiler.
"""

import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SCALARS = [
    "char", "signed char", "unsigned char", "short", "unsigned short", "int", "unsigned int",
    "long", "unsigned long", "long long", "unsigned long long", "_Bool", "float", "double",
    "int8_t", "uint16_t", "int32_t", "uint64_t", "size_t", "ssize_t", "intptr_t", "wchar_t",
    "enum small", "enum negative", "enum wide",
]
POINTERS = ["void *{}", "const char *{}", "struct opaque *{}", "int (*{})(int, void *)"]
ENUMS = """enum small { SMALL_A, SMALL_B = 7 };
enum negative { NEGATIVE_A = -1, NEGATIVE_B };
enum wide { WIDE_A = 0x100000000 };
"""


def union(rng, name, earlier):
    """A union that the member m0 selects from; compilers do not read its labels."""
    members = "".join(f"case {i}: {member(rng, f'u{i}', earlier)}; "
                      for i in range(rng.randint(1, 4)))
    return f"union {{ {members}}} {name} switch(m0)"


def without_labels(text):
    return re.sub(r"case \d+: |switch\(m0\)", "", text)


def member(rng, name, earlier):
    """One member's declaration; nested structs come from the names in earlier."""
    if name == "m0":
        return f"{rng.choice(['int', 'unsigned char', 'long'])} m0"
    kind = rng.random()
    if kind > 0.92 and name.startswith("m"):
        return union(rng, name, earlier)
    if kind < 0.15:
        return rng.choice(POINTERS).format(name)
    base = "struct " + rng.choice(earlier) if kind < 0.35 and earlier else rng.choice(SCALARS)
    text = f"{base} {name}"
    if rng.random() < 0.3:
        text += f"[{rng.randint(1, 5)}]"
        if rng.random() < 0.2:
            text += f"[{rng.randint(1, 3)}]"
    attribute = rng.random()
    if attribute < 0.04:
        text += " __attribute__((packed))"
    elif attribute < 0.08:
        text += f" __attribute__((aligned({rng.choice([2, 4, 8, 16, 32])})))"
    return text


def structs(rng, count):
    """(name, member names, text) of each struct."""
    made = []
    for index in range(count):
        name = f"s{index}"
        # Only small ones nest, so that sizes stay within reason.
        earlier = [f"s{i}" for i in range(max(0, index - 6), index) if i % 3 == 0]
        names = [f"m{i}" for i in range(rng.randint(1, 8))]
        body = "".join(f"    {member(rng, m, earlier)};\n" for m in names)
        suffix = rng.random()
        attribute = (" __attribute__((packed))" if suffix < 0.12 else
                     f" __attribute__((aligned({rng.choice([4, 16, 64])})))" if suffix < 0.2 else
                     f" __attribute__((packed, aligned({rng.choice([2, 4])})))" if suffix < 0.25
                     else "")
        made.append((name, names, f"struct {name} {{\n{body}}}{attribute};\n"))
    return made


def compiled(compiler, made, text, folder):
    """What the compiler says: one line per struct and member."""
    lines = ["#include <stddef.h>", "#include <stdint.h>", "#include <stdio.h>",
             "#include <sys/types.h>", "#include <wchar.h>", without_labels(text), "int main(void)", "{"]
    for name, names, _ in made:
        lines.append(f'    printf("{name} %zu %zu\\n", sizeof(struct {name}), '
                     f"_Alignof(struct {name}));")
        for m in names:
            lines.append(f'    printf("{name}.{m} %zu %zu\\n", offsetof(struct {name}, {m}), '
                         f"sizeof(((struct {name} *)0)->{m}));")
    lines += ["    return 0;", "}", ""]
    source = folder / "layout.c"
    source.write_text("\n".join(lines))
    subprocess.run([compiler, "-std=gnu17", "-w", "-o", folder / "layout", source], check=True)
    return subprocess.run([folder / "layout"], check=True, capture_output=True, text=True).stdout


def main():
    seed, count, compiler, print_layout = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    if not shutil.which(compiler):
        print(f"skipped: there is no {compiler} here")
        return 77
    made = structs(random.Random(seed), count)
    text = ENUMS + "".join(one[2] for one in made)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = compiled(compiler, made, text, folder).splitlines()
        (folder / "layout.cordon").write_text(text)
        actual = subprocess.run([print_layout, folder / "layout.cordon"], check=True,
                                capture_output=True, text=True).stdout.splitlines()
    wrong = [(e, a) for e, a in zip(expected, actual) if e != a]
    for e, a in wrong[:20]:
        print(f"{compiler}: {e}   cordon: {a}")
    if len(expected) != len(actual):
        print(f"{len(expected)} lines from {compiler}, {len(actual)} from cordon")
    print(f"seed {seed}: {count} structs, {len(expected)} lines compared, {len(wrong)} differ")
    return 1 if wrong or len(expected) != len(actual) else 0


if __name__ == "__main__":
    sys.exit(main())
