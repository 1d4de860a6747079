"""How far experts agree: on how many images their counts of errors are alike, and on which they are not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Dict, List, NamedTuple, Sequence, Tuple

from cpunet.files.label_folder import Key
from cpunet.review.saved_file import JudgedImage, SavedReview

# Two experts agree within so many errors an image.
MOST_ERRORS = 4
WITHIN = tuple(range(MOST_ERRORS + 1))


@dataclass(frozen=True)
class Agreement:
    """On how many images two experts agree.

    Attributes
    ----------
    experts : tuple of str
    images : int
        Those that both judged.
    false, missed, errors : tuple of int
        For 0, 1, 2, 3 and 4: on how many images their counts of false objects, of missed ones, and of both together
        differ by no more. The difference of both is the sum of the two, so that false and missed ones do not cancel.
    clicked_by_both, clicked_by_either : int
        False objects that both, or at least one, clicked.
    """

    experts: Tuple[str, str]
    images: int
    false: Tuple[int, ...]
    missed: Tuple[int, ...]
    errors: Tuple[int, ...]
    clicked_by_both: int
    clicked_by_either: int


class ComparedImage(NamedTuple):
    """One image, as all experts counted it.

    Attributes
    ----------
    key : tuple of str
        The set and the name of the image.
    judgments : dict of str to JudgedImage
        By the expert; without those who did not judge it.
    difference : int
        The largest difference between two experts, as in `Agreement.errors`; 0 with fewer than two.
    """

    key: Key
    judgments: Dict[str, JudgedImage]
    difference: int


def difference(one: JudgedImage, other: JudgedImage) -> int:
    """Return by how many errors two experts differ: false objects and missed ones are counted apart, and added."""
    return abs(one.false - other.false) + abs(one.missed - other.missed)


def agreements(files: Sequence[SavedReview]) -> List[Agreement]:
    """Compare each pair of experts on the images that both judged; pairs without such an image are left out."""
    found = []
    for one, other in combinations(files, 2):
        theirs = {image.key: image for image in other.images}
        pairs = [(image, theirs[image.key]) for image in one.images if image.key in theirs]
        if pairs:
            found.append(
                Agreement(
                    (one.expert, other.expert),
                    len(pairs),
                    _within([abs(a.false - b.false) for a, b in pairs]),
                    _within([abs(a.missed - b.missed) for a, b in pairs]),
                    _within([difference(a, b) for a, b in pairs]),
                    sum(len(a.false_objects & b.false_objects) for a, b in pairs),
                    sum(len(a.false_objects | b.false_objects) for a, b in pairs),
                )
            )
    return found


def compared_images(files: Sequence[SavedReview]) -> List[ComparedImage]:
    """Put side by side what all experts counted in each image, in the order of the review."""
    judged = {file.expert: {image.key: image for image in file.images} for file in files}
    compared = []
    for key in files[0].review.predicted:
        judgments = {expert: images[key] for expert, images in judged.items() if key in images}
        pairs = combinations(judgments.values(), 2)
        compared.append(ComparedImage(key, judgments, max((difference(*pair) for pair in pairs), default=0)))
    return compared


def errors_an_image(file: SavedReview) -> Tuple[int, ...]:
    """Count the images in which an expert found 0, 1, 2, 3, 4 errors, and more."""
    errors = [min(image.false + image.missed, MOST_ERRORS + 1) for image in file.images]
    return tuple(errors.count(number) for number in (*WITHIN, MOST_ERRORS + 1))


def _within(differences: Sequence[int]) -> Tuple[int, ...]:
    return tuple(sum(each <= most for each in differences) for most in WITHIN)
