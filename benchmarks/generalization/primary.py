"""Tune IdentifyPrimaryObjects on a data set, as a user does who tries its settings on some images."""

import itertools
from typing import Any, Callable, Iterator, NamedTuple, Sequence, Tuple

from benchmarks.run_module import primary_objects_tuned

# Diameters in pixels.
RANGES = ((5, 30), (10, 40), (15, 80), (25, 120))


class Tuned(NamedTuple):
    """A module with the settings that were best, and their names in words."""

    words: str
    module: Any


def candidates() -> Iterator[Tuned]:
    """Yield IdentifyPrimaryObjects with each range of diameters and each way to find a threshold."""
    from cellprofiler.modules import threshold

    two, three = threshold.O_TWO_CLASS, threshold.O_THREE_CLASS
    ways: Sequence[Tuple[str, str, str, str]] = (
        ("minimum cross-entropy", threshold.TM_LI, two, threshold.O_BACKGROUND),
        ("Otsu, two classes", threshold.TM_OTSU, two, threshold.O_BACKGROUND),
        ("Otsu, three classes, middle is foreground", threshold.TM_OTSU, three, threshold.O_FOREGROUND),
        ("Otsu, three classes, middle is background", threshold.TM_OTSU, three, threshold.O_BACKGROUND),
    )
    for (low, high), (words, method, classes, middle) in itertools.product(RANGES, ways):
        module = primary_objects_tuned(low, high)
        module.threshold.global_operation.value = method
        module.threshold.two_class_otsu.value = classes
        module.threshold.assign_middle_to_foreground.value = middle
        yield Tuned(f"{words}, {low} to {high} px", module)


def tuned_primary(score: Callable[[Any], float]) -> Tuned:
    """Return the candidate whose module has the highest score."""
    return max(candidates(), key=lambda candidate: score(candidate.module))
