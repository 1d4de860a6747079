"""What each of a model's channels is worth: decode without some of them, tune again, and score: docs/models.md.

In the training environment: ``python -m benchmarks.decoding_experiments --data DATA``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.training_experiments import TUNED_ON
from cpunet.model.card import ModelCard
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.protocol import Model
from cpunet.model.session import load_model
from cpunet.scores import pool_scores
from cpunet.training.config import DataSource
from cpunet.training.data.labeled_images import rows_of_split
from cpunet.training.evaluation.torch_model import score_images
from cpunet.training.evaluation.tuning import tune_postprocessing

SETS = (DataSource("bbbc039"), DataSource("dsb2018", modalities=("fluorescence",)))
CHANNELS = (
    ("foreground", "border", "distance"),
    ("foreground", "distance"),
    ("foreground", "border"),
    ("foreground",),
)


class FewerChannels:
    """A model of which only some channels are looked at.

    Parameters
    ----------
    model : Model
    roles : sequence of str
        The channels that are kept.
    card : ModelCard
        With these roles alone.
    """

    def __init__(self, model: Model, roles: Sequence[str], card: ModelCard) -> None:
        self.model = model
        self.kept = [model.card.output.roles.index(role) for role in roles]
        self.card = card

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (N, C, Y, X) into probabilities (N, kept roles, Y, X)."""
        return self.model.predict(batch)[:, self.kept]


def main() -> None:
    """Print a table row for each choice of channels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, metavar="ROOT")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    arguments = parser.parse_args()
    model = load_model(find_model(arguments.model), device="cpu")
    sets = rows_of_split(SETS, arguments.data, "val")
    names = " | ".join(f"{source.folder} mean F1 | mAP | over / under" for source in SETS)
    print(f"| channels | markers above | {names} |\n|---|---|" + "---|" * 3 * len(SETS))
    for roles in CHANNELS:
        card = replace(model.card, output=replace(model.card.output, roles=roles))
        fewer = FewerChannels(model, roles, card)
        decoding = tune_postprocessing(fewer, [rows[::TUNED_ON] for rows in sets], [None for _ in sets])
        fewer.card = replace(card, postprocessing=decoding)
        scores = [pool_scores(score_images(fewer, rows)) for rows in sets]
        cells = [
            f"{score.mean_f1:.3f} | {score.mean_average_precision:.3f} | "
            f"{score.over_segmented} / {score.under_segmented}"
            for score in scores
        ]
        print(f"| {', '.join(roles)} | {decoding.marker_threshold} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
