"""A progress bar on the terminal's last line, and lines above it."""

from __future__ import annotations

import sys

BAR_WIDTH = 30


def show_progress(done: int, total: int, name: str) -> None:
    """Draw the progress bar on the terminal's last line; nothing where the output is no terminal."""
    if sys.stderr.isatty():
        filled = BAR_WIDTH * done // total
        bar = "#" * filled + "-" * (BAR_WIDTH - filled)
        print(f"\r\033[K[{bar}] {done}/{total} {name}", end="", file=sys.stderr, flush=True)


def report(line: str, stream: object = None) -> None:
    """Print a line above the progress bar."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(line, file=stream or sys.stdout, flush=True)  # type: ignore[arg-type]
