"""End cleanly on Ctrl-C and on the signals by which a system or a cluster ends a program."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from types import FrameType
from typing import Any, Dict, Iterator, List, Optional

# SIGHUP: the terminal was closed. SIGBREAK: Ctrl-Break on Windows. No system has all of them.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
# A terminal, and the program that started this one, may both pass on one key press.
SAME_REQUEST_SECONDS = 1.0
MOST_REQUESTS = 3
SECONDS_UNTIL_FREED = 0.1


class Interruption(BaseException):
    """A signal asked the program to end. It is no Exception, so that guards around single files let it pass.

    Attributes
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell reports of a program that this signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number

    def __str__(self) -> str:
        cause = "Ctrl-C" if self.number == signal.SIGINT else f"the signal {signal.Signals(self.number).name}"
        return f"stopped by {cause}. Each file that was written is complete."


class Requests:
    """The signals that asked this process to end, in their order."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._numbers: List[int] = []
        self._last = float("-inf")
        self._swallowed = False
        self.held_back = False

    @property
    def first(self) -> Optional[Interruption]:
        """The first of them; None if nobody asked."""
        return Interruption(self._numbers[0]) if self._numbers else None

    def handle(self, number: int, _frame: Optional[FrameType]) -> None:
        """Raise Interruption in the main thread, where it runs; at the third request, end without tidying up.

        Where requests are held back (`held_back`), they are only noted.
        """
        if os.getpid() != self._process:  # a forked worker: its parent says what happened
            os._exit(128 + number)
        if self._swallowed and not self.held_back:
            self._swallowed = False
            raise Interruption(number)
        now = time.monotonic()
        if now - self._last < SAME_REQUEST_SECONDS:
            return
        self._last = now
        self._numbers.append(number)
        if len(self._numbers) >= MOST_REQUESTS:
            os._exit(128 + number)
        if not self.held_back:
            raise Interruption(number)

    def raise_later(self) -> None:
        """Raise Interruption once more, a moment later.

        Python drops what is raised while it frees an object, such as the workers of torch's data loader.
        """
        self._swallowed = True
        main, number = threading.main_thread().ident or 0, self._numbers[-1]
        send = functools.partial(signal.pthread_kill, main) if hasattr(signal, "pthread_kill") else signal.raise_signal
        timer = threading.Timer(SECONDS_UNTIL_FREED, send, [number])
        timer.daemon = True
        timer.start()


_listening: List[Requests] = []


def requested() -> Optional[Interruption]:
    """Return the interruption that was asked for within the block of `interruptions` that runs, or None."""
    return _listening[-1].first if _listening else None


def stop_if_requested() -> None:
    """Raise the interruption that was asked for, if any: for guards around single files.

    A library may have turned it into an error of its own, such as a failed import, which the guard has then caught.
    """
    found = requested()
    if found is not None:
        raise found


@contextmanager
def held_back() -> Iterator[None]:
    """Only note signals within the block, and raise the first of them at its end; `stop_if_requested` raises it sooner.

    Some code cannot bear an exception between any two of its lines. Raised just after a queue's lock was taken, it
    leaves the lock taken for ever, and whoever clears the queue away waits for it: torch's data loader does.
    """
    listening = _listening[-1:]
    for requests in listening:
        requests.held_back = True
    try:
        yield
    finally:
        for requests in listening:
            requests.held_back = False
    stop_if_requested()


@contextmanager
def interruptions() -> Iterator[None]:
    """Turn signals into Interruption within the block, and restore the former handling at its end.

    A signal that the program was told to ignore, as by nohup, stays ignored. Outside the main thread nothing is done.
    """
    requests = Requests()
    before: Dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, requests.handle)
    hook = sys.unraisablehook

    def unraisable(what: Any) -> None:
        if issubclass(what.exc_type, Interruption):
            requests.raise_later()
        else:
            hook(what)

    _listening.append(requests)
    sys.unraisablehook = unraisable
    try:
        yield
    finally:
        sys.unraisablehook = hook
        _listening.remove(requests)
        for number, handler in before.items():
            signal.signal(number, handler)
