"""What CellProfiler's log says of a run: the seconds of each module, the models, and why a field failed."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Deque, Dict, List, Optional, Tuple

MODULE_DONE = re.compile(r"Image # (\d+), module (\w+) # (\d+): CPU_time = [\d.]+ secs, Wall_time = ([\d.]+) secs")
MODULE_FAILED = re.compile(r"Error detected during run of module (?P<module>\w+)")
ERROR_LINE = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Missing\w*)\b(?:: (.*))?$")
# Logged wherever CellProfiler was installed without MySQL, which nothing here needs.
USUAL_ERROR = "No module named 'MySQLdb'"
LONGEST_LOG = 4000
# Logged of an image set that failed, also where CellProfiler goes on and ends with the exit code 0.
FAILED_IMAGE_SET = re.compile(rf"^(?:{MODULE_FAILED.pattern}|Failed to complete post_run).*$", re.M)
# Logged by IdentifyObjectsUNet.
MODEL = re.compile(
    r"IdentifyObjectsUNet \(module (\d+)\), image set \d+: model (.*), SHA-256 ([0-9a-f]{64}), on (\w+)$", re.M
)
LAST_LINES = 12


@dataclass
class RunLog:
    """Read line by line, while CellProfiler runs.

    Attributes
    ----------
    seconds : dict of (field, module number) to float
        By the clock, as CellProfiler rounds them.
    failures : dict of int to str
        By the number of the field: the module that failed, and why.
    lines : deque of str
        The last ones.
    last_error : str or None
        The last error's message of all.
    """

    seconds: Dict[Tuple[int, int], float] = field(default_factory=dict)
    failures: Dict[int, str] = field(default_factory=dict)
    lines: Deque[str] = field(default_factory=lambda: deque(maxlen=LONGEST_LOG))
    last_error: Optional[str] = None
    _failed: Optional[str] = None
    _why: Optional[str] = None

    def add(self, line: str) -> Optional[Tuple[int, str]]:
        """Take in a line; return the field and the name of the module that it says is done."""
        line = line.rstrip()
        self.lines.append(line)
        failed = MODULE_FAILED.search(line)
        if failed:
            self._failed, self._why = failed["module"], None
        done = MODULE_DONE.search(line)
        if done:
            number = int(done.group(1))
            self.seconds[number, int(done.group(3))] = float(done.group(4))
            if self._failed == done.group(2):
                self.failures[number] = f"{self._failed}: {self._why or 'CellProfiler does not say why'}"
            self._failed = self._why = None
            return number, done.group(2)
        error = ERROR_LINE.match(line)
        if error and not line.endswith(USUAL_ERROR):
            self.last_error = self._why = error.group(1) or line
        return None


def failures_in(log: str) -> List[str]:
    """Return the lines of a log that say of image sets, or of the end of the run, that they failed."""
    return [found[0].strip() for found in FAILED_IMAGE_SET.finditer(log)]


def reason_in(log: str) -> str:
    """Return the last line of the last traceback in a log, or else its last lines."""
    lines = [line for line in log.splitlines() if line.strip()]
    for place in range(len(lines) - 1, -1, -1):
        if lines[place].startswith("Traceback (most recent call last)"):
            after = [line for line in lines[place + 1 :] if not line.startswith(" ")]
            if after:
                return after[0]
    return " / ".join(lines[-LAST_LINES:])


def models_in(log: str) -> List[Dict[str, str]]:
    """Return the models that a log names, each once: module, model, SHA-256 and the device."""
    found = sorted(set(MODEL.findall(log)))
    return [dict(zip(("module", "model", "sha256", "provider"), each)) for each in found]
