"""Find which name of a label file belongs to which name of an image, and by what rule."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cpunet.errors import DataError
from cpunet.files.label_folder import LABEL_SUFFIXES

ROI_SUFFIXES = ("_rois", "_RoiSet")
# What people add to the names of images and labels, or put in front; by these words a single pair is recognized.
# fmt: off
WORDS = {
    "img", "image", "images", "im", "raw", "orig", "original", "dna", "dapi", "hoechst", "mask",
    "masks", "label", "labels", "seg", "segmentation", "annotation", "annotations", "gt", "truth",
    "roi", "rois", "roiset", "nuclei", "nucleus", "cells", "objects",
}
# fmt: on
SEPARATORS = "_-. "
LOOKED_AT = 40
SHOWN = 4


@dataclass(frozen=True, order=True)
class Rule:
    """What stands in the names of images, and in its place in the names of their labels.

    Attributes
    ----------
    image, labels : str
        ``_img`` and ``_masks`` pair a_img.tif with a_masks.tif; ``img_`` and ``mask_`` pair img_1.tif with mask_1.tif.
    at_end : bool
        Whether it stands at the end of the names.
    """

    image: str
    labels: str
    at_end: bool

    @property
    def options(self) -> str:
        """The options that say the same; empty if there are none."""
        if not self.at_end:
            return ""
        image = f"--image-suffix {_quoted(self.image)} " if self.image else ""
        return f"{image}--labels-suffix {_quoted(self.labels)}"


def without_label_suffix(stem: str, images: Collection[str]) -> str:
    """Return the image's name that a label file's name stands for; the name itself if it has no known ending."""
    if stem in images:
        return stem
    found = (suffix for suffix in (*LABEL_SUFFIXES, *ROI_SUFFIXES) if stem.casefold().endswith(suffix.casefold()))
    return next((stem[: -len(suffix)] for suffix in found), stem)


def without_suffix(path: Path, suffix: str) -> str | None:
    """Return a file's name without a suffix, which may hold the dot and what follows; None if it ends otherwise."""
    for name in (path.stem, path.name):
        if name.endswith(suffix) and len(name) > len(suffix):
            return name[: len(name) - len(suffix)]
    return None


def by_rule(images: Mapping[str, Path], labels: Sequence[Path]) -> tuple[dict[Path, str], Rule] | None:
    """Pair names by the one rule that pairs the most.

    Parameters
    ----------
    images : mapping of str to Path
        By their names without suffix.
    labels : sequence of Path

    Returns
    -------
    dict of Path to str, and Rule
        The image's name of each label file that the rule pairs; None if no rule is found.

    Raises
    ------
    DataError
        If several rules pair equally many files: the message proposes them.
    """
    rules: Counter[Rule] = Counter()
    for image in list(images)[:LOOKED_AT]:
        seen = {_rule(image, path.stem) for path in labels}
        rules.update(rule for rule in seen if rule is not None)
    if not rules:
        return None
    most = max(rules.values())
    best = sorted(rule for rule, count in rules.items() if count == most and (count > 1 or _is_clear(rule)))
    if not best:
        return None
    if len(best) > 1:
        proposed = " or ".join(rule.options or f"{rule.image}... and {rule.labels}..." for rule in best[:SHOWN])
        raise DataError(
            f"{labels[0].parent}: several ways pair the names of images and labels, {most} files each. Say which: "
            f"{proposed}."
        )
    (rule,) = best
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in labels:
        by_stem[path.stem].append(path)
    paired = {}
    for name in images:
        for stem in _renamed(name, rule):
            paired |= dict.fromkeys(by_stem.get(stem, ()), name)
    return paired, rule


def _rule(image: str, labels: str) -> Rule | None:
    """Return how two names differ in one place; None if they differ in a number, or are too unlike."""
    length = min(len(image), len(labels))
    start = next((place for place in range(length) if image[place] != labels[place]), length)
    rest = length - start
    end = next((place for place in range(rest) if image[-1 - place] != labels[-1 - place]), rest)
    if not end and start and image[start - 1] in SEPARATORS:  # _img and _masks, rather than img and masks
        start -= 1
    inner, other = image[start : len(image) - end], labels[start : len(labels) - end]
    if not (start or end) or any(sign.isdigit() for sign in inner + other):
        return None
    return Rule(inner, other, at_end=end == 0)


def _renamed(image: str, rule: Rule) -> set[str]:
    """Return the names of labels that a rule makes of an image's name."""
    places = range(len(image) - len(rule.image) + 1)
    at = (place for place in places if image[place : place + len(rule.image)] == rule.image)
    names = {image[:place] + rule.labels + image[place + len(rule.image) :] for place in at}
    return {name for name in names if _rule(image, name) == rule}


def _is_clear(rule: Rule) -> bool:
    """Return whether a rule that pairs a single image says what the files are."""
    words = [word.strip(SEPARATORS).casefold() for word in (rule.image, rule.labels)]
    return all(not word or word in WORDS for word in words)


def options_of(image: str, files: Iterable[Path]) -> str:
    """Propose the options that choose one of several label files of an image."""
    ends = [path.name[len(image) :] if path.name.startswith(image) else path.suffix for path in files]
    return " or ".join(f"--labels-suffix {_quoted(end)}" for end in ends)


def _quoted(text: str) -> str:
    return f"'{text}'" if not text or " " in text else text
