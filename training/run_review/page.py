"""A page that shows a training: its curves, and the images that it finds hardest and easiest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cpunet.files.images import write_text
from cpunet.options import Options
from cpunet.report.html_page import figure_uri, photo_uri, write_page
from cpunet.report.overlays import Window, plain_picture
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.checking.outlined import LARGE_PX, small_outlined
from cpunet.training.curves import curves_figure, read_metrics
from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.data.labeled_images import read_labeled_image
from cpunet.training.evaluation.torch_model import TorchModel
from cpunet.training.optimizers import VALIDATION_LOSS
from cpunet.training.run_review.image_losses import ImageLoss, extremes

PAGE, LOSSES_FILE, TEMPLATE = "review.html", "losses.json", "run_review.html"


def write_review(
    folder: Path, run_folder: Path, model: TorchModel, losses: Sequence[ImageLoss], split: str, steps: int, shown: int
) -> None:
    """Write review.html and losses.json, each whole or not at all.

    Parameters
    ----------
    folder : Path
    run_folder : Path
        Of the training; its logs are drawn.
    model : TorchModel
        Of its weights.
    losses : sequence of ImageLoss
        The highest first.
    split : str
    steps : int
        How many the weights were trained.
    shown : int
        How many images with the highest loss are shown, and how many with the lowest.
    """
    mean = float(np.mean([image.loss for image in losses]))
    metrics = dict(read_metrics(run_folder))
    was_logged = VALIDATION_LOSS in metrics
    if split == "val" and not was_logged:
        metrics[VALIDATION_LOSS] = [(steps, mean)]
    content = {
        "name": model.card.name,
        "split": split,
        "steps": steps,
        "mean": mean,
        "was_logged": was_logged,
        "curves": figure_uri(curves_figure(metrics)) if metrics else "",
        "galleries": {
            title: [_shown(image, model) for image in images] for title, images in extremes(losses, shown).items()
        },
        "losses": losses,
    }
    write_page(folder / PAGE, "cpunet.training", TEMPLATE, content)
    listed = [{"data_set": image.row.key[0], "id": image.row.id, "loss": image.loss} for image in losses]
    write_text(folder / LOSSES_FILE, json.dumps({"split": split, "steps": steps, "images": listed}, indent=1) + "\n")


def _shown(image: ImageLoss, model: TorchModel) -> dict[str, Any]:
    """Draw an image, its labels, and the objects that the model finds in it."""
    truth = read_labeled_image(image.row)
    options = Options(diameter_px=image.diameter_px, scale=None if image.diameter_px else 1.0)
    found = segment_image(truth.image, model, options).labels
    labels = without_ignored(truth.labels)
    height, width = labels.shape
    whole = Window(slice(None), slice(None), min(1.0, LARGE_PX / max(height, width)))
    score = pool_scores([score_image(truth.labels, found)])
    return {
        "name": "/".join(image.row.key),
        "loss": image.loss,
        "mean_f1": score.mean_f1,
        "true_objects": score.truth_count,
        "found_objects": score.prediction_count,
        "pictures": {
            "image": photo_uri(plain_picture(truth.image, whole)),
            "labels": photo_uri(small_outlined(truth.image, labels, LARGE_PX)),
            "found": photo_uri(small_outlined(truth.image, found, LARGE_PX)),
        },
    }
