"""Decode without some of a model's channels, tune again, and score: what is each channel worth? See docs/models.md.

In the training environment: ``python -m benchmarks.experiments.decoding --data DATA``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments.training import tune
from benchmarks.markdown import header, row
from cpunet.model.card import ModelCard
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.protocol import Model
from cpunet.model.session import load_model
from cpunet.scores import pool_scores
from cpunet.training.config import DataSource
from cpunet.training.data.labeled_images import rows_of_split
from cpunet.training.evaluation.torch_model import score_images

SETS = (DataSource("bbbc039"), DataSource("dsb2018", modalities=("fluorescence",)))
CHANNELS = (
    ("foreground", "border", "distance"),
    ("foreground", "distance"),
    ("foreground", "border"),
    ("foreground",),
)


class FewerChannels:
    """A model of which only the channels with some roles are used; its card has these roles alone."""

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
    columns = [column for source in SETS for column in (f"{source.folder} mean F1", "mAP", "over / under")]
    print(header(["channels", "markers above", *columns]))
    for roles in CHANNELS:
        card = replace(model.card, output=replace(model.card.output, roles=roles))
        fewer = FewerChannels(model, roles, card)
        decoding = tune(fewer, sets)
        fewer.card = replace(card, postprocessing=decoding)
        cells = [", ".join(roles), decoding.marker_threshold]
        for rows in sets:
            score = pool_scores(score_images(fewer, rows))
            cells += [f"{score.mean_f1:.3f}", f"{score.mean_average_precision:.3f}"]
            cells.append(f"{score.over_segmented} / {score.under_segmented}")
        print(row(cells), flush=True)


if __name__ == "__main__":
    main()
