"""Measure one image of a data set and its labels, and find what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as connected

from cpunet.errors import DataError, ImageError
from cpunet.files.images import gray_of_equal_colors, read_image, read_label_numbers
from cpunet.training.checking.unlabeled import unlabeled_warnings
from cpunet.training.data.duplicates import THUMBNAIL_PX, fine_structure, pixel_sum
from cpunet.training.data.ignored_pixels import read_ignore_mask, with_ignored
from cpunet.training.data.labeled_images import (
    MOST_CHANNELS,
    SUFFIXES,
    IndexRow,
    check_labels,
    holds_channels,
    object_diameters,
)
from cpunet.training.importing.data_set import OVERLAP_FIELD

ERROR, WARNING = "error", "warning"
SPECK_PX = 10
MASK_WAY_OUT = (
    "Give each object a number of its own; where no two objects touch, `cpunet data import --label-format colors` does."
)
# One number in so many pieces is a mask. Where most of so many numbers are in pieces, they are no objects.
LEAST_PIECES_OF_MASK, LEAST_NUMBERS_OF_IMAGE, MOST_IN_PIECES = 3, 20, 0.5
# A kind and a sentence.
Warned = tuple[str, str]


@dataclass(frozen=True)
class DataProblem:
    """Something that is wrong with a data set.

    Attributes
    ----------
    severity : str
        ``error``: training must not start. ``warning``: look at it.
    kind : str
        A word, such as ``specks``; docs/data.md has a line on each.
    where : str
        The set, or <set>/<id>.
    what : str
        A sentence.
    picture : tuple of IndexRow
        Images that show it.
    """

    severity: str
    kind: str
    where: str
    what: str
    picture: tuple[IndexRow, ...] = ()


@dataclass(frozen=True)
class ImageFacts:
    """Measurements of an image that could be read.

    Attributes
    ----------
    row : IndexRow
    shape : tuple of int
        (Y, X) or (Y, X, C).
    dtype : str
    used_bits : int
        Bits of the largest value; 0 if the values are not whole numbers.
    diameters_px : ndarray of shape (n,), float64
        One an object.
    pixels : str
        Sum of the pixels.
    features : ndarray of shape (F,), float64
        See `appearance`.
    thumbnail : ndarray of shape (THUMBNAIL_PX, THUMBNAIL_PX), float32
        Fine structure, mean 0 and length 1, or all 0; that of duplicates correlates.
    depth : int
        The number of planes; of a volume, `shape` is that of a plane.
    z_step_px : float, optional
        Of a volume, the distance of planes over the width of a pixel; None where the index does not say it.
    """

    row: IndexRow
    shape: tuple[int, ...]
    dtype: str
    used_bits: int
    diameters_px: NDArray[np.float64]
    pixels: str
    features: NDArray[np.float64]
    thumbnail: NDArray[np.float32]
    depth: int = 1
    z_step_px: float | None = None


def look_at(row: IndexRow, cells: dict[str, str]) -> tuple[ImageFacts | None, list[DataProblem]]:
    """Read an image and its labels, and list all problems.

    Parameters
    ----------
    row : IndexRow
    cells : dict of str to str
        The row of index.csv; its numbers are compared with the files.

    Returns
    -------
    facts : ImageFacts or None
        None if a file cannot be used.
    findings : list of DataProblem
    """
    where = "/".join(row.key)
    findings = []
    arrays = []
    for folder in ("images", "labels"):
        there = [path for suffix in SUFFIXES if (path := row.folder / folder / f"{row.id}{suffix}").is_file()]
        if len(there) > 1:
            names = " and ".join(path.name for path in there)
            findings.append(DataProblem(ERROR, "file", where, f"{folder}/ holds {names}; which of them counts?"))
        path = row.image_path if folder == "images" else row.labels_path
        try:
            arrays.append(read_image(path) if folder == "images" else read_label_numbers(path))
        except ImageError as error:
            findings.append(DataProblem(ERROR, "file", where, str(error)))
    if len(arrays) < 2:
        return None, findings
    image, labels = gray_of_equal_colors(arrays[0]), arrays[1]
    for kind, problem in (("image", _image_problem(image)), ("labels", check_labels(labels, image))):
        if problem:
            return None, [*findings, DataProblem(ERROR, kind, where, problem)]
    ignored = np.zeros(labels.shape, bool)
    if row.ignore_path is not None:
        try:
            ignored = read_ignore_mask(row.ignore_path, labels.shape)
        except (ImageError, DataError) as error:
            return None, [*findings, DataProblem(ERROR, "ignore", where, str(error))]
    facts = ImageFacts(
        row,
        image.shape,
        str(image.dtype),
        used_bits(image),
        object_diameters(labels),
        pixel_sum(image),
        appearance(image),
        fine_structure(image, THUMBNAIL_PX),
    )
    warnings = [*_image_warnings(image), *label_warnings(labels), *_index_warnings(facts, cells)]
    warnings += unlabeled_warnings(image, with_ignored(labels, ignored))
    return facts, [*findings, *(DataProblem(WARNING, kind, where, sentence, (row,)) for kind, sentence in warnings)]


def used_bits(image: NDArray[np.generic]) -> int:
    """Return how many bits the largest value takes: 12 for a camera of 12 bits in a file of 16."""
    if not np.issubdtype(image.dtype, np.integer):
        return 0
    return int(image.max(initial=0)).bit_length()


def appearance(image: NDArray[np.generic]) -> NDArray[np.float64]:
    """Describe how an image looks, independent of its bit depth, by six numbers of 0 to about 1.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C)

    Returns
    -------
    ndarray of shape (6,), float64
        Between the percentiles 0.5 and 99.5: the quartiles' positions (three; near 0 in fluorescence, near 1 in
        bright-field); mean colorfulness; share of fine structure; and how bright the darkest parts are.
    """
    values = np.nan_to_num(np.asarray(image, np.float64))
    low, high = np.percentile(values, (0.5, 99.5))
    scaled = np.clip((values - low) / (high - low or 1.0), 0, 1)
    colorfulness = float(np.ptp(scaled, axis=2).mean()) if scaled.ndim == 3 else 0.0
    plane = scaled.mean(axis=2) if scaled.ndim == 3 else scaled
    fine = float((plane - ndimage.gaussian_filter(plane, 2)).std() / (plane.std() or 1.0))
    darkest = max(0.0, float(low / high)) if high else 0.0
    return np.array([*np.percentile(plane, (25, 50, 75)), colorfulness, fine, darkest])


def _image_problem(image: NDArray[np.generic]) -> str:
    if not holds_channels(image):
        return f"the image has the shape {image.shape}; a plane of one to {MOST_CHANNELS} channels is needed."
    if not (np.issubdtype(image.dtype, np.integer) or np.issubdtype(image.dtype, np.floating) or image.dtype == bool):
        return f"the image holds {image.dtype} values; real numbers are needed."
    return ""


def _image_warnings(image: NDArray[np.generic]) -> list[Warned]:
    warnings = []
    if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
        warnings.append(("pixels", f"{int((~np.isfinite(image)).sum())} pixels are no number (NaN or infinite)."))
    if image.min() == image.max():
        warnings.append(("pixels", f"every pixel of the image is {image.flat[0]}."))
    return warnings


def _index_warnings(facts: ImageFacts, cells: dict[str, str]) -> list[Warned]:
    warnings = []
    found: dict[str, Any] = {
        "height": facts.shape[0],
        "width": facts.shape[1],
        "dtype": facts.dtype,
        "channels": 1 if len(facts.shape) == 2 else facts.shape[2],
        "objects": len(facts.diameters_px),
    }
    for name, value in found.items():
        if cells.get(name) and cells[name] != str(value):
            warnings.append(("index", f"index.csv says {name} {cells[name]}, and the files say {value}."))
    overlap = cells.get(OVERLAP_FIELD) or "0"
    if overlap != "0":
        warnings.append(("overlap", f"when imported, {overlap} pixels lay in two objects at once."))
    return warnings


def label_warnings(labels: NDArray[np.integer]) -> list[Warned]:
    """Find labels that can be read but are likely wrong: none at all, a mask, objects in pieces, and specks.

    Examples
    --------
    >>> label_warnings(np.array([[1] * 12 + [0, 1], [0] * 14]))
    [('pieces', '1 object (1) in several pieces: two under one number, or stray pixels.')]
    """
    numbers, dense = np.unique(np.append(labels.ravel(), labels.dtype.type(0)), return_inverse=True)
    if len(numbers) == 1:
        return [("empty", "no object. Correct if the image shows none; otherwise its labels are missing.")]
    labels = dense[:-1].reshape(labels.shape)  # 0..n, however large the numbers are
    pieces = connected(labels, background=0, connectivity=2)
    object_of_piece = np.zeros(pieces.max() + 1, np.int64)
    object_of_piece[pieces.ravel()] = labels.ravel()
    count = np.bincount(object_of_piece[1:], minlength=len(numbers))
    if len(numbers) == 2 and count[1] >= LEAST_PIECES_OF_MASK:
        what = f"one number ({numbers[1]}) in {count[1]} pieces, as in a mask: all would be learned as one object."
        return [("mask", f"{what} {MASK_WAY_OUT}")]
    if len(numbers) > LEAST_NUMBERS_OF_IMAGE and np.mean(count[1:] > 1) > MOST_IN_PIECES:
        what = f"most of the {len(numbers) - 1} numbers are in several pieces, as intensities are."
        return [("pieces", f"{what} Are these labels an image, and images and labels swapped?")]
    area = np.bincount(labels.ravel(), minlength=len(numbers))
    return [
        (kind, f"{objects_named(numbers[1:][broken])} {how}")
        for kind, broken, how in (
            ("pieces", count[1:] > 1, "in several pieces: two under one number, or stray pixels."),
            ("specks", area[1:] < SPECK_PX, f"of less than {SPECK_PX} pixels."),
        )
        if broken.any()
    ]


def objects_named(numbers: NDArray[np.integer]) -> str:
    """Say how many objects there are, and the first numbers of them."""
    shown = ", ".join(str(number) for number in numbers[:5]) + (" ..." if len(numbers) > 5 else "")
    return f"{len(numbers)} object{'s' if len(numbers) > 1 else ''} ({shown})"
