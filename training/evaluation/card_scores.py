"""The scores that a model card carries."""

from __future__ import annotations

from typing import Any

from cpunet.scores import SetScores


def scores_for_card(scores: SetScores) -> dict[str, Any]:
    """Choose the scores that a card carries, rounded to four digits."""
    return {
        "images": scores.images,
        "objects": scores.truth_count,
        "mean_f1": round(scores.mean_f1, 4),
        "mean_average_precision": round(scores.mean_average_precision, 4),
        "f1_at_0.5": round(scores.f1[0.5], 4),
        "f1_at_0.7": round(scores.f1[0.7], 4),
        "f1_at_0.9": round(scores.f1[0.9], 4),
        "over_segmented": scores.over_segmented,
        "under_segmented": scores.under_segmented,
    }
