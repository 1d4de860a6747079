"""Stacks of planes: prepare all as one image, choose one scale, and the confidence of objects in several planes."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.steps.diameter import typical_diameter
from cpunet.steps.scale import first_pass_with_objects, judgment, measure_scale, scale_of_options

# Planes in which objects to be measured are looked for: the one with most contrast may show a piece of dust alone.
MOST_PLANES = 4

Mask = Optional[npt.NDArray[np.bool_]]


def in_one_plane(stack: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Put the planes of a stack one below the other, to treat them as one image.

    Parameters
    ----------
    stack : ndarray of shape (Z, Y, X) or (Z, Y, X, C)

    Returns
    -------
    ndarray of shape (Z * Y, X) or (Z * Y, X, C)

    Raises
    ------
    ImageError
        If it is no stack.
    """
    if stack.ndim not in (3, 4) or stack.size == 0:
        raise ImageError(
            f"The stack has the shape {stack.shape}; planes, rows and columns are needed, (Z, Y, X), and for color "
            "channels as well, (Z, Y, X, C)."
        )
    return stack.reshape(-1, *stack.shape[2:])


def mask_in_one_plane(mask: Mask, shape: Tuple[int, ...]) -> Mask:
    """Bring a mask of one plane, or of all planes of a stack of this shape, to the shape of `in_one_plane`."""
    if mask is None:
        return None
    if mask.shape not in (shape, shape[1:]):
        raise ImageError(
            f"The mask has the shape {mask.shape} and the stack {shape}; it must be a plane of {shape[1:]}, or a stack "
            f"of {shape}."
        )
    return in_one_plane(np.broadcast_to(mask, shape))


def choose_scale_of_stack(
    channels: npt.NDArray[np.float32], usable: Mask, model: Model, options: Options
) -> Tuple[float, Optional[float], Tuple[str, ...]]:
    """Choose one scale and one diameter for all planes: the end of a round object is no smaller object.

    Parameters
    ----------
    channels : ndarray of shape (C, Z, Y, X), float32
        Normalized.
    usable : ndarray of shape (Z, Y, X), bool, or None
    model : Model
    options : Options

    Returns
    -------
    scale : float
        As `cpunet.steps.scale.measure_scale` gives it for a plane with objects: the one with the most contrast or, if
        that holds fewer than ten objects, the one with most objects among the `MOST_PLANES` that follow.
    diameter_px : float or None
        Typical diameter: that of the options, or the one measured. None if there is none.
    notes : tuple of str
        What a user should know if the scale could not be judged.
    """
    scale = scale_of_options(model.card.input, options)
    if scale is not None:
        return scale, options.diameter_px, ()
    contrasts = np.array([float(plane.std()) for plane in channels[0]])
    order = np.argsort(-contrasts, kind="stable")[:MOST_PLANES]
    parts = [(channels[:, z], None if usable is None else usable[z]) for z in order]
    index, first = first_pass_with_objects(parts, model, options)
    found = measure_scale(*parts[index], model, options, first)
    return found.scale, typical_diameter(found.labels) if found.labels.any() else None, judgment(found, model.card)


def confidence_of_linked(
    planes: npt.NDArray[np.int32],
    linked: npt.NDArray[np.int32],
    confidence: Sequence[Optional[npt.NDArray[np.float32]]],
) -> Optional[npt.NDArray[np.float32]]:
    """Return the confidence of each linked object: the mean over its pixels.

    Parameters
    ----------
    planes : ndarray of shape (Z, Y, X), int32
        Each plane numbered 1..n by itself.
    linked : ndarray of shape (Z, Y, X), int32
        From `cpunet.steps.linking.link.link_planes`.
    confidence : sequence of ndarray of shape (n,), float32, or None
        Of each plane; None for a model without it.

    Returns
    -------
    ndarray of shape (objects,), float32, or None

    Examples
    --------
    >>> import numpy as np
    >>> planes, linked = np.array([[[1, 1, 2]], [[1, 0, 0]]]), np.array([[[1, 1, 2]], [[1, 0, 0]]])
    >>> confidence_of_linked(planes, linked, [np.array([1.0, 0.5]), np.array([0.25])]).tolist()
    [0.75, 0.5]
    """
    if any(each is None for each in confidence):
        return None
    total, pixels = (np.zeros(int(linked.max()) + 1) for _ in range(2))
    for own, numbers, of_plane in zip(planes, linked, confidence):
        inside = own > 0
        assert of_plane is not None
        total += np.bincount(numbers[inside], weights=of_plane[own[inside] - 1], minlength=len(total))
        pixels += np.bincount(numbers[inside], minlength=len(pixels))
    mean: npt.NDArray[np.float32] = (total[1:] / pixels[1:]).astype(np.float32)
    return mean
