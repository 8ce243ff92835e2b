"""docs/demo/demo.py, as an ordinary user runs it: it shows what it promises, and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pytest
from network_lab import unavailable, wait_until
from unbound_server import find_unbound

DEMO = Path(__file__).resolve().parents[2] / "docs" / "demo" / "demo.py"
MARK = "LBRESOLVE_DEMO_TEST"
NOBODY = 65534


class Demo:
    """The demo under way, and a way to find what it started: the environment is inherited."""

    def __init__(self, program, directory):
        self.mark = uuid.uuid4().hex
        self.directory = directory
        environment = {**os.environ, MARK: self.mark, "TMPDIR": str(directory), "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            [*as_ordinary_user(), sys.executable, str(DEMO), program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=environment)

    def read_until(self, text):
        """What it printed up to and including a line that holds `text`."""
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if text in line:
                return "".join(lines)
        raise AssertionError(f"{text!r} never came:\n{''.join(lines)}")

    def running(self):
        """The processes that the demo is or started, still alive."""
        wanted, found = f"{MARK}={self.mark}".encode(), []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


def as_ordinary_user():
    """Root tries the demo as nobody; in a user namespace, where there is no other user, as the user it is."""
    whole_map = Path("/proc/self/uid_map").read_text(encoding="ascii").split() == ["0", "0", "4294967295"]
    if os.geteuid() != 0 or not whole_map or shutil.which("setpriv") is None:
        return []
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    may_read = subprocess.run([*command, "test", "-r", str(DEMO)], check=False).returncode == 0
    return command if may_read else []


@pytest.fixture
def demo(lbresolve_bin):
    if find_unbound() is None:
        unavailable("unbound is not installed")
    directory = Path(tempfile.mkdtemp(prefix="lbresolve-demo-test-"))
    directory.chmod(0o777)
    demo = Demo(lbresolve_bin, directory)
    yield demo
    demo.process.kill()
    demo.process.wait()
    demo.process.stdout.close()
    shutil.rmtree(directory, ignore_errors=True)


def test_the_demo_shows_what_it_promises_and_leaves_nothing_behind(demo):
    before = time.monotonic()
    output = demo.process.communicate(timeout=60)[0]
    assert demo.process.returncode == 0, output
    assert time.monotonic() - before < 60
    for n in (11, 12, 13, 14, 15, 16, 17, 18):
        assert f"127.0.0.{n}" in output, "resolve shows all eight addresses"
    assert output.count("$ lbresolve ") >= 4
    assert "$ lbresolve connect api.example.test:" in output and "--count 50" in output
    first, then = [part for part in output.split("$ lbresolve ") if part.startswith("explain ")]
    assert first.count("unknown") >= 8 and "suspect" not in first
    last = [line for line in then.splitlines() if line[:1].isdigit()][-2:]
    assert {line.split()[1].split(":")[0] for line in last} == {"127.0.0.17", "127.0.0.18"}
    assert all("suspect" in line or "ejected" in line for line in last), "memory is at work"
    wait_until(lambda: not demo.running(), timeout=2, what="the end of what the demo started")
    assert not list(demo.directory.iterdir())


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_demo_leaves_nothing_behind_when_it_is_stopped_midway(demo, number, code):
    demo.read_until("$ lbresolve connect")
    assert any("unbound" in command for command in demo.running())
    demo.process.send_signal(number)
    output = demo.process.communicate(timeout=10)[0]
    assert demo.process.returncode == code, output
    assert "nothing of it is left running" in output
    wait_until(lambda: not demo.running(), timeout=2, what="the end of what the demo started")
    assert not list(demo.directory.iterdir())


def test_what_the_demo_started_ends_even_when_it_is_killed(demo):
    demo.read_until("$ lbresolve connect")
    demo.process.kill()
    demo.process.wait()
    wait_until(lambda: not demo.running(), what="the end of the demo's children")


def test_the_demo_says_what_to_install_when_unbound_is_missing(lbresolve_bin, tmp_path):
    demo = DEMO.read_text(encoding="utf-8").replace(":/usr/sbin:/usr/local/sbin", "")
    copy = tmp_path / "demo.py"
    copy.write_text(demo, encoding="utf-8")
    run = subprocess.run([sys.executable, str(copy), lbresolve_bin], capture_output=True, text=True, timeout=20,
                         env={**os.environ, "PATH": str(tmp_path)}, check=False)
    assert run.returncode == 1
    assert "apt install unbound" in run.stderr
