# SPDX-License-Identifier: Apache-2.0
"""Print the function declarations of system headers, one a line, as the compiler sees them.

usage: extract.py OUTPUT COMPILER...     the compiler's command, without arguments of its own for -E

Nothing is chosen by hand: every `extern` function that the preprocessed headers declare is printed, with
attributes and asm names as they stand. What Cordon makes of them is the test's matter.
"""

import re
import subprocess
import sys

HEADERS = (
    "math.h", "string.h", "strings.h", "stdlib.h", "ctype.h", "stdio.h", "time.h", "unistd.h",
    "wctype.h", "locale.h", "zlib.h",
)


def main():
    output, *compiler = sys.argv[1:]
    source = "".join(f"#include <{header}>\n" for header in HEADERS)
    text = subprocess.run(
        [*compiler, "-E", "-P", "-O0", "-x", "c", "-"],
        input=source, capture_output=True, text=True, check=True,
    ).stdout
    seen = set()
    with open(output, "w", encoding="utf-8") as out:
        for statement in re.sub(r"\{[^{}]*\}", ";", text).split(";"):
            declaration = " ".join(statement.split())
            match = re.match(r"extern [^(]*?\b([A-Za-z]\w*) ?\(", declaration)
            if match and match.group(1) not in seen:
                seen.add(match.group(1))
                out.write(declaration + ";\n")


if __name__ == "__main__":
    main()
