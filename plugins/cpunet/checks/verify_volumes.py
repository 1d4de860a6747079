"""Check what is asked of a model of volumes alone: a halo along Z as well, the same twice, and tiles that fit."""

from __future__ import annotations

from typing import Callable, Sequence, Tuple

import numpy as np

from cpunet.checks.halo import NOTICEABLE
from cpunet.checks.halo_of_volumes import reach_in_volumes
from cpunet.checks.synthetic import synthetic_input
from cpunet.errors import DisagreementError, ModelError
from cpunet.model.session import OnnxModel
from cpunet.onnx_reader.bounds import MOST_BYTES
from cpunet.volumes.tile_shape import automatic_volume_tile

# A volume of so many planes and pixels is cut into tiles that must fit into the memory.
LARGE_VOLUME = (256, 512, 512)


def check_halo(model: OnnxModel) -> str:
    """Measure how far the network sees along Z, and along Y and X, and compare both with the halo of its card."""
    output = model.card.output
    # Twice the threshold of export, so that the rounding of another onnxruntime does not decide.
    reach = reach_in_volumes(model.predict, model.card.input, noticeable=2 * NOTICEABLE)
    if reach.planes > output.halo_planes or reach.px > output.halo:
        raise ModelError(
            f"{model.path}: the network sees {reach.planes} planes and {reach.px} pixels far, and its card promises a "
            f"halo of {output.halo_planes} planes and {output.halo} pixels: objects at the edges of tiles would "
            "change. Export the model again, or set the halo with `cpunet card edit --set "
            f"output.halo_planes={max(reach.planes, output.halo_planes)} --set "
            f"output.halo={max(reach.px, output.halo)}`."
        )
    return (
        f"{output.halo_planes} planes and {output.halo} pixels; an impulse is noticed at most {reach.planes} planes "
        f"and {reach.px} pixels far"
    )


def check_repetition(model: OnnxModel) -> str:
    """Run the network twice on one volume, and compare all bits: a study that is redone must give the same."""
    volume = synthetic_input(model.card.input)
    first, again = model.predict(volume), model.predict(volume)
    if not np.array_equal(first, again):
        raise DisagreementError(
            f"{model.path}: the same volume gives other probabilities when it is run again, by up to "
            f"{np.abs(first - again).max():.1e}. Export the network in evaluation mode, without steps that draw "
            "numbers."
        )
    return "the same volume gives the same to the bit when it is run again"


def check_memory(model: OnnxModel) -> str:
    """Compute what the tiles of a large volume take, and refuse a network of which none is small enough."""
    tile = automatic_volume_tile(LARGE_VOLUME, model)
    needed = model.needed_bytes((1, len(model.card.input.channels), *tile))
    found = "tiles of {} planes of {} x {} pixels take {:.2f} GB between the steps of the network".format(
        *tile, needed / 1e9
    )
    if needed > MOST_BYTES:
        raise ModelError(
            f"{model.path}: {found}, and {MOST_BYTES / 1e9:.2f} GB are the limit. Its halo leaves no smaller ones: "
            "train a smaller network, or one with fewer poolings."
        )
    return f"{found}, in a volume of {' x '.join(map(str, LARGE_VOLUME))} voxels"


CHECKS: Sequence[Tuple[str, Callable[[OnnxModel], str]]] = (
    ("repetition", check_repetition),
    ("memory", check_memory),
)
