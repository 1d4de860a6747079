"""The training images of a run, normalized and scaled: what patches are cut from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import relabel_sequential
from skimage.transform import resize

from cpunet.errors import DataError
from cpunet.steps.prepare import measured_channels, normalize
from cpunet.steps.resize import rescale
from cpunet.training.config import TrainingConfig
from cpunet.training.data.fold import Fold
from cpunet.training.data.ignored_pixels import with_ignored, without_ignored
from cpunet.training.data.labeled_images import (
    IndexRow,
    LabeledImage,
    object_diameters,
    read_labeled_image,
    rows_of_split,
)
from cpunet.training.facts import median_diameter
from cpunet.training.patches.patch import Patch


def read_sources(
    config: TrainingConfig, root: Path, fold: Fold | None = None
) -> tuple[list[list[IndexRow]], list[list[Patch]], list[float]]:
    """Read all training images, normalized and scaled.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.
    fold : Fold, optional
        Says which images are trained on, instead of the index.

    Returns
    -------
    rows, sources : list of list
        By data set: the images' rows in the index, and the images themselves.
    image_diameters : list of float
        The median diameter of each set's objects before scaling, pixels.
    """
    rows = rows_of_split(config.data, root, "train", fold)
    sources, image_diameters = [], []
    for source, source_rows in zip(config.data, rows, strict=True):
        images = [read_labeled_image(row) for row in source_rows]
        diameter = median_diameter([object_diameters(image.labels) for image in images], source.folder)
        scale = config.diameter_px / diameter if config.diameter_px else 1.0
        sources.append([normalized_patch(image, config, scale) for image in images])
        image_diameters.append(diameter)
    return rows, sources, image_diameters


def normalized_patch(image: LabeledImage, config: TrainingConfig, scale: float = 1.0) -> Patch:
    """Normalize a whole labeled image, by the code that the module runs, then enlarge it by `scale`.

    DataError if the image does not fit the configuration.
    """
    try:
        channels, usable, _, _ = measured_channels(image.image, config.channels, config.normalization)
    except ValueError as error:
        raise DataError(f"{image.id}: {error}") from error
    normalized = rescale(normalize(channels, config.normalization, usable), scale)
    # Numbers without gaps: large ones would cost time in each patch, and are not exact in the warp's float32.
    labels, _, _ = relabel_sequential(without_ignored(image.labels))
    labels = with_ignored(labels, image.labels < 0)
    return Patch(normalized, resize_labels(labels, normalized.shape[1:]))


def resize_labels(labels: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Resample labels (Y, X) or (Z, Y, X) to another shape: each pixel gets the label of the nearest.

    Examples
    --------
    >>> resize_labels(np.array([[0, 7]], np.int32), (2, 4)).tolist()
    [[0, 0, 7, 7], [0, 0, 7, 7]]
    """
    if labels.shape == shape:
        return labels
    return resize(labels, shape, order=0, mode="edge", anti_aliasing=False, preserve_range=True).astype(np.int32)
