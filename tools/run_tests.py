# SPDX-License-Identifier: Apache-2.0
"""Run the tests that a meson build directory knows, in several passes, and count cmocka's cases.

A pass is SUITE[:user=NAME][:without=LIST]. A test program counts its cases by cmocka's own lines; a
program that is killed, hangs or fails without saying which case counts as one failure more.

Programs run side by side, and a busy machine can make one late. So what fails is run once more at the
end of its pass, alone: what holds then is counted as it ended then, and named as unsteady. A crash or a
sanitizer's finding is not run again. The last lines name what failed and what was unsteady, and the very
last one reads `N passed, N failed, N skipped`.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MESON_SKIPPED = 77
FINDING = re.compile(r"Sanitizer|runtime error:|WARNING: DATA RACE")
CASE_LINE = re.compile(r"^\[\s*(RUN|OK|FAILED|SKIPPED|ERROR)\s*\] (?!\d+ test\(s\)|---)(\S+)", re.MULTILINE)


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclasses.dataclass
class Result:
    """How a program of a pass ended."""

    test: dict
    chosen: "Pass"
    count: Count
    text: str
    status: int | None  # of the process; None: it took too long
    seconds: float

    def __str__(self):
        return f"{self.test['name']} ({self.chosen})"

    def failed_cases(self):
        last = {name.rstrip(":,"): word for word, name in CASE_LINE.findall(self.text)}
        return [name for name, word in last.items() if word not in ("OK", "SKIPPED")]

    def may_be_noise(self):
        crashed = self.status is not None and (self.status < 0 or self.status >= 128)
        return self.count.failed and not crashed and not FINDING.search(self.text)


@dataclasses.dataclass
class Record:
    """What the end of the run tells again."""

    total: Count = dataclasses.field(default_factory=Count)
    failed: list = dataclasses.field(default_factory=list)
    unsteady: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Pass:
    suite: str
    user: str = ""
    without: str = ""

    def __str__(self):
        words = [self.suite]
        if self.user:
            words.append(f"as {self.user}")
        if self.without:
            words.append(f"without {self.without}")
        return " ".join(words)


def parse_pass(text):
    suite, *rest = text.split(":")
    chosen = Pass(suite)
    for part in rest:
        key, _, value = part.partition("=")
        if key not in ("user", "without") or not value:
            raise argparse.ArgumentTypeError(f"what is {part!r}?")
        setattr(chosen, key, value)
    return chosen


def introspect(build):
    out = subprocess.run(
        ["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True
    )
    return json.loads(out.stdout)


def count_cases(output, status):
    """Cases by their last word; a case that was begun and never ended is the one that killed it."""
    last = {}
    for word, name in CASE_LINE.findall(output):
        last[name.rstrip(":,")] = word
    words = list(last.values())
    count = Count(words.count("OK"), 0, words.count("SKIPPED"))
    count.failed = len(words) - count.passed - count.skipped
    if not words:
        if status == 0:
            count.passed = 1
        elif status == MESON_SKIPPED:
            count.skipped = 1
    if status not in (0, MESON_SKIPPED) and count.failed == 0:
        count.failed = 1
    return count


def user_options(name):
    """What subprocess needs to become an ordinary user; nothing for the user that runs us."""
    if not name:
        return {}
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def run_one(test, chosen, temporary, time_scale):
    begin = time.monotonic()
    env = dict(os.environ)
    env["CORDON_TEST_TIME_SCALE"] = str(time_scale)
    env.update(test["env"])
    env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    env["TMPDIR"] = temporary
    env["XDG_STATE_HOME"] = temporary  # where reports go
    if chosen.user:
        env["HOME"] = temporary
    if chosen.without:
        env["CORDON_TEST_WITHOUT"] = chosen.without
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        if chosen.user:
            # Whoever writes to it may open it anew: a worker's standard error is no file of somebody else's.
            os.fchown(output.fileno(), pwd.getpwnam(chosen.user).pw_uid, -1)
        # Its own process group, so that a test that hangs goes with all it started.
        process = subprocess.Popen(
            test["cmd"],
            env=env,
            cwd=test["workdir"] or test["build"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **user_options(chosen.user),
        )
        try:
            status = process.wait(timeout=max(test["timeout"], 1) * time_scale)
        except subprocess.TimeoutExpired:
            status = None
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        text = output.read()
    if status is None:
        text += f"\n*** ended after {test['timeout'] * time_scale} s\n"
    return Result(test, chosen, count_cases(text, status), text, status, time.monotonic() - begin)


def readable_by(path, user):
    check = subprocess.run(["test", "-x", path], **user_options(user), check=False)
    return check.returncode == 0


def copy_for(user, root, build):
    """A copy of sources and build that @user can read, where the original cannot be: its path."""
    copy = tempfile.mkdtemp(prefix="cordon-test-")
    os.chmod(copy, 0o755)
    ignore = shutil.ignore_patterns(".git", "*.o", "*.a", "build-*", "meson-private")
    shutil.copytree(root, os.path.join(copy, "tree"), symlinks=True, ignore=ignore)
    if not os.path.realpath(build).startswith(os.path.realpath(root) + os.sep):
        raise SystemExit("the build directory must lie in the source tree")
    return copy, os.path.join(copy, "tree")


def moved(value, old, new):
    return value if value is None else value.replace(old, new)


def run_pass(chosen, tests, options, record):
    root, build = options.root, options.build
    selected = [t for t in tests if any(s.split(":")[-1] == chosen.suite for s in t["suite"])]
    for test in selected:
        test["build"] = build  # tests run there, as `meson test` has it
    print(f"== {chosen}: {len(selected)} programs", flush=True)
    total = Count()
    scratch = []
    try:
        probe = next((t["cmd"][0] for t in selected), None)
        if chosen.user and probe and not readable_by(probe, chosen.user):
            copy, tree = copy_for(chosen.user, root, build)
            scratch.append(copy)
            for test in selected:
                test["build"] = moved(test["build"], root, tree)
                test["cmd"] = [moved(word, root, tree) for word in test["cmd"]]
                test["workdir"] = moved(test["workdir"], root, tree)
                test["env"] = {k: moved(v, root, tree) for k, v in test["env"].items()}
        temporary = tempfile.mkdtemp(prefix="cordon-test-")
        scratch.append(temporary)
        os.chmod(temporary, 0o711)  # tests of who may connect are other users in it
        if chosen.user:
            os.chown(temporary, pwd.getpwnam(chosen.user).pw_uid, -1)
        for result in run_selected(selected, chosen, temporary, options, record):
            total.add(result.count)
            if result.count.failed:
                record.failed.append(result)
    finally:
        for path in scratch:
            shutil.rmtree(path, ignore_errors=True)
    print(f"   {chosen}: {total}", flush=True)
    record.total.add(total)


def run_selected(selected, chosen, temporary, options, record):
    """Side by side what may be, then the others one by one, then once more what may have been noise."""
    again = []
    alone = [t for t in selected if not t["is_parallel"]]
    together = [t for t in selected if t["is_parallel"]]
    for group, workers in ((together, options.jobs), (alone, 1)):
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            started = [
                pool.submit(run_one, test, chosen, temporary, options.time_scale) for test in group
            ]
            for future in concurrent.futures.as_completed(started):
                result = future.result()
                tell(result)
                if result.may_be_noise():
                    again.append(result)
                else:
                    yield result
    for first in again:
        print(f"   once more, alone: {first.test['name']}", flush=True)
        second = run_one(first.test, chosen, temporary, options.time_scale)
        tell(second)
        if not second.count.failed:
            record.unsteady.append(first)
        yield second


def tell(result):
    count, text = result.count, result.text
    print(f"   {result.test['name']:<32} {count}  ({result.seconds:.1f} s)", flush=True)
    if count.failed:
        lines = text.splitlines()
        for line in lines if len(lines) < 80 else [f"({len(lines) - 80} lines)"] + lines[-80:]:
            print(f"      | {line}")
    elif count.skipped:
        for line in text.splitlines():
            if line.startswith("skipped:"):
                print(f"      | {line}")


def tell_again(word, results):
    for result in results:
        cases = ", ".join(result.failed_cases()) or "no case is named"
        print(f"{word}: {result}: {cases}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--pass", dest="passes", action="append", type=parse_pass, required=True)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--time-scale", type=int, default=1, help="multiplies every time limit")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()

    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell starts what runs behind it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    record = Record()
    for chosen in options.passes:
        tests = introspect(options.build)
        if options.names:
            tests = [t for t in tests if any(name in t["name"] for name in options.names)]
        run_pass(chosen, tests, options, record)
    total = record.total
    if total.passed + total.failed + total.skipped == 0:
        print("no such test")
        total.failed = 1
    tell_again("unsteady", record.unsteady)
    tell_again("failed", record.failed)
    print(total, flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
