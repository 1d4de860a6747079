"""On what thresholds are tuned when a model is exported, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from cpunet.model.card import Postprocessing
from cpunet.training.tuning.few_images import at_the_edge
from cpunet.training.tuning.search import Candidates

Labeled = TypeVar("Labeled")


def sample_to_tune_on(sets: Sequence[Sequence[Labeled]], most: int, what: str) -> list[Sequence[Labeled]]:
    """Take at most so many of each set, evenly over its index, and say how many that are.

    Parameters
    ----------
    sets : sequence of sequence
        Validation images or volumes, by data set.
    most : int
    what : str
        What they are: images, or volumes.
    """
    chosen = [each[:: -(-len(each) // most)] for each in sets]
    number, sampled = sum(map(len, sets)), sum(map(len, chosen))
    sample = f" of {number} validation {what} (at most {most} of each set, evenly over its index)"
    print(f"tuning thresholds on {sampled}{sample if sampled < number else f' validation {what}'}", flush=True)
    return chosen


def say_tuned(tuned: Postprocessing, tried: Candidates) -> None:
    """Print the settings that were found, and which of them a better one may lie beyond."""
    print(f"    {tuned}")
    for sentence in at_the_edge(tuned, tried):
        print(f"    look: {sentence}")
