"""Score a model on the image sets of its training, set by set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import ImageScores, SetScores, pool_scores
from cpunet.training.config import source_names
from cpunet.training.data.fold import fold_of
from cpunet.training.data.labeled_images import IndexRow, rows_of_split
from cpunet.training.evaluation.torch_model import score_images
from cpunet.training.facts import set_diameters
from cpunet.training.weights import TrainedNetwork


@dataclass(frozen=True)
class ImageSet:
    """One split of a data set.

    Attributes
    ----------
    name : str
    rows : sequence of IndexRow
        Its images, as rows of the set's index.
    diameter_px : float or None
        The typical diameter of the objects, as a user would give it. None: each image's own is measured.
    """

    name: str
    rows: Sequence[IndexRow]
    diameter_px: float | None


def image_sets(trained: TrainedNetwork, data: Path, split: str) -> list[ImageSet]:
    """Find the images of one split in each data set that a network was trained on.

    Parameters
    ----------
    trained : TrainedNetwork
    data : Path
        The folder that holds the data sets.
    split : str
        ``train``, ``val`` or ``test``. Of weights that were trained on a fold, ``val`` are the images that it left out.
    """
    rows = rows_of_split(trained.config.data, data, split, fold_of(trained.facts))
    diameters = set_diameters(trained.config, trained.facts)
    return [ImageSet(*each) for each in zip(source_names(trained.config.data), rows, diameters, strict=True)]


def score_sets(model: Model, sets: Sequence[ImageSet]) -> dict[str, SetScores]:
    """Segment the images of each set with the model's own settings, and pool the scores of its objects."""
    progress, done = Progress("scoring: image", sum(len(each.rows) for each in sets)), 0
    found = {}
    for each in sets:
        scores: list[ImageScores] = []
        for row in each.rows:
            scores += score_images(model, [row], Options(diameter_px=each.diameter_px))
            done += 1
            progress.show(done, each.name)
        found[each.name] = pool_scores(scores)
    progress.end()
    return found
