"""Compiles a program against the library of the build under test, as a user's build would."""

import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


def needed_libraries(lbresolve_bin):
    """As the package file of the build has them: it knows what this build of the library needs."""
    lines = (_build(lbresolve_bin) / "lbresolve.pc").read_text().splitlines()
    return next(line for line in lines if "Requires.private:" in line).partition(":")[2]


def _build(lbresolve_bin):
    return Path(os.environ.get("LBRESOLVE_BUILD_DIR", Path(lbresolve_bin).parents[1]))


def compile_program(source, program, lbresolve_bin, *flags):
    """The compiler's run, ended; its error output as text."""
    build = _build(lbresolve_bin)
    sanitize = os.environ.get("LBRESOLVE_SANITIZE")
    libraries = subprocess.run(["pkg-config", "--libs", needed_libraries(lbresolve_bin)], capture_output=True,
                               text=True, check=True).stdout.split()
    return subprocess.run(
        [os.environ.get("LBRESOLVE_CXX", "c++"), "-std=c++20", "-pthread", *flags,
         *([f"-fsanitize={sanitize}"] if sanitize else []), "-I", SOURCE / "lib" / "include", source, "-o", program,
         build / "lib" / "liblbresolve.a", *libraries],
        capture_output=True, text=True, check=False)


def has_coroutines_of_asio():
    """Whether Asio is installed and this compiler has coroutines for it: clang 14 with libstdc++ has not."""
    probe = "#include <asio/detail/config.hpp>\n#ifndef ASIO_HAS_CO_AWAIT\n#error\n#endif\n"
    return subprocess.run([os.environ.get("LBRESOLVE_CXX", "c++"), "-std=c++20", "-fsyntax-only", "-x", "c++", "-"],
                          input=probe, capture_output=True, text=True, check=False).returncode == 0
