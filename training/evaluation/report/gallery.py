"""The best and the worst images of an evaluation: plain, and with what became of their objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cpunet.outcomes import outcomes
from cpunet.report.html_page import photo_uri
from cpunet.report.overlays import outcome_picture, plain_picture, worst_window
from cpunet.training.data.labeled_images import object_diameters, read_labeled_image
from cpunet.training.evaluation.scored_images import ScoredImage, ScoredMethod, best_images, worst_images

BEST = 3


def gallery(methods: Sequence[ScoredMethod], worst: int) -> dict[str, list[dict[str, Any]]]:
    """Return the pictures of the `worst` worst images of the first method, and of some of its best others."""
    shown = worst_images(methods[0], worst)
    keys = {image.row.key for image in shown}
    best = [image for image in best_images(methods[0], BEST + len(shown)) if image.row.key not in keys]
    best = best[:BEST] if worst else []
    return {
        title: [{"image": image, **_pictures(methods, image)} for image in images]
        for title, images in (("worst", shown), ("best", best))
    }


def _pictures(methods: Sequence[ScoredMethod], shown: ScoredImage) -> dict[str, Any]:
    """Draw a part of one image, plain and as each method segmented it; it is where the first is worst."""
    truth = read_labeled_image(shown.row)
    diameters = object_diameters(truth.labels)
    diameter = float(np.median(diameters)) if len(diameters) else 0.0
    fates = [outcomes(truth.labels, method.labels(shown.row)) for method in methods]
    window = worst_window(fates[0].wrong, diameter)
    panels = []
    for method, of_method in zip(methods, fates, strict=True):
        image = next(image for image in method.images if image.row.key == shown.row.key)
        picture = photo_uri(outcome_picture(truth.image, window, of_method))
        panels.append({"method": method.name, "picture": picture, "scores": image.pooled, "counts": image.counts})
    part = window.rows.stop - window.rows.start, window.columns.stop - window.columns.start
    whole = truth.labels.shape
    return {
        "plain": photo_uri(plain_picture(truth.image, window)),
        "panels": panels,
        "part": "" if part == whole else f"{part[0]} x {part[1]} of {whole[0]} x {whole[1]} pixels",
    }
