"""How far apart the planes of a volume lie, and the grid on which the network sees it."""

from __future__ import annotations

from typing import Tuple

from cpunet.errors import ImageError, OptionError
from cpunet.files.formats.memory_at_hand import bytes_at_hand
from cpunet.model.card import InputCard, ModelCard
from cpunet.options import Options

# Planes are not resampled for a smaller difference from the model's own z step: it would only cost detail.
SAME_STEP = 1.1
# Beyond, a step is wrong rather than far from the model's.
MOST_TIMES = 16.0


def z_step_of(card: InputCard, options: Options) -> float:
    """Return the distance of a volume's planes in widths of its pixels: the options' or, without one, the model's."""
    return float(options.z_step_px or card.z_step_px or 1.0)


def planes_factor(card: InputCard, options: Options, scale: float) -> float:
    """Return by how much the number of planes is multiplied for the network.

    Parameters
    ----------
    card : InputCard
        Of a network of volumes.
    options : Options
    scale : float
        By how much height and width are enlarged.

    Returns
    -------
    float
        The factor that brings the z step to the model's; 1 if it is nearer than `SAME_STEP`.

    Raises
    ------
    OptionError
        If the z step is more than `MOST_TIMES` that of the model, or less than that part of it.
    """
    step = z_step_of(card, options)
    times = step / float(card.z_step_px or 1.0)
    if not 1 / MOST_TIMES <= times <= MOST_TIMES:
        raise OptionError(
            f"The planes lie {step:g} pixels apart, and the model knows {card.z_step_px:g}. At most {MOST_TIMES:g} "
            "times as far or as near can be. Check the z step (distance of two planes over the width of a pixel), or "
            "choose another model."
        )
    factor = scale * times
    return 1.0 if 1 / SAME_STEP < factor < SAME_STEP else factor


def seen_shape(shape: Tuple[int, ...], scale: float, factor: float) -> Tuple[int, int, int]:
    """Return the planes, height and width of a volume of this shape (Z, Y, X) as the network sees it.

    A single plane stays one.

    >>> seen_shape((10, 200, 100), scale=0.5, factor=2.0)
    (20, 100, 50)
    """
    depth, height, width = shape
    planes = 1 if depth == 1 else max(1, round(depth * factor))
    return planes, max(1, round(height * scale)), max(1, round(width * scale))


def refuse_more_than_memory(shape: Tuple[int, ...], seen: Tuple[int, ...], card: ModelCard) -> None:
    """Raise ImageError if a volume that is enlarged for the network would need more memory than is at hand."""
    voxels = seen[0] * seen[1] * seen[2]
    if voxels <= shape[0] * shape[1] * shape[2]:
        return
    needed, free = 4 * voxels * (len(card.input.channels) + len(card.output.roles)), bytes_at_hand()
    if free is not None and needed > free:
        raise ImageError(
            f"To show the volume of {_size(shape)} voxels to the model, it would be enlarged to {_size(seen)}, which "
            f"takes at least {needed / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free. Crop the volume, check the "
            "typical diameter and the z step, or choose a model that was trained on objects of this size."
        )


def _size(shape: Tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
