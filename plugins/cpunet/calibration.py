"""Find the settings that draw objects as in a few labeled images: the level of outlines, the foreground threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import DataError
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.card import ModelCard
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.scores import ImageScores, SetScores, pool_scores, score_image
from cpunet.segment import segment_image

# The levels that the module's setting takes.
LEVELS = tuple(round(0.2 + 0.05 * step, 2) for step in range(9))
THRESHOLDS = (0.3, 0.4, 0.5, 0.6)
# A setting is changed only if the mean F1 gains more than the standard error of a share of so many objects, at most
# this divided by the root of their number. On 91 objects of aitslab, chance gave 0.024 to a level that lost as much on
# the other images; on 568 of mnfinder, where the habit differs, the right level gained 0.116.
ERROR_OF_ONE = 0.5


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, None where they are the model's own, and the scores of the images with them."""

    foreground_threshold: Optional[float]
    outline_level: Optional[float]
    scores: SetScores


class RememberingModel:
    """A model that answers from memory where it sees the same tiles again, because only what follows is tried."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._seen: Dict[Tuple[Tuple[int, ...], bytes], npt.NDArray[np.float32]] = {}

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._model.card

    def predict(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn (N, C, Y, X) into probabilities (N, roles, Y, X)."""
        key = (batch.shape, batch.tobytes())
        if key not in self._seen:
            self._seen[key] = self._model.predict(batch)
        return self._seen[key].copy()


def calibrate(
    model: Model,
    images: Sequence[LabeledImage],
    options: Optional[Options] = None,
    on_progress: Optional[Callable[[int, int], None]] = None,
) -> List[Trial]:
    """Score all combinations of thresholds and levels of outlines on labeled images.

    Parameters
    ----------
    model : Model
    images : sequence of LabeledImage
    options : Options, optional
        Such as the diameter; its threshold and level are replaced.
    on_progress : callable, optional
        Called with the images done and their number.

    Returns
    -------
    list of Trial
        The first has the model's own settings.

    Raises
    ------
    DataError
        If there is no labeled object.

    Notes
    -----
    The model's own threshold, those of `THRESHOLDS`, and for each of them the model's own outlines and those at the
    `LEVELS` are tried. A model of boundaries alone has no foreground threshold.
    """
    objects = sum(int(image.labels.max(initial=0)) for image in images)
    if not objects:
        raise DataError(
            f"There is no labeled object in {len(images)} images, and so nothing to calibrate on. Label at least one "
            "image; three with some 50 objects in all are better."
        )
    options = options or Options()
    own = model.card.postprocessing.foreground_threshold
    others = [] if set(model.card.output.roles) == {"boundary"} else [value for value in THRESHOLDS if value != own]
    tried = [(threshold, level) for threshold in (None, *others) for level in (None, *LEVELS)]
    scores: List[List[ImageScores]] = [[] for _ in tried]
    for done, image in enumerate(images):
        if on_progress is not None:
            on_progress(done, len(images))
        remembering = RememberingModel(model)
        for (threshold, level), found in zip(tried, scores):
            as_tried = replace(options, foreground_threshold=threshold, outline_level=level)
            found.append(score_image(image.labels, segment_image(image.image, remembering, as_tried).labels))
    return [Trial(threshold, level, pool_scores(found)) for (threshold, level), found in zip(tried, scores)]


def least_gain(objects: int) -> float:
    """Return by how much the mean F1 of so many labeled objects must rise to be more than chance."""
    return float(ERROR_OF_ONE / np.sqrt(objects))


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Choose the settings with the best mean F1, changing as few of the model's own as possible.

    The model's own are left for the best with one other, and these for the best with two, only if each gains more than
    `least_gain` of the labeled objects.
    """

    def changed(trial: Trial) -> int:
        return (trial.foreground_threshold is not None) + (trial.outline_level is not None)

    best, gain = trials[0], least_gain(trials[0].scores.truth_count)
    for count in (1, 2):
        candidates = [trial for trial in trials if changed(trial) == count]
        if candidates:
            candidate = max(candidates, key=lambda trial: trial.scores.mean_f1)
            best = candidate if candidate.scores.mean_f1 > best.scores.mean_f1 + gain else best
    return best
