"""Compare the label images of the tutorial with the true nuclei."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cpunet.files.images import read_label_numbers
from cpunet.scores import SetScores, pool_scores, score_image


def print_scores(folder: Path, results: Mapping[str, tuple[str, str]]) -> None:
    """Print a table of scores.

    `results` gives, by the name to print, the folder below ``results`` and how the names of its label images end.
    """
    scores = {shown: score_results(folder, *place) for shown, place in results.items()}
    images, nuclei = next((each.images, each.truth_count) for each in scores.values())
    print(f"\n{images} new images, {nuclei} nuclei drawn on them\n{'':24}found  F1 at 0.5  mean F1")
    for name, score in scores.items():
        print(f"{name:24}{score.prediction_count:5}  {score.f1[0.5]:9.3f}  {score.mean_f1:7.3f}")
    print(f"outlines: {folder / 'results'}/*/*_overlay.png")


def score_results(folder: Path, name: str, ending: str) -> SetScores:
    """Score one folder of label images against the truth."""
    truth = sorted((folder / "truth").iterdir())
    found = [folder / "results" / name / f"{path.stem}{ending}" for path in truth]
    return pool_scores(
        [score_image(read_label_numbers(t), read_label_numbers(f)) for t, f in zip(truth, found, strict=True)]
    )
