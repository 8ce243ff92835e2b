"""Where the environment with the Python package is, for tests that are run by another Python."""

from __future__ import annotations

import os
from pathlib import Path

from network_lab import unavailable


def python_with_package(lbresolve_bin: str) -> Path:
    """The interpreter that has it; a test that finds none is skipped, or fails where that is not allowed."""
    build = Path(os.environ.get("LBRESOLVE_BUILD_DIR", Path(lbresolve_bin).parents[1]))
    python = build / "python" / "venv" / "bin" / "python"
    if not python.exists():
        unavailable("the Python package is not there yet: run the suite `python` first")
    return python
