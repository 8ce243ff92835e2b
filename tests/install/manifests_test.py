"""vcpkg.json, conanfile.py and debian/ say of the version and of the dependencies what CMake says."""

import ast
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(os.environ["LBRESOLVE_SOURCE_DIR"])
VERSION = re.search(r"project\(lbresolve VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text())[1]

# What pkg-config calls the libraries that are linked, and what the others call them.
VCPKG = {"libcares": "c-ares", "libssl": "openssl", "libcrypto": "openssl", "sqlite3": "sqlite3", "libnghttp2": "nghttp2"}
CONAN = {**VCPKG, "libnghttp2": "libnghttp2"}
DEBIAN = {"libcares": "libc-ares-dev", "libssl": "libssl-dev", "libcrypto": "libssl-dev", "sqlite3": "libsqlite3-dev",
          "libnghttp2": "libnghttp2-dev"}


def linked():
    """What the library can link, each with the least version."""
    text = (SOURCE / "lib/install.cmake").read_text()
    return dict(re.findall(r"(lib\w+|sqlite3) >= ([\d.]+)", text))


def test_the_versions_are_one():
    assert json.loads((SOURCE / "vcpkg.json").read_text())["version-semver"] == VERSION
    assert re.search(r'^    version = "(.+)"', (SOURCE / "conanfile.py").read_text(), re.M)[1] == VERSION
    assert (SOURCE / "debian/changelog").read_text().startswith(f"lbresolve ({VERSION}-")
    assert f'LBRESOLVE_VERSION "{VERSION}"' in (SOURCE / "lib/include/lbresolve/version.hpp").read_text()


def test_vcpkg_names_what_is_linked():
    manifest = json.loads((SOURCE / "vcpkg.json").read_text())
    features = manifest["features"].values()
    named = {d if isinstance(d, str) else d["name"]
             for d in [*manifest["dependencies"], *(d for f in features for d in f["dependencies"])]}
    assert {VCPKG[name] for name in linked()} | {"boost-outcome"} <= named
    assert set(manifest["default-features"]) == set(manifest["features"])


def test_conan_names_what_is_linked():
    text = (SOURCE / "conanfile.py").read_text()
    ast.parse(text)
    named = dict(re.findall(r'requires\("([\w-]+)/\[>=([\d.]+) ', text))
    assert named.pop("boost") == "1.74"
    assert named == {CONAN[name]: version.removesuffix(".0") for name, version in linked().items()}


def test_debian_names_what_is_linked():
    control = (SOURCE / "debian/control").read_text()
    source, *packages = control.split("\n\n")
    development = next(p for p in packages if p.startswith("Package: liblbresolve-dev\n"))
    for name, version in linked().items():
        for needs in (source, development):
            assert f"{DEBIAN[name]} (>= {version})" in needs


def test_conan_reads_the_recipe(tmp_path):
    if not shutil.which("conan"):
        pytest.skip("there is no conan")
    ran = subprocess.run(["conan", "inspect", SOURCE / "conanfile.py", "--format=json"], capture_output=True, text=True,
                         check=True, env={**os.environ, "CONAN_HOME": str(tmp_path)})
    assert json.loads(ran.stdout)["version"] == VERSION
