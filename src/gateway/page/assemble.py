# SPDX-License-Identifier: Apache-2.0
"""Make one file of the status page's parts, and the policy under which a browser may show it.

usage: assemble.py PAGE_OUT POLICY_OUT page.html page.css SCRIPT...

The scripts become one, in their order. The policy names style and script by their hashes: nothing else that came to stand
in the page is run, and it talks to nobody but the daemon that sent it.
"""

import base64
import hashlib
import pathlib
import re
import sys

# C, HTML, CSS and JavaScript need no licence line of each part inside of the whole.
LICENCE = re.compile(r"^(?:/\*|//) SPDX-License-Identifier: [^\n]*\n", re.M)


def read(path):
    return LICENCE.sub("", pathlib.Path(path).read_text(encoding="utf-8"))


def hashed(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def main(page_out, policy_out, template, style, *scripts):
    style_text = "\n" + read(style)
    script_text = '\n"use strict";\n' + "\n".join(read(script) for script in scripts)
    if "</style" in style_text or "</script" in script_text or "<!--" in script_text:
        sys.exit("assemble.py: style or script would end too early")
    page = read(template)
    for mark, text in (("<style></style>", f"<style>{style_text}</style>"),
                       ("<script></script>", f"<script>{script_text}</script>")):
        if page.count(mark) != 1:
            sys.exit(f"assemble.py: {mark} is to be in the page once")
        page = page.replace(mark, text)
    policy = "; ".join([
        "default-src 'none'",
        f"script-src {hashed(script_text)}",
        f"style-src {hashed(style_text)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ])
    pathlib.Path(page_out).write_text(page, encoding="utf-8")
    pathlib.Path(policy_out).write_text(f'#define PAGE_POLICY "{policy}"\n', encoding="utf-8")


main(*sys.argv[1:])
