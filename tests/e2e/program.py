"""Compiles a program against the library of the build under test, as a user's build would."""

import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


def compile_program(source, program, lbresolve_bin, *flags):
    """The compiler's run, ended; its error output as text."""
    build = Path(os.environ.get("LBRESOLVE_BUILD_DIR", Path(lbresolve_bin).parents[1]))
    sanitize = os.environ.get("LBRESOLVE_SANITIZE")
    # The package file of the build knows what this build of the library needs.
    needed = next(line for line in (build / "lbresolve.pc").read_text().splitlines() if "Requires.private:" in line)
    libraries = subprocess.run(["pkg-config", "--libs", needed.partition(":")[2]], capture_output=True, text=True,
                               check=True).stdout.split()
    return subprocess.run(
        [os.environ.get("LBRESOLVE_CXX", "c++"), "-std=c++20", "-pthread", *flags,
         *([f"-fsanitize={sanitize}"] if sanitize else []), "-I", SOURCE / "lib" / "include", source, "-o", program,
         build / "lib" / "liblbresolve.a", build / "lib" / "liblbresolve_core.a", *libraries],
        capture_output=True, text=True, check=False)
