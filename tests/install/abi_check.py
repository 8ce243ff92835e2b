#!/usr/bin/env python3
"""Shows how the binary interface of the shared library has changed since the last release.

    abi_check.py NEW.so               against the last tag v*, which is built for it
    abi_check.py NEW.so --old OLD.so  against this library

Fails where programs built against the old library would break with the new one, unless its soname ends in .so.0: there
the interface may change, and what changed is only shown.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
# Bits of abidiff's exit status.
FAILED, CHANGED = 0b0011, 0b0100


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new", type=Path)
    parser.add_argument("--old", type=Path)
    parser.add_argument("--source", type=Path, default=SOURCE, help="the repository with the tags")
    arguments = parser.parse_args()
    if not shutil.which("abidiff"):
        sys.exit("abi_check.py: abidiff is missing; Debian has it in abigail-tools")
    if arguments.old:
        return compare(arguments.old, arguments.new)
    tag = last_tag(arguments.source)
    if not tag:
        print("No tag v*, so no release to compare with.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        old = build_at(arguments.source, tag, Path(folder))
        if not old:
            print(f"{tag} has no shared library to compare with.")
            return 0
        print(f"Against {tag}:")
        return compare(old, arguments.new)


def last_tag(source):
    """The newest release that this commit comes from; where the commit is a release itself, the one before."""
    for commit in ("HEAD^", "HEAD"):
        found = subprocess.run(["git", "-C", source, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", commit],
                               capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    return None


def build_at(source, tag, folder):
    """The shared library as the tag builds it, with the debug information that abidiff reads; None where it has none."""
    tree, build = folder / "tree", folder / "build"
    tree.mkdir()
    archive = subprocess.run(["git", "-C", source, "archive", tag], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", tree], input=archive, check=True)
    settings = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DLBRESOLVE_BUILD_TESTS=OFF", "-DLBRESOLVE_BUILD_CLI=OFF",
                "-DLBRESOLVE_BUILD_EXAMPLES=OFF", "-DLBRESOLVE_WERROR=OFF"]
    quietly(["cmake", "-G", "Ninja", "-S", tree, "-B", build, *settings])
    targets = quietly(["cmake", "--build", build, "--target", "help"])
    if not re.search(r"^lbresolve_shared:", targets, re.M):
        return None
    quietly(["cmake", "--build", build, "--target", "lbresolve_shared"])
    return next(build.rglob("liblbresolve.so"))


def quietly(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"abi_check.py: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def soname_of(library):
    said = quietly(["readelf", "--dynamic", "--wide", library])
    found = re.search(r"SONAME.*\[(.*)\]", said)
    return found[1] if found else library.name


def compare(old, new):
    report, changed = abidiff(old, new)
    print(report, end="")
    if not changed:
        print("The binary interface is the same.")
        return 0
    # What was added breaks nobody. Of all else abidiff cannot say so: a type that has changed may, and then does.
    if not abidiff("--no-added-syms", old, new)[1]:
        print("The binary interface has grown.")
        return 0
    print("The binary interface has changed: programs built against the old one may break.")
    before, after = soname_of(old), soname_of(new)
    if before != after:
        print(f"The soname says so: {before} is now {after}.")
        return 0
    if after.endswith(".so.0"):
        print(f"{after} promises nothing yet.")
        return 0
    return 1


def abidiff(*arguments):
    """The report, and whether there is anything in it."""
    ran = subprocess.run(["abidiff", *arguments], capture_output=True, text=True, check=False)
    if ran.returncode & FAILED:
        sys.exit(f"abi_check.py: abidiff {' '.join(map(str, arguments))}\n{ran.stdout}{ran.stderr}")
    return ran.stdout, bool(ran.returncode & CHANGED)


if __name__ == "__main__":
    sys.exit(main())
