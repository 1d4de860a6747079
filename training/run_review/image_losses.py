"""The loss of single images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cpunet.errors import WeightsError
from cpunet.interruption import stop_if_requested
from cpunet.progress import Progress
from cpunet.training.data.fold import fold_of
from cpunet.training.data.labeled_images import IndexRow, rows_of_split
from cpunet.training.evaluation.validation_loss import mean_loss, validation_batches
from cpunet.training.facts import set_diameters
from cpunet.training.network.losses import SegmentationLoss
from cpunet.training.train import LAST
from cpunet.training.weights import WEIGHTS_FILE, TrainedNetwork


@dataclass(frozen=True)
class ImageLoss:
    """One image, and the loss of a network on it.

    Attributes
    ----------
    row : IndexRow
    loss : float
        Mean over the patches that cover the image, without augmentation.
    diameter_px : float or None
        The typical diameter in the set's images, as a user would give it; None where images keep their size.
    """

    row: IndexRow
    loss: float
    diameter_px: float | None


def weights_of_run(path: Path) -> Path:
    """Return the weights of a run's folder, finished or not, or the file itself; WeightsError if there are none."""
    for candidate in (path, path / WEIGHTS_FILE, path / LAST):
        if candidate.is_file():
            return candidate
    raise WeightsError(f"{path}: there is no {WEIGHTS_FILE} and no {LAST} in it. Give the folder of a training's run.")


def image_losses(trained: TrainedNetwork, root: Path, split: str) -> list[ImageLoss]:
    """Compute the loss of each image of a split of the training's sets, the highest first.

    Parameters
    ----------
    trained : TrainedNetwork
    root : Path
        The folder that holds the data sets.
    split : str
        ``train``, ``val`` or ``test``.

    Raises
    ------
    DataError
        If a set has no such image, or one cannot be read.
    """
    config = trained.config
    loss = SegmentationLoss(config.loss, config.targets)
    rows_of_sets = rows_of_split(config.data, root, split, fold_of(trained.facts))
    diameters = set_diameters(config, trained.facts)
    progress, found = Progress("loss of each image: image", sum(map(len, rows_of_sets))), []
    for rows, diameter_px in zip(rows_of_sets, diameters, strict=True):
        for row in rows:
            stop_if_requested()
            batches = validation_batches(config, [[row]], [diameter_px])
            found.append(ImageLoss(row, mean_loss(trained.network, loss, batches), diameter_px))
            progress.show(len(found), row.id)
    progress.end()
    return sorted(found, key=lambda image: (-image.loss, image.row.key))


def extremes(losses: Sequence[ImageLoss], number: int) -> dict[str, list[ImageLoss]]:
    """Return at most `number` images with the highest loss and as many others with the lowest; highest first in both.

    >>> [len(images) for images in extremes([], 3).values()]
    [0, 0]
    """
    highest = list(losses[:number])
    return {"highest": highest, "lowest": list(losses[len(highest) :][-number:]) if number else []}
