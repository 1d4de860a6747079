"""Scores from what experts counted: objects that were found, false ones among them, and missed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, NamedTuple, Sequence

from cpunet.review.saved_file import JudgedImage, SavedReview
from cpunet.scores import ratio

ALL_SETS, ALL_EXPERTS = "all sets", "all experts"


@dataclass(frozen=True)
class Counts:
    """Objects, counted by one expert or several.

    Attributes
    ----------
    images : int
        Judgments: an image that two experts judged counts twice.
    predicted : int
        Objects that were found.
    false : int
        Those that are none: false positives (FP), 0..predicted.
    missed : int
        True objects that were not found: false negatives (FN).

    Notes
    -----
    TP = predicted - FP. With one label an object, Dice is F1.

    Examples
    --------
    >>> counts = Counts(images=1, predicted=10, false=2, missed=2)
    >>> counts.tp, counts.precision, counts.recall, counts.dice, round(counts.iou, 3)
    (8, 0.8, 0.8, 0.8, 0.667)
    """

    images: int
    predicted: int
    false: int
    missed: int

    @property
    def tp(self) -> int:
        """True positives: objects that were found and are right."""
        return self.predicted - self.false

    @property
    def precision(self) -> float:
        """TP / (TP + FP), 0..1; 1 if nothing was found."""
        return ratio(self.tp, self.predicted)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), 0..1; 1 if there is nothing to find."""
        return ratio(self.tp, self.tp + self.missed)

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), 0..1."""
        return ratio(2 * self.tp, 2 * self.tp + self.false + self.missed)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), 0..1."""
        return ratio(self.tp, self.tp + self.false + self.missed)


class ScoreRow(NamedTuple):
    """The counts of one set by one expert; or of all, under the names `ALL_SETS` and `ALL_EXPERTS`."""

    set_name: str
    expert: str
    counts: Counts


def pooled(images: Iterable[JudgedImage]) -> Counts:
    """Add up what was counted in images."""
    listed = list(images)
    return Counts(
        len(listed),
        sum(each.predicted for each in listed),
        sum(each.false for each in listed),
        sum(each.missed for each in listed),
    )


def score_rows(files: Sequence[SavedReview]) -> List[ScoreRow]:
    """Count each set by each expert, and pool sets and experts where there are several.

    Parameters
    ----------
    files : sequence of SavedReview
        Of one review (`cpunet.review.saved_file.check_together`).

    Returns
    -------
    list of ScoreRow
        Sets in the order of the review, then all sets; in each the experts in the order of their files, then all
        experts. A set in which an expert judged no image has no row of that expert.
    """
    sets = list(dict.fromkeys(set_name for set_name, _ in files[0].review.predicted))
    groups: Dict[str, List[str]] = {name: [name] for name in sets}
    if len(sets) > 1:
        groups[ALL_SETS] = sets
    rows = []
    for name, members in groups.items():
        of_experts = {file.expert: [image for image in file.images if image.key[0] in members] for file in files}
        if len(files) > 1:
            of_experts[ALL_EXPERTS] = [image for images in of_experts.values() for image in images]
        rows += [ScoreRow(name, expert, pooled(images)) for expert, images in of_experts.items() if images]
    return rows
