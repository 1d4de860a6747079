"""One fold of a cross-validation: which images its training leaves out, and which it is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cpunet.training.data.duplicates import Key

# Among the facts of weights that were trained on a fold.
FOLD_FACT = "fold"


@dataclass(frozen=True)
class Fold:
    """A training of a cross-validation.

    Attributes
    ----------
    number, of : int
        1 to the number of folds, and that number.
    left_out, trained_on : frozenset of (set, id)
    """

    number: int
    of: int
    left_out: frozenset[Key]
    trained_on: frozenset[Key]

    def split_of(self, key: Key, split: str) -> str:
        """Return the split of an image in this training; `split` is that of its index.

        >>> fold = Fold(1, 2, frozenset({("a", "1")}), frozenset({("a", "2")}))
        >>> [fold.split_of(("a", name), "train") for name in "123"]
        ['val', 'train', 'excluded']
        """
        if key in self.left_out:
            return "val"
        if key in self.trained_on:
            return "train"
        return "excluded" if split in ("train", "val") else split


def fold_as_fact(fold: Fold) -> dict[str, Any]:
    """Return a fold as plain content for the facts of a training."""
    names = {name: sorted(map(list, getattr(fold, name))) for name in ("left_out", "trained_on")}
    return {"number": fold.number, "of": fold.of, **names}


def fold_of(facts: Mapping[str, Any]) -> Fold | None:
    """Return the fold that weights with these facts were trained on; None if they were trained without folds."""
    found = facts.get(FOLD_FACT)
    if found is None:
        return None
    names = {name: frozenset((folder, each) for folder, each in found[name]) for name in ("left_out", "trained_on")}
    return Fold(found["number"], found["of"], **names)
