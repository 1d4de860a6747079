"""Find the objects of a prepared image with a network that gives them itself, and draw them."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import OptionError
from cpunet.model.card import ModelCard
from cpunet.model.instances import joined_instances
from cpunet.model.protocol import InstanceModel
from cpunet.options import Options
from cpunet.segmentation import FoundInstances, Segmentation
from cpunet.steps.decode import postprocessing_at_scale
from cpunet.steps.filters import fill_holes
from cpunet.steps.instances.paste import paste_instances
from cpunet.steps.instances.seams import objects_across_seams
from cpunet.steps.instances.tiles import SeenByTile, plan_for, see_tile
from cpunet.steps.resize import rescale
from cpunet.steps.runs import areas_of_runs, numbered_anew, painted, runs_of
from cpunet.steps.tile_shape import automatic_tile_shape

Mask = Optional[npt.NDArray[np.bool_]]


def check_options_of_instances(options: Options) -> None:
    """Raise OptionError for an option that makes no sense where the network gives objects."""
    if options.augmentation != "none":
        raise OptionError(
            "This model gives objects and no probabilities, so that several views of an image cannot be averaged. "
            "Leave out --views, or set 'Look at the image several times?' to None."
        )
    if options.declump_method != "probability" or options.smoothing_px or options.min_distance_px:
        raise OptionError(
            "This model gives objects that are separate already, and none is split or joined. Leave out --no-declump, "
            "and the other settings of how touching objects are separated."
        )


def find_instances(
    channels: npt.NDArray[np.float32], model: InstanceModel, options: Options, scale: float
) -> FoundInstances:
    """Find the objects of a prepared image.

    Parameters
    ----------
    channels : ndarray of shape (C, Y, X), float32
        From `cpunet.steps.prepare.prepare`.
    model : InstanceModel
    options : Options
        The tile shape and `on_progress` are used.
    scale : float
        By how much the image is enlarged for the network.

    Notes
    -----
    1. The image is enlarged or shrunk, and seen in overlapping tiles, one at a time.
    2. Objects that several tiles see are told by `objects_across_seams`.
    3. Boxes are brought back to the image's own grid.
    """
    enlarged = rescale(channels, scale)
    shape = enlarged.shape[1:]
    plan = plan_for(shape, model, options.tile_shape or automatic_tile_shape(shape, model))
    seen = []
    for place in range(len(plan.tiles)):
        if options.on_progress is not None:
            options.on_progress(place, len(plan.tiles))
        seen += see_tile(lambda rows, columns: enlarged[:, rows, columns], shape, plan, place, model)
    if options.on_progress is not None:
        options.on_progress(len(plan.tiles), len(plan.tiles))
    found = joined_instances([tile.instances for tile in seen])
    tiles = np.repeat(np.arange(len(seen)), [len(tile.instances.scores) for tile in seen])
    windows = [tile.window for tile in seen]
    numbers = objects_across_seams(
        found.boxes, found.scores, tiles, windows, shape, model.card.postprocessing.overlap_threshold
    )
    back = np.array([own / seen_as for own, seen_as in zip(channels.shape[1:], shape)] * 2, np.float32)
    kept = numbers > 0
    return FoundInstances(
        found._replace(boxes=found.boxes * back).chosen(kept), numbers[kept], note_of_full(seen, model.card)
    )


def note_of_full(tiles: Sequence[SeenByTile], card: ModelCard) -> Tuple[str, ...]:
    """Return what a user should know if tiles hold more objects than the network can give."""
    full = sum(tile.is_full for tile in tiles)
    if not full:
        return ()
    return (
        f"In {full} of {len(tiles)} tiles the model gave {card.postprocessing.max_objects} objects, the most that it "
        "can, and the tiles cannot be smaller: some objects may be missing. Use a model that gives more for a tile.",
    )


def mask_threshold(card: ModelCard, options: Options) -> float:
    """Return the probability above which a pixel of a mask belongs to its object."""
    return options.foreground_threshold or card.postprocessing.mask_threshold


def draw_instances(
    found: FoundInstances,
    shape: Tuple[int, ...],
    usable: Mask,
    card: ModelCard,
    options: Options,
    scale: float,
) -> Segmentation:
    """Turn objects into labels.

    Parameters
    ----------
    found : FoundInstances
    shape : tuple of int
        Height and width of the image.
    usable : ndarray of shape (Y, X), bool, or None
        No object has a pixel outside.
    card : ModelCard
    options : Options
        The foreground threshold, if there is one, counts in place of the card's `mask_threshold`.
    scale : float
        By how much the image was enlarged for the network.

    Returns
    -------
    Segmentation
        The confidence is the score of each object, and the highest one of an object in pieces. The probability of the
        foreground is that of the masks times the scores.
    """
    settings = postprocessing_at_scale(card.postprocessing, scale)
    labels, foreground = paste_instances(found.instances, found.numbers, shape, mask_threshold(card, options))
    if settings.fill_holes if options.fill_holes is None else options.fill_holes != "never":
        labels = fill_holes(labels)
    if usable is not None:
        labels[~usable], foreground[~usable] = 0, 0
    runs = runs_of(labels)
    scores = np.zeros(int(found.numbers.max(initial=0)) + 1, np.float32)
    np.maximum.at(scores, found.numbers, found.instances.scores)
    areas = np.zeros(len(scores), np.intp)
    areas[: int(runs.number.max(initial=0)) + 1] = areas_of_runs(runs)
    kept = areas >= max(settings.min_size_px, 1)
    kept[0] = False
    return Segmentation(
        painted(numbered_anew(runs, kept), labels.shape),
        foreground[np.newaxis],
        scale,
        usable,
        found.notes,
        scores[kept],
        found,
    )
