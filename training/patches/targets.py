"""Targets of the network, computed from instance labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.model.card import Postprocessing

# A Gaussian falls to one half at this many standard deviations: the middle of what a threshold of 0.5 cuts off.
HALF_HEIGHT = float(np.sqrt(2 * np.log(2)))

# The channels of each kind of target, by the roles that the model card gives them.
KINDS = {
    "foreground_border_distance": ("foreground", "border", "distance"),
    "foreground_boundary_distance": ("foreground", "boundary", "distance"),
    "foreground_border": ("foreground", "border"),
    "foreground": ("foreground",),
    "three_class": ("background", "interior", "boundary"),
    "boundary": ("boundary",),
    "boundary_gaussian": ("boundary",),
}


@dataclass(frozen=True)
class Targets:
    """Which channels a network learns, and their widths.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    boundary_width_px : int
        Width of a boundary. It runs over both sides of an object's rim, half on each, so it must be even; with
        ``three_class`` it lies inside the object, and may be odd.
    border_reach_px : int
        See `border_between_objects`.
    gaussian_sigma_px : float
        Standard deviation of ``boundary_gaussian``.
    """

    kind: str = "foreground_border_distance"
    boundary_width_px: int = 2
    border_reach_px: int = 2
    gaussian_sigma_px: float = 2.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: must be one of {', '.join(KINDS)}; it is {self.kind!r}.")
        if self.boundary_width_px < 1 or (self.boundary_width_px % 2 and self.kind != "three_class"):
            raise ValueError(
                f"boundary_width_px: must be 2, 4, 6 or another even number, half for each side of the rim; it is "
                f"{self.boundary_width_px}. Only three_class takes odd ones."
            )
        if self.border_reach_px < 1:
            raise ValueError(f"border_reach_px: must be 1 or more; it is {self.border_reach_px}.")
        if not self.gaussian_sigma_px > 0:
            raise ValueError(f"gaussian_sigma_px: must be larger than 0; it is {self.gaussian_sigma_px}.")

    @property
    def roles(self) -> tuple[str, ...]:
        """A name for each channel, as in the model card."""
        return KINDS[self.kind]

    @property
    def activation(self) -> str:
        """What makes probabilities of logits: ``softmax`` if each pixel has just one class, else ``sigmoid``."""
        return "softmax" if self.kind == "three_class" else "sigmoid"

    @property
    def graded(self) -> tuple[bool, ...]:
        """Whether a channel holds values between 0 and 1, rather than one or the other."""
        return tuple(role == "distance" or self.kind == "boundary_gaussian" for role in self.roles)

    @property
    def decoding(self) -> Postprocessing:
        """How these channels become objects again, before any threshold is tuned."""
        if self.kind == "boundary":
            return Postprocessing(dilation_px=self.boundary_width_px / 2, fill_holes=True)
        if self.kind == "boundary_gaussian":
            # The rim lies half a pixel from the middles of the pixels beside it.
            return Postprocessing(dilation_px=round(HALF_HEIGHT * self.gaussian_sigma_px + 0.5, 1), fill_holes=True)
        return Postprocessing()


def distance_to_other(labels: NDArray[np.integer], sampling: Sequence[float] | None = None) -> NDArray[np.float32]:
    """Measure the distance to the nearest pixel of another label; the background counts as one label.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background.
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default.

    Returns
    -------
    ndarray of the labels' shape, float32
        Pixels, between pixel centers: 1 at a rim. The image's frame is no rim. Infinite if there is only one label.
    """
    distance = np.full(labels.shape, np.inf, np.float32)
    if not labels.any():
        return distance
    background = labels == 0
    if background.any():
        distance[background] = ndimage.distance_transform_edt(background, sampling)[background]
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        # One pixel of surroundings is enough: everything beyond is farther away.
        around = tuple(slice(max(0, axis.start - 1), axis.stop + 1) for axis in window)
        inside = labels[around] == number
        if not inside.all():
            distance[around][inside] = ndimage.distance_transform_edt(inside, sampling)[inside]
    return distance


def near_rim(
    labels: NDArray[np.integer], reach_px: float, sampling: Sequence[float] | None = None
) -> NDArray[np.bool_]:
    """Mark what lies within a reach of another label, and at least the nearest neighbors of it along each axis.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background, which counts as one label.
    reach_px : float
        Between pixel centers.
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default. Where planes lie further apart than the reach,
        an object's first and last plane are marked all the same.

    Returns
    -------
    ndarray of the labels' shape, bool
    """
    near = distance_to_other(labels, sampling) <= reach_px
    for axis, step in enumerate(sampling or ()):
        if step > reach_px:
            differs = np.diff(labels, axis=axis) != 0
            for ends in ((0, -1), (1, None)):
                near[(slice(None),) * axis + (slice(*ends),)] |= differs
    return near


def boundary_band(
    labels: NDArray[np.integer], width_px: int, sampling: Sequence[float] | None = None
) -> NDArray[np.bool_]:
    """Mark a band along the rim of each object, half of it inside and half outside.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background.
    width_px : int
        Even.
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default.

    Returns
    -------
    ndarray of the labels' shape, bool
        Where two objects touch, each gives half the width. Caicedo et al. 2019, doi:10.1002/cyto.a.23863,
        compare widths of 2 to 8 pixels.
    """
    return near_rim(labels, width_px / 2, sampling)


def gaussian_boundary(
    labels: NDArray[np.integer], sigma_px: float, sampling: Sequence[float] | None = None
) -> NDArray[np.float32]:
    """Return a Gaussian of the distance to the nearest rim.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background.
    sigma_px : float
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default.

    Returns
    -------
    ndarray of the labels' shape, float32
        0..1. The rim runs between pixels, so the nearest ones lie half a pixel from it. Regression to such a
        ridge: Kainz et al., MICCAI 2015, doi:10.1007/978-3-319-24574-4_33 (for centers).
    """
    from_rim = distance_to_other(labels, sampling) - 0.5
    return np.exp(-0.5 * (from_rim / sigma_px) ** 2).astype(np.float32)


def three_classes(
    labels: NDArray[np.integer], width_px: int, sampling: Sequence[float] | None = None
) -> NDArray[np.bool_]:
    """Give each pixel one class: background, interior, or the boundary within an object.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background.
    width_px : int
        Of the boundary, inside the object.
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default.

    Returns
    -------
    ndarray of shape (3, Y, X) or (3, Z, Y, X), bool
        Exactly one is true at each pixel. The boundary lies inside, so that interior and boundary together are
        the object, with its own outline (Caicedo et al. 2019, doi:10.1002/cyto.a.23863).
    """
    near = near_rim(labels, width_px, sampling)
    return np.stack([labels == 0, (labels > 0) & ~near, (labels > 0) & near])


def border_between_objects(
    labels: NDArray[np.integer], reach_px: int, sampling: Sequence[float] | None = None
) -> NDArray[np.bool_]:
    """Mark the pixels that lie close to two objects or more.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background.
    reach_px : int
        How near is close, in pixels along either axis. Two touching objects get a line of twice
        this width along their contact; a gap of up to 2 * `reach_px` - 1 pixels is filled.
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default. The nearest neighbor is always close.

    Returns
    -------
    ndarray of the labels' shape, bool

    Notes
    -----
    A pixel is close to two objects if the largest and the smallest label around it differ; this is
    the overlap of the dilated objects without dilating them one by one. The border class goes back to
    the winners of the Data Science Bowl 2018 (Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7).

    Examples
    --------
    >>> border_between_objects(np.array([[1, 1, 1, 2, 2, 0]]), 1).astype(int).tolist()
    [[0, 0, 1, 1, 0, 0]]
    """
    size = tuple(2 * max(1, round(reach_px / step)) + 1 for step in sampling or (1,) * labels.ndim)
    highest = ndimage.maximum_filter(labels, size=size)
    # The background must never be the lowest. (The largest int64 would overflow in the filter.)
    without_background = np.where(labels == 0, labels.max(initial=0), labels)
    lowest = ndimage.minimum_filter(without_background, size=size)
    return (highest != 0) & (highest != lowest)


def normalized_distance(labels: NDArray[np.integer], sampling: Sequence[float] | None = None) -> NDArray[np.float32]:
    """Return the distance of each pixel to the edge of its object, divided by the largest in that object.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background.
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default.

    Returns
    -------
    ndarray of the labels' shape, float32
        0 in the background, 1 in the middle of each object, large or small. An object cut by the image's
        frame has no edge there, so that its middle may lie on the frame.

    Examples
    --------
    >>> normalized_distance(np.array([[0, 1, 1, 1, 0]])).round(2).tolist()
    [[0.0, 0.33000001311302185, 1.0, 0.33000001311302185, 0.0]]
    """
    # Pixels on an object's rim get 0.5, the distance of their center to the edge.
    around = {"size": 3, "mode": "nearest"}
    rim = ndimage.maximum_filter(labels, **around) != ndimage.minimum_filter(labels, **around)
    inside = (labels > 0) & ~rim
    if inside.all():  # one object over the whole patch has no edge
        return np.ones(labels.shape, np.float32)
    distance = ndimage.distance_transform_edt(inside, sampling) + 0.5
    largest = np.zeros(int(labels.max()) + 1)
    np.maximum.at(largest, labels.ravel(), distance.ravel())
    return np.where(labels > 0, distance / largest[labels], 0).astype(np.float32)


def make_targets(
    labels: NDArray[np.integer], targets: Targets, sampling: Sequence[float] | None = None
) -> NDArray[np.float32]:
    """Turn instance labels into the channels that the network learns.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background.
    targets : Targets
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default.

    Returns
    -------
    ndarray of shape (C, Y, X) or (C, Z, Y, X), float32
        In the order of ``targets.roles``, each 0..1.
    """
    if targets.kind == "three_class":
        return three_classes(labels, targets.boundary_width_px, sampling).astype(np.float32)
    if targets.kind == "boundary_gaussian":
        return gaussian_boundary(labels, targets.gaussian_sigma_px, sampling)[np.newaxis]
    planes = {
        "foreground": lambda: labels > 0,
        "border": lambda: border_between_objects(labels, targets.border_reach_px, sampling),
        "boundary": lambda: boundary_band(labels, targets.boundary_width_px, sampling),
        "distance": lambda: normalized_distance(labels, sampling),
    }
    return np.stack([planes[role]() for role in targets.roles]).astype(np.float32)
