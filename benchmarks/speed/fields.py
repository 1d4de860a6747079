"""The fields that everything is timed on: real ones, side by side to the size that is wanted, or drawn ones."""

import itertools
import math
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

import numpy as np

from benchmarks.labeled_images import labeled_images, zero_to_one
from cpunet.checks.synthetic import synthetic_field

Shape = Tuple[int, int]
# BBBC039 has so many nuclei in a million pixels, and they are about so large.
OBJECTS_PER_MEGAPIXEL, DIAMETER_PX = 360, 28.0
# Pairs of nuclei stand in a grid; of its spacing, a nucleus takes at most so much.
MOST_OF_SPACING = 0.38
# A larger field repeats blocks of this side: to draw all of it would take longer than to segment it.
BLOCK_PX, FEWEST_OBJECTS_OF_BLOCK = 1024, 8


class Field(NamedTuple):
    """An image (Y, X), float32, 0..1, and the labels of its objects, int32, 1..n; a name for tables."""

    name: str
    image: np.ndarray
    labels: np.ndarray


class Wanted(NamedTuple):
    """Which fields are wanted.

    Attributes
    ----------
    shape : tuple of int
        Height and width, pixels.
    count : int
        How many different ones.
    objects : int, optional
        About how many objects in each drawn field; as dense as BBBC039 by default.
    data : Path, optional
        A labeled data set such as bbbc039, whose validation images are used; drawn fields by default.
    """

    shape: Shape
    count: int = 1
    objects: Optional[int] = None
    data: Optional[Path] = None

    @property
    def name(self) -> str:
        """How tables call these fields."""
        size = f"{self.shape[0]}x{self.shape[1]}"
        kind = self.data.name if self.data is not None else "drawn"
        return f"{kind} {size}" + (f", {self.objects} objects" if self.objects else "")


def make_fields(wanted: Wanted) -> List[Field]:
    """Read or draw fields: the same ones for the same wish."""
    if wanted.data is None:
        return [
            Field(wanted.name, *drawn_field(wanted.shape, wanted.objects, number)) for number in range(wanted.count)
        ]
    if wanted.objects is not None:
        raise ValueError("The number of objects can be chosen for drawn fields only; leave the data set out.")
    return [Field(wanted.name, *parts) for parts in real_fields(wanted.data, wanted.shape, wanted.count)]


def real_fields(data: Path, shape: Shape, count: int) -> List[Tuple[np.ndarray, np.ndarray]]:
    """Put validation images of a data set side by side until they fill a size, and cut off what is too much.

    Returns
    -------
    list of (image, labels)
        Each begins with the image after those of the one before. All images of the data set must be gray and of one
        size; ValueError otherwise.
    """
    images = [(zero_to_one(truth.image), truth.labels) for truth in labeled_images(data, "val")]
    sizes = {image.shape for image, _ in images}
    if len(sizes) != 1 or len(next(iter(sizes))) != 2:
        raise ValueError(f"{data}: the validation images must be gray and of one size; they are {sorted(sizes)}.")
    endless = itertools.cycle(images)
    return [filled(shape, images[0][0].shape, lambda: next(endless)) for _ in range(count)]


def drawn_field(shape: Shape, objects: Optional[int], seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Draw pairs of touching nuclei, about so many nuclei in all; a large field repeats blocks.

    Returns the image and its labels.
    """
    if objects is None:
        objects = max(2, round(OBJECTS_PER_MEGAPIXEL * shape[0] * shape[1] / 1e6))
    block = min(shape[0], BLOCK_PX), min(shape[1], BLOCK_PX)
    of_block = objects * block[0] * block[1] / (shape[0] * shape[1])
    if block == shape or of_block < FEWEST_OBJECTS_OF_BLOCK:
        return _drawn(shape, objects, seed)
    seeds = itertools.count(1000 * seed)
    few = [_drawn(block, round(of_block), next(seeds)) for _ in range(4)]
    endless = itertools.cycle(few)
    return filled(shape, block, lambda: next(endless))


def _drawn(shape: Shape, objects: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    spacing = math.sqrt(2 * shape[0] * shape[1] / objects)
    columns = max(1, round(shape[1] / spacing), math.ceil(shape[1] / shape[0]))  # one row at least
    diameter_px = min(DIAMETER_PX, MOST_OF_SPACING * shape[1] / columns)
    drawn = synthetic_field(shape, columns, diameter_px, touching=True, seed=seed)
    return drawn.image, drawn.labels


def filled(
    shape: Shape, tile: Shape, next_tile: Callable[[], Tuple[np.ndarray, np.ndarray]]
) -> Tuple[np.ndarray, np.ndarray]:
    """Fill a size with tiles, images and labels, row by row; labels are numbered on from tile to tile."""
    image, labels = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    highest = 0
    for top in range(0, shape[0], tile[0]):
        for left in range(0, shape[1], tile[1]):
            window = slice(top, min(shape[0], top + tile[0])), slice(left, min(shape[1], left + tile[1]))
            part, part_labels = (each[: shape[0] - top, : shape[1] - left] for each in next_tile())
            image[window] = part
            labels[window] = np.where(part_labels > 0, part_labels + highest, 0)
            highest += int(part_labels.max(initial=0))
    return image, labels
