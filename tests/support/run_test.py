"""The runner and the matrix are themselves checked: a failed test must never be counted as passed."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS))

import conformance  # noqa: E402
import run  # noqa: E402


def build_with(folder, **suites):
    """A build folder whose suites are the given shell scripts, run as pytest suites are: the script gets the XML."""
    lines = []
    for name, script in suites.items():
        path = folder / f"{name}.sh"
        path.write_text("for a; do case $a in --junitxml=*) xml=${a#*=};; esac; done\n" + textwrap.dedent(script))
        lines += [f'add_test({name} sh "{path}")',
                  f"set_tests_properties({name} PROPERTIES LABELS pytest TIMEOUT 2)"]
    (folder / "CTestTestfile.cmake").write_text("\n".join(lines))
    return folder


def run_tests(build, **environment):
    done = subprocess.run([sys.executable, TESTS / "run.py", build], env={**os.environ, **environment},
                          capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[-1]


ONE_PASSES = """echo '<t><testcase name="a"/></t>' >$xml\n"""
ONE_OF_TWO_FAILS = """echo '<t><testcase name="a"/><testcase name="b"><failure/></testcase></t>' >$xml; exit 1\n"""
ONE_SKIPS = """echo '<t><testcase name="a"><skipped message="no"/></testcase></t>' >$xml\n"""


@pytest.mark.parametrize(
    "scripts, status, line",
    [
        ({"x": ONE_PASSES}, 0, "1 passed, 0 failed, 0 skipped"),
        ({"x": ONE_PASSES, "y": ONE_OF_TWO_FAILS}, 1, "2 passed, 1 failed, 0 skipped"),
        ({"x": ONE_PASSES, "y": ONE_SKIPS}, 0, "1 passed, 0 failed, 1 skipped"),
        ({"x": ONE_SKIPS}, 1, "0 passed, 0 failed, 1 skipped"),
        ({"x": ONE_PASSES + "exit 1"}, 1, "1 passed, 1 failed, 0 skipped"),
        ({"x": ONE_PASSES + "kill -ABRT $$"}, 1, "1 passed, 1 failed, 0 skipped"),
        ({"x": "true"}, 1, "0 passed, 1 failed, 0 skipped"),
        ({"x": "echo '<t><testcase' >$xml"}, 1, "0 passed, 1 failed, 0 skipped"),
        ({"x": "sleep 60"}, 1, "0 passed, 1 failed, 0 skipped"),
        ({}, 1, "0 passed, 0 failed, 0 skipped"),
    ],
)
def test_the_last_line_and_the_exit_status_tell_the_truth(tmp_path, scripts, status, line):
    assert run_tests(build_with(tmp_path, **scripts)) == (status, line)


def test_skipped_end_to_end_tests_fail_where_they_are_required(tmp_path):
    build = build_with(tmp_path, e2e=ONE_SKIPS, x=ONE_PASSES)
    assert run_tests(build, LBRESOLVE_E2E="required") == (1, "1 passed, 1 failed, 0 skipped")


def test_subcases_are_one_test_case_and_unreported_ones_are_skipped():
    reported = [{"name": n, "rules": [], "outcome": o, "text": ""} for n, o in
                [("a/one", "passed"), ("a/two", "failed"), ("b", "passed")]]
    merged = run.merge_subcases(reported, ["a", "b", "c"])
    assert [(c["name"], c["outcome"]) for c in merged] == [("a", "failed"), ("b", "passed"), ("c", "skipped")]


@pytest.mark.parametrize("outcomes, verdict", [
    ([], "not covered"), (["passed"], "passed"), (["passed", "failed"], "failed"), (["passed", "skipped"], "passed"),
    (["skipped"], "skipped")])
def test_one_failed_test_fails_its_rule(outcomes, verdict):
    tests = [{"suite": "core", "name": "x", "outcome": o} for o in outcomes]
    assert conformance.verdict(tests)["outcome"] == verdict


def test_every_rule_has_one_line():
    text = conformance.RULES.read_text()
    ids = [rule["id"] for rule in conformance.read_rules(text)]
    assert len(ids) == len(set(ids)) == text.count("\n- ")
