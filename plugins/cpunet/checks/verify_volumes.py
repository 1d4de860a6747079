"""Check what only a model of volumes promises: its halo along Z as well, and that the same volume gives the same."""

from __future__ import annotations

from cpunet.checks.halo import NOTICEABLE
from cpunet.checks.halo_of_volumes import reach_in_volumes
from cpunet.errors import ModelError
from cpunet.model.session import OnnxModel


def check_halo_of_volumes(model: OnnxModel) -> str:
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
