"""Images as made-up methods segmented them, with their scores."""

import numpy as np
from skimage.io import imsave

from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.evaluation.object_scores import true_objects
from cpunet.training.evaluation.scored_images import ScoredMethod, score_labels

EVIL = '<script>alert("1")</script> & $x_{1'


def image_on_disk(folder, name, modality, truth):
    """Write an image with its truth; the page reads those that it shows."""
    for sub in ("images", "labels"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    image = (truth != 0) * 150 + np.random.default_rng(0).integers(0, 40, truth.shape)
    imsave(str(folder / "images" / f"{name}.png"), image.astype(np.uint8), check_contrast=False)
    imsave(str(folder / "labels" / f"{name}.png"), truth.astype(np.uint16), check_contrast=False)
    return IndexRow(folder, name, modality, "val", "")


def scored_method(name, rows, truths, predictions):
    images = [
        score_labels(row, truth, true_objects(truth), prediction)
        for row, truth, prediction in zip(rows, truths, predictions, strict=True)
    ]
    by_key = {row.key: prediction for row, prediction in zip(rows, predictions, strict=True)}
    return ScoredMethod(name, f"folder of {name}", lambda row: by_key[row.key], tuple(images))
