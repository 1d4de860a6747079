"""What was left out of a data set, and why."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

DISCARDED = "discarded.csv"


@dataclass(frozen=True)
class Discarded:
    """A pair, a crop of one, or a file without a partner, that is not in the data set.

    Attributes
    ----------
    id : str
        The image's or crop's; the file's name where it has no partner.
    image, stain : str
        Paths; empty if there is none.
    reason : str
    """

    id: str
    image: str
    stain: str
    reason: str

    @property
    def sentence(self) -> str:
        """What is printed."""
        return f"left out: {self.id}: {self.reason}"


def write_discarded(folder: Path, discarded: Sequence[Discarded]) -> None:
    """Write discarded.csv, which has a head also where nothing was left out."""
    with (folder / DISCARDED).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([each.name for each in fields(Discarded)])
        writer.writerows(astuple(each) for each in discarded)
