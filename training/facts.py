"""What the training data are: sums, counts and object sizes, for the model card."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import DataError
from cpunet.steps.diameter import typical_diameter
from cpunet.training.config import TrainingConfig, source_names
from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.data.labeled_images import IndexRow, object_diameters
from cpunet.training.patches.patch import Patch

# How far objects may be from the trained diameter before the image is rescaled: see `known_diameters`.
# The mean F1 of the model to start from, on the validation images, among the facts of ``start_from``.
START_SCORE = "val_mean_f1"
LARGEST_RATIO_BELOW, LARGEST_RATIO_ABOVE = 1.8, 1.5


def data_sum(rows: Sequence[IndexRow]) -> str:
    """Return one SHA-256 over the images, labels and ignore masks of a set, in the order of their ids."""
    files = {row.id: (row.image_path, row.labels_path, *([row.ignore_path] if row.ignore_path else [])) for row in rows}
    return sum_of_files(files)


def sum_of_files(files: Mapping[str, Sequence[Path]]) -> str:
    """Return one SHA-256 over the files of each id, in the order of the ids."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode())
        for path in files[name]:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def median_diameter(diameters: Sequence[NDArray[np.float64]], name: str) -> float:
    """Return the median over the images of the median diameter of their objects, in pixels.

    DataError if no image holds an object; `name` is that of the set, for the message.
    """
    medians = [np.median(found) for found in diameters if len(found)]
    if not medians:
        raise DataError(f"{name}: its training images hold no object at all.")
    return float(np.median(medians))


def set_diameters(config: Any, facts: Mapping[str, Any]) -> list[float | None]:
    """Return the typical diameter of each set's images, as a user would give it; None where images keep their size."""
    return [data["image_diameter_px"] if config.diameter_px else None for data in facts["data"]]


def known_diameters(facts: Mapping[str, Any]) -> dict[str, float]:
    """Return the diameters that the model card gives: the trained one, and those between which no image is rescaled.

    Parameters
    ----------
    facts : mapping
        See `training_facts`.

    Returns
    -------
    dict of str to float
        ``diameter_px``, ``diameter_low_px`` and ``diameter_high_px``, pixels. The range is narrower than what training
        saw: in images of laboratories that a model was not trained on, much smaller and much larger objects are found
        better if the image is rescaled, although their sizes were trained on (docs/models.md).
    """
    middle = facts["diameter_px"]
    return {
        "diameter_px": middle,
        "diameter_low_px": round(max(facts["diameter_low_px"], middle / LARGEST_RATIO_BELOW), 1),
        "diameter_high_px": round(min(facts["diameter_high_px"], middle * LARGEST_RATIO_ABOVE), 1),
    }


def training_facts(
    config: TrainingConfig,
    rows: Sequence[Sequence[IndexRow]],
    sources: Sequence[Sequence[Patch]],
    image_diameters: Sequence[float],
) -> dict[str, Any]:
    """Collect what a model card says of the data that a model was trained on.

    Parameters
    ----------
    config : TrainingConfig
    rows, sources : sequence of sequence
        The images of each source, as rows of the index and as they are in memory.
    image_diameters : sequence of float
        The `median_diameter` of each source before its images were scaled.

    Returns
    -------
    dict
        ``data``: for each source its images, objects, SHA-256 and ``image_diameter_px``. ``diameter_px``: median
        over the images of their typical diameter, as the runtime measures it, each source counted by its share;
        ``diameter_low_px`` and ``diameter_high_px``: the 5th and 95th percentile of the same, widened by the zoom of
        the augmentation. Only sizes within these were ever seen.
    """
    data, medians, weights = [], [], []
    names = source_names(config.data)
    for name, source, source_rows, patches, diameter in zip(
        names, config.data, rows, sources, image_diameters, strict=True
    ):
        diameters = [object_diameters(patch.labels) for patch in patches]
        found = [typical_diameter(labels) for patch in patches if (labels := without_ignored(patch.labels)).any()]
        medians += found
        weights += [source.share / len(found)] * len(found)
        data.append(
            {
                "name": name,
                "images": len(patches),
                "objects": int(sum(len(values) for values in diameters)),
                "sha256": data_sum(source_rows),
                "image_diameter_px": round(diameter, 1),
            }
        )
    low, middle, high = np.percentile(np.array(medians), (5, 50, 95), weights=np.array(weights), method="inverted_cdf")
    return {
        "data": data,
        "diameter_px": round(float(middle), 1),
        "diameter_low_px": round(float(low) * config.augmentation.scale_low, 1),
        "diameter_high_px": round(float(high) * config.augmentation.scale_high, 1),
    }


def current_commit(folder: Path) -> str:
    """Return the commit that a folder stands at, or an empty text outside git, or where git is not installed."""
    words = ("git", "-C", str(folder), "rev-parse", "--short=12", "HEAD")
    try:
        result = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
