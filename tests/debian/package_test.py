"""The Debian packages: they build from the tracked files, hold what they should, and lintian finds no error in them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(os.environ["LBRESOLVE_SOURCE_DIR"])
# Always the same folder: the compiler's cache knows it again.
FOLDER = Path(os.environ["LBRESOLVE_BUILD_DIR"]) / "debian"
TOOLS = ["dpkg-buildpackage", "dh", "git"]


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        pytest.fail(f"{[str(c) for c in command]}\n{done.stdout[-6000:]}", pytrace=False)
    return done.stdout


def settings():
    """debhelper gives the build a home that does not exist: the compiler's cache has to be named."""
    environment = {**os.environ, "DEB_BUILD_OPTIONS": f"nocheck parallel={os.cpu_count()}"}
    if shutil.which("ccache"):
        environment["CCACHE_DIR"] = run(["ccache", "--get-config", "cache_dir"]).strip()
    return environment


def tracked_files():
    if not (SOURCE / ".git").exists():
        pytest.skip("the sources are no git repository, which would say what belongs to them")
    return run(["git", "-C", SOURCE, "ls-files", "-z"]).rstrip("\0").split("\0")


@pytest.fixture(scope="module")
def packages():
    """The packages, each by its name."""
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        pytest.skip(f"there is no {missing[0]}")
    shutil.rmtree(FOLDER, ignore_errors=True)
    tree = FOLDER / "lbresolve"
    for name in tracked_files():
        if (SOURCE / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(SOURCE / name, tree / name)
    run(["dpkg-buildpackage", "--build=binary", "--no-sign"], cwd=tree, env=settings())
    return {path.name.split("_")[0]: path for path in FOLDER.glob("*.deb")}


def files_of(package):
    """The files and links of a package, with one name for the folder of this architecture's libraries."""
    names = [line.split(None, 5)[5].partition(" -> ")[0] for line in run(["dpkg-deb", "--contents", package]).splitlines()]
    folder = run(["dpkg-architecture", "--query", "DEB_HOST_MULTIARCH"]).strip()
    return {name[2:].replace(folder, "TRIPLET") for name in names if not name.endswith("/")}


def field(package, name):
    return run(["dpkg-deb", "--field", package, name]).strip()


DOC = "usr/share/doc"


@pytest.mark.rule("USE-02")
def test_the_packages_hold_what_they_say(packages):
    assert {"liblbresolve0", "liblbresolve-dev", "lbresolve"} <= set(packages)
    assert {f for f in files_of(packages["liblbresolve0"]) if not f.startswith(DOC)} == {
        "usr/lib/TRIPLET/liblbresolve.so.0", "usr/lib/TRIPLET/liblbresolve.so.0.1.0"}
    headers = {f"usr/{p.relative_to(SOURCE / 'lib')}" for p in (SOURCE / "lib/include").rglob("*.hpp")}
    development = {f for f in files_of(packages["liblbresolve-dev"]) if not f.startswith(DOC)}
    assert {f for f in development if f.startswith("usr/include")} == headers
    assert {"usr/lib/TRIPLET/liblbresolve.a", "usr/lib/TRIPLET/liblbresolve.so",
            "usr/lib/TRIPLET/pkgconfig/lbresolve.pc",
            "usr/lib/TRIPLET/cmake/lbresolve/lbresolveConfig.cmake"} <= development
    assert {f for f in files_of(packages["lbresolve"]) if not f.startswith(DOC)} == {
        "usr/bin/lbresolve", "usr/share/man/man1/lbresolve.1.gz", "usr/share/bash-completion/completions/lbresolve",
        "usr/share/zsh/vendor-completions/_lbresolve", "usr/share/fish/vendor_completions.d/lbresolve.fish"}


@pytest.mark.rule("USE-02")
def test_the_packages_need_what_they_use(packages):
    assert "liblbresolve0" in field(packages["lbresolve"], "Depends")
    library = field(packages["liblbresolve0"], "Depends")
    assert all(name in library for name in ("libc-ares2", "libssl3", "libnghttp2", "libsqlite3"))
    assert "liblbresolve0 (= " in field(packages["liblbresolve-dev"], "Depends")


@pytest.mark.rule("USE-02")
def test_the_packaged_command_runs(packages, tmp_path):
    for package in ("liblbresolve0", "lbresolve"):
        run(["dpkg-deb", "--extract", packages[package], tmp_path])
    library = next(tmp_path.rglob("liblbresolve.so.0"))
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
    assert run([tmp_path / "usr/bin/lbresolve", "192.0.2.1", "--format", "short", "--no-state"],
               env=environment) == "192.0.2.1\n"


def test_lintian_finds_no_error(packages):
    if not shutil.which("lintian"):
        pytest.skip("there is no lintian")
    changes = next(FOLDER.glob("*.changes"))
    # The maintainer's address is one that no mail reaches: whoever uploads the packages puts a real one.
    run(["lintian", "--allow-root", "--fail-on", "error", "--suppress-tags", "bogus-mail-host", changes])
