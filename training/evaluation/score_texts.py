"""The scores in words: what each is, what good looks like, and the short table of the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cpunet.scores import SetScores, ratio
from cpunet.training.evaluation.scored_images import Evaluation, by_data_set, by_modality


@dataclass(frozen=True)
class ScoreLine:
    """One score, for a reader who has never met it.

    Attributes
    ----------
    name : str
    text : callable
        Turns SetScores into what is printed.
    meaning, good : str
        What it is, and what good looks like, in a line each.
    """

    name: str
    text: Callable[[SetScores], str]
    meaning: str
    good: str


def _share_of_truth(count: int, scores: SetScores) -> str:
    return f"{count} ({ratio(count, scores.truth_count):.1%})" if scores.truth_count else str(count)


SCORE_LINES = (
    ScoreLine(
        "Mean F1",
        lambda scores: f"{scores.mean_f1:.3f}",
        "Right objects, with missed and false ones counted against, averaged over IoU 0.50 to 0.90.",
        "1 is perfect. The one figure to compare methods by.",
    ),
    ScoreLine(
        "F1 at IoU 0.5",
        lambda scores: f"{scores.f1[0.5]:.3f}",
        "The same for a loose fit: was the object found at all?",
        "What matters if you count. 0.9: one object in ten is missed, and as many are false.",
    ),
    ScoreLine(
        "F1 at IoU 0.7",
        lambda scores: f"{scores.f1[0.7]:.3f}",
        "The same for a good fit.",
        "What matters if you measure intensities.",
    ),
    ScoreLine(
        "F1 at IoU 0.9",
        lambda scores: f"{scores.f1[0.9]:.3f}",
        "The same for an outline that is right nearly to the pixel.",
        "What matters if you measure shapes; low for small objects, whose outline is most of them.",
    ),
    ScoreLine(
        "Mean average precision (mAP)",
        lambda scores: f"{scores.mean_average_precision:.3f}",
        "Right objects among right, false and missed ones, averaged over IoU 0.50 to 0.95.",
        "1 is perfect; never above mean F1. The score of the Data Science Bowl 2018.",
    ),
    ScoreLine(
        "Precision at IoU 0.7",
        lambda scores: f"{scores.precision:.3f}",
        "Of the objects found, the share that is real.",
        "1 is perfect; low: dirt, pieces or clumps are taken for objects.",
    ),
    ScoreLine(
        "Recall at IoU 0.7",
        lambda scores: f"{scores.recall:.3f}",
        "Of the true objects, the share that was found.",
        "1 is perfect; low: objects are missed or badly outlined.",
    ),
    ScoreLine(
        "Over-segmented",
        lambda scores: _share_of_truth(scores.over_segmented, scores),
        "True objects that were cut into pieces.",
        "0 is perfect.",
    ),
    ScoreLine(
        "Under-segmented",
        lambda scores: _share_of_truth(scores.under_segmented, scores),
        "True objects that were merged with a neighbor.",
        "0 is perfect.",
    ),
    ScoreLine(
        "Count error",
        lambda scores: f"{scores.count_error:.2f}",
        "How far the number of objects is off, on average, objects an image.",
        "0 is perfect; misses and false objects can cancel out, so look at F1 too.",
    ),
    ScoreLine(
        "Panoptic quality",
        lambda scores: f"{scores.panoptic_quality:.3f}",
        "F1 at IoU 0.5 times the mean IoU of the objects found: finding and outline in one.",
        "1 is perfect.",
    ),
    ScoreLine(
        "Dice of the pixels",
        lambda scores: f"{scores.dice:.3f}",
        "How well foreground and background are told apart, whichever object a pixel belongs to.",
        "1 is perfect; says nothing of merged or split objects.",
    ),
    ScoreLine(
        "IoU of the pixels",
        lambda scores: f"{scores.iou:.3f}",
        "The same, counted more strictly.",
        "1 is perfect.",
    ),
    ScoreLine(
        "Mean F1, image by image",
        lambda scores: f"{scores.mean_f1_per_image:.3f}",
        "The mean F1 of each image, averaged: an image of few objects counts as much as one of many.",
        "1 is perfect; far below the mean F1: some images go wrong altogether.",
    ),
    ScoreLine(
        "mAP, image by image",
        lambda scores: f"{scores.mean_average_precision_per_image:.3f}",
        "The mean average precision of each image, averaged.",
        "1 is perfect.",
    ),
)

SHORT_COLUMNS: dict[str, Callable[[SetScores], str]] = {
    "images": lambda scores: str(scores.images),
    "true": lambda scores: str(scores.truth_count),
    "found": lambda scores: str(scores.prediction_count),
    "mean F1": lambda scores: f"{scores.mean_f1:.3f}",
    "F1@0.5": lambda scores: f"{scores.f1[0.5]:.3f}",
    "F1@0.7": lambda scores: f"{scores.f1[0.7]:.3f}",
    "F1@0.9": lambda scores: f"{scores.f1[0.9]:.3f}",
    "mAP": lambda scores: f"{scores.mean_average_precision:.3f}",
    "PQ": lambda scores: f"{scores.panoptic_quality:.3f}",
    "over": lambda scores: str(scores.over_segmented),
    "under": lambda scores: str(scores.under_segmented),
    "count error": lambda scores: f"{scores.count_error:.2f}",
}


def terminal_table(evaluation: Evaluation) -> list[str]:
    """Lay out the scores that matter most as lines of text: overall, then by data set and modality if several.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    list of str
    """
    rows = [["set or modality", "method", *SHORT_COLUMNS]]
    for method in evaluation.methods:
        rows.append(["all", method.name, *(text(method.pooled) for text in SHORT_COLUMNS.values())])
    for grouping in (by_data_set, by_modality):
        grouped = [grouping(method) for method in evaluation.methods]
        for name in grouped[0] if len(grouped[0]) > 1 else ():
            for groups in grouped:
                scores = groups[name].pooled
                rows.append([name, groups[name].name, *(text(scores) for text in SHORT_COLUMNS.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(_padded(row, widths)) for row in rows]


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.ljust(width) if column < 2 else cell.rjust(width)
