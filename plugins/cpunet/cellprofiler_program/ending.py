"""End a process such as CellProfiler, which may not end when it is asked to."""

from __future__ import annotations

import subprocess
from typing import Any

SECONDS_TO_END = 20.0


def end(process: subprocess.Popen[Any]) -> None:
    """End a process, by force if it does not end within `SECONDS_TO_END` when asked."""
    process.terminate()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
