"""Score a model on the image sets of its training, set by set."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cpunet.model.card import ModelCard
from cpunet.model.find import MODEL_FILE
from cpunet.model.protocol import Model
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import ImageScores, SetScores, pool_scores
from cpunet.training.config import source_names
from cpunet.training.data.fold import fold_of
from cpunet.training.data.labeled_images import IndexRow, rows_of_split
from cpunet.training.evaluation.card_scores import scores_for_card
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


def scored(trained: TrainedNetwork, traced: bytes, card: ModelCard, sets: Sequence[ImageSet], data: Path) -> ModelCard:
    """Return a card with the scores of a traced network on those sets that were left out of its training."""
    trained_on = {row.key for each in image_sets(trained, data, "train") for row in each.rows}
    sets = [each for each in sets if not trained_on.issuperset(row.key for row in each.rows)]
    if not sets:
        print("    no image was left out of training: the card gets no scores")
        return card

    def score(model: Model) -> dict[str, dict[str, Any]]:
        return {name: scores_for_card(each) for name, each in score_sets(model, sets).items()}

    return with_scores(traced, card, score)


def with_scores(traced: bytes, card: ModelCard, score: Callable[[Model], dict[str, dict[str, Any]]]) -> ModelCard:
    """Return a card with the scores of a traced network, by data set, and print them.

    `score` takes the network as a model with this card.
    """
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / MODEL_FILE
        draft.write_bytes(traced)
        scores = score(load_model(draft, device="cpu", card=card))
    for name, values in scores.items():
        print(f"    {name} val: {values}")
    return replace(card, scores=scores)
