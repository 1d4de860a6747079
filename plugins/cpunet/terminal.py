"""Print results and a progress bar; a stream that cannot be printed to costs the text, not the work."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from contextlib import contextmanager
from typing import Any, Iterator, Optional

BAR_WIDTH = 30
STANDARD_STREAMS = 3
CLOSED_PIPE = (errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,)


class LastingStream:
    """A text stream that goes on where the one behind it fails: a full disk, a closed pipe, a narrow character set.

    Attributes
    ----------
    failure : Exception or None
        Why some text was lost; None where none was, or where the reader of a pipe, such as ``head``, had enough.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.failure: Optional[Exception] = None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a Windows console may lack the letters of a file's name

    def write(self, text: str) -> int:
        """Write a text, or lose it."""
        try:
            self._stream.write(text)
        except (OSError, ValueError) as error:
            self._lose(error)
        return len(text)

    def flush(self) -> None:
        """Pass on what is buffered, or lose it."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        closed_pipe = isinstance(error, OSError) and error.errno in CLOSED_PIPE
        if self.failure is None and not closed_pipe:
            self.failure = error
        try:
            # What is still buffered must not fail once more when Python ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError, AttributeError):
            pass  # a stream in memory, or one that is closed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_streams() -> Iterator[LastingStream]:
    """Make ``sys.stdout`` and ``sys.stderr`` last within the block; yield the former, whose failure can be asked for.

    Streams that were closed before the program started lead nowhere. Otherwise the first file that is opened would take
    the place of such a stream, and get what a library prints.
    """
    for number in range(STANDARD_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        output, errors = (LastingStream(nowhere if each is None else each) for each in before)
        sys.stdout, sys.stderr = output, errors
        try:
            yield output
        finally:
            output.flush()
            errors.flush()
            sys.stdout, sys.stderr = before


def printable(text: object) -> str:
    """Return a text without line breaks and other control characters, which a file's name may hold, as escapes."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(text))


def word_of(path: object) -> str:
    """Return a path as one word of a command line, in quotation marks where a shell needs them.

    >>> word_of("scores/review.html"), os.name == "nt" or word_of("my review.html")[1:-1] == "my review.html"
    ('scores/review.html', True)
    """
    if os.name == "nt":
        return f'"{path}"' if " " in str(path) else str(path)
    return shlex.quote(str(path))


def show_progress(done: int, total: int, name: str) -> None:
    """Draw the progress bar on the terminal's last line; nothing where the output is no terminal."""
    if sys.stderr.isatty():
        filled = BAR_WIDTH * done // total
        bar = "#" * filled + "-" * (BAR_WIDTH - filled)
        print(f"\r\033[K[{bar}] {done}/{total} {printable(name)}", end="", file=sys.stderr, flush=True)


def report(line: str, stream: object = None) -> None:
    """Print a line above the progress bar."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(line, file=stream or sys.stdout, flush=True)  # type: ignore[arg-type]
