"""The ways into another project: an installed package, pkg-config, and a folder in its tree."""

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


def configure(folder, *settings, into=None):
    flags = " ".join(SANITIZE)
    run(["cmake", "-G", "Ninja", "-S", folder, "-B", into or folder / "build", f"-DCMAKE_CXX_COMPILER={COMPILER}",
         f"-DCMAKE_CXX_FLAGS={flags}", *settings])


def build_and_run(folder, *settings):
    configure(folder, *settings)
    run(["cmake", "--build", folder / "build"])
    return run([folder / "build" / "app"])


def needs_the_shared_library(program):
    return "liblbresolve.so.0" in run(["readelf", "--dynamic", "--wide", program])


@pytest.mark.rule("USE-02")
@pytest.mark.parametrize("asked, settings, shared", [
    ("0.1 REQUIRED", [], True),
    ("REQUIRED COMPONENTS shared", [], True),
    ("REQUIRED COMPONENTS static", [], False),
    ("REQUIRED", ["-Dlbresolve_SHARED_LIBS=OFF"], False),
], ids=["by default", "shared", "static", "static by a setting"])
def test_find_package_finds_what_was_installed(project, prefix, asked, settings, shared):
    folder = project(f"find_package(lbresolve {asked})")
    assert build_and_run(folder, f"-DCMAKE_PREFIX_PATH={prefix}", *settings) == PRINTED
    assert needs_the_shared_library(folder / "build" / "app") is shared


@pytest.mark.rule("USE-02")
def test_the_shared_library_asks_for_nothing_that_it_alone_uses(project, prefix):
    folder = project("find_package(lbresolve REQUIRED)")
    without = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in ("OpenSSL", "PkgConfig", "Threads")]
    configure(folder, f"-DCMAKE_PREFIX_PATH={prefix}", *without)


@pytest.mark.rule("USE-02")
def test_a_kind_that_is_not_installed_is_not_found(project, prefix, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(prefix, moved, symlinks=True)
    for path in moved.rglob("lbresolve-shared*.cmake"):
        path.unlink()
    folder = project("find_package(lbresolve QUIET COMPONENTS shared)\n"
                     "if(lbresolve_FOUND)\n  message(FATAL_ERROR found)\nendif()\nfind_package(lbresolve REQUIRED)")
    assert build_and_run(folder, f"-DCMAKE_PREFIX_PATH={moved}") == PRINTED
    assert not needs_the_shared_library(folder / "build" / "app")


def pkg_config(prefix, *flags):
    where = {**os.environ, "PKG_CONFIG_PATH": ":".join(str(p) for p in prefix.rglob("pkgconfig"))}
    return run(["pkg-config", "--cflags", "--libs", *flags, "lbresolve"], env=where).split()


@pytest.mark.rule("USE-02")
def test_pkg_config_finds_the_shared_library(project, prefix):
    folder = project("")
    run([COMPILER, "-std=c++20", *SANITIZE, folder / "app.cpp", "-o", folder / "app", *pkg_config(prefix)])
    assert needs_the_shared_library(folder / "app")
    library = next(prefix.rglob("liblbresolve.so"))
    assert run([folder / "app"], env={**os.environ, "LD_LIBRARY_PATH": str(library.parent)}) == PRINTED


@pytest.mark.rule("USE-02")
def test_pkg_config_finds_the_static_library(project, prefix, tmp_path):
    folder = project("")
    alone = tmp_path / "static"
    shutil.copytree(prefix, alone, symlinks=True, ignore=shutil.ignore_patterns("*.so*"))
    flags = pkg_config(alone, "--static")
    run([COMPILER, "-std=c++20", *SANITIZE, folder / "app.cpp", "-o", folder / "app", *flags])
    assert run([folder / "app"]) == PRINTED


@pytest.mark.rule("USE-02")
@pytest.mark.parametrize("way, settings, shared", [
    (f"add_subdirectory({SOURCE} lbresolve EXCLUDE_FROM_ALL)", [], False),
    ("include(FetchContent)\nFetchContent_Declare(lbresolve URL https://unreachable.invalid/lbresolve.tar.gz)\n"
     "FetchContent_MakeAvailable(lbresolve)",
     [f"-DFETCHCONTENT_SOURCE_DIR_LBRESOLVE={SOURCE}", "-DBUILD_SHARED_LIBS=ON"], True),
], ids=["add_subdirectory", "FetchContent"])
def test_sources_in_the_tree_build_the_library_alone(project, way, settings, shared, monkeypatch, request):
    # Beside the build that is tested and with its settings: then the compiler's cache knows nearly all of it.
    folder, build = project(way), BUILD.with_name(f"{BUILD.name}-{request.node.callspec.id}")
    shutil.rmtree(build, ignore_errors=True)
    monkeypatch.setenv("CCACHE_BASEDIR", str(SOURCE))
    monkeypatch.setenv("CCACHE_NOHASHDIR", "1")
    launcher = "-DCMAKE_CXX_COMPILER_LAUNCHER=" + ("ccache" if shutil.which("ccache") else "")
    configure(folder, launcher, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DLBRESOLVE_WERROR=ON", *settings, into=build)
    run(["cmake", "--build", build])
    assert run([build / "app"]) == PRINTED
    assert needs_the_shared_library(build / "app") is shared
    built = {p.name for p in build.rglob("*") if p.is_file()}
    assert ("liblbresolve.a" in built, "liblbresolve.so" in {p.name for p in build.rglob("*.so")}) == (not shared, shared)
    assert not [name for name in built if name.endswith("_tests")] and not (build / "lbresolve/cli").exists()
    # Nor does it add itself to what the project installs.
    run(["cmake", "--install", build, "--prefix", folder / "prefix"])
    assert not list((folder / "prefix").rglob("*lbresolve*"))


@pytest.mark.rule("USE-02")
def test_the_installed_headers_are_the_public_ones_alone(prefix):
    def headers(folder):
        return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}

    assert headers(prefix / "include") == headers(SOURCE / "lib/include")


@pytest.mark.rule("USE-02")
def test_the_command_its_page_and_its_completions_are_installed(prefix):
    assert run([prefix / "bin" / "lbresolve", "--version"]) == "lbresolve 0.1.0\n"
    assert {str(p.relative_to(prefix / "share")) for p in (prefix / "share").rglob("*") if p.is_file()} == {
        "man/man1/lbresolve.1", "bash-completion/completions/lbresolve", "zsh/site-functions/_lbresolve",
        "fish/vendor_completions.d/lbresolve.fish"}
