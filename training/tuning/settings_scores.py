"""Score settings of the decoding on images that a model has seen already, on all cores."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from cpunet.cores import cores_allowed
from cpunet.model.card import Postprocessing
from cpunet.scores import ImageScores, score_image
from cpunet.steps.declump import declump
from cpunet.steps.decode import postprocessing_at_scale


@dataclass(frozen=True)
class Predicted:
    """A validation image as a model sees it.

    Attributes
    ----------
    probabilities : ndarray of shape (C, Y, X), float32
    truth : ndarray of shape (Y, X), int32
    scale : float
        By how much the image was enlarged for the network.
    image : ndarray of shape (channels, Y, X), float32, or None
        The prepared image, for models whose probabilities alone do not tell objects.
    """

    probabilities: NDArray[np.float32]
    truth: NDArray[np.int32]
    scale: float
    image: NDArray[np.float32] | None = None


def labels_with(predicted: Predicted, roles: Sequence[str], settings: Postprocessing) -> NDArray[np.int32]:
    """Find objects with the settings: labels (Y, X), 1..n without gaps."""
    at_scale = postprocessing_at_scale(settings, predicted.scale)
    return declump(predicted.probabilities, roles, at_scale, image=predicted.image)


def score_settings(predicted: Predicted, roles: Sequence[str], settings: Postprocessing) -> ImageScores:
    """Find objects with the settings, and compare them with the truth."""
    return score_image(predicted.truth, labels_with(predicted, roles, settings))


class SettingsScorer:
    """Scores settings on images of several sets, each settings once; use it as a context, which ends its processes.

    Parameters
    ----------
    predicted : sequence of sequence of Predicted
        By data set.
    roles : sequence of str
        Of the model's output channels.
    cores : int, optional
        Processes to share the images among; by default all cores that may be used. 1 starts none.
    """

    def __init__(
        self, predicted: Sequence[Sequence[Predicted]], roles: Sequence[str], cores: int | None = None
    ) -> None:
        self._sizes = [len(images) for images in predicted]
        self._images = [image for images in predicted for image in images]
        self._roles = tuple(roles)
        self._known: dict[Postprocessing, list[list[ImageScores]]] = {}
        processes = min(cores or cores_allowed(), len(self._images))
        # Forked processes share the images with this one instead of copying them; Windows has none.
        method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
        self._pool = (
            ProcessPoolExecutor(processes, multiprocessing.get_context(method), _remember, (self._images, self._roles))
            if processes > 1
            else None
        )

    def __enter__(self) -> SettingsScorer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, settings: Postprocessing) -> list[list[ImageScores]]:
        """Return the scores of all images, by data set."""
        if settings not in self._known:
            if self._pool is None:
                scores = [score_settings(image, self._roles, settings) for image in self._images]
            else:
                numbers = range(len(self._images))
                scores = list(self._pool.map(_score, numbers, [settings] * len(self._images)))
            ends = np.cumsum(self._sizes)
            self._known[settings] = [
                scores[end - size : end] for end, size in zip(ends.tolist(), self._sizes, strict=True)
            ]
        return self._known[settings]


_remembered: tuple[list[Predicted], tuple[str, ...]] = ([], ())


def _remember(images: list[Predicted], roles: tuple[str, ...]) -> None:
    """Keep the images in a process that scores."""
    global _remembered
    _remembered = (images, roles)


def _score(number: int, settings: Postprocessing) -> ImageScores:
    images, roles = _remembered
    return score_settings(images[number], roles, settings)
