"""Parts of a mosaic as the model reads them: the same numbers as in the whole image."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.card import Normalization
from cpunet.mosaic.disk_array import parts_of, with_margin
from cpunet.mosaic.first_pass import ChannelsOfMosaic, FirstPass
from cpunet.steps.pixels.fill import DEFECT_PX, PART_PX, REACH_PX, defects, fill_part
from cpunet.steps.prepare import stretch

Channels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class PreparedMosaic:
    """A mosaic, normalized and filled; see `cpunet.steps.prepare.prepare`.

    Parameters
    ----------
    channels : ChannelsOfMosaic
    normalization : Normalization
    first_pass : FirstPass
        Of the whole mosaic.
    """

    def __init__(self, channels: ChannelsOfMosaic, normalization: Normalization, first_pass: FirstPass) -> None:
        self._channels, self._normalization, self._first_pass = channels, normalization, first_pass
        self.shape: Tuple[int, int] = channels.shape

    @property
    def is_measured_everywhere(self) -> bool:
        """Whether every pixel counts."""
        return self._first_pass.empty is None

    def read(self, rows: slice, columns: slice) -> Channels:
        """Return a part (C, y, x)."""
        if self._first_pass.empty is None:
            return self._stretched(rows, columns, None)
        if not self._first_pass.empty.read(rows, columns).any():
            return self._stretched(rows, columns, np.ones((rows.stop - rows.start, columns.stop - columns.start), bool))
        # The parts that `cpunet.steps.pixels.fill.fill` has, since the nearest pixel depends on them where two are.
        whole: Optional[Channels] = None
        for part_rows, part_columns in parts_of(self.shape, PART_PX):
            shared_rows, shared_columns = _shared(part_rows, rows), _shared(part_columns, columns)
            if shared_rows is None or shared_columns is None:
                continue
            filled = self._filled_part(part_rows, part_columns)
            if whole is None:
                shape = len(filled), rows.stop - rows.start, columns.stop - columns.start
                whole = np.empty(shape, np.float32)
            whole[:, _within(shared_rows, rows), _within(shared_columns, columns)] = filled[
                :, _within(shared_rows, part_rows), _within(shared_columns, part_columns)
            ]
        assert whole is not None
        return whole

    def usable(self, rows: slice, columns: slice) -> Optional[Mask]:
        """Return the pixels of a part (y, x) that count; None if all of the mosaic do."""
        empty = self._first_pass.empty
        if empty is None:
            return None
        (rows, own_rows), (columns, own_columns) = (
            with_margin(axis, 2 * DEFECT_PX + 2, size) for axis, size in zip((rows, columns), self.shape)
        )
        hidden = empty.read(rows, columns)
        return (~hidden | defects(hidden))[own_rows, own_columns]

    def _stretched(self, rows: slice, columns: slice, usable: Optional[Mask]) -> Channels:
        part, _ = self._channels.read(rows, columns)
        return stretch(part, self._first_pass.contrasts, self._normalization, usable)

    def _filled_part(self, rows: slice, columns: slice) -> Channels:
        assert self._first_pass.empty is not None
        (around_rows, own_rows), (around_columns, own_columns) = (
            with_margin(axis, REACH_PX, size) for axis, size in zip((rows, columns), self.shape)
        )
        empty = self._first_pass.empty.read(around_rows, around_columns)
        part = self._stretched(around_rows, around_columns, ~empty)
        for plane, far in zip(part, self._first_pass.filling):
            plane[empty] = far
        fill_part(part, empty, own_rows, own_columns)
        return part[:, own_rows, own_columns]


def _shared(part: slice, wanted: slice) -> Optional[slice]:
    first, last = max(part.start, wanted.start), min(part.stop, wanted.stop)
    return slice(first, last) if first < last else None


def _within(inner: slice, outer: slice) -> slice:
    return slice(inner.start - outer.start, inner.stop - outer.start)
