"""How far a task of many steps is, and how long it still takes: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from typing import Callable, Optional

from cpunet.terminal import BAR_WIDTH, printable, report

# A bar that moves more often cannot be read; a log file needs a sign of life, and no more.
BAR_SECONDS, LINE_SECONDS = 0.2, 30.0
MINUTE, HOUR = 60, 3600


def in_words(seconds: float) -> str:
    """Say how long something takes, as exactly as an estimate can be.

    Examples
    --------
    >>> [in_words(seconds) for seconds in (0.4, 42, 100, 754, 9000)]
    ['1 second', '42 seconds', '2 minutes', '13 minutes', '2.5 hours']
    """
    if seconds < 1.5 * MINUTE:
        number, unit = str(max(1, round(seconds))), "second"
    elif seconds < 1.5 * HOUR:
        number, unit = str(round(seconds / MINUTE)), "minute"
    else:
        number, unit = f"{seconds / HOUR:.1f}", "hour"
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


class Progress:
    """Progress of a task, with the time that is left.

    Parameters
    ----------
    what : str
        The task, such as ``training``.
    total : int
        Its steps, 1 or more.
    done : int
        Those that were done before, as by a run that is resumed: their time is not known.
    clock : callable
        Returns seconds.
    """

    def __init__(self, what: str, total: int, done: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.what = what
        self.total = total
        self._before = done
        self._clock = clock
        self._began = self._lined = clock()
        self._drawn = float("-inf")

    def seconds_left(self, done: int) -> Optional[float]:
        """Estimate the seconds until the end after `done` steps, from those of this process; None before the first."""
        here = done - self._before
        if here < 1:
            return None
        return (self._clock() - self._began) * (self.total - done) / here

    def line(self, done: int, text: str = "") -> str:
        """Return one line: the task, its steps, a text, and the time left."""
        left = self.seconds_left(done)
        time_left = f"; about {in_words(left)} left" if left is not None and done < self.total else ""
        return f"{self.what} {done} of {self.total}{f', {printable(text)}' if text else ''}{time_left}"

    def show(self, done: int, text: str = "") -> None:
        """Draw the bar on a terminal; elsewhere print a line if the last is `LINE_SECONDS` old."""
        now = self._clock()
        if sys.stderr.isatty():
            if now - self._drawn >= BAR_SECONDS or done == self.total:
                self._drawn = now
                filled = BAR_WIDTH * done // self.total
                bar = "#" * filled + "-" * (BAR_WIDTH - filled)
                print(f"\r\033[K[{bar}] {self.line(done, text)}", end="", file=sys.stderr, flush=True)
        elif now - self._lined >= LINE_SECONDS and done < self.total:
            self.tell(done, text)

    def tell(self, done: int, text: str = "") -> None:
        """Print a line that stays, above the bar."""
        self._lined = self._clock()
        report(self.line(done, text), sys.stderr)

    def end(self) -> None:
        """Remove the bar."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
