"""Run a network that gives objects over an image of any size, tile by tile; a tile that is full is cut again."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.card import ModelCard
from cpunet.model.instances import Instances
from cpunet.model.protocol import InstanceModel
from cpunet.steps.tiling import TilePlan, plan_tiles, read_tile

ReadPlanes = Callable[[slice, slice], npt.NDArray[np.float32]]
# Less of a box lies in the image where it shows the mirror image of an object beyond the border.
LEAST_INSIDE = 0.25
# The side of a tile into which a full one is cut, in halos, at least.
LEAST_HALOS = 3


class SeenByTile(NamedTuple):
    """What one tile sees.

    Attributes
    ----------
    instances : Instances
        Their boxes are pixels of the image.
    window : tuple of int
        Top, left, bottom and right of the tile in the image; beyond the image where its borders are mirrored.
    is_full : bool
        Whether the network gave as many objects as it can, all of them certain enough, so that some may be missing.
    """

    instances: Instances
    window: Tuple[int, int, int, int]
    is_full: bool


def plan_for(shape: Tuple[int, ...], model: InstanceModel, tile_shape: Tuple[int, int]) -> TilePlan:
    """Cover an image of this height and width with tiles, as the model's card asks for."""
    given = model.card.input
    return plan_tiles(shape, tile_shape, model.card.output.halo, given.divisible_by, given.min_size, given.tile_shape)


def see_tile(
    read: ReadPlanes, shape: Tuple[int, ...], plan: TilePlan, place: int, model: InstanceModel
) -> List[SeenByTile]:
    """Find the objects of one tile.

    Parameters
    ----------
    read : callable
        Returns the planes (C, y, x), float32, of some rows and columns of the image.
    shape : tuple of int
        Height and width of the image.
    plan : TilePlan
        Of that image.
    place : int
        Which tile of the plan.
    model : InstanceModel

    Returns
    -------
    list of SeenByTile
        One; or those of smaller tiles, if the tile is full and can be cut.

    Notes
    -----
    Objects below the card's `score_threshold` are left out, and those of mirrored borders.
    """
    card = model.card
    found = model.find_instances(read_tile(read, plan, place)[np.newaxis])
    certain = found.scores >= card.postprocessing.score_threshold
    is_full = len(certain) >= card.postprocessing.max_objects and bool(certain.all())
    (y, _, _), (x, _, _) = plan.tiles[place]
    top, left = y - plan.inner[0], x - plan.inner[1]
    window = top, left, top + plan.tile_shape[0], left + plan.tile_shape[1]
    smaller = halved(plan.tile_shape, card) if is_full else None
    if smaller is not None:
        return _see_in_parts(read, shape, window, smaller, model)
    boxes = found.boxes + np.array((top, left) * 2, np.float32)
    return [SeenByTile(found._replace(boxes=boxes).chosen(certain & _is_inside(boxes, shape)), window, is_full)]


def halved(tile_shape: Tuple[int, int], card: ModelCard) -> Optional[Tuple[int, int]]:
    """Return the height and width of tiles of which two, side by side, cover a tile; None if it cannot be cut.

    Of a tile at least a third is more than the overlap with its neighbors: otherwise there would be hundreds of them.
    """
    unit = card.input.divisible_by
    halo = -(-card.output.halo // unit) * unit
    least = max(LEAST_HALOS * halo, card.input.min_size)
    lengths = [-(-(side + 2 * halo) // (2 * unit)) * unit for side in tile_shape]
    height, width = (side if not least <= length < side else length for side, length in zip(tile_shape, lengths))
    return None if card.input.tile_shape is not None or (height, width) == tuple(tile_shape) else (height, width)


def _see_in_parts(
    read: ReadPlanes,
    shape: Tuple[int, ...],
    window: Tuple[int, int, int, int],
    tile_shape: Tuple[int, int],
    model: InstanceModel,
) -> List[SeenByTile]:
    """Find the objects of a part of an image with tiles of another shape."""
    top, left = max(0, window[0]), max(0, window[1])
    size = min(shape[0], window[2]) - top, min(shape[1], window[3]) - left
    plan = plan_for(size, model, tile_shape)
    found = []
    for place in range(len(plan.tiles)):
        for seen in see_tile(
            lambda rows, columns: read(_moved(rows, top), _moved(columns, left)), size, plan, place, model
        ):
            boxes = seen.instances.boxes + np.array((top, left) * 2, np.float32)
            moved = tuple(edge + offset for edge, offset in zip(seen.window, (top, left) * 2))
            found.append(SeenByTile(seen.instances._replace(boxes=boxes), moved, seen.is_full))  # type: ignore[arg-type]
    return found


def _moved(axis: slice, by: int) -> slice:
    return slice(axis.start + by, axis.stop + by)


def _is_inside(boxes: npt.NDArray[np.float32], shape: Tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Say of which boxes at least `LEAST_INSIDE` lies in an image of this height and width."""
    height, width = (
        np.clip(boxes[:, axis + 2], 0, shape[axis]) - np.clip(boxes[:, axis], 0, shape[axis]) for axis in (0, 1)
    )
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    inside: npt.NDArray[np.bool_] = height * width >= LEAST_INSIDE * areas
    return inside
