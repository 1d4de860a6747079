"""Advice on what to try next, from what became of the objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cpunet.outcomes import OutcomeCounts

# What is rarer is no reason to change anything.
NOTABLE = 0.05
MOST_SENTENCES = 4
# Outlines that are off by less change no measurement by much.
RATIO_LOW, RATIO_HIGH = 0.9, 1.1
FAILED_F1 = 0.3
SHOWN = 3

CUT = (
    "are cut into pieces: try a larger typical diameter (--diameter), or a larger smoothing filter for declumping in "
    "the module. If it stays, fine-tune with images that show such objects."
)
MERGED = (
    "are merged with a neighbor: try a smaller typical diameter (--diameter), or the module's declumping method "
    "Shape. If it stays, label crowded parts of a few images and fine-tune with them."
)
MISSED = (
    "are missed: try a lower foreground threshold, which cpunet calibrate finds. If they are of another size or look "
    "than those that are found, label some of them and fine-tune."
)
INVENTED = (
    "of the objects found are no true ones: discard what is too small or too large by the diameter range, or try a "
    "higher foreground threshold. If they are real, the labels lack them: complete these."
)
CALIBRATE = "Try cpunet calibrate: it finds the outlines of your labels in a minute, without training."


def advice(counts: OutcomeCounts, found: int, mean_f1_of_image: dict[str, float]) -> list[str]:
    """Return sentences on the most frequent errors, the most frequent first, each with what to try.

    Parameters
    ----------
    counts : OutcomeCounts
        Of all images.
    found : int
        Predicted objects in all images.
    mean_f1_of_image : dict of str to float
        The mean F1 of each image, by its name.
    """
    true = counts.kept + counts.wrong_size + counts.merged + counts.cut + counts.missed
    shares: list[tuple[float, str]] = []
    if true:
        shares += [
            (counts.cut / true, f"{counts.cut / true:.0%} of the objects {CUT}"),
            (counts.merged / true, f"{counts.merged / true:.0%} of the objects {MERGED}"),
            (counts.missed / true, f"{counts.missed / true:.0%} of the objects {MISSED}"),
            (max(counts.wrong_size / true, _off(counts)), _outlines(counts, counts.wrong_size / true)),
        ]
    if found:
        shares.append((counts.invented / found, f"{counts.invented / found:.0%} {INVENTED}"))
    sentences = [text for share, text in sorted(shares, reverse=True) if share >= NOTABLE][:MOST_SENTENCES]
    return [*_failed(mean_f1_of_image), *sentences] or [
        f"No kind of error makes up {NOTABLE:.0%} of the objects: there is nothing to change."
    ]


def _ratio(counts: OutcomeCounts) -> float:
    return float(np.median(counts.area_ratios)) if len(counts.area_ratios) else 1.0


def _off(counts: OutcomeCounts) -> float:
    """Return by which share the objects are too large or too small, if by enough to matter; else 0."""
    ratio = _ratio(counts)
    return 0.0 if RATIO_LOW <= ratio <= RATIO_HIGH else abs(ratio - 1)


def _outlines(counts: OutcomeCounts, share: float) -> str:
    ratio = _ratio(counts)
    if not _off(counts):
        return (
            f"{share:.0%} of the objects have a wrong outline, though on the whole they are neither too large nor too "
            f"small (area {ratio:.2f} of the true one). Fine-tune with outlines that are drawn exactly."
        )
    return (
        f"Outlines are too {'wide' if ratio > 1 else 'tight'}: the objects have {ratio:.2f} of the true area (median), "
        f"and {share:.0%} of them a wrong size. {CALIBRATE}"
    )


def _failed(mean_f1_of_image: dict[str, float]) -> Sequence[str]:
    failed = sorted((score, name) for name, score in mean_f1_of_image.items() if score < FAILED_F1)
    if not failed or len(failed) == len(mean_f1_of_image):
        return ()
    names = ", ".join(name for _, name in failed[:SHOWN]) + (" and others" if len(failed) > SHOWN else "")
    return (
        f"{len(failed)} of {len(mean_f1_of_image)} images go wrong altogether (mean F1 below {FAILED_F1}): {names}. "
        "Look at them first. If they are of another kind than the rest, label one of them and fine-tune.",
    )
