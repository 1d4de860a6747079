"""Run the network over a mosaic, tile by tile, and keep its probabilities on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, NamedTuple, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ModelError
from cpunet.model.protocol import Model
from cpunet.mosaic.disk_array import DiskArray
from cpunet.mosaic.prepared import PreparedMosaic
from cpunet.options import AUGMENTATIONS, Options
from cpunet.steps.resize import resized_part
from cpunet.steps.tile_shape import automatic_tile_shape
from cpunet.steps.tiling import TilePlan, plan_tiles, read_tile

Planes = npt.NDArray[np.float32]
# Called before each tile with the tiles that are done and their number.
Report = Callable[[int, int], None]


class ProbabilitiesOnDisk(NamedTuple):
    """The probabilities of each view of a mosaic, on the network's grid, turned back.

    Attributes
    ----------
    views : DiskArray of shape (views, roles, Y', X'), float32
    mosaic : PreparedMosaic
    """

    views: DiskArray
    mosaic: PreparedMosaic

    def read(self, rows: slice, columns: slice) -> Planes:
        """Return the mean probabilities (roles, y, x) of a part of the mosaic; 0 where nothing was measured."""
        grid = self.views.shape[2], self.views.shape[3]
        found = resized_part(self._mean, grid, self.mosaic.shape, rows, columns)
        usable = self.mosaic.usable(rows, columns)
        if usable is not None:
            found[:, ~usable] = 0
        return found

    def _mean(self, rows: slice, columns: slice) -> Planes:
        mean = self.views.read(0, slice(None), rows, columns)
        for view in range(1, self.views.shape[0]):
            mean += self.views.read(view, slice(None), rows, columns)
        mean /= np.float32(self.views.shape[0])
        return mean


def predict_mosaic(
    mosaic: PreparedMosaic, model: Model, options: Options, scale: float, folder: Path, report: Report
) -> ProbabilitiesOnDisk:
    """Predict the probabilities of a mosaic; see `cpunet.steps.predict.predict`, whose tiles and views these are.

    Parameters
    ----------
    mosaic : PreparedMosaic
    model : Model
    options : Options
        The augmentation and the tile shape are used.
    scale : float
        By how much the mosaic is enlarged for the network.
    folder : Path
        Where the probabilities are kept. Tiles that an earlier run has finished there are not predicted again.
    report : callable

    Notes
    -----
    A tile is marked as done when its probabilities are on the disk.
    """
    card, views = model.card, AUGMENTATIONS[options.augmentation]
    height, width = (max(1, round(size * scale)) for size in mosaic.shape)
    size = "x".join(map(str, options.tile_shape)) if options.tile_shape else "automatic"
    name = f"scale_{scale!r}_{options.augmentation.replace(' ', '_')}_{size}"
    array = DiskArray.open_or_create(
        folder / f"probabilities_{name}", (len(views), len(card.output.roles), height, width), np.float32
    )
    plans = []
    for turns, _ in views:
        shape = (height, width) if turns % 2 == 0 else (width, height)
        given = card.input
        plans.append(
            plan_tiles(
                shape,
                options.tile_shape or automatic_tile_shape(shape, model),
                card.output.halo,
                given.divisible_by,
                given.min_size,
                given.tile_shape,
            )
        )
    total = sum(len(plan.tiles) for plan in plans)
    done = DiskArray.open_or_create(folder / f"tiles_done_{name}", (1, total), bool)
    is_done = done.read(0)
    number = 0

    def read(rows: slice, columns: slice) -> Planes:
        return resized_part(mosaic.read, mosaic.shape, (height, width), rows, columns)

    for view, (plan, (turns, mirrored)) in enumerate(zip(plans, views)):
        turned = _TurnedView(read, (height, width), turns, mirrored)
        for place in range(len(plan.tiles)):
            if not is_done[number]:
                report(int(np.count_nonzero(is_done)), total)
                predicted, rows, columns = _predict_tile(turned, plan, place, model)
                planes, rows, columns = turned.back(predicted, rows, columns)
                array.write(planes, view, slice(None), rows, columns)
                array.sync()
                done.write(np.ones((), bool), 0, number)
                is_done[number] = True
            number += 1
    report(total, total)
    return ProbabilitiesOnDisk(array, mosaic)


def _predict_tile(view: _TurnedView, plan: TilePlan, place: int, model: Model) -> Tuple[Planes, slice, slice]:
    """Predict a tile of a view, and return what it keeps and where in the view that is."""
    (y, top, bottom), (x, left, right) = plan.tiles[place]
    predicted = model.predict(read_tile(view.read, plan, place)[np.newaxis])
    promised = (1, len(model.card.output.roles), *plan.tile_shape)
    if predicted.shape != promised:
        raise ModelError(f"The network returned the shape {predicted.shape}; its model card promises {promised}.")
    # The kept positions without those of the mirrored borders.
    top, left = max(top, plan.inner[0]), max(left, plan.inner[1])
    bottom, right = min(bottom, plan.inner[0] + view.shape[0]), min(right, plan.inner[1] + view.shape[1])
    kept = predicted[0][:, top - y : bottom - y, left - x : right - x]
    return kept, slice(top - plan.inner[0], bottom - plan.inner[0]), slice(left - plan.inner[1], right - plan.inner[1])


class _TurnedView:
    """A mosaic that is mirrored left to right, or not, and then turned by quarter turns."""

    def __init__(
        self, read: Callable[[slice, slice], Planes], shape: Tuple[int, int], turns: int, mirrored: bool
    ) -> None:
        self._read, self._shape, self._turns, self._mirrored = read, shape, turns, mirrored
        self.shape = shape if turns % 2 == 0 else shape[::-1]

    def read(self, rows: slice, columns: slice) -> Planes:
        part = self._read(*self._source(rows, columns))
        return np.rot90(np.flip(part, 2) if self._mirrored else part, self._turns, axes=(1, 2))

    def back(self, part: Planes, rows: slice, columns: slice) -> Tuple[Planes, slice, slice]:
        """Turn a part of the view back, and say where in the mosaic it lies."""
        part = np.rot90(part, -self._turns, axes=(1, 2))
        return (np.flip(part, 2) if self._mirrored else part, *self._source(rows, columns))

    def _source(self, rows: slice, columns: slice) -> Tuple[slice, slice]:
        height, width = self._shape
        if self._turns == 1:
            rows, columns = columns, _reversed(rows, width)
        elif self._turns == 2:
            rows, columns = _reversed(rows, height), _reversed(columns, width)
        elif self._turns == 3:
            rows, columns = _reversed(columns, height), rows
        return rows, _reversed(columns, width) if self._mirrored else columns


def _reversed(axis: slice, size: int) -> slice:
    return slice(size - axis.stop, size - axis.start)
