#!/usr/bin/env python3
"""Prints which test stands for which rule of docs/conformance-rules.md, and how it went in the last run.

    tests/conformance.py build/dev [--write docs/conformance.md] [--require HE-31 ...]

A doctest test case names its rules at the start of its name ("SEC-01, SEC-02: a pointer ..."), a pytest test with
@pytest.mark.rule("HE-08"). Fails when a rule failed, when a required one is not covered, or when a test names a rule
that does not exist.
"""

import argparse
import json
import re
import sys
from pathlib import Path

RULES = Path(__file__).parent.parent / "docs" / "conformance-rules.md"
RULE_LINE = re.compile(r"^- ([A-Z]{2,4}-\d{2}): (.+)$")
PREFIX = re.compile(r"^((?:[A-Z]{2,4}-\d{2})(?:,? [A-Z]{2,4}-\d{2})*): ")
NOT_COVERED = "not covered"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the matrix as Markdown")
    parser.add_argument("--require", nargs="*", default=[], metavar="RULE", help="fail unless these have passed")
    arguments = parser.parse_args()
    rules = read_rules(RULES.read_text())
    tests = read_tests(arguments.build / "test-results")
    if unknown := sorted({r for t in tests for r in t["rules"]} - {r["id"] for r in rules}):
        sys.exit(f"conformance.py: no such rule: {', '.join(unknown)}")
    matrix = [{**rule, **verdict([t for t in tests if rule["id"] in t["rules"]])} for rule in rules]
    print_matrix(matrix)
    if arguments.write:
        arguments.write.write_text(as_markdown(matrix))
    missed = [r["id"] for r in matrix if r["id"] in arguments.require and r["outcome"] != "passed"]
    if missed:
        print(f"required and not passed: {', '.join(missed)}")
    return 1 if missed or any(r["outcome"] == "failed" for r in matrix) else 0


def read_rules(text):
    rules, group = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            group = line[3:]
        elif match := RULE_LINE.match(line):
            rules.append({"id": match[1], "text": match[2], "group": group})
    return rules


def read_tests(results):
    """Every test case of the last run that names a rule."""
    tests = []
    for path in sorted(results.glob("*.json")):
        for case in json.loads(path.read_text()):
            prefix = PREFIX.match(case["name"])
            rules = set(case["rules"]) | set(prefix[1].replace(",", "").split() if prefix else [])
            if rules:
                name = case["name"][prefix.end():] if prefix else as_sentence(case["name"])
                tests.append({"suite": path.stem, "name": name, "rules": rules, "outcome": case["outcome"]})
    if not tests:
        sys.exit(f"conformance.py: no results in {results}: run the tests first")
    return tests


def as_sentence(name):
    """test_one_is_tried[ipv4] as "one is tried": the parameters are variants of one test."""
    return re.sub(r"\[.*", "", name, flags=re.DOTALL).removeprefix("test_").replace("_", " ")


def verdict(tests):
    """How the rule fares, and its tests, each once."""
    names = dict.fromkeys(f"{t['suite']}: {t['name']}" for t in tests)
    marked = []
    for name in names:
        outcome = worst([t for t in tests if f"{t['suite']}: {t['name']}" == name])
        marked.append(name if outcome == "passed" else f"{name} ({outcome})")
    return {"outcome": worst(tests), "tests": marked}


def worst(tests):
    """One failed test fails its rule; skipped tests count only where no other speaks for it."""
    outcomes = {t["outcome"] for t in tests}
    return next((o for o in ("failed", "passed", "skipped") if o in outcomes), NOT_COVERED)


def print_matrix(matrix):
    group = ""
    for rule in matrix:
        if rule["group"] != group:
            group = rule["group"]
            print(f"\n{group}")
        print(f"  {rule['id']}  {rule['outcome']:<11}  {rule['text']}")
        for test in rule["tests"]:
            print(f"                       {test}")
    print(f"\n{count(matrix)}")


def as_markdown(matrix):
    lines = ["# Conformance", "",
             "Made by `make conformance` from the last run of the tests; [conformance-rules.md](conformance-rules.md)"
             " has the rules alone.", "", count(matrix)]
    group = ""
    for rule in matrix:
        if rule["group"] != group:
            group = rule["group"]
            lines += ["", f"## {group}", "", "| Rule | | | Tests |", "|---|---|---|---|"]
        cells = [rule["id"], rule["text"], rule["outcome"], "<br>".join(rule["tests"])]
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines) + "\n"


def count(matrix):
    outcomes = [r["outcome"] for r in matrix]
    parts = [f"{outcomes.count(o)} {o}" for o in ("passed", "failed", "skipped", NOT_COVERED)]
    return f"{len(matrix)} rules: {', '.join(parts)}"


if __name__ == "__main__":
    sys.exit(main())
