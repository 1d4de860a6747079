"""Find and read images with labels: a folder of a data set, or files given in pairs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, List, NamedTuple, Sequence, Set

import numpy as np
import numpy.typing as npt

from cpunet.errors import DataError, OptionError
from cpunet.files.find import natural_order, other_programs_labels
from cpunet.files.images import gray_of_equal_colors, read_image, read_label_numbers

INDEX, KEPT_BACK = "index.csv", ("test", "excluded")
SUFFIXES = (".png", ".tif", ".tiff")


class LabeledFiles(NamedTuple):
    """The file of an image, and that of its labels."""

    image: Path
    labels: Path


class LabeledImage(NamedTuple):
    """An image of shape (Y, X) or (Y, X, C) and its labels (Y, X), int32; 0 is background."""

    image: npt.NDArray[Any]
    labels: npt.NDArray[np.int32]


def pairs_in_folder(folder: Path) -> List[LabeledFiles]:
    """Pair the files of one name in the folders ``images`` and ``labels``, in the natural order of their names.

    Images that the folder's index.csv, if there is one, puts into the splits ``test`` or ``excluded`` are left out.

    Raises
    ------
    DataError
        If a folder is missing, or no image has labels.
    """
    for name in ("images", "labels"):
        if not (folder / name).is_dir():
            raise DataError(
                f"{folder}: there is no folder {name!r} in it. Images belong into images/, and label images of the "
                "same names into labels/. Or give the image files, and theirs after --labels."
            )
    labels, kept_back = {path.stem: path for path in _pictures(folder / "labels")}, _kept_back(folder / INDEX)
    pairs = [
        LabeledFiles(path, labels[path.stem])
        for path in _pictures(folder / "images")
        if path.stem in labels and path.stem not in kept_back
    ]
    if kept_back and not pairs:
        raise DataError(f"{folder}: {INDEX} keeps all images back, for the splits {' and '.join(KEPT_BACK)}.")
    if not pairs:
        others = other_programs_labels(folder / "labels")
        raise DataError(
            f"{folder}: no file in images/ (PNG or TIFF) has one of the same name in labels/. {others}".rstrip()
        )
    return pairs


def pairs_of_files(images: Sequence[Path], labels: Sequence[Path]) -> List[LabeledFiles]:
    """Pair image files with label files, in their order; OptionError if their numbers differ."""
    if len(images) != len(labels):
        raise OptionError(
            f"There are {len(images)} images and {len(labels)} label images; each image needs one, in the same order."
        )
    return [LabeledFiles(image, its_labels) for image, its_labels in zip(images, labels)]


def read_labeled_image(files: LabeledFiles) -> LabeledImage:
    """Read an image and its labels.

    Raises
    ------
    ImageError
        If a file cannot be read.
    DataError
        If the labels are not whole numbers from 0 on, or differ from the image in size.
    """
    image, labels = gray_of_equal_colors(read_image(files.image)), read_label_numbers(files.labels)
    if labels.shape != image.shape[:2]:
        raise DataError(f"{files.labels} has the shape {labels.shape}, and its image {image.shape}; they must agree.")
    return LabeledImage(image, numbered_labels(files.labels, labels))


def numbered_labels(path: Path, labels: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Return the labels of a label image, numbered 1..n without gaps.

    Parameters
    ----------
    path : Path
        The file, for the message.
    labels : ndarray of shape (Y, X)
        As they are stored; 0 is background.

    Raises
    ------
    DataError
        If the labels are not one plane of whole numbers from 0 on.
    """
    if labels.ndim != 2:
        raise DataError(f"{path} has the shape {labels.shape}; labels have one number a pixel. Save them in gray.")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min(initial=0) < 0:
        raise DataError(
            f"{path} holds {labels.dtype} values from {labels.min()} on; labels are whole numbers, 0 for "
            "background and one number an object."
        )
    present = np.unique(labels[labels > 0])
    numbered = np.searchsorted(present, labels).astype(np.int32) + 1
    return np.where(labels > 0, numbered, np.int32(0))


def _kept_back(index: Path) -> Set[str]:
    """Return the ids of the images that an index.csv puts into the splits that nothing may be chosen on."""
    if not index.is_file():
        return set()
    try:
        with index.open(newline="", encoding="utf-8-sig") as stream:
            return {str(row.get("id")) for row in csv.DictReader(stream) if row.get("split") in KEPT_BACK}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{index}: this is no CSV file in UTF-8: {error}") from error


def _pictures(folder: Path) -> List[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    return sorted(found, key=natural_order)
