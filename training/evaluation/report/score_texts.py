"""The scores in words: what each is, what good looks like, and the short table for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cpunet.overlap_scores import OverlapScores
from cpunet.scores import SetScores, ratio
from cpunet.training.evaluation.scored_images import Evaluation, by_data_set, by_modality


@dataclass(frozen=True)
class ScoreLine:
    """One score, explained for a reader who has never met it.

    Attributes
    ----------
    name : str
    text : callable
        Formats the score of SetScores.
    meaning, good : str
        What it is, and what good looks like, in a line each.
    column : str
        Its head in the short table of the terminal; empty if it is not shown there.
    low_is_good : bool
        Whether a smaller number is better.
    """

    name: str
    text: Callable[[SetScores], str]
    meaning: str
    good: str
    column: str = ""
    low_is_good: bool = False


@dataclass(frozen=True)
class OverlapLine:
    """One score for labels that are not exact.

    Attributes
    ----------
    name : str
    field : str
        Of OverlapScores.
    meaning : str
    column : str
        Its head in the table of the terminal.
    low_is_good : bool
        Whether a smaller number is better.
    """

    name: str
    field: str
    meaning: str
    column: str
    low_is_good: bool = False

    def text(self, scores: OverlapScores) -> str:
        """Format the score."""
        value = getattr(scores, self.field)
        return str(value) if isinstance(value, int) else f"{value:.3f}"


HIDDEN_MERGES = (
    "An object counts as found if any of its pixels is hit. This hides merges: one found object over two true ones "
    "finds both. Look at the merges beside it."
)
OVERLAP_LINES = (
    OverlapLine(
        "Precision of the pixels", "pixel_precision", "Of the found pixels, the share that is labeled.", "P px"
    ),
    OverlapLine("Recall of the pixels", "pixel_recall", "Of the labeled pixels, the share that was found.", "R px"),
    OverlapLine(
        "Accuracy of the pixels",
        "pixel_accuracy",
        "Of all pixels, the share that is right; high for any method if most of the image is background.",
        "acc px",
    ),
    OverlapLine("Dice of the pixels", "dice", "Twice the common area over the sum of both areas.", "Dice"),
    OverlapLine("IoU of the pixels", "iou", "The common area over the area that either covers.", "IoU"),
    OverlapLine(
        "Precision of the objects", "object_precision", "Of the found objects, the share that hits a true one.", "P obj"
    ),
    OverlapLine("Recall of the objects", "object_recall", "Of the true objects, the share that is hit.", "R obj"),
    OverlapLine("F1 of the objects", "object_f1", "Harmonic mean of both.", "F1 obj"),
    OverlapLine(
        "Merges",
        "merging",
        "Found objects that hold more than half of each of two or more true ones.",
        "merges",
        low_is_good=True,
    ),
    OverlapLine("Merged objects", "merged", "True objects in these.", "merged", low_is_good=True),
)


def _value(field: str, spec: str = ".3f") -> Callable[[SetScores], str]:
    return lambda scores: format(getattr(scores, field), spec)


def _f1_at(threshold: float) -> Callable[[SetScores], str]:
    return lambda scores: f"{scores.f1[threshold]:.3f}"


def _share_of_truth(field: str) -> Callable[[SetScores], str]:
    def text(scores: SetScores) -> str:
        count = getattr(scores, field)
        return f"{count} ({ratio(count, scores.truth_count):.1%})" if scores.truth_count else str(count)

    return text


SCORE_LINES = (
    ScoreLine(
        "Mean F1",
        _value("mean_f1"),
        "Correct objects, with missed and false ones counted against, averaged over IoU 0.50 to 0.90.",
        "1 is perfect. The one score to compare methods by.",
        "mean F1",
    ),
    ScoreLine(
        "F1 at IoU 0.5",
        _f1_at(0.5),
        "The same for a loose fit: was the object found at all?",
        "What matters if you count. 0.9: one object in ten is missed, and as many are false.",
        "F1@0.5",
    ),
    ScoreLine(
        "F1 at IoU 0.7",
        _f1_at(0.7),
        "The same for a good fit.",
        "What matters if you measure intensities.",
        "F1@0.7",
    ),
    ScoreLine(
        "F1 at IoU 0.9",
        _f1_at(0.9),
        "The same for an outline that is right nearly to the pixel.",
        "What matters if you measure shapes; low for small objects, whose outline is most of them.",
        "F1@0.9",
    ),
    ScoreLine(
        "Mean average precision (mAP)",
        _value("mean_average_precision"),
        "Correct objects among correct, false and missed ones, averaged over IoU 0.50 to 0.95.",
        "1 is perfect; never above mean F1. The score of the Data Science Bowl 2018.",
        "mAP",
    ),
    ScoreLine(
        "Precision at IoU 0.7",
        _value("precision"),
        "Of the objects found, the share that is real.",
        "1 is perfect; low: dirt, pieces or clumps are taken for objects.",
    ),
    ScoreLine(
        "Recall at IoU 0.7",
        _value("recall"),
        "Of the true objects, the share that was found.",
        "1 is perfect; low: objects are missed or badly outlined.",
    ),
    ScoreLine(
        "Panoptic quality",
        _value("panoptic_quality"),
        "F1 at IoU 0.5 times the mean IoU of the objects found: finding and outline in one.",
        "1 is perfect.",
        "PQ",
    ),
    ScoreLine(
        "Over-segmented",
        _share_of_truth("over_segmented"),
        "True objects that were cut into pieces.",
        "0 is perfect.",
        "over",
        low_is_good=True,
    ),
    ScoreLine(
        "Under-segmented",
        _share_of_truth("under_segmented"),
        "True objects that were merged with a neighbor.",
        "0 is perfect.",
        "under",
        low_is_good=True,
    ),
    ScoreLine(
        "Count error",
        _value("count_error", ".2f"),
        "By how many objects the count of an image is off, on average.",
        "0 is perfect; misses and false objects can cancel out, so look at F1 too.",
        "count error",
        low_is_good=True,
    ),
    ScoreLine(
        "Dice of the pixels",
        _value("dice"),
        "How well foreground and background are separated, no matter which object a pixel belongs to.",
        "1 is perfect; says nothing about merged or split objects.",
    ),
    ScoreLine("IoU of the pixels", _value("iou"), "The same, counted more strictly.", "1 is perfect."),
    ScoreLine(
        "Mean F1, image by image",
        _value("mean_f1_per_image"),
        "The mean F1 of each image, averaged: an image of few objects counts as much as one of many.",
        "1 is perfect; far below the mean F1: some images go wrong altogether.",
    ),
    ScoreLine(
        "mAP, image by image",
        _value("mean_average_precision_per_image"),
        "The mean average precision of each image, averaged.",
        "1 is perfect.",
    ),
)

SHORT_COLUMNS: dict[str, Callable[[SetScores], str]] = {
    "images": _value("images", "d"),
    "true": _value("truth_count", "d"),
    "found": _value("prediction_count", "d"),
    **{line.column: line.text for line in SCORE_LINES if line.column},
    # Here counts stand without their share of the true objects.
    "over": _value("over_segmented", "d"),
    "under": _value("under_segmented", "d"),
}


# In which of these columns a method can be better than another, and whether a smaller number is better.
LOW_IS_GOOD = {line.column: line.low_is_good for line in SCORE_LINES if line.column}


def best_texts(texts: Sequence[str], low_is_good: bool = False) -> list[bool]:
    """Say which of the scores of several methods are the best; none if all are equal.

    Parameters
    ----------
    texts : sequence of str
        As they are shown: each begins with a number.
    low_is_good : bool

    Examples
    --------
    >>> best_texts(["0.71", "0.82", "0.82"]), best_texts(["3 (10%)", "12 (40%)"], low_is_good=True)
    ([False, True, True], [True, False])
    """
    numbers = [float(text.split()[0]) for text in texts]
    if len(set(numbers)) == 1:
        return [False] * len(numbers)
    best = min(numbers) if low_is_good else max(numbers)
    return [number == best for number in numbers]


def terminal_table(evaluation: Evaluation) -> list[str]:
    """Return the most important scores as lines of text: of all images, then by data set and by modality."""
    rows = [["set or modality", "method", *SHORT_COLUMNS]]
    for method in evaluation.methods:
        rows.append(["all", method.name, *(text(method.pooled) for text in SHORT_COLUMNS.values())])
    for grouping in (by_data_set, by_modality):
        grouped = [grouping(method) for method in evaluation.methods]
        for name in grouped[0] if len(grouped[0]) > 1 else ():
            for groups in grouped:
                scores = groups[name].pooled
                rows.append([name, groups[name].name, *(text(scores) for text in SHORT_COLUMNS.values())])
    return aligned(rows)


def overlap_table(evaluation: Evaluation) -> list[str]:
    """Return the scores for labels that are not exact as lines of text: of all images, then by data set."""
    rows = [["noisy labels", "method", *(line.column for line in OVERLAP_LINES)]]
    for method in evaluation.methods:
        rows.append(["all", method.name, *(line.text(method.overlap) for line in OVERLAP_LINES)])
    grouped = [by_data_set(method) for method in evaluation.methods]
    for name in grouped[0] if len(grouped[0]) > 1 else ():
        for groups in grouped:
            rows.append([name, groups[name].name, *(line.text(groups[name].overlap) for line in OVERLAP_LINES)])
    return [*aligned(rows), HIDDEN_MERGES]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines of text, its columns below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(_padded(row, widths)) for row in rows]


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.ljust(width) if column < 2 else cell.rjust(width)
