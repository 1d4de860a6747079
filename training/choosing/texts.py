"""What was learned, in words: a table of scores, the gains, and whether choosing pays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cpunet.scores import SetScores
from cpunet.training.choosing.learn import Gain, Learned

COLUMNS = {
    "mean F1": "mean_f1",
    "mAP": "mean_average_precision",
    "Dice": "dice",
    "precision": "precision",
    "recall": "recall",
    "over": "over_segmented",
    "under": "under_segmented",
}
# Of Dice, that is said; less is a pixel here and there.
LARGEST_LOSS = 0.01
MEANING = "over, under: true objects that were cut into pieces, or merged; precision and recall at an IoU of 0.7"


def scores_table(scores: Mapping[str, SetScores]) -> list[str]:
    """Lay out the scores of methods, a line each."""
    width = max(len("method"), *(len(name) for name in scores))
    lines = [f"{'method':{width}}  " + "  ".join(f"{name:>9}" for name in COLUMNS)]
    for name, pooled in scores.items():
        cells = (getattr(pooled, field) for field in COLUMNS.values())
        texts = (f"{cell:>9}" if isinstance(cell, int) else f"{cell:>9.3f}" for cell in cells)
        lines.append(f"{name:{width}}  " + "  ".join(texts))
    return [*lines, MEANING]


def gain_text(gain: Gain) -> str:
    """Say what a choice gains over another method, with the uncertainty."""
    return (
        f"choice against {gain.over}: mean F1 {gain.mean_f1:+.3f} (in 90 of 100 draws of the images from "
        f"{gain.low:+.3f} to {gain.high:+.3f})"
    )


def pays(learned: Learned) -> bool:
    """Return True if choosing was better than the best model alone on the images that were held out."""
    return learned.gain.mean_f1 > 0


def advice(learned: Learned) -> list[str]:
    """Say whether choosing pays, in sentences that a user should read."""
    gain, over_average = learned.gain, learned.gain_over_average
    if not pays(learned):
        return [
            f"Choosing does not pay: {gain.over} alone is as good or better. Use it alone, or combine models that make "
            "different mistakes."
        ]
    lines = []
    if gain.low <= 0:
        lines.append(
            f"The gain over {gain.over} alone is no larger than chance may give on {len(learned.images)} images. Label "
            "more images, or use that model alone, which takes less time."
        )
    scores = learned.pooled()
    before, after = scores[gain.over], scores["choice"]
    if after.dice < before.dice - LARGEST_LOSS:
        lines.append(
            "The choice leaves out objects that no model drew well: the Dice of all pixels falls from "
            f"{before.dice:.3f} to {after.dice:.3f}. Do not measure areas with it."
        )
    if over_average is not None and over_average.mean_f1 <= 0:
        lines.append("The average of the models is as good or better: --combine average, which needs no file.")
    return lines


def scores_as_json(learned: Learned) -> dict[str, Any]:
    """Return the scores and gains as plain content, for the card of the file and for tables."""
    gains = [gain for gain in (learned.gain, learned.gain_over_average) if gain is not None]
    return {
        "images": len(learned.images),
        "objects": learned.pooled()["choice"].truth_count,
        "cross_validated": {
            name: {column: round(float(getattr(scores, field)), 4) for column, field in COLUMNS.items()}
            for name, scores in learned.pooled().items()
        },
        "gains": {
            gain.over: {"mean F1": round(gain.mean_f1, 4), "low": round(gain.low, 4), "high": round(gain.high, 4)}
            for gain in gains
        },
    }
