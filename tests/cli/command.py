"""Runs the command as people do: into a pipe, or on a terminal of some size."""

import dataclasses
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

PAINT = re.compile(r"\x1b\[(?:0|1|2|31|32)m")   # the colours that the command itself uses, and nothing else


@dataclasses.dataclass
class Ran:
    code: int
    out: str
    err: str
    raw: bytes = b""

    @property
    def lines(self):
        return self.out.splitlines()


class Command:
    """The command, with no file of this host's in play unless a test asks for it; what it learns is kept in `state`."""

    def __init__(self, path, empty_file, state):
        self.path = path
        self.state = state
        self.isolation = ["--hosts=", f"--resolv-conf={empty_file}"]

    def arguments(self, *arguments):
        return [self.path, *self.isolation, *map(str, arguments)]

    @property
    def state_file(self):
        """Where the command keeps what it learns."""
        return self.state / "lbresolve" / "health.sqlite"

    def environment(self, **changes):
        kept = {k: v for k, v in os.environ.items()
                if k not in ("COLUMNS", "NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG", "TERM")}
        kept.update({"LANG": "C.UTF-8", "TERM": "xterm", "XDG_STATE_HOME": str(self.state)})
        kept.update(changes)
        return {k: v for k, v in kept.items() if v is not None}

    def run(self, *arguments, timeout=20, **environment):
        """Into pipes."""
        done = subprocess.run(self.arguments(*arguments), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=timeout, env=self.environment(**environment), check=False)
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode(), done.stdout)

    def run_tty(self, *arguments, columns=80, timeout=20, **environment):
        """Standard output on a terminal of so many columns; standard error into a pipe."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(self.arguments(*arguments), stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
                                   env=self.environment(**environment))
        os.close(theirs)
        raw, end = b"", time.monotonic() + timeout
        try:
            while True:
                readable, _, _ = select.select([ours], [], [], max(0.0, end - time.monotonic()))
                if not readable:
                    raise subprocess.TimeoutExpired(process.args, timeout)
                try:
                    more = os.read(ours, 65536)
                except OSError:   # how Linux says that the other side is closed
                    break
                if not more:
                    break
                raw += more
            err = process.stderr.read()
            code = process.wait(timeout)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stderr.close()
            os.close(ours)
        raw = raw.replace(b"\r\n", b"\n")
        return Ran(code, raw.decode(), err.decode(), raw)


def unpainted(text):
    return PAINT.sub("", text)
