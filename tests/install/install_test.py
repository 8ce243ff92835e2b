"""The three ways into another project: an installed package, pkg-config, and a folder in its tree."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(os.environ["LBRESOLVE_SOURCE_DIR"])
BUILD = Path(os.environ["LBRESOLVE_BUILD_DIR"])
COMPILER = os.environ["LBRESOLVE_CXX"]
SANITIZE = [f"-fsanitize={os.environ['LBRESOLVE_SANITIZE']}"] if os.environ.get("LBRESOLVE_SANITIZE") else []

# Never goes out: an IP literal, resolved.
PROGRAM = """
#include <lbresolve/lbresolve.hpp>
#include <cstdio>
int main() {
  auto found = lbresolve::resolve("192.0.2.1:443");
  if (!found) return 1;
  std::printf("%s %s\\n", lbresolve::version(), found.value().endpoints.at(0).to_string().c_str());
}
"""
PRINTED = "0.1.0 192.0.2.1:443\n"


@pytest.fixture
def project(tmp_path):
    """A folder with a program in it, and a function that writes its CMakeLists.txt."""
    (tmp_path / "app.cpp").write_text(PROGRAM)

    def write(way):
        (tmp_path / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.22)\nproject(app LANGUAGES CXX)\nset(CMAKE_CXX_STANDARD 20)\n"
            f"{way}\nadd_executable(app app.cpp)\ntarget_link_libraries(app PRIVATE lbresolve::lbresolve)\n"
            "target_compile_options(app PRIVATE -Wall -Wextra -Wshadow -Wconversion -Werror)\n")
        return tmp_path

    return write


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """The build, installed."""
    folder = tmp_path_factory.mktemp("prefix")
    run(["cmake", "--install", BUILD, "--prefix", folder])
    return folder


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        pytest.fail(f"{[str(c) for c in command]}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


def build_and_run(folder, *settings):
    run(["cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-DCMAKE_CXX_COMPILER={COMPILER}", *settings])
    run(["cmake", "--build", folder / "build"])
    return run([folder / "build" / "app"])


@pytest.mark.rule("USE-02")
def test_find_package_finds_what_was_installed(project, prefix):
    folder = project("find_package(lbresolve 0.1 REQUIRED)")
    flags = " ".join(SANITIZE)
    assert build_and_run(folder, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_FLAGS={flags}") == PRINTED


@pytest.mark.rule("USE-02")
def test_pkg_config_finds_what_was_installed(project, prefix):
    folder = project("")
    where = {**os.environ, "PKG_CONFIG_PATH": ":".join(str(p) for p in prefix.rglob("pkgconfig"))}
    flags = run(["pkg-config", "--cflags", "--libs", "--static", "lbresolve"], env=where).split()
    run([COMPILER, "-std=c++20", *SANITIZE, folder / "app.cpp", "-o", folder / "app", *flags])
    assert run([folder / "app"]) == PRINTED


@pytest.mark.rule("USE-02")
def test_a_folder_in_the_tree_builds_the_library_alone(project):
    folder = project(f"add_subdirectory({SOURCE} lbresolve EXCLUDE_FROM_ALL)")
    launcher = "-DCMAKE_CXX_COMPILER_LAUNCHER=" + ("ccache" if shutil.which("ccache") else "")
    assert build_and_run(folder, launcher) == PRINTED
    assert not list((folder / "build").rglob("*_tests")) and not (folder / "build/lbresolve/cli").exists()


@pytest.mark.rule("USE-02")
def test_the_installed_headers_are_the_public_ones_alone(prefix):
    def files(folder):
        return {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}

    assert files(prefix / "include") == files(SOURCE / "lib/include")

