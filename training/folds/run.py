"""Train one network for each fold, and predict each image by the network that did not see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cpunet.terminal import report
from cpunet.training.config import TrainingConfig
from cpunet.training.folds.deal import FOLDS_FILE, dealt_images, fold_of_images, read_dealt
from cpunet.training.folds.out_of_fold import OutOfFold, predict_out_of_fold
from cpunet.training.train import train
from cpunet.training.weights import WEIGHTS_FILE


@dataclass(frozen=True)
class FoldsRun:
    """A finished training of all folds.

    Attributes
    ----------
    weights : tuple of Path
        Those of each fold, in order.
    found : OutOfFold
    """

    weights: tuple[Path, ...]
    found: OutOfFold


def train_folds(config: TrainingConfig, root: Path, run_folder: Path, folds: int) -> FoldsRun:
    """Train a configuration once for each fold, each time without the images of that fold.

    Parameters
    ----------
    config : TrainingConfig
        Each training has the next seed: the networks differ by their images and by chance.
    root : Path
        The folder that holds the data sets.
    run_folder : Path
        Gets folds.csv, a run's folder for each fold (fold_1, fold_2, ...) and out_of_fold/. Whatever is finished there
        is not done again, and a training that was stopped goes on.
    folds : int
        2 or more.

    Returns
    -------
    FoldsRun

    Raises
    ------
    ConfigError, DataError
        If the configuration or a data set cannot be used, or the folder holds a run of another one.

    Notes
    -----
    Cross-validation: Kohavi 1995, IJCAI 14, 1137. The mean of networks that were trained on different parts of the
    images makes fewer errors than each alone where their errors differ (Krogh, Vedelsby 1995, NeurIPS 7, 231).
    """
    dealt = dealt_images(config, root, run_folder, folds)
    weights = []
    for number in range(1, folds + 1):
        fold = fold_of_images(dealt, number, folds)
        report(f"fold {number} of {folds}: trained on {len(fold.trained_on)} images, {len(fold.left_out)} left out")
        of_fold = replace(config, name=f"{config.name}_fold_{number}", seed=config.seed + number - 1)
        weights.append(train(of_fold, root, folder_of_fold(run_folder, number), fold))
    return FoldsRun(tuple(weights), predict_out_of_fold(config, root, run_folder, weights))


def folder_of_fold(run_folder: Path, number: int) -> Path:
    """Return the run's folder of a fold."""
    return run_folder / f"fold_{number}"


def weights_of_folds(run_folder: Path) -> list[Path]:
    """Return the weights of each fold of a run, whether they are there or not."""
    folds = max((image.fold for image in read_dealt(run_folder / FOLDS_FILE)), default=0)
    return [folder_of_fold(run_folder, number) / WEIGHTS_FILE for number in range(1, folds + 1)]
