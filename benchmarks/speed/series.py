"""What was measured: series of values of one quantity under one condition, as JSON files."""

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from cpunet.files.written_beside import written_beside

SECONDS, CPU_SECONDS, MIB = "seconds", "CPU seconds", "MiB"
IMAGES_A_SECOND, CPU_SECONDS_AN_IMAGE = "images a second", "CPU seconds an image"
# The method that all others are compared with.
PRIMARY = "IdentifyPrimaryObjects"


@dataclass(frozen=True)
class Series:
    """Repeats of one measurement.

    Attributes
    ----------
    part : str
        The table that it belongs to.
    field : str
        What was seen, such as ``bbbc039 520x696``; empty where nothing was.
    cores : int
        How many cores the process could use.
    method : str
        What was measured.
    quantity : str
        With its unit, such as ``seconds``.
    values : tuple of float
        One for each repeat, in their order.
    situation : str
        What else ran, or which number type is used; empty where this says nothing.
    """

    part: str
    field: str
    cores: int
    method: str
    quantity: str
    values: Tuple[float, ...]
    situation: str = ""

    @property
    def median(self) -> float:
        """The median of all repeats."""
        return statistics.median(self.values)

    @property
    def condition(self) -> Tuple[str, int, str]:
        """What is compared side by side: field, cores and situation."""
        return self.field, self.cores, self.situation


class PartOfRun(NamedTuple):
    """The content of a JSON file: the machine as it was, series, and what was left out with its reason."""

    machine: Dict[str, Any]
    series: List[Series]
    left_out: List[str]


def write_part(path: Path, part: PartOfRun) -> None:
    """Write a part of a run; a file of an earlier run is replaced as a whole."""
    content = {
        "machine": part.machine,
        "left_out": part.left_out,
        "series": [asdict(each) for each in part.series],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_part(path: Path) -> PartOfRun:
    """Read what `write_part` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    series = [Series(**{**each, "values": tuple(each["values"])}) for each in content["series"]]
    return PartOfRun(content["machine"], series, content["left_out"])


def spread(values: Sequence[float]) -> str:
    """Write the median with three digits and, behind it, the lowest and the highest value.

    >>> spread([0.21, 0.2, 0.25])
    '0.21 (0.2 to 0.25)'
    >>> spread([12345.0])
    '12345'
    """
    if len(values) == 1:
        return short(values[0])
    return f"{short(statistics.median(values))} ({short(min(values))} to {short(max(values))})"


def short(value: float) -> str:
    """Write a number with three digits, and all digits before the point.

    >>> short(0.012345), short(1234.5), short(2.0)
    ('0.0123', '1234', '2')
    """
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def matching(series: Iterable[Series], **wanted: Any) -> List[Series]:
    """Return the series whose attributes have these values."""
    return [each for each in series if all(getattr(each, name) == value for name, value in wanted.items())]
