"""Score alignment and labels from the stain on pairs whose truth is known.

.venv/training/bin/python -m benchmarks.phase_like data/bbbc039 pairs-val --split val
.venv/training/bin/python -m benchmarks.phase_like.score pairs-val
.venv/training/bin/python -m benchmarks.phase_like.score --stains data/bbbc039 --split val

Each row is a kind of pair. *aligned*: the shift is right to 0.5 px in both directions; *refused*: pairs that were not
aligned because no shift stood out. Then F1 at IoU 0.5 and the Dice coefficient of the pixels of each recipe, pooled
over the pairs that were aligned. With ``--stains``, the images of a data set are the stains, and its labels the truth;
nothing is aligned.
"""

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np

from benchmarks.labeled_images import labeled_images
from benchmarks.markdown import header, row
from cpunet.files.images import read_image, read_label_numbers
from cpunet.scores import ImageScores, pool_scores, score_image
from cpunet.training.from_stain.alignment import covered_by_both, find_alignment, moved
from cpunet.training.from_stain.recipes import Labeler, ModelRecipe, ThesisRecipe, labeler

RIGHT_PX, LARGEST_PX, IOU = 0.5, 40, 0.5
RECIPES = {
    "model": ModelRecipe(device="cpu"),
    "thesis": ThesisRecipe(),
    # For nuclei of the size of U2OS at 20x.
    "thesis, 12 to 60 px, by shape": ThesisRecipe(diameters_px=(12, 60), declump="shape"),
}


class Tally:
    """What is counted of one kind of pair."""

    def __init__(self) -> None:
        self.right: List[bool] = []
        self.refused = 0
        self.reliability: List[float] = []
        self.scores: Dict[str, List[ImageScores]] = defaultdict(list)


def score_pairs(folder: Path, labelers: Dict[str, Labeler]) -> Dict[str, Tally]:
    """Align and label each pair of a folder that `benchmarks.phase_like` wrote; by kind, and all usable ones."""
    tallies: Dict[str, Tally] = defaultdict(Tally)
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for known in rows:
        stain = read_image(folder / "stain" / f"{known['id']}.tif")
        phase = read_image(folder / "phase" / f"{known['id']}.png")
        truth = read_label_numbers(folder / "labels" / f"{known['id']}.png").astype(np.int32)
        tally = tallies[known["kind"]]
        found = find_alignment(phase, stain, LARGEST_PX)
        tally.reliability.append(found.reliability)
        if not found.is_reliable:
            tally.refused += 1
            continue
        away = np.subtract(found.shift_px, (float(known["shift_y"]), float(known["shift_x"])))
        tally.right.append(bool(np.abs(away).max() <= RIGHT_PX))
        window = covered_by_both(stain.shape, found.shift_px)
        on_image = moved(stain, found.shift_px)[window]
        for name, label in labelers.items():
            tally.scores[name].append(score_image(truth[window], label(on_image)))
    return tallies


def score_stains(folder: Path, split: str, labelers: Dict[str, Labeler]) -> Dict[str, Tally]:
    """Label the images of a data set as stains."""
    tally = Tally()
    for truth in labeled_images(folder, split):
        for name, label in labelers.items():
            tally.scores[name].append(score_image(truth.labels, label(truth.image.astype(np.float32))))
    return {f"{folder.name} {split}": tally}


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.phase_like.score", description=__doc__.splitlines()[0])
    parser.add_argument(
        "pairs", type=Path, nargs="?", metavar="PAIRS", help="a folder that benchmarks.phase_like wrote"
    )
    parser.add_argument("--stains", type=Path, metavar="DATA", help="instead: a data set of stained nuclei")
    parser.add_argument("--split", default="val", help="with --stains (val)")
    options = parser.parse_args(arguments)
    if (options.pairs is None) == (options.stains is None):
        parser.error("name PAIRS or --stains DATA")
    labelers = {name: labeler(recipe) for name, recipe in RECIPES.items()}
    if options.pairs is None:
        tallies = score_stains(options.stains, options.split, labelers)
    else:
        tallies = score_pairs(options.pairs, labelers)
    print(header(["kind", "pairs", "aligned", "refused", "reliability", *(f"F1, Dice: {name}" for name in labelers)]))
    for kind, tally in tallies.items():
        pairs = len(next(iter(tally.scores.values()), ())) + tally.refused
        aligned = f"{sum(tally.right)} of {len(tally.right)}" if tally.right else ""
        sure = f"{min(tally.reliability):.1f} to {max(tally.reliability):.1f}" if tally.reliability else ""
        pooled = [pool_scores(scores) for scores in tally.scores.values()]
        shares = [f"{score.f1[IOU]:.3f}, {score.dice:.3f}" for score in pooled] or [""] * len(labelers)
        print(row([kind, str(pairs), aligned, str(tally.refused), sure, *shares]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
