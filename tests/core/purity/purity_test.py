"""lib/core takes time, randomness and bytes as arguments: it does no I/O of its own. And the guard can fail."""

import os
import subprocess
from pathlib import Path

import pytest

from purity import check_sources, check_symbols

SOURCE = Path(os.environ["LBRESOLVE_SOURCE_DIR"])
BUILD = Path(os.environ["LBRESOLVE_BUILD_DIR"])


def test_the_sources_of_the_core_are_pure():
    assert check_sources(SOURCE / "lib" / "core") == []


def test_the_archive_of_the_core_needs_no_system_call():
    assert check_symbols(BUILD / "lib" / "liblbresolve_core.a") == []


@pytest.mark.parametrize(
    "line",
    [
        "const auto t = std::chrono::steady_clock::now();",
        "const auto t = clock_type::now();",
        "clock_gettime(CLOCK_BOOTTIME, &t);",
        "std::random_device device;",
        "int r = rand();",
        "const char* home = std::getenv(\"HOME\");",
        "int fd = ::socket(1, 2, 3);",
        "ares_init(&channel);",
        "#include <sys/socket.h>",
        "#include <unistd.h>",
        "#include <ares.h>",
        "#include <openssl/rand.h>",
        "#include <mutex>",
        "#  include <thread>",
        "#include \"io/clock.hpp\"",
    ],
)
def test_an_impure_line_is_found(tmp_path, line):
    (tmp_path / "bad.cpp").write_text(f"// fine\n{line}\n")
    findings = check_sources(tmp_path)
    assert len(findings) >= 1 and ":2:" in findings[0]


def test_comments_strings_and_our_own_headers_are_no_finding(tmp_path):
    (tmp_path / "good.hpp").write_text(
        '#include "core/name.hpp"\n#include <boost/version.hpp>\n#include <lbresolve/error.hpp>\n#include <vector>\n'
        '// rand() and ::now() are for io/\n/* socket(\n ::now() */ const char* s = "rand()";\n'
        "int operand(int) ; int x = operand(1); auto timer = next_time(0);\n"
        "void race::close(int) {}\n"
    )
    assert check_sources(tmp_path) == []


@pytest.mark.parametrize(
    "body, culprit",
    [
        ("#include <ctime>\nlong f() { timespec t; clock_gettime(0, &t); return t.tv_sec; }", "clock_gettime"),
        ("#include <chrono>\nauto f() { return std::chrono::steady_clock::now(); }", "steady_clock::now"),
        ("#include <random>\nunsigned f() { return std::random_device{}(); }", "random_device"),
        ("extern \"C\" int ares_library_init(int);\nint f() { return ares_library_init(1); }", "ares_library_init"),
        ("#include <unistd.h>\nint f() { return close(3); }", "close"),
        ("namespace lbresolve::io { struct s { int g() const; }; }\nint f(const lbresolve::io::s& x) { return x.g(); }",
         "lbresolve::io::s::g"),
    ],
)
def test_an_impure_symbol_is_found(tmp_path, body, culprit):
    archive = archive_of(tmp_path, body)
    findings = check_symbols(archive)
    assert any(culprit in f for f in findings), findings


def test_the_language_itself_is_no_finding(tmp_path):
    body = (
        "#include <cmath>\n#include <string>\n#include <vector>\n#include <stdexcept>\n#include <cstring>\n"
        "std::vector<std::string> f(double d, const char* s) {\n"
        "  if (std::strlen(s) == 3) throw std::runtime_error(s);\n  return {std::to_string(std::exp(d)), s}; }"
    )
    assert check_symbols(archive_of(tmp_path, body)) == []


def archive_of(folder, body):
    source, object_file, archive = (folder / f"unit.{suffix}" for suffix in ("cpp", "o", "a"))
    source.write_text(body + "\n")
    compiler = os.environ.get("LBRESOLVE_CXX", "c++")
    subprocess.run([compiler, "-std=c++20", "-O1", "-c", source, "-o", object_file], check=True)
    subprocess.run(["ar", "rcs", archive, object_file], check=True)
    return archive
