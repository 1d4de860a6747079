"""``cpunet evaluate``: a model and labelled images in, a table of scores out."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from cpunet.image_files import written_beside
from cpunet.matching import SetScores, pool_scores
from cpunet.model_card import ModelError
from cpunet.model_files import DEFAULT_MODEL, find_model
from cpunet.session import RuntimeMissingError, load_model
from cpunet.training.config import DataSource
from cpunet.training.data import DataError, rows_of_split
from cpunet.training.evaluation import score_images

HEADER = ("set", "images", "mean F1", "F1@0.5", "F1@0.7", "F1@0.9", "mAP", "PQ", "over", "under", "count err")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="data sets: images/ labels/ index.csv")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--split", default="val")
    parser.add_argument("--modality", action="append", default=[], help="only these; may be given again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all scores there")


def run(arguments: argparse.Namespace) -> int:
    """Print the table and return 0, or 2 with the reason."""
    try:
        model = load_model(find_model(arguments.model))
        scores = {}
        for folder in arguments.folders:
            source = DataSource(folder.name, modalities=tuple(arguments.modality))
            rows = rows_of_split([source], folder.parent, arguments.split)[0]
            scores[f"{folder.name} {arguments.split}"] = pool_scores(score_images(model, rows))
    except (ModelError, RuntimeMissingError, DataError) as error:
        print(f"cpunet evaluate: {error}", file=sys.stderr)
        return 2
    print("\n".join(table(scores)))
    if arguments.json:
        with written_beside(arguments.json) as beside:
            beside.write_text(json.dumps({name: asdict(value) for name, value in scores.items()}, indent=1) + "\n")
    return 0


def table(scores: dict[str, SetScores]) -> list[str]:
    """Lay out the main scores as Markdown, a row a set."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for name, score in scores.items():
        cells = [
            name,
            f"{score.images}",
            f"{score.mean_f1:.3f}",
            *[f"{score.f1[threshold]:.3f}" for threshold in (0.5, 0.7, 0.9)],
            f"{score.mean_average_precision:.3f}",
            f"{score.panoptic_quality:.3f}",
            f"{score.over_segmented}",
            f"{score.under_segmented}",
            f"{score.count_error:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines
