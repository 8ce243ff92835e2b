#!/usr/bin/env python3
"""Plants the mistakes of tests/mutants/*.patch one by one and sees that the tests find each.

    tests/mutants/run.py [NAME...]      all, or those whose file name contains NAME

A patch begins with what it is about:

    Rule: SEC-01
    Program: core_tests
    Red: SEC-01*                        doctest's filter: at least one of these tests must fail
    Mistake: a pointer may point at itself

Works in copies of the tree under build/mutants, two at a time, so that the tree itself is never touched. Fails when a
mistake goes unnoticed, when a patch no longer applies, or when it does not compile.
"""

import concurrent.futures
import os
import queue
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
WORK = SOURCE / "build" / "mutants"
COPIED = ["CMakeLists.txt", "lib", "tests"]
WORKERS = 2
SECONDS = 60

sys.path.insert(0, str(HERE.parent))
import run as runner  # noqa: E402


class Broken(Exception):
    """The mutant proves nothing: why."""


def main(names):
    patches = [p for p in sorted(HERE.glob("*.patch")) if not names or any(n in p.name for n in names)]
    mutants = [read_header(p) for p in patches]
    if not mutants:
        sys.exit("mutants: none found")
    copies = [Copy(WORK / str(n)) for n in range(min(WORKERS, len(mutants)))]
    for copy in copies:  # one after the other: what the first has compiled, the others find in ccache
        copy.prepare(sorted({m["Program"] for m in mutants}))
    green = {key for key in {(m["Program"], m["Red"]) for m in mutants} if copies[0].is_green(*key)}
    idle = queue.SimpleQueue()
    for copy in copies:
        idle.put(copy)
    with concurrent.futures.ThreadPoolExecutor(len(copies)) as pool:
        found = sum(pool.map(lambda m: judge(m, idle, green), mutants))
    print(f"{found} of {len(mutants)} mistakes found")
    return 0 if found == len(mutants) else 1


def judge(mutant, idle, green):
    """Whether a test notices the mistake. Prints the line that says so."""
    copy, started, red = idle.get(), time.monotonic(), None
    try:
        if (mutant["Program"], mutant["Red"]) not in green:
            raise Broken(f"{mutant['Red']} of {mutant['Program']} is not green before the mistake is planted")
        red = copy.verdict_of(mutant)
        outcome = f"red: {red}" if red else "SURVIVED: no test of " + mutant["Red"] + " failed"
    except Broken as why:
        outcome = f"BROKEN: {why}"
    finally:
        idle.put(copy)
    print(f"{mutant['Rule']:<7} {mutant['file'].name:<38} {time.monotonic() - started:4.0f} s  {outcome}", flush=True)
    return red is not None


def read_header(patch):
    head = patch.read_text().split("\n--- ", 1)[0]
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    if missing := {"Rule", "Program", "Red", "Mistake"} - set(fields):
        sys.exit(f"{patch.name}: no {', '.join(sorted(missing))} at its top")
    return {**fields, "file": patch}


class Copy:
    """A copy of the tree, and what is built of it."""

    def __init__(self, place):
        self.place, self.tree, self.build_dir = place, place / "tree", place / "build"

    def prepare(self, programs):
        """Makes it afresh, and builds it."""
        self.restore()
        self.build_dir.mkdir(parents=True, exist_ok=True)
        # -O1 without -g: simulations that run long are built a little slower, and all programs linked much quicker.
        quiet(["cmake", "-G", "Ninja", "-S", self.tree, "-B", self.build_dir, "-DCMAKE_BUILD_TYPE=Debug",
               "-DCMAKE_CXX_FLAGS_DEBUG=-O1", "-DLBRESOLVE_BUILD_CLI=OFF", "-DLBRESOLVE_BUILD_EXAMPLES=OFF",
               "-DLBRESOLVE_BUILD_SHARED=OFF", "-DLBRESOLVE_INSTALL=OFF", "-DLBRESOLVE_WERROR=OFF"],
              "configuring failed")
        self.build(programs)

    def restore(self):
        """Makes it equal to the tree; touches only files that differ, so that little is rebuilt."""
        for name in COPIED:
            for source in sorted((SOURCE / name).rglob("*")) if (SOURCE / name).is_dir() else [SOURCE / name]:
                copy = self.tree / source.relative_to(SOURCE)
                if source.is_dir() or "__pycache__" in source.parts:
                    continue
                if not copy.exists() or copy.read_bytes() != source.read_bytes():
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, copy)
        for copy in [p for p in self.tree.rglob("*") if p.is_file()]:
            if not (SOURCE / copy.relative_to(self.tree)).exists():
                copy.unlink()

    def verdict_of(self, mutant):
        """The name of the test that turned red, or None. What the last one planted is built back together with it."""
        self.restore()
        quiet(["patch", "--batch", "--forward", "--strip=1", "--no-backup-if-mismatch", f"--input={mutant['file']}"],
              "the patch does not apply", cwd=self.tree)
        self.build([mutant["Program"]])
        after, status = self.run_tests(mutant["Program"], mutant["Red"])
        failed = [c["name"] for c in after if c["outcome"] == "failed"]
        return failed[0] if failed else f"{mutant['Red']} ({status})" if status != 0 else None

    def is_green(self, program, only):
        cases, status = self.run_tests(program, only)
        return bool(cases) and status == 0

    def build(self, programs):
        quiet(["cmake", "--build", self.build_dir, "--target", *programs], "does not compile")

    def run_tests(self, program, only):
        """The test cases that ran, and the exit status; a program that hangs counts as red."""
        xml = self.place / "result.xml"
        xml.unlink(missing_ok=True)
        try:
            status = subprocess.run([self.build_dir / "tests" / program, f"--test-case={only}", "--reporters=junit",
                                     f"--out={xml}"], timeout=SECONDS, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.place,
                                    check=False).returncode
        except subprocess.TimeoutExpired:
            status = f"hung for {SECONDS} s"
        return runner.read_cases(xml), status


def quiet(command, complaint, cwd=None):
    # The copies compile the same lines in different places: to ccache they are one.
    shared = {**os.environ, "CCACHE_BASEDIR": str(WORK), "CCACHE_NOHASHDIR": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd, check=False,
                          env=shared)
    if done.returncode != 0:
        raise Broken(complaint + "\n" + "\n".join("    " + line for line in done.stdout.splitlines()[-15:]))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Broken as why:
        sys.exit(f"mutants: {why}")
