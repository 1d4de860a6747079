"""What the training volumes are: sums, counts, object sizes and the distance of their planes, for the model card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cpunet.model.card import IMAGES
from cpunet.steps.diameter import typical_diameter
from cpunet.training.config import source_names
from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.facts import sum_of_files
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.diameter import ball_diameters
from cpunet.training.volumes.patches.sources import SourceVolumes


def volume_facts(config: VolumeConfig, sources: Sequence[SourceVolumes]) -> dict[str, Any]:
    """Collect what a model card says of the volumes that a model was trained on.

    Parameters
    ----------
    config : VolumeConfig
        Resolved.
    sources : sequence of SourceVolumes

    Returns
    -------
    dict
        As `cpunet.training.facts.training_facts`: ``data``, where each set has its ``z_step_px`` as well, and
        ``diameter_px``, ``diameter_low_px`` and ``diameter_high_px``, of balls of the objects' volume, in widths of a
        pixel, as the runtime measures it, of the sets with volumes. ``z_step_px``: the distance of the planes that the
        network sees.
    """
    data, medians, weights = [], [], []
    for name, source, read in zip(source_names(config.data), config.data, sources, strict=True):
        diameters = [ball_diameters(patch.labels, config.z_step_px) for patch in read.patches]
        labels = [without_ignored(patch.labels) for patch in read.patches]
        found = [typical_diameter(each, config.z_step_px) for each in labels if each.any()]
        if source.dimensions != IMAGES:
            medians += found
            weights += [source.share / len(found)] * len(found)
        data.append(
            {
                "name": name,
                "images": len(read.patches),
                "objects": sum(len(each) for each in diameters),
                "sha256": sum_of_files(read.files),
                "image_diameter_px": round(read.diameter_px, 1),
                "z_step_px": read.z_step_px,
            }
        )
    low, middle, high = np.percentile(np.array(medians), (5, 50, 95), weights=np.array(weights), method="inverted_cdf")
    return {
        "data": data,
        "z_step_px": config.z_step_px,
        "diameter_px": round(float(middle), 1),
        "diameter_low_px": round(float(low) * config.augmentation.scale_low, 1),
        "diameter_high_px": round(float(high) * config.augmentation.scale_high, 1),
    }
