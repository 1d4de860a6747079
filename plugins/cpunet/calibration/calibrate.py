"""Calibrate a model on labeled images, and measure on images that were held out what it gains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.calibration.search import search
from cpunet.calibration.settings import Settings, candidates, settings_of
from cpunet.calibration.trials import Trials
from cpunet.errors import DataError, ModelError
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.card import VOLUMES
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.scores import MEAN_F1_THRESHOLDS, ImageScores, SetScores, pool_scores

MOST_FOLDS = 5
# The parts are drawn so often, with replacement, to see how much the gain depends on them; Efron, Ann Stat 7, 1 (1979),
# doi:10.1214/aos/1176344552.
DRAWS = 2000
INTERVAL = (5, 95)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Calibration:
    """Settings that were chosen, and what such a choice gains on images that it did not see.

    Attributes
    ----------
    own, chosen : Settings
        The model's own, and those chosen on all images.
    of_folds : tuple of Settings
        Those chosen each time that some images, or crops, were held out.
    before, after : SetScores
        Of what was held out, with the model's own settings and with those of its fold.
    gain_low, gain_high : float
        In 90 of 100 draws of the parts, with replacement, the gain of the mean F1 lies between them.
    images : int
        On which the model was calibrated.
    """

    own: Settings
    chosen: Settings
    of_folds: Tuple[Settings, ...]
    before: SetScores
    after: SetScores
    gain_low: float
    gain_high: float
    images: int

    @property
    def parts(self) -> int:
        """Return how many images, or crops of one or two images, were held out in turn."""
        return self.before.images

    @property
    def gain(self) -> float:
        """Return by how much the mean F1 of what was held out has risen."""
        return self.after.mean_f1 - self.before.mean_f1

    @property
    def is_better(self) -> bool:
        """Whether settings were changed, and gain more than chance on what was held out."""
        return self.chosen != self.own and self.gain > 0 and self.gain_low > 0


def calibrate(
    model: Model,
    images: Sequence[LabeledImage],
    options: Optional[Options] = None,
    on_progress: Optional[Progress] = None,
) -> Calibration:
    """Choose settings on labeled images, and cross-validate the choice.

    Parameters
    ----------
    model : Model
    images : sequence of LabeledImage
        Of one or two, the quarters are held out in turn instead of the images.
    options : Options, optional
        What is not calibrated, such as the diameter.
    on_progress : callable, optional
        Called with the searches done, their number, and a word on the present one.

    Raises
    ------
    ModelError
        If the model sees volumes.
    DataError
        If there is no labeled object.

    Notes
    -----
    1. The parts are dealt into up to five folds.
    2. For each fold, settings are searched on all other parts, and the fold is scored with them.
    3. The scores of all folds are pooled, with the model's own settings and with those of the folds. Their difference
       is the gain; see `interval_of_gain`.
    4. The settings that are chosen come from a search on all parts.
    """
    if model.card.input.dimensions == VOLUMES:
        raise ModelError(
            f"The model {model.card.name} sees volumes (3-D), and settings are calibrated on labeled images. Those of "
            "a model of volumes are tuned on labeled volumes by `cpunet export WEIGHTS -o FILE.onnx --data FOLDER`, or "
            "set one by one with `cpunet card edit`."
        )
    objects = sum(int(image.labels.max(initial=0)) for image in images)
    if not objects:
        raise DataError(
            f"There is no labeled object in {len(images)} images, and so nothing to calibrate on. Label at least one "
            "image; three with some 50 objects in all are better."
        )
    trials = Trials(model, images, options or Options())
    own, tried = settings_of(model.card), candidates(model.card)
    everything = list(range(len(trials.parts)))
    folds = [everything[first::MOST_FOLDS] for first in range(min(MOST_FOLDS, len(everything)))]
    found: List[Settings] = []
    for held_out in ([], *folds):
        chosen = [place for place in everything if place not in held_out]

        def mean_f1(settings: Settings, chosen: Sequence[int] = chosen) -> float:
            if on_progress is not None:
                on_progress(len(found), 1 + len(folds), f"searches, {trials.tried()} settings tried")
            return pool_scores(trials.scores(settings, chosen)).mean_f1

        counted = sum(score.truth_count for score in trials.scores(own, chosen))
        found.append(search(mean_f1, own, tried, counted))
    chosen_on_all, of_folds = found[0], tuple(found[1:])
    before, after = [], []
    for held_out, settings in zip(folds, of_folds):
        before += trials.scores(own, held_out)
        after += trials.scores(settings, held_out)
    low, high = interval_of_gain(before, after)
    return Calibration(own, chosen_on_all, of_folds, pool_scores(before), pool_scores(after), low, high, len(images))


def interval_of_gain(before: Sequence[ImageScores], after: Sequence[ImageScores]) -> Tuple[float, float]:
    """Return between which values the gain of the mean F1 lies in 90 of 100 draws of the images, with replacement."""
    drawn = np.random.default_rng(0).integers(len(before), size=(DRAWS, len(before)))
    gains = _mean_f1_of_draws(after, drawn) - _mean_f1_of_draws(before, drawn)
    low, high = np.percentile(gains, INTERVAL)
    return float(low), float(high)


def _mean_f1_of_draws(scores: Sequence[ImageScores], drawn: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean F1 of the pooled images of each draw; 1 where there is nothing to find and nothing found."""
    tp = np.array([score.tp[: len(MEAN_F1_THRESHOLDS)] for score in scores]).mean(axis=1)
    counts = np.array([score.truth_count + score.prediction_count for score in scores])
    total = counts[drawn].sum(axis=1)
    mean_f1: npt.NDArray[np.float64] = np.where(total, 2 * tp[drawn].sum(axis=1) / np.maximum(total, 1), 1.0)
    return mean_f1
