"""Score each method on the images of a row, and lay the scores out."""

import csv
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from benchmarks.labeled_images import BenchmarkImage, labeled_images
from benchmarks.stress.rows import ROWS, degraded
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.scores import SetScores, pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.steps.diameter import typical_diameter

PRIMARY, PRIMARY_TUNED = "IdentifyPrimaryObjects", "IdentifyPrimaryObjects, tuned"


class RowScores(NamedTuple):
    """The scores of one row.

    Attributes
    ----------
    row : str
    diameter_px : float
        Typical diameter of its nuclei: the median over the images.
    scores : dict of str to SetScores
        By the method's name.
    setting : str
        Of IdentifyPrimaryObjects, tuned; empty where it was left out.
    drawn : BenchmarkImage
        The row's first image with its truth, for looking.
    found : ndarray of shape (Y, X), int32
        What the first method found there.
    """

    row: str
    diameter_px: float
    scores: Dict[str, SetScores]
    setting: str
    drawn: BenchmarkImage
    found: np.ndarray


def choose_images(folder: Path, count: int) -> List[BenchmarkImage]:
    """Choose validation images from sparse to dense, evenly by their number of nuclei; the densest comes first.

    Images without nuclei are left out, as are those whose file is also among the training images.
    """
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    trained = {row["id"] for row in rows if row["split"] == "train"}
    known = [truth for truth in labeled_images(folder, "val", "fluorescence") if truth.id not in trained]
    some = [truth for truth in known if truth.labels.any()]
    by_density = sorted(some, key=lambda truth: (-truth.labels.max(), truth.id))
    places = np.unique(np.linspace(0, len(by_density) - 1, min(count, len(by_density))).round().astype(int))
    return [by_density[place] for place in places]


def score_model(name: str, truths: Sequence[BenchmarkImage]) -> Tuple[SetScores, List[np.ndarray]]:
    """Score a model, by name or path, with its default settings on one core; also return what it found."""
    model = load_model(find_model(name), device="cpu", threads=1)
    found = [segment_image(truth.image, model).labels for truth in truths]
    return pool_scores([score_image(truth.labels, each) for truth, each in zip(truths, found)]), found


def score_row(row: str, images: Sequence[BenchmarkImage], models: Sequence[str], with_primary: bool) -> RowScores:
    """Degrade images as a row says, and score models, by name or path, and IdentifyPrimaryObjects on them."""
    truths = [degraded(image, row, ROWS[row]) for image in images]
    diameter_px = float(np.median([typical_diameter(truth.labels) for truth in truths]))
    scores: Dict[str, SetScores] = {}
    found = np.zeros_like(truths[0].labels)
    for name in models:
        scores[name], labels = score_model(name, truths)
        if name == models[0]:
            found = labels[0]
    setting = ""
    if with_primary:
        from benchmarks.run_module import primary_objects
        from benchmarks.stress.primary_grid import score_module, tune

        scores[PRIMARY] = score_module(primary_objects(), truths)
        chosen, scores[PRIMARY_TUNED] = tune(truths, diameter_px)
        setting = str(chosen)
    return RowScores(row, diameter_px, scores, setting, truths[0], found)


def shares(score: SetScores) -> List[float]:
    """Return what the table shows of a method: mean F1, F1 at 0.7 and F1 at 0.9."""
    return [score.mean_f1, score.f1[0.7], score.f1[0.9]]


def cells(scored: RowScores) -> List[str]:
    """Lay a row out: the best mean F1 is bold."""
    best = max(score.mean_f1 for score in scored.scores.values())
    laid_out = []
    for score in scored.scores.values():
        mean, *others = (f"{share:.3f}" for share in shares(score))
        laid_out.append(" ".join([f"**{mean}**" if score.mean_f1 == best else mean, *others]))
    count = next(iter(scored.scores.values())).truth_count
    return [scored.row, f"{count}, {scored.diameter_px:.0f} px", *laid_out]


CSV_HEADER = (
    *("row", "diameter_px", "method", "mean_f1", "f1_at_0.7", "f1_at_0.9"),
    *("truth", "found", "over_segmented", "under_segmented", "setting"),
)


def csv_rows(scored: RowScores) -> List[List[object]]:
    """Lay a row out for the CSV file: a line for each method."""
    lines: List[List[object]] = []
    for method, score in scored.scores.items():
        counts = [score.truth_count, score.prediction_count, score.over_segmented, score.under_segmented]
        setting = scored.setting if method == PRIMARY_TUNED else ""
        values = [f"{share:.4f}" for share in shares(score)]
        lines.append([scored.row, f"{scored.diameter_px:.1f}", method, *values, *counts, setting])
    return lines
