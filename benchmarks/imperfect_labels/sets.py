"""Data sets of BBBC039's training images with labels that have faults."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.io import imsave

from cpunet.files.images import read_label_numbers
from cpunet.training.data.index import INDEX_FIELDS, write_table
from cpunet.training.data.labeled_images import IndexRow, read_index
from cpunet.training.data.splits import inseparable, split_at_random
from cpunet.training.importing.data_set import IMPORT_FRACTIONS, IMPORT_SEED

FIELDS_LABELED_BY_HAND = 5
# Returns the labels (Y, X) that stand for those of an image.
Labels = Callable[[IndexRow], NDArray[np.integer]]


def rows_of(folder: Path, split: str) -> list[IndexRow]:
    """Return the images of a split that are no copies of another set's."""
    return [row for row in read_index(folder) if row.split == split]


def by_hand(row: IndexRow) -> NDArray[np.integer]:
    """Return the labels of an image as its set has them."""
    return read_label_numbers(row.labels_path)


def write_data_set(rows: list[IndexRow], labels: Labels, folder: Path) -> None:
    """Write a data set of some images with other labels; a part becomes the validation split, as on import."""
    if (folder / "index.csv").exists():
        return
    for sub in ("images", "labels"):
        shutil.rmtree(folder / sub, ignore_errors=True)
        (folder / sub).mkdir(parents=True)
    for row in rows:
        shutil.copyfile(row.image_path, folder / "images" / f"{row.id}.png")
        imsave(folder / "labels" / f"{row.id}.png", labels(row).astype(np.uint16), check_contrast=False)
    cells = [dict(zip(INDEX_FIELDS, (row.id, row.modality, "train", ""), strict=True)) for row in rows]
    if len(rows) > FIELDS_LABELED_BY_HAND:
        cells = split_at_random(cells, inseparable(folder, cells), IMPORT_FRACTIONS, IMPORT_SEED)
    write_table(folder, INDEX_FIELDS, cells)
