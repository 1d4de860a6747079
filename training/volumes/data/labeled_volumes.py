"""Labeled volumes on disk: the rows of a data set's index that are stacks of planes, and how they are read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import DataError, ImageError
from cpunet.files.formats.volume import read_label_volume, read_volume
from cpunet.training.data.duplicates import leaking_images
from cpunet.training.data.index import INDEX, read_checked_table
from cpunet.training.data.labeled_images import LARGEST_NUMBER, MOST_CHANNELS, row_of
from cpunet.training.data.splits import KEPT_SPLIT

# More planes than any stack has: a longer range in the index is a mistake, and would fill the memory.
MOST_PLANES = 100_000
PIXEL_SIZE, Z_STEP, LABELED_PLANES = "pixel_size_um", "z_step_um", "labeled_planes"
Z_STEP_WAY_OUT = (
    f"Write {PIXEL_SIZE} and {Z_STEP} into {INDEX}, or give the distance of planes over the width of a pixel: "
    "z_step_px in the training's YAML, or --z-step."
)


@dataclass(frozen=True)
class LabeledVolume:
    """One volume of a data set.

    Attributes
    ----------
    id : str
        The file name without its suffix, in images/ and in labels/.
    image, labels : Path
    split, group : str
        As in index.csv. A volume to train on that has a duplicate to test on is ``excluded``.
    z_step_px : float
        Distance of neighboring planes over the width of a pixel.
    pixel_size_um : float or None
        Width of a pixel, in micrometers; None where it is not known.
    labeled_planes : tuple of int
        The planes that somebody labeled, from 0 on; empty if all are.
    ignored : Path or None
        A mask of the voxels that nobody labeled, of the folder ignore/.
    """

    id: str
    image: Path
    labels: Path
    split: str
    group: str
    z_step_px: float
    pixel_size_um: float | None = None
    labeled_planes: tuple[int, ...] = ()
    ignored: Path | None = None


def find_labeled_volumes(folder: Path, z_step_px: float | None = None) -> list[LabeledVolume]:
    """List the volumes of a data set.

    Parameters
    ----------
    folder : Path
        With index.csv, images/ and labels/.
    z_step_px : float, optional
        Distance of planes over the width of a pixel, of the volumes of which the index does not say it.

    Raises
    ------
    DataError
        If the index is missing or faulty, or nothing says how far apart the planes of a volume are.
    """
    table = read_checked_table(folder)
    rows = [row_of(folder, cells) for cells in table.rows]
    leaks = leaking_images(rows)
    volumes = []
    for row, cells in zip(rows, table.rows, strict=True):
        pixel_size, step = length_of(cells, PIXEL_SIZE, folder), length_of(cells, Z_STEP, folder)
        known = step / pixel_size if step is not None and pixel_size is not None else z_step_px
        if known is None:
            raise DataError(f"{folder}: how far apart the planes of {row.id} are is not known. {Z_STEP_WAY_OUT}")
        leak = row.split == "train" and row.key in leaks
        volumes.append(
            LabeledVolume(
                row.id,
                row.image_path,
                row.labels_path,
                KEPT_SPLIT if leak else row.split,
                row.group,
                known,
                pixel_size,
                planes_of(cells, folder),
                row.ignore_path,
            )
        )
    return volumes


def read_labeled_volume(
    volume: LabeledVolume,
) -> tuple[NDArray[np.generic], NDArray[np.int32], NDArray[np.bool_] | None]:
    """Read a volume and its labels.

    Returns
    -------
    image : ndarray of shape (Z, Y, X) or (Z, Y, X, C), any real dtype
    labels : ndarray of shape (Z, Y, X), int32
        0 is background, and what nobody labeled.
    known : ndarray of shape (Z, Y, X), bool, or None
        Where somebody labeled; None if that is everywhere.

    Raises
    ------
    DataError
        If a file is missing or unreadable, or the files do not belong together.
    """
    try:
        image, labels = read_volume(volume.image).pixels, read_label_volume(volume.labels).pixels
        ignored = None if volume.ignored is None else read_label_volume(volume.ignored).pixels
    except ImageError as error:
        raise DataError(f"{volume.id}: the volume or its labels cannot be read: {error}") from error
    problem = check_label_volume(labels, image) or planes_problem(volume.labeled_planes, len(image))
    if not problem and ignored is not None and ignored.shape != labels.shape:
        problem = f"the mask of what is not labeled has the shape {ignored.shape}, and the volume {labels.shape}."
    if problem:
        raise DataError(f"{volume.image}: {problem}")  # many sets have a volume of the same id
    known = known_voxels(labels.shape, volume.labeled_planes, ignored)
    found = labels.astype(np.int32)
    return image, found if known is None else np.where(known, found, 0).astype(np.int32), known


def known_voxels(
    shape: tuple[int, ...], labeled_planes: tuple[int, ...], ignored: NDArray[np.generic] | None
) -> NDArray[np.bool_] | None:
    """Return where somebody labeled, (Z, Y, X); None if that is everywhere.

    Examples
    --------
    >>> known_voxels((3, 1, 1), (1,), None).ravel().tolist()
    [False, True, False]
    """
    if not labeled_planes and ignored is None:
        return None
    known = np.ones(shape, bool) if ignored is None else ignored == 0
    if labeled_planes:
        known[[plane for plane in range(shape[0]) if plane not in labeled_planes]] = False
    return known


def check_label_volume(labels: NDArray[np.generic], image: NDArray[np.generic]) -> str:
    """Return why an array cannot be the labels of a volume; an empty text if it can."""
    if image.ndim == 4 and image.shape[3] > MOST_CHANNELS:
        return f"the volume has the shape {image.shape}; at most {MOST_CHANNELS} channels are read, in the last place."
    if labels.shape != image.shape[:3]:
        return f"the volume has the shape {image.shape[:3]} and its labels {labels.shape}."
    if not np.issubdtype(labels.dtype, np.integer):
        return (
            f"its labels hold {labels.dtype} values; whole numbers are needed, 0 for background and one number an "
            "object."
        )
    if labels.size and not 0 <= labels.min() <= labels.max() <= LARGEST_NUMBER:
        return f"its labels hold numbers from {labels.min()} to {labels.max()}; 0 to {LARGEST_NUMBER} are possible."
    return ""


def planes_problem(planes: tuple[int, ...], depth: int) -> str:
    """Return what is wrong with the numbers of labeled planes of a volume; an empty text if nothing is."""
    if planes and max(planes) >= depth:
        return f"{LABELED_PLANES} names the plane {max(planes) + 1}, and it has the planes 1 to {depth}."
    return ""


def length_of(cells: Mapping[str, str], column: str, folder: Path) -> float | None:
    """Return a length of a row of the index, in micrometers; None where the cell is empty or there is no such column.

    DataError if it is no positive number.
    """
    text = cells.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise DataError(
            f"{folder / INDEX}: {column} of {cells['id']} is {text!r}; a length above 0 is needed, or none."
        )
    return value


def planes_as_text(planes: Iterable[int]) -> str:
    """Write numbers of planes, from 0 on, as `planes_of` reads them.

    >>> planes_as_text([2, 6, 7, 8])
    '3 7-9'
    """
    parts: list[list[int]] = []
    for plane in sorted(planes):
        if parts and plane == parts[-1][-1] + 1:
            parts[-1].append(plane)
        else:
            parts.append([plane])
    return " ".join(f"{part[0] + 1}-{part[-1] + 1}" if len(part) > 1 else str(part[0] + 1) for part in parts)


def planes_of(cells: Mapping[str, str], folder: Path) -> tuple[int, ...]:
    """Return the labeled planes of a row of the index, from 0 on; empty where all are labeled.

    DataError if the cell holds something else than `planes_of_text` reads.
    """
    try:
        return planes_of_text(cells.get(LABELED_PLANES, ""))
    except DataError as error:
        raise DataError(f"{folder / INDEX}: {LABELED_PLANES} of {cells['id']}: {error}") from error


def planes_of_text(text: str) -> tuple[int, ...]:
    """Return the numbers of planes that a text names, from 0 on; the text counts from 1 on, as Fiji does.

    DataError if it names something else.

    Examples
    --------
    >>> planes_of_text("7-9 3")
    (2, 6, 7, 8)
    """
    planes: set[int] = set()
    for word in text.split():
        first, dash, last = word.partition("-")
        numbers = [int(part) for part in (first, last or first) if part.isdecimal()]
        if len(numbers) < 2 or bool(dash) != bool(last) or not 1 <= numbers[0] <= numbers[1] <= MOST_PLANES:
            raise DataError(
                f"{word!r} names no planes; numbers from 1 on are needed, with spaces between them, such as 3 7-9."
            )
        planes.update(range(numbers[0] - 1, numbers[1]))
    return tuple(sorted(planes))
