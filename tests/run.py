#!/usr/bin/env python3
"""Runs the test suites of one build, one after the other, and adds up their test cases.

    tests/run.py build/dev                  all suites
    tests/run.py build/tsan io core         these only
    tests/run.py build/dev --except e2e     all but these

ctest holds the list of suites; each is asked for JUnit XML in <build>/test-results/. Beside it lies a JSON file with the
suite's test cases, which tests/conformance.py reads. The last line is always `N passed, N failed, N skipped`. Fails when a test failed or when nothing ran at all; with
LBRESOLVE_E2E=required also when an end-to-end test was skipped.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

# Sanitizers end a program at the first finding; a suite that dies that way counts as failed.
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


def main():
    arguments = parse_arguments()
    results = arguments.build / "test-results"
    results.mkdir(exist_ok=True)
    suites = select(read_suites(arguments.build), arguments.suites, arguments.excluded)
    for old in results.iterdir():
        if not arguments.suites or old.stem in {s["name"] for s in suites}:
            old.unlink()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in suites:
        started = time.monotonic()
        cases = run_suite(suite, results / f"{suite['name']}.xml")
        if suite["name"] == "e2e" and os.environ.get("LBRESOLVE_E2E") == "required":
            forbid_skips(cases)
        (results / f"{suite['name']}.json").write_text(json.dumps(cases, indent=1))
        mine = {outcome: sum(c["outcome"] == outcome for c in cases) for outcome in counts}
        for outcome, n in mine.items():
            counts[outcome] += n
        print(f"{suite['name']:<14} {line_of(mine)}  ({time.monotonic() - started:.1f} s)", flush=True)
        report(suite["name"], cases)
    print(line_of(counts))
    return 1 if counts["failed"] or not counts["passed"] else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("suites", nargs="*")
    parser.add_argument("--except", dest="excluded", action="append", default=[], metavar="SUITE")
    return parser.parse_args()


def read_suites(build):
    """Name, command, kind, seconds and environment of each suite ctest knows."""
    shown = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"],
                           check=True, capture_output=True, text=True).stdout
    suites = []
    for test in json.loads(shown)["tests"]:
        properties = {p["name"]: p["value"] for p in test["properties"]}
        if not {"doctest", "pytest"} & set(properties.get("LABELS", [])):
            continue
        suites.append({
            "name": test["name"],
            "command": test.get("command"),
            "kind": "pytest" if "pytest" in properties["LABELS"] else "doctest",
            "seconds": properties.get("TIMEOUT", 600),
            "environment": dict(e.split("=", 1) for e in properties.get("ENVIRONMENT", [])),
        })
    return suites


def select(suites, wanted, excluded):
    unknown = set(wanted + excluded) - {s["name"] for s in suites}
    if unknown:
        sys.exit(f"run.py: no suite {', '.join(sorted(unknown))}; there are {', '.join(s['name'] for s in suites)}")
    return [s for s in suites if (not wanted or s["name"] in wanted) and s["name"] not in excluded]


def run_suite(suite, xml):
    """The test cases of one suite; what went wrong outside of any test case counts as one more that failed."""
    if not suite["command"]:
        return [failed_case(suite["name"], "the suite is not built")]
    flags = {"doctest": ["--reporters=junit", f"--out={xml}"],
             "pytest": [f"--junitxml={xml}", "-o", "junit_family=xunit1", "-v", "--tb=short"]}
    environment = {**SANITIZER_OPTIONS, **os.environ, **suite["environment"]}
    log = xml.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(suite["command"] + flags[suite["kind"]], env=environment, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(suite["seconds"])
        except subprocess.TimeoutExpired:
            status = f"not done after {suite['seconds']:.0f} s"
        finally:
            end_group(process)
    cases = reported = read_cases(xml)
    if suite["kind"] == "doctest":
        cases = merge_subcases(reported, list_doctest_cases(suite, environment))
    if reported and (status == 0 or any(c["outcome"] == "failed" for c in cases)):
        return cases
    if status == 0:
        status = "no test case was reported"
    tail = log.read_text(errors="replace").splitlines()[-40:]
    return cases + [failed_case(suite["name"], "\n".join([f"exit status {status}", *tail]))]


def end_group(process):
    """Servers that a suite started and left behind go with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def list_doctest_cases(suite, environment):
    """The names of all test cases, those marked skip() included: doctest's JUnit leaves those out."""
    listed = subprocess.run(suite["command"] + ["--list-test-cases", "--no-skip"], env=environment, timeout=60,
                            capture_output=True, text=True, check=False).stdout
    return [line for line in listed.splitlines() if line and not line.startswith(("[doctest]", "====="))]


def merge_subcases(reported, names):
    """One case a test case: doctest reports one for each way through its subcases, as `name/subcase`."""
    merged = []
    for name in names:
        ways = [c for c in reported if c["name"] == name or c["name"].startswith(name + "/")]
        failed = [c for c in ways if c["outcome"] == "failed"]
        outcome = "failed" if failed else "passed" if ways else "skipped"
        text = "\n".join(c["text"] for c in failed)
        merged.append({"name": name, "rules": [], "outcome": outcome, "text": text})
    return merged


def read_cases(xml):
    """What a JUnit file reports; empty where the file is missing or broken off."""
    try:
        root = ET.parse(xml).getroot()
    except (OSError, ET.ParseError):
        return []
    cases = []
    for case in root.iter("testcase"):
        faults = case.findall("failure") + case.findall("error")
        outcome = "failed" if faults else "skipped" if case.find("skipped") is not None else "passed"
        notes = faults or case.findall("skipped")
        cases.append({
            "name": case.get("name"),
            "rules": [p.get("value") for p in case.iter("property") if p.get("name") == "rule"],
            "outcome": outcome,
            "text": "\n".join(n.text or n.get("message") or "" for n in notes).strip(),
        })
    return cases


def forbid_skips(cases):
    for case in cases:
        if case["outcome"] == "skipped":
            case.update(outcome="failed", text=f"skipped, where LBRESOLVE_E2E=required forbids it: {case['text']}")


def failed_case(name, text):
    return {"name": name, "rules": [], "outcome": "failed", "text": text}


def report(suite, cases):
    for case in cases:
        if case["outcome"] == "passed":
            continue
        reason = f" ({case['text'].splitlines()[0]})" if case["outcome"] == "skipped" and case["text"] else ""
        print(f"  {case['outcome']}: {suite}: {case['name']}{reason}")
        if case["outcome"] == "failed":
            print("\n".join("    " + line for line in case["text"].splitlines()[:60]), flush=True)


def line_of(counts):
    return ", ".join(f"{n} {outcome}" for outcome, n in counts.items())


if __name__ == "__main__":
    sys.exit(main())
