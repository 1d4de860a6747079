"""Images with instance labels: the folder layout, its index, and what may be used for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import DataError, ImageError
from cpunet.files.images import gray_of_equal_colors, read_image, read_label_numbers
from cpunet.training.config import DataSource, TrainingConfig
from cpunet.training.data.duplicates import Key, leaking_images
from cpunet.training.data.fold import Fold
from cpunet.training.data.ignored_pixels import IGNORE_FOLDER, read_ignore_mask, with_ignored
from cpunet.training.data.index import INDEX, id_fault, read_table
from cpunet.training.data.stained_images import stain_density

SUFFIXES = (".png", ".tif", ".tiff")
# Of so few images none is left out: each teaches more than it would tell. With six crops of dense tissue the mean F1
# on 30 others was 0.525, and with five of them, the sixth for validation, 0.482.
MOST_WITHOUT_VALIDATION = 8
LARGEST_NUMBER = np.iinfo(np.int32).max
# A focus stack may have so many planes; what has more is rather a stack or a movie whose axes were mistaken.
MOST_CHANNELS = 32


@dataclass(frozen=True)
class IndexRow:
    """One image of a data set.

    Attributes
    ----------
    folder : Path
        The data set's folder.
    id : str
        The file name without its suffix, in images/ and in labels/.
    modality, split, duplicate_of : str
        As in index.csv; `duplicate_of` is ``<set>/<id>`` or an id, empty if there is none.
    group : str
        Images of one group, such as a plate or a field, must stay on one side of a split; empty if there is none.
    stain : str
        The stain whose density is read in place of the image; empty for the image itself.
    """

    folder: Path
    id: str
    modality: str
    split: str
    duplicate_of: str
    group: str = ""
    stain: str = ""

    @property
    def key(self) -> Key:
        """Name of the set and id of the image: unique over all sets."""
        return self.folder.name, self.id

    @property
    def image_path(self) -> Path:
        """Where the image lies, as PNG or TIFF; where it should lie, if it does not."""
        return _with_its_suffix(self.folder / "images", self.id)

    @property
    def labels_path(self) -> Path:
        """Where its labels lie, as PNG or TIFF; where they should lie, if they do not."""
        return _with_its_suffix(self.folder / "labels", self.id)

    @property
    def ignore_path(self) -> Path | None:
        """Where the mask of its pixels that nobody labeled lies, as PNG or TIFF; None if there is none."""
        path = _with_its_suffix(self.folder / IGNORE_FOLDER, self.id)
        return path if path.is_file() else None


def _with_its_suffix(folder: Path, name: str) -> Path:
    candidates = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])


@dataclass(frozen=True)
class LabeledImage:
    """An image and its truth.

    Attributes
    ----------
    id : str
    image : ndarray of shape (Y, X) or (Y, X, C)
        As stored, any real dtype, or the density of a stain, float32.
    labels : ndarray of shape (Y, X), int32
        0 is background; `cpunet.scores.IGNORED` marks pixels that nobody labeled.
    """

    id: str
    image: NDArray[np.generic]
    labels: NDArray[np.int32]


def read_index(folder: Path) -> list[IndexRow]:
    """Read a data set's index.csv; DataError if it is missing, lacks a column, or holds an id that is no file name.

    An id that is listed twice is one image for `leaking_images` and `rows_of_split`; `cpunet data check` reports it.
    """
    table = read_table(folder)
    for cells in table.rows:
        fault = id_fault(cells["id"])
        if fault:
            raise DataError(f"{Path(folder) / INDEX}: the id {cells['id']!r} {fault}.")
    return [row_of(folder, row) for row in table.rows]


def row_of(folder: Path, cells: dict[str, str]) -> IndexRow:
    """Make an IndexRow of one row of index.csv (`read_table`)."""
    named = (cells[name] for name in ("id", "modality", "split", "duplicate_of"))
    return IndexRow(Path(folder), *named, cells.get("group", ""))


def rows_of_split(
    sources: Sequence[DataSource], root: Path, split: str, fold: Fold | None = None
) -> list[list[IndexRow]]:
    """Choose the images of one split, leaving out each training image with a duplicate that is tested on.

    Parameters
    ----------
    sources : sequence of DataSource
    root : Path
        The folder that holds the data sets' folders.
    split : str
        Such as ``train`` or ``val``.
    fold : Fold, optional
        Says which images are trained on and which are left out, instead of the index.

    Returns
    -------
    list of list of IndexRow
        One list a source, in its order. With so few images that none was left for validation, those of ``val`` are the
        training images.

    Raises
    ------
    DataError
        If a source has no such image.

    Notes
    -----
    Two copies of an image leak if one is trained on and the other tested on: the index's `duplicate_of` is followed
    in both directions.
    """
    indices = [read_index(root / source.folder) for source in sources]
    if fold is not None:
        indices = [[replace(row, split=fold.split_of(row.key, row.split)) for row in index] for index in indices]
    leaks = leaking_images(row for index in indices for row in index)
    chosen = []
    for source, index in zip(sources, indices, strict=True):
        wanted = [row for row in index if not source.modalities or row.modality in source.modalities]
        rows = [row for row in rows_in_split(wanted, split) if not (split == "train" and row.key in leaks)]
        if not rows:
            raise DataError(f"{root / source.folder}: no image has the split {split!r} and a wanted modality.")
        chosen.append(list({row.key: replace(row, stain=source.stain) for row in rows}.values()))
    return chosen


def rows_in_split(rows: Sequence[IndexRow], split: str) -> list[IndexRow]:
    """Choose the images of a split; those of ``val`` are the training images where none was left for validation."""
    if split == "val" and none_for_validation(rows):
        split = "train"
    return [row for row in rows if row.split == split]


def none_for_validation(rows: Sequence[IndexRow]) -> bool:
    """Return whether all labeled images are trained on, because there are too few to leave one out."""
    splits = [row.split for row in rows]
    return "val" not in splits and 0 < splits.count("train") <= MOST_WITHOUT_VALIDATION


def validation_sample(config: TrainingConfig, root: Path, fold: Fold | None = None) -> list[list[IndexRow]]:
    """Choose `config.validation_images` validation images of each set, evenly over its index; always the same ones."""
    sets = rows_of_split(config.data, root, "val", fold)
    return [rows[:: -(-len(rows) // config.validation_images)] for rows in sets]


def read_labeled_image(row: IndexRow) -> LabeledImage:
    """Read an image and its labels, and what of it nobody labeled.

    DataError if a file is missing or unreadable, they differ in size, or the labels are not whole numbers from 0 on.
    """
    try:
        image, labels = read_image(row.image_path), read_label_numbers(row.labels_path)
        ignored = None if row.ignore_path is None else read_ignore_mask(row.ignore_path, image.shape[:2])
    except ImageError as error:
        raise DataError(f"{row.id}: the image or its labels cannot be read: {error}") from error
    problem = check_labels(labels, image)
    if problem:
        raise DataError(f"{row.id}: {problem}")
    found = labels.astype(np.int32)
    return LabeledImage(row.id, _as_read(image, row), found if ignored is None else with_ignored(found, ignored))


def _as_read(image: NDArray[np.generic], row: IndexRow) -> NDArray[np.generic]:
    if not row.stain:
        return gray_of_equal_colors(image)
    try:
        return stain_density(image, row.stain)
    except DataError as error:
        raise DataError(f"{row.id}: {error}") from error


def holds_channels(image: NDArray[np.generic]) -> bool:
    """Return whether an array can be an image: (Y, X), or (Y, X, C) with one to `MOST_CHANNELS` channels."""
    return image.size > 0 and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] <= MOST_CHANNELS))


def check_labels(labels: NDArray[np.generic], image: NDArray[np.generic]) -> str:
    """Return why an array cannot be the labels of an image; an empty text if it can."""
    if labels.shape != image.shape[:2]:
        return f"the image has the shape {image.shape[:2]} and its labels {labels.shape}."
    if not np.issubdtype(labels.dtype, np.integer):
        return (
            f"its labels hold {labels.dtype} values; whole numbers are needed, 0 for background and one number an "
            "object. `cpunet data import` reads other kinds of labels."
        )
    if labels.size and not 0 <= labels.min() <= labels.max() <= LARGEST_NUMBER:
        return (
            f"its labels hold numbers from {labels.min()} to {labels.max()}; 0 to {LARGEST_NUMBER} are possible. "
            f"Pixels that nobody labeled are marked by a mask of the same name in {IGNORE_FOLDER}/."
        )
    return ""


def object_diameters(labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the diameter, in pixels, of a disc of the same area, for each object.

    Examples
    --------
    >>> object_diameters(np.array([[1, 1, 1], [0, 5, 0]])).round(2).tolist()
    [1.95, 1.13]
    """
    # Not bincount(): one large number in a broken file would take all memory.
    _, area = np.unique(labels[labels > 0], return_counts=True)
    return 2 * np.sqrt(area / np.pi)
