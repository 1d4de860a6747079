"""Keep the threads of a session to the cores that other programs leave free."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Optional

from cpunet.cores import threads_within_limits
from cpunet.free_cores import CoreTimes, core_times, free_cores, threads_for

# Between two looks. The system counts in hundredths of a second.
LOOK_SECONDS = 1.0


@dataclass
class SessionThreads:
    """How many threads a session has, and since when that was right.

    Attributes
    ----------
    count : int
        As onnxruntime takes it: 0 for as many as it likes.
    looked : CoreTimes or None
        At the last look; None where the system does not tell, so that nothing ever changes.
    """

    count: int
    looked: Optional[CoreTimes]

    def change(self) -> bool:
        """Look how busy other programs are, at most once a second; return True if `count` is another one now."""
        if self.looked is None or time.monotonic() - self.looked.now < LOOK_SECONDS:
            return False
        now = core_times()
        if now is None:
            return False
        before, self.count = self.count, threads_for(free_cores(self.looked, now))
        self.looked = now
        return self.count != before


_last_look = core_times()  # when the process started, or nearly


def threads_at_opening() -> SessionThreads:
    """Begin with what the cores were free for since this process started, or with all of them if that is too short.

    Later sessions of the process begin with the time since the one before.
    """
    global _last_look
    threads = SessionThreads(threads_within_limits(), _last_look)
    threads.change()
    _last_look = threads.looked
    return threads
