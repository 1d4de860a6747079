"""Make labels of the objects that a person drew, which may overlap, be empty or lie outside of the image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import relabel_sequential

from cpunet.errors import LabelFileError
from cpunet.training.importing.formats.shapes import Box, Pixels, Shape

# Objects of one image may overlap; if they cover it so often, they are something else, or made to fill the memory.
MOST_LAYERS = 20
BEYOND_EDGE_PX = 1
# So many objects seldom lie in one quarter of an image by chance.
SEVERAL = 5


@dataclass(frozen=True)
class ReadLabels:
    """Labels of one image.

    Attributes
    ----------
    labels : ndarray of shape (Y, X), int32
        0 background, 1..n without gaps.
    overlap_px : int or None
        Pixels that the source gives to more than one object; None where it has one number a pixel.
    note : str
        What was changed to read them, or may be wrong; empty if nothing.
    ignored : ndarray of shape (Y, X), bool, optional
        Pixels that nobody labeled; None if the file marks none.
    """

    labels: NDArray[np.int32]
    overlap_px: int | None = None
    note: str = ""
    ignored: NDArray[np.bool_] | None = None


def labels_of_shapes(shapes: Sequence[Shape], shape: tuple[int, int]) -> ReadLabels:
    """Make labels of outlines.

    Parameters
    ----------
    shapes : sequence of Shape
        One an object.
    shape : tuple of int
        (Y, X) of the image.

    Returns
    -------
    ReadLabels
        Where objects overlap, the smaller one has the pixels. Objects beyond the edge are cut, and those that enclose
        no pixel or lie outside are left out, with a note.

    Raises
    ------
    LabelFileError
        If more than half of the objects lie outside, or they cover the image more often than objects can.
    """
    height, width = shape
    outside, beyond, empty, objects, covered_px = [], 0, 0, [], 0
    for each in shapes:
        box = each.box
        if box.right <= 0 or box.bottom <= 0 or box.left >= width or box.top >= height:
            outside.append(box)
            continue
        pixels = each.pixels(shape)
        covered_px += len(pixels)
        if covered_px > MOST_LAYERS * height * width:
            raise LabelFileError(
                f"its first {len(objects) + 1} objects cover each pixel of the image {MOST_LAYERS} times. These are no "
                "outlines of single objects in this image."
            )
        if not len(pixels):
            empty += 1
            continue
        objects.append(pixels)
        beyond += min(box.left, box.top, width - box.right, height - box.bottom) < -BEYOND_EDGE_PX
    if 2 * len(outside) > len(shapes):
        raise LabelFileError(_said_outside(outside, len(shapes), shape))
    painted = paint(objects, shape)
    counts = (
        (len(outside), "lie outside of the image, and are left out"),
        (beyond, "reach beyond the edge of the image, and are cut there"),
        (empty, "enclose no center of a pixel, and are left out"),
    )
    notes = [f"{count} of its {len(shapes)} objects {what}" for count, what in counts if count]
    notes += [painted.note] if painted.note else []
    notes += [] if painted.labels.any() else ["it holds no object"]
    if len(objects) >= SEVERAL and _in_a_corner(shapes, shape):
        notes.append("its objects all lie in the upper left quarter; are they in micrometers, or of a smaller image?")
    return ReadLabels(painted.labels, painted.overlap_px, "; ".join(notes))


def paint(objects: Iterable[Pixels], shape: tuple[int, ...]) -> ReadLabels:
    """Make labels of objects that may overlap; the smaller one has the common pixels.

    Parameters
    ----------
    objects : iterable of ndarray of shape (m,), intp
        Indices of each object's pixels in the flattened image.
    shape : tuple of int
        (Y, X) of the image.
    """
    labels, covered = np.zeros(np.prod(shape, dtype=int), np.int32), np.zeros(np.prod(shape, dtype=int), np.int32)
    # Large ones first: a small object that lies on a large one stays whole.
    ordered = sorted(objects, key=len, reverse=True)
    for number, pixels in enumerate(ordered, start=1):
        labels[pixels] = number
        covered[pixels] += 1
    overlap_px = int((covered > 1).sum())
    numbered = relabel_sequential(labels.reshape(shape))[0]
    if not overlap_px:
        return ReadLabels(numbered, 0)
    drawn_px = np.array([len(pixels) for pixels in ordered])
    left_px = np.bincount(labels, minlength=len(ordered) + 1)[1:]
    lost, gone = int((left_px < drawn_px).sum()), int(((left_px == 0) & (drawn_px > 0)).sum())
    note = f"{overlap_px} pixels lie in two objects; the smaller one has them, and {_counted(lost)} lost pixels"
    return ReadLabels(numbered, overlap_px, note + (f", {gone} of them all" if gone else ""))


def _in_a_corner(shapes: Sequence[Shape], shape: tuple[int, int]) -> bool:
    right, bottom = np.max([each.box[2:] for each in shapes], axis=0)
    return bool(2 * right <= shape[1] and 2 * bottom <= shape[0])


def _counted(objects: int) -> str:
    return f"{objects} object" if objects == 1 else f"{objects} objects"


def _said_outside(boxes: Sequence[Box], all_objects: int, shape: tuple[int, int]) -> str:
    low, high = np.min(boxes, axis=0), np.max(boxes, axis=0)
    return (
        f"{len(boxes)} of its {all_objects} objects lie outside of the image, at x from {low[0]:.0f} to {high[2]:.0f} "
        f"and y from {low[1]:.0f} to {high[3]:.0f}; the image is {shape[1]} wide and {shape[0]} high. Are they of "
        "another image, of a whole slide of which this is a part, or in micrometers? They must be in pixels of this "
        "image."
    )
