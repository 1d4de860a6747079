"""The trainings of a cross table: one on each data set alone, and one on all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cpunet.errors import ConfigError, DataError
from cpunet.training.config import TrainingConfig, source_names
from cpunet.training.data.duplicates import leaking_images
from cpunet.training.data.labeled_images import IndexRow, read_index, rows_of_split

ALL = "all"


@dataclass(frozen=True)
class CrossRun:
    """One training.

    Attributes
    ----------
    trained_on : str
        The name of the set, or `ALL`.
    config : TrainingConfig
    """

    trained_on: str
    config: TrainingConfig

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return self.trained_on.replace(" ", "_")


def cross_runs(config: TrainingConfig) -> list[CrossRun]:
    """Return the training of a configuration on each of its sets alone, and last the one on all of them.

    Parameters
    ----------
    config : TrainingConfig
        Of two sets or more. All but the data is the same in each training, the number of steps too.

    Raises
    ------
    ConfigError
        If there are fewer than two sets, or two trainings would have one folder.
    """
    if len(config.data) < 2:
        raise ConfigError(f"data: a cross table needs two data sets or more, and this names {len(config.data)}.")
    alone = [
        CrossRun(name, replace(config, name=f"{config.name}_{name.replace(' ', '_')}", data=(source,)))
        for name, source in zip(source_names(config.data), config.data, strict=True)
    ]
    runs = [*alone, CrossRun(ALL, replace(config, name=f"{config.name}_{ALL}"))]
    folders = [run.folder for run in runs]
    twice = [name for name in folders if folders.count(name) > 1]
    if twice:
        raise ConfigError(f"data: two trainings would have the folder {twice[0]}. Rename one of the data sets.")
    return runs


def left_out_rows(config: TrainingConfig, root: Path, split: str) -> dict[str, list[IndexRow]]:
    """Return the images of a split of each data set, by its name; none of them, nor a copy of it, is trained on.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.
    split : str
        ``val``, ``test`` or another one that is not ``train``.

    Raises
    ------
    DataError
        If a set has no such image, or an image of one set is trained on and a duplicate of it in another is scored.
    """
    rows = dict(zip(source_names(config.data), rows_of_split(config.data, root, split), strict=True))
    for name, of_set in rows.items():
        if any(row.split != split for row in of_set) or split == "train":
            raise DataError(
                f"{name}: a score needs images that are not trained on, and its split {split!r} has none. Leave some "
                f"out with `cpunet data split {root / of_set[0].folder.name}`."
            )
    _refuse_leaks(config, root)
    return rows


def _refuse_leaks(config: TrainingConfig, root: Path) -> None:
    """Raise DataError if a training on one set alone would see the copy of an image that is scored in another."""
    folders = list(dict.fromkeys(source.folder for source in config.data))
    leaks = leaking_images(row for folder in folders for row in read_index(root / folder))
    for source in config.data:
        seen = [row for row in rows_of_split([source], root, "train")[0] if row.key in leaks]
        if seen:
            raise DataError(
                f"{'/'.join(seen[0].key)} is for training, and a duplicate of it in another set is not"
                f"{_and_more(seen[1:])}. Give it the split excluded in index.csv."
            )


def _and_more(rows: Sequence[IndexRow]) -> str:
    return f" (and {len(rows)} more)" if rows else ""
