"""Cut a field into crops of one size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cpunet.errors import OptionError

SMALLEST_PX = 64


@dataclass(frozen=True)
class Crops:
    """How many crops are cut from a field.

    Attributes
    ----------
    side_px : int
        Height and width; 0 leaves the field whole.
    most : int
        So many at most, 1 or more.
    """

    side_px: int = 0
    most: int = 4

    def __post_init__(self) -> None:
        if self.side_px != 0 and self.side_px < SMALLEST_PX:
            raise OptionError(f"--crop {self.side_px}: 0 for whole fields, or {SMALLEST_PX} pixels or more.")
        if self.most < 1:
            raise OptionError(f"--crops {self.most}: 1 or more is needed.")


def crop_windows(shape: tuple[int, int], crops: Crops) -> list[tuple[slice, slice]]:
    """Return the rows and columns of crops that do not overlap, spread evenly over a field.

    A side of the field that is shorter than a crop gives one crop of its own length. If more crops fit than are wanted,
    they are taken evenly from all, row by row.

    Examples
    --------
    >>> [(rows.start, columns.start) for rows, columns in crop_windows((1040, 1408), Crops(512))]
    [(0, 0), (0, 896), (528, 0), (528, 896)]
    """
    if crops.side_px == 0:
        return [(slice(0, shape[0]), slice(0, shape[1]))]
    rows, columns = (_along(size, crops.side_px) for size in shape)
    windows = [(row, column) for row in rows for column in columns]
    places = np.linspace(0, len(windows) - 1, min(crops.most, len(windows))).round().astype(int)
    return [windows[place] for place in places]


def _along(size: int, side: int) -> list[slice]:
    side = min(side, size)
    starts = np.linspace(0, size - side, size // side).round().astype(int)
    return [slice(int(start), int(start) + side) for start in starts]
