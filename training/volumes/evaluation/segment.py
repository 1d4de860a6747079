"""Segment a prepared volume in one piece."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import relabel_sequential, watershed

from cpunet.model.card import ModelCard
from cpunet.steps.declump import foreground_probability, probabilities_by_role
from cpunet.steps.seeds import marker_score
from cpunet.training.volumes.evaluation.torch_model import TorchVolumeModel


def segment_prepared(channels: NDArray[np.float32], model: TorchVolumeModel) -> NDArray[np.int32]:
    """Return the labels (Z, Y, X) of normalized channels (C, Z, Y, X)."""
    card = model.card.input
    multiples = (card.divisible_by_planes, card.divisible_by, card.divisible_by)
    pad = [(0, -side % multiple) for side, multiple in zip(channels.shape[1:], multiples, strict=True)]
    padded = np.pad(channels, [(0, 0), *pad], mode="reflect")
    planes, height, width = channels.shape[1:]
    return decode_volume(model.predict(padded[np.newaxis])[0, :, :planes, :height, :width], model.card)


def decode_volume(probabilities: NDArray[np.float32], card: ModelCard) -> NDArray[np.int32]:
    """Turn probabilities (roles, Z, Y, X) into labels (Z, Y, X): a mask, seeds, and a watershed."""
    settings = card.postprocessing
    by_role = probabilities_by_role(probabilities, card.output.roles)
    mask = foreground_probability(by_role) > settings.foreground_threshold
    score = marker_score(by_role)
    markers, number = ndimage.label(mask & (score > settings.marker_threshold))
    regions, _ = ndimage.label(mask)
    seeded = np.unique(regions[markers > 0])
    markers = np.where((regions > 0) & ~np.isin(regions, seeded), regions + number, markers)
    labels, _, _ = relabel_sequential(watershed(-score, markers, mask=mask))
    return labels.astype(np.int32)
