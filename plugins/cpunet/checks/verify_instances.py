"""Check that a model that gives objects does what its card promises: sizes, tiles, halo, and another program."""

from __future__ import annotations

from typing import Callable, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.checks.instances_agreement import InstancesTolerance, check_instances_agreement
from cpunet.checks.synthetic import synthetic_field, synthetic_input
from cpunet.errors import DisagreementError, ModelError
from cpunet.model.instances import Instances
from cpunet.model.session import OnnxModel
from cpunet.options import Options
from cpunet.scores import score_image
from cpunet.steps.look import look, objects_of
from cpunet.steps.prepare import normalize

# Of two label images, objects with a higher IoU are the same.
SAME_IOU = 0.5
# With this F1, a network knows the synthetic nuclei on which its tiles are judged.
KNOWN_F1 = 0.5
# Near the edge of a tile, a network that gives objects may judge one by another part of its neighborhood.
LEAST_F1 = 0.8
# Of the side of the tiles, half is overlap.
HALOS_OF_TILE = 4


def check_shapes(model: OnnxModel) -> str:
    """Run the network on noise of several sizes, and on an image of an odd size."""
    given = model.card.input
    unit = given.divisible_by
    side = -(-max(given.min_size, 4 * unit) // unit) * unit
    rng = np.random.default_rng(0)
    sizes = [(side, side), (side, side + 3 * unit), (side + 7 * unit, side)]
    tried = []
    for height, width in sizes if given.tile_shape is None else [given.tile_shape]:
        model.find_instances(rng.random((1, len(given.channels), height, width), np.float32))
        tried.append(f"{height}x{width}")
    odd = rng.random((len(given.channels), side - 1, side + 3), np.float32)
    look(odd, None, model, Options(), 1.0)
    return ", ".join([*tried, f"{side - 1}x{side + 3}"])


def check_reference(name: str, find_instances: Callable[[npt.NDArray[np.float32]], Instances], model: OnnxModel) -> str:
    """Compare the objects of onnxruntime with those of another program that computes the same network."""
    image = synthetic_input(model.card.input)
    threshold = model.card.postprocessing.score_threshold
    within = check_instances_agreement(
        model.find_instances(image), find_instances(image), threshold, InstancesTolerance(), f"onnxruntime and {name}"
    )
    return f"{within} ({InstancesTolerance()})"


def check_tiles(model: OnnxModel) -> str:
    """Compare the objects of a field that is seen in tiles with those of the field in one piece.

    The field shows synthetic nuclei. It judges no network that does not find them: such a one may see in noise what
    depends on all of a tile.
    """
    given, halo = model.card.input, model.card.output.halo
    unit = given.divisible_by
    if given.tile_shape is not None:
        return "not compared: the network takes tiles of {} x {} pixels alone".format(*given.tile_shape)
    tile = -(-max(given.min_size, HALOS_OF_TILE * halo, HALOS_OF_TILE * unit) // unit) * unit
    shape = (2 * tile, tile + tile // 2)
    columns = max(2, int(shape[1] / (2 * given.diameter_px)))
    fields = [synthetic_field(shape, columns, given.diameter_px, seed=seed) for seed in range(len(given.channels))]
    image = normalize(np.stack([field.image for field in fields]).astype(np.float32), given.normalization, None)
    whole, tiled = (
        objects_of(
            look(image, None, model, Options(tile_shape=each), 1.0), shape, None, None, model.card, Options(), 1.0
        ).labels
        for each in (shape, (tile, tile))
    )
    known = score_image(fields[0].labels, whole)
    if 2 * known.tp[0] < KNOWN_F1 * (known.truth_count + known.prediction_count):
        return f"not judged: the network finds {known.tp[0]} of {known.truth_count} synthetic nuclei"
    score = score_image(whole, tiled)
    matched, both = score.tp[0], score.truth_count + score.prediction_count
    if 2 * matched < LEAST_F1 * both:
        raise DisagreementError(
            f"{model.path}: tiles of {tile} pixels and the whole disagree: {score.prediction_count} objects against "
            f"{score.truth_count}, of which {matched} are the same (IoU above {SAME_IOU}). Set a larger halo with "
            "`cpunet card edit --set output.halo=PX`, so that tiles overlap by more."
        )
    return (
        f"{matched} of {score.truth_count} objects are the same in tiles of {tile} pixels and in the whole "
        f"(IoU above {SAME_IOU}); {score.prediction_count} in tiles"
    )


def check_halo(model: OnnxModel) -> str:
    """Compare the halo with the size of objects: what is no longer than tiles overlap is whole in one of them."""
    halo, largest = model.card.output.halo, model.card.input.diameter_high_px
    enough = int(np.ceil(largest / 2))
    if halo < enough:
        raise ModelError(
            f"{model.path}: tiles overlap by {halo} pixels on each side, and its card promises objects of up to "
            f"{largest:g} pixels, which no tile might see whole. Set a larger halo with `cpunet card edit --set "
            f"output.halo={enough}`."
        )
    return f"{halo} pixels; each object of up to {2 * halo} pixels is whole in one tile"


CHECKS: Sequence[Tuple[str, Callable[[OnnxModel], str]]] = (("halo", check_halo), ("tiles", check_tiles))
