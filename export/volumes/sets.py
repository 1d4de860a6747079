"""The volumes of a training, set by set, and the scores of a model on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cpunet.interruption import stop_if_requested
from cpunet.model.card import VOLUMES
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import pool_scores
from cpunet.training.config import source_names
from cpunet.training.evaluation.card_scores import scores_for_card
from cpunet.training.facts import set_diameters
from cpunet.training.volumes.data.labeled_volumes import LabeledVolume
from cpunet.training.volumes.evaluation.scores import read_truth, scores_of
from cpunet.training.volumes.patches.sources import volumes_of_split
from cpunet.training.volumes.weights import TrainedVolumeNetwork
from cpunet.volume_scores import mean_of_volumes
from cpunet.volumes.segment_volume import segment_volume

OF_VOLUMES = ("seg", "iou", "mucov")


@dataclass(frozen=True)
class VolumeSet:
    """One split of a data set.

    Attributes
    ----------
    name : str
    volumes : sequence of LabeledVolume
    diameter_px : float or None
        The typical diameter of the objects, widths of a pixel, as a user would give it. None: each volume's own is
        measured.
    """

    name: str
    volumes: Sequence[LabeledVolume]
    diameter_px: float | None


def volume_sets(trained: TrainedVolumeNetwork, data: Path, split: str) -> list[VolumeSet]:
    """Find the volumes of one split (``train``, ``val`` or ``test``) in each set of volumes of a training.

    Parameters
    ----------
    trained : TrainedVolumeNetwork
    data : Path
        The folder that holds the data sets.
    split : str
    """
    config = trained.config
    named = zip(config.data, source_names(config.data), set_diameters(config, trained.facts), strict=True)
    return [
        VolumeSet(name, volumes_of_split(source, data, split), diameter_px)
        for source, name, diameter_px in named
        if source.dimensions == VOLUMES
    ]


def score_volume_sets(model: Model, sets: Sequence[VolumeSet]) -> dict[str, dict[str, Any]]:
    """Segment the volumes of each set with the model's own settings, and return the scores that its card carries.

    Those of images, pooled over all objects, and the means over the volumes of SEG, IoU and MUCov.
    """
    progress, done = Progress("scoring: volume", sum(len(each.volumes) for each in sets)), 0
    found = {}
    for each in sets:
        scored = []
        for row in each.volumes:
            stop_if_requested()
            image, truth = read_truth(row)
            options = Options(diameter_px=each.diameter_px, z_step_px=row.z_step_px)
            scored.append(scores_of(truth, segment_volume(image, model, options).labels))
            done += 1
            progress.show(done, each.name)
        mean = asdict(mean_of_volumes([of_volume for _, of_volume in scored]))
        found[each.name] = {
            **scores_for_card(pool_scores([of_objects for of_objects, _ in scored])),
            **{name: round(mean[name], 4) for name in OF_VOLUMES},
        }
    progress.end()
    return found
