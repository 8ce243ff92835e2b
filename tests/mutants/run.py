#!/usr/bin/env python3
"""Plants the mistakes of tests/mutants/*.patch one by one and sees that the tests find each.

    tests/mutants/run.py [NAME...]      all, or those whose file name contains NAME

A patch begins with what it is about:

    Rule: SEC-01
    Program: core_tests
    Red: SEC-01*                        doctest's filter: at least one of these tests must fail
    Mistake: a pointer may point at itself

Works in a copy of the tree under build/mutants, so that the tree itself is never touched. Fails when a mistake goes
unnoticed, when a patch no longer applies, or when it does not compile.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
WORK = SOURCE / "build" / "mutants"
TREE = WORK / "tree"
BUILD = WORK / "build"
COPIED = ["CMakeLists.txt", "lib", "tests"]
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
    prepare(sorted({m["Program"] for m in mutants}))
    green = {key for key in {(m["Program"], m["Red"]) for m in mutants} if is_green(*key)}
    bad = 0
    for mutant in mutants:
        started = time.monotonic()
        try:
            if (mutant["Program"], mutant["Red"]) not in green:
                raise Broken(f"{mutant['Red']} of {mutant['Program']} is not green before the mistake is planted")
            red = verdict_of(mutant)
            outcome = f"red: {red}" if red else "SURVIVED: no test of " + mutant["Red"] + " failed"
        except Broken as why:
            red, outcome = None, f"BROKEN: {why}"
        bad += not red
        print(f"{mutant['Rule']:<7} {mutant['file'].name:<38} {time.monotonic() - started:4.0f} s  {outcome}", flush=True)
    print(f"{len(mutants) - bad} of {len(mutants)} mistakes found")
    return 1 if bad else 0


def read_header(patch):
    head = patch.read_text().split("\n--- ", 1)[0]
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    if missing := {"Rule", "Program", "Red", "Mistake"} - set(fields):
        sys.exit(f"{patch.name}: no {', '.join(sorted(missing))} at its top")
    return {**fields, "file": patch}


def prepare(programs):
    """A fresh copy, built."""
    restore()
    BUILD.mkdir(parents=True, exist_ok=True)
    # -O1 without -g: simulations that run long are built a little slower, and all programs linked much quicker.
    quiet(["cmake", "-G", "Ninja", "-S", TREE, "-B", BUILD, "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O1",
           "-DLBRESOLVE_BUILD_CLI=OFF", "-DLBRESOLVE_WERROR=OFF"], "configuring failed")
    build(programs)


def restore():
    """Makes the copy equal to the tree; touches only files that differ, so that little is rebuilt."""
    for name in COPIED:
        for source in sorted((SOURCE / name).rglob("*")) if (SOURCE / name).is_dir() else [SOURCE / name]:
            copy = TREE / source.relative_to(SOURCE)
            if source.is_dir() or "__pycache__" in source.parts:
                continue
            if not copy.exists() or copy.read_bytes() != source.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)
    for copy in [p for p in TREE.rglob("*") if p.is_file()]:
        if not (SOURCE / copy.relative_to(TREE)).exists():
            copy.unlink()


def verdict_of(mutant):
    """The name of the test that turned red, or None. What the last one planted is built back together with this one."""
    restore()
    quiet(["patch", "--batch", "--forward", "--strip=1", "--no-backup-if-mismatch", f"--input={mutant['file']}"],
          "the patch does not apply", cwd=TREE)
    build([mutant["Program"]])
    after, status = run_tests(mutant["Program"], mutant["Red"])
    failed = [c["name"] for c in after if c["outcome"] == "failed"]
    return failed[0] if failed else f"{mutant['Red']} ({status})" if status != 0 else None


def is_green(program, only):
    cases, status = run_tests(program, only)
    return bool(cases) and status == 0


def build(programs):
    quiet(["cmake", "--build", BUILD, "--target", *programs], "does not compile")


def run_tests(program, only):
    """The test cases that ran, and the exit status; a program that hangs counts as red."""
    xml = WORK / "result.xml"
    xml.unlink(missing_ok=True)
    try:
        status = subprocess.run([BUILD / "tests" / program, f"--test-case={only}", "--reporters=junit", f"--out={xml}"],
                                timeout=SECONDS, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, cwd=WORK, check=False).returncode
    except subprocess.TimeoutExpired:
        status = f"hung for {SECONDS} s"
    return runner.read_cases(xml), status


def quiet(command, complaint, cwd=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd, check=False)
    if done.returncode != 0:
        raise Broken(complaint + "\n" + "\n".join("    " + line for line in done.stdout.splitlines()[-15:]))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Broken as why:
        sys.exit(f"mutants: {why}")
