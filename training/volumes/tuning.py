"""Choose the thresholds that turn the probabilities of volumes into objects, on validation volumes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.interruption import stop_if_requested
from cpunet.model.card import ModelCard, Postprocessing
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import ImageScores, score_image
from cpunet.steps.diameter import volume_of_sphere
from cpunet.training.tuning.search import Candidates, candidates, mean_f1_of_sets, search_with_progress
from cpunet.training.volumes.data.labeled_volumes import LabeledVolume
from cpunet.training.volumes.evaluation.scores import read_truth
from cpunet.volumes.decode import decode_volume
from cpunet.volumes.segment_volume import segment_volume

# Numbers of voxels, as shares of a ball of the trained diameter: what is smaller is texture, or noise. A ball of half
# the diameter has an eighth of the voxels.
MARKER_SHARES = (0, 0.001, 0.003, 0.01, 0.03)
OBJECT_SHARES = (0, 0.005, 0.01, 0.03, 0.06, 0.1)


@dataclass(frozen=True)
class PredictedVolume:
    """A validation volume and what the network says of it.

    Attributes
    ----------
    probabilities : ndarray of shape (roles, Z, Y, X), float32
        Kept on the disk: those of many volumes would fill the memory.
    truth : ndarray of shape (Z, Y, X), int32
    usable : ndarray of shape (Z, Y, X), bool, or None
    scale : float
    z_step_px : float
        The volume's own.
    """

    probabilities: NDArray[np.float32]
    truth: NDArray[np.int32]
    usable: NDArray[np.bool_] | None
    scale: float
    z_step_px: float


def volume_candidates(card: ModelCard) -> Candidates:
    """Return the values to try for each setting of a model of volumes; sizes are numbers of voxels."""
    given = card.input
    ball = volume_of_sphere(given.diameter_px) / float(given.z_step_px or 1.0)
    return {
        **candidates(card.output.roles, given.diameter_px),
        "marker_min_size_px": tuple(round(share * ball) for share in MARKER_SHARES),
        "min_size_px": tuple(round(share * ball) for share in OBJECT_SHARES),
    }


def tune_on_volumes(
    model: Model, sets: Sequence[Sequence[LabeledVolume]], diameters: Sequence[float | None]
) -> Postprocessing:
    """Find the settings with the best mean F1 on validation volumes.

    Parameters
    ----------
    model : Model
        Of volumes.
    sets : sequence of sequence of LabeledVolume
        Validation volumes by data set. Each set counts the same.
    diameters : sequence of float or None
        The typical diameter in each set, as a user would give it; None leaves it to be measured on each volume.

    Notes
    -----
    Each volume is predicted once. The settings are then searched as `cpunet.training.tuning.search.search` does.
    """
    with tempfile.TemporaryDirectory() as folder:
        predicted = _predicted(model, sets, diameters, Path(folder))

        def quality(trial: Postprocessing) -> float:
            return mean_f1_of_sets([_scores(of_set, model.card, trial) for of_set in predicted])

        return search_with_progress(volume_candidates(model.card), model.card.postprocessing, quality)


def _scores(predicted: Sequence[PredictedVolume], card: ModelCard, settings: Postprocessing) -> list[ImageScores]:
    trial = replace(card, postprocessing=settings)
    scores = []
    for each in predicted:
        stop_if_requested()
        options = Options(z_step_px=each.z_step_px)
        labels = decode_volume(each.probabilities, None, each.usable, trial, options, each.scale)
        scores.append(score_image(each.truth, labels))
    return scores


def _predicted(
    model: Model, sets: Sequence[Sequence[LabeledVolume]], diameters: Sequence[float | None], folder: Path
) -> list[list[PredictedVolume]]:
    """Predict all volumes, and say how far this is; the probabilities go to files of `folder`."""
    progress, done = Progress("looking at volumes: volume", sum(map(len, sets))), 0
    predicted: list[list[PredictedVolume]] = []
    for of_set, diameter_px in zip(sets, diameters, strict=True):
        predicted.append([])
        for row in of_set:
            stop_if_requested()
            image, truth = read_truth(row)
            found = segment_volume(image, model, Options(diameter_px=diameter_px, z_step_px=row.z_step_px))
            path = folder / f"{done}.npy"
            np.save(path, found.probabilities)
            kept = np.load(path, mmap_mode="r")
            predicted[-1].append(PredictedVolume(kept, truth, found.usable, found.scale, row.z_step_px))
            done += 1
            progress.show(done, row.id)
    progress.end()
    return predicted
