"""Deal the images of a training into folds: alike images into different folds, copies and crops into one."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import ConfigError, DataError, ImageError
from cpunet.files.images import read_image
from cpunet.files.tables import csv_text, write_table
from cpunet.progress import Progress
from cpunet.training.config import DataSource, TrainingConfig, source_names
from cpunet.training.data.duplicates import Key, pixel_sum
from cpunet.training.data.fold import Fold
from cpunet.training.data.labeled_images import IndexRow, read_index
from cpunet.training.data.splits import families_of, split_in_folds
from cpunet.training.folds.contrast import contrast_groups, contrast_histogram
from cpunet.training.folds.crops import same_field

FOLDS_FILE = "folds.csv"
# An image is read again where it may overlap with another; the last few are kept.
KEPT_IMAGES = 8


@dataclass(frozen=True)
class DealtImage:
    """One image in its fold.

    Attributes
    ----------
    data_set, id : str
    stratum : str
        The set with the modality, or with the group of contrast where no modality is given.
    fold : int
        From 1 on; 0 for an image of which a copy or crop is tested on, and which is in no fold.
    """

    data_set: str
    id: str
    stratum: str
    fold: int

    @property
    def key(self) -> Key:
        """As that of its row in the index."""
        return self.data_set, self.id


def fold_of_images(dealt: Sequence[DealtImage], number: int, folds: int) -> Fold:
    """Return the fold with a number, from 1 on: it leaves out its images, and is trained on those of the others."""
    left_out = frozenset(image.key for image in dealt if image.fold == number)
    return Fold(number, folds, left_out, frozenset(image.key for image in dealt if image.fold) - left_out)


def deal(config: TrainingConfig, root: Path, folds: int) -> list[DealtImage]:
    """Deal the labeled images of a training into folds.

    Parameters
    ----------
    config : TrainingConfig
        Its seed decides by chance what is not decided by the rules below.
    root : Path
        The folder that holds the data sets.
    folds : int
        2 or more.

    Returns
    -------
    list of DealtImage
        All images of the splits ``train`` and ``val`` that the training names.

    Raises
    ------
    ConfigError
        If there are fewer than two folds.
    DataError
        If an image cannot be read, or a set has too few independent images for a fold.

    Notes
    -----
    1. Images with equal pixels, duplicates according to the index, images of one group, and crops of one image stay
       together.
    2. Each set's images of each modality are spread evenly over the folds. Images whose modality is not known are
       grouped by their contrast instead, see `cpunet.training.folds.contrast`.
    """
    if folds < 2:
        raise ConfigError(f"--folds must be 2 or more; it is {folds}.")
    rows = _rows_to_deal(config.data, root)

    @lru_cache(maxsize=KEPT_IMAGES)
    def read(index: int) -> NDArray[np.generic]:
        try:
            return read_image(rows[index].image_path)
        except ImageError as error:
            raise DataError(str(error)) from error

    sums, histograms = [], []
    progress = Progress("dealing images into folds: image", len(rows))
    for index, row in enumerate(rows):
        image = read(index)
        sums.append(pixel_sum(image))
        histograms.append(contrast_histogram(image))
        progress.show(index + 1, row.id)
    progress.end()
    crops = [(rows[first].key, rows[second].key) for first, second in same_field(len(rows), read)]
    families = families_of(rows, sums, crops)
    unknown = [index for index, row in enumerate(rows) if not row.modality]
    groups = contrast_groups([histograms[index] for index in unknown], folds, config.seed)
    named = dict(zip(unknown, (f"contrast {group}" for group in groups), strict=True))
    strata = [f"{row.folder.name}: {row.modality or named[index]}" for index, row in enumerate(rows)]
    cells = [
        {"id": "/".join(row.key), "split": row.split, "stratum": stratum}
        for row, stratum in zip(rows, strata, strict=True)
    ]
    drawn = split_in_folds(cells, families, folds, 1, config.seed, "stratum")
    dealt = [
        DealtImage(row.folder.name, row.id, stratum, int(cell["fold"] or 0))
        for row, stratum, cell in zip(rows, strata, drawn, strict=True)
        if row.split != "test"
    ]
    _refuse_empty_folds(config.data, rows, dealt, folds)
    return dealt


def _rows_to_deal(sources: Sequence[DataSource], root: Path) -> list[IndexRow]:
    """Return the rows of the images that are dealt, and of those for tests, whose copies must not be trained on."""
    rows: dict[Key, IndexRow] = {}
    for source in sources:
        for row in read_index(root / source.folder):
            wanted = row.split in ("train", "val") and (not source.modalities or row.modality in source.modalities)
            if wanted or row.split == "test":
                rows.setdefault(row.key, row)
    return list(rows.values())


def _refuse_empty_folds(
    sources: Sequence[DataSource], rows: Sequence[IndexRow], dealt: Sequence[DealtImage], folds: int
) -> None:
    modalities = {row.key: row.modality for row in rows}
    for name, source in zip(source_names(sources), sources, strict=True):
        count = Counter(
            image.fold
            for image in dealt
            if image.data_set == source.folder and (not source.modalities or modalities[image.key] in source.modalities)
        )
        empty = [fold for fold in range(1, folds + 1) if not count[fold]]
        if empty:
            raise DataError(
                f"{name}: its {count.total()} images are too few, or too many of them copies of one another, for "
                f"{folds} folds: fold {empty[0]} gets none. Give fewer --folds, or leave the set out by --sets."
            )


def dealt_images(config: TrainingConfig, root: Path, folder: Path, folds: int) -> list[DealtImage]:
    """Return what folds.csv of a folder says, or `deal` and write it there.

    Raises
    ------
    ConfigError
        If the file deals other images, or into another number of folds.
    """
    path = folder / FOLDS_FILE
    if not path.exists():
        dealt = deal(config, root, folds)
        folder.mkdir(parents=True, exist_ok=True)
        columns = [field.name for field in fields(DealtImage)]
        write_table(path, csv_text(columns, map(astuple, dealt)))
        return dealt
    dealt = read_dealt(path)
    numbers = {image.fold for image in dealt} - {0}
    if numbers != set(range(1, folds + 1)):
        raise ConfigError(
            f"{path} deals the images into {len(numbers)} folds, and --folds is {folds}. Give that number, or another "
            "--run folder."
        )
    there = {row.key for row in _rows_to_deal(config.data, root) if row.split != "test"}
    different = sorted(there ^ {image.key for image in dealt})
    if different:
        raise ConfigError(
            f"{path} deals other images than {root} holds for training now: {'/'.join(different[0])} is in one of them "
            "alone. To deal anew, give another --run folder."
        )
    return dealt


def read_dealt(path: Path) -> list[DealtImage]:
    """Read folds.csv; ConfigError if it was not written by `dealt_images`."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return [
                DealtImage(row["data_set"], row["id"], row["stratum"], int(row["fold"]))
                for row in csv.DictReader(stream)
            ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise ConfigError(
            f"{path}: this is no table of folds ({type(error).__name__}: {error}). Move it away to deal anew."
        ) from None
