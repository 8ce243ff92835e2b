"""The check of the binary interface can fail, and says plainly where it compares nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).with_name("abi_check.py")
COMPILER = os.environ["LBRESOLVE_CXX"]

OLD = """
struct point { int x; int y; };
int across(const point& p) { return p.x; }
int twice(int n) { return 2 * n; }
"""
GROWN = OLD + "int thrice(int n) { return 3 * n; }\n"
SHRUNK = OLD.replace("int twice(int n) { return 2 * n; }\n", "")
WIDER = OLD.replace("int x;", "int x; int z;")

PROJECT = """
cmake_minimum_required(VERSION 3.22)
project(old VERSION 0.1 LANGUAGES CXX)
add_library(lbresolve_{kind} {type} old.cpp)
set_target_properties(lbresolve_{kind} PROPERTIES OUTPUT_NAME lbresolve SOVERSION 0)
"""


def library(folder, name, text, version):
    source, built = folder / f"{name}.cpp", folder / f"{name}.so"
    source.write_text(text)
    subprocess.run([COMPILER, "-g", "-shared", "-fPIC", f"-Wl,-soname,liblbresolve.so.{version}", source, "-o", built],
                   check=True)
    return built


def check(*arguments):
    if not shutil.which("abidiff"):
        pytest.skip("there is no abidiff")
    ran = subprocess.run([sys.executable, CHECK, *arguments], capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize("new, version, status, said", [
    (OLD, 1, 0, "is the same"),
    (GROWN, 1, 0, "has grown"),
    (SHRUNK, 1, 1, "twice"),
    (WIDER, 1, 1, "int z"),
    (SHRUNK, 0, 0, "promises nothing yet"),
], ids=["same", "grown", "a function less", "a wider type", "soname 0"])
def test_a_change_that_breaks_programs_is_found(tmp_path, new, version, status, said):
    was, said_now = check(library(tmp_path, "new", new, version), "--old", library(tmp_path, "old", OLD, version))
    assert (was, said in said_now) == (status, True), said_now


def test_another_soname_allows_a_change(tmp_path):
    status, said = check(library(tmp_path, "new", SHRUNK, 2), "--old", library(tmp_path, "old", OLD, 1))
    assert status == 0 and "liblbresolve.so.1 is now liblbresolve.so.2" in said


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit, and a function that commits a project of the old library and tags it."""
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*arguments):
        subprocess.run(["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b.invalid", *arguments],
                       check=True, capture_output=True)

    def release(kind, tag):
        (folder / "CMakeLists.txt").write_text(PROJECT.format(kind=kind, type=kind.upper()))
        (folder / "old.cpp").write_text(OLD)
        git("add", ".")
        git("commit", "-q", "-m", "old")
        git("tag", tag)
        git("commit", "-q", "--allow-empty", "-m", "new")

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "empty")
    return folder, release


def test_the_last_release_is_built_and_compared(tmp_path, repository):
    folder, release = repository
    release("shared", "v0.1.0")
    status, said = check(library(tmp_path, "new", SHRUNK, 0), "--source", folder)
    assert status == 0 and said.startswith("Against v0.1.0:") and "twice" in said and "promises nothing" in said


def test_without_a_release_nothing_is_compared_and_it_says_so(tmp_path, repository):
    folder, release = repository
    new = library(tmp_path, "new", OLD, 0)
    assert check(new, "--source", folder) == (0, "No tag v*, so no release to compare with.\n")
    release("static", "v0.0.1")
    assert check(new, "--source", folder) == (0, "v0.0.1 has no shared library to compare with.\n")
