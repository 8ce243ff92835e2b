"""What the shared library shows: the public functions, all of them, and nothing else."""

import os
import re
import subprocess
from pathlib import Path

import pytest

LIB = Path(os.environ["LBRESOLVE_BUILD_DIR"]) / "lib"
PUBLIC = re.compile(r"lbresolve::|std::hash<lbresolve::")
# The private classes behind `resolver` and `tls_stream` are inside too, though their names begin as public ones.
INSIDE = re.compile(r"lbresolve::(core|io)::|::(impl|per_process)\b|\(anonymous namespace\)")


def functions(path, *flags):
    """The readable names that `path` defines for others to link to, each with nm's letter for its kind."""
    listed = subprocess.run(["nm", "--demangle", "--defined-only", "--extern-only", *flags, path], check=True,
                            capture_output=True, text=True).stdout
    return {match["name"]: match["kind"] for match in re.finditer(r"^[0-9a-f]+ (?P<kind>\w) (?P<name>.+)$", listed, re.M)}


@pytest.fixture(scope="module")
def exported():
    return functions(LIB / "liblbresolve.so", "--dynamic")


@pytest.mark.rule("USE-02")
def test_nothing_but_public_names_is_exported(exported):
    assert exported
    assert [name for name in exported if not PUBLIC.match(name) or INSIDE.search(name)] == []


@pytest.mark.rule("USE-02")
def test_every_public_function_is_exported(exported):
    """The archive has all that the sources define: what is public there is linkable in the shared library too."""
    archive = functions(LIB / "liblbresolve.a")
    public = {name for name, kind in archive.items()
              if kind == "T" and PUBLIC.match(name) and not INSIDE.search(name)}
    assert public == set(exported)


@pytest.mark.rule("USE-02")
def test_the_shared_library_says_which_interface_it_has():
    said = subprocess.run(["readelf", "--dynamic", "--wide", LIB / "liblbresolve.so"], check=True,
                          capture_output=True, text=True).stdout
    assert re.search(r"SONAME.*\[liblbresolve\.so\.0\]", said)
