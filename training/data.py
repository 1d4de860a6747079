"""Images with instance labels: the folder layout, its index, and what may be used for what."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.image_files import ImageFileError, grey_of_equal_colours, read_image
from cpunet.training.config import DataSource

TESTED_SPLITS = {"val", "test"}
INDEX_FIELDS = ("id", "modality", "split", "duplicate_of")


class DataError(ValueError):
    """A data set that cannot be used; the message names the file."""


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
    """

    folder: Path
    id: str
    modality: str
    split: str
    duplicate_of: str

    @property
    def key(self) -> tuple[str, str]:
        """The set's name and the id, by which an image is told from all others."""
        return self.folder.name, self.id

    @property
    def image_path(self) -> Path:
        """Where the image lies."""
        return self.folder / "images" / f"{self.id}.png"

    @property
    def labels_path(self) -> Path:
        """Where its labels lie."""
        return self.folder / "labels" / f"{self.id}.png"


@dataclass(frozen=True)
class LabelledImage:
    """An image and its truth.

    Attributes
    ----------
    id : str
    image : ndarray of shape (Y, X) or (Y, X, C)
        As stored, any real dtype.
    labels : ndarray of shape (Y, X), int32
        0 is background.
    """

    id: str
    image: NDArray[np.generic]
    labels: NDArray[np.int32]


def read_index(folder: Path) -> list[IndexRow]:
    """Read a data set's index.csv.

    Parameters
    ----------
    folder : Path
        Holds images/, labels/ and index.csv.

    Returns
    -------
    list of IndexRow

    Raises
    ------
    DataError
        If index.csv is missing or lacks a column.
    """
    path = Path(folder) / "index.csv"
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. A data set is a folder with images/, labels/ and index.csv.")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in INDEX_FIELDS if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{path}: the column {missing[0]!r} is missing.")
        return [IndexRow(Path(folder), *(row[name] for name in INDEX_FIELDS)) for row in reader]


def rows_of_split(sources: Sequence[DataSource], root: Path, split: str) -> list[list[IndexRow]]:
    """Choose the images of one split, leaving out every training image whose twin is tested on.

    Parameters
    ----------
    sources : sequence of DataSource
    root : Path
        The folder that holds the data sets' folders.
    split : str
        Such as ``train`` or ``val``.

    Returns
    -------
    list of list of IndexRow
        One list a source, in its order.

    Raises
    ------
    DataError
        If a source has no such image.

    Notes
    -----
    An image that stands in two sets is a leak if one copy is trained on and the other tested on, in
    either direction: the index's `duplicate_of` is followed both ways.
    """
    indices = [read_index(root / source.folder) for source in sources]
    leaks = leaking_images(row for index in indices for row in index)
    chosen = []
    for source, index in zip(sources, indices, strict=True):
        rows = [
            row
            for row in index
            if row.split == split
            and (not source.modalities or row.modality in source.modalities)
            and not (split == "train" and row.key in leaks)
        ]
        if not rows:
            raise DataError(f"{root / source.folder}: no image has the split {split!r} and a wanted modality.")
        chosen.append(rows)
    return chosen


def leaking_images(rows: Iterable[IndexRow]) -> set[tuple[str, str]]:
    """Find the images that must not be trained on, because the same pixels are tested on elsewhere.

    Parameters
    ----------
    rows : iterable of IndexRow
        Of all sets together.

    Returns
    -------
    set of (set, id)
        Images of which one copy, under this or another id, has a split of `TESTED_SPLITS`.

    Notes
    -----
    `duplicate_of` is an id, or <set>/<id>. It may be the name of the publisher's file: BBBC039 calls
    IXMtest_K12_s7 by IXMtest_K12_s7_w1 and a random suffix. A twin in a set that is not given cannot be followed.
    """
    rows = list(rows)
    split_of = {row.key: row.split for row in rows}
    sets = {row.folder.name for row in rows}
    leaks = set()
    for row in rows:
        if not row.duplicate_of:
            continue
        folder, _, name = row.duplicate_of.rpartition("/")
        names = (name, name.partition("_w1")[0])
        twins = {(other, each) for other in ({folder} if folder else sets) for each in names} & split_of.keys()
        for twin in twins - {row.key}:
            if {row.split, split_of[twin]} & TESTED_SPLITS:
                leaks |= {row.key, twin}
    return leaks


def read_labelled_image(row: IndexRow) -> LabelledImage:
    """Read an image and its labels.

    Parameters
    ----------
    row : IndexRow

    Returns
    -------
    LabelledImage

    Raises
    ------
    DataError
        If a file is missing or unreadable, or the two differ in size.
    """
    try:
        image, labels = read_image(row.image_path), read_image(row.labels_path)
    except ImageFileError as error:
        raise DataError(f"{row.id}: the image or its labels cannot be read: {error}") from error
    if labels.shape != image.shape[:2]:
        raise DataError(f"{row.id}: the image has the shape {image.shape[:2]} and its labels {labels.shape}.")
    return LabelledImage(row.id, grey_of_equal_colours(image), labels.astype(np.int32))


def object_diameters(labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the diameter, in pixels, of a disc of the same area, for each object."""
    area = np.bincount(labels.ravel())[1:]
    return 2 * np.sqrt(area[area > 0] / np.pi)
