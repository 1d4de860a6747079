"""Write data sets of some images, with the labels of their set or with others."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.files.images import read_label_numbers
from cpunet.training.data.index import INDEX_FIELDS, write_table
from cpunet.training.data.labeled_images import MOST_WITHOUT_VALIDATION, IndexRow
from cpunet.training.data.splits import inseparable, split_at_random
from cpunet.training.importing.data_set import IMPORT_FRACTIONS, IMPORT_SEED
from cpunet.training.importing.files import store_labels

# Returns the labels (Y, X) that stand for those of an image.
Labels = Callable[[IndexRow], NDArray[np.integer]]


def by_hand(row: IndexRow) -> NDArray[np.integer]:
    """Return the labels of an image as its set has them."""
    return read_label_numbers(row.labels_path)


def write_data_set(rows: list[IndexRow], folder: Path, labels: Labels = by_hand) -> None:
    """Write a data set of some images, with the splits that `cpunet data import` would draw, unless it is there."""
    if (folder / "index.csv").exists():
        return
    for sub in ("images", "labels"):
        shutil.rmtree(folder / sub, ignore_errors=True)
        (folder / sub).mkdir(parents=True)
    cells = [dict(zip(INDEX_FIELDS, (row.id, row.modality, "train", ""), strict=True)) for row in rows]
    for row in rows:
        shutil.copyfile(row.image_path, folder / "images" / row.image_path.name)
        store_labels(labels(row).astype(np.int32), folder / "labels", row.labels_path.stem)
    if len(rows) > MOST_WITHOUT_VALIDATION:
        cells = split_at_random(cells, inseparable(folder, cells), IMPORT_FRACTIONS, IMPORT_SEED)
    write_table(folder, INDEX_FIELDS, cells)
