"""Score labeled images with any settings; the network runs once, and each trial is made once."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, NamedTuple, Sequence, Tuple, cast

import numpy as np
import numpy.typing as npt

from cpunet.calibration.settings import Settings, card_with, with_value
from cpunet.cores import cores_allowed
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.card import ModelCard
from cpunet.model.instances import Instances
from cpunet.model.protocol import InstanceModel, Model
from cpunet.options import Options
from cpunet.scores import ImageScores, score_image
from cpunet.segment import segment_image
from cpunet.steps.outline_shift import shift_outlines

# Crops of one image are the more alike the smaller they are.
FEWEST_IMAGES, CROPS_A_SIDE = 3, 2
# Labels that are kept for each image while outlines are moved by several distances.
LABELS_KEPT = 3
Window = Tuple[slice, slice]


class Part(NamedTuple):
    """What is held out together: an image, or a crop of it.

    Attributes
    ----------
    image : int
        Its place among the images.
    window : tuple of two slices
    """

    image: int
    window: Window


class RememberingModel:
    """A model that answers from memory where it sees the same tiles again, with any card."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.card: ModelCard = model.card
        self._seen: Dict[Tuple[Tuple[int, ...], bytes], npt.NDArray[np.float32]] = {}
        self._found: Dict[Tuple[Tuple[int, ...], bytes], Instances] = {}

    def predict(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn (N, C, Y, X) into probabilities (N, roles, Y, X)."""
        key = (batch.shape, batch.tobytes())
        if key not in self._seen:
            self._seen[key] = self._model.predict(batch)
        return self._seen[key].copy()

    def find_instances(self, image: npt.NDArray[np.float32]) -> Instances:
        """Turn one image (1, C, Y, X) into objects, if the model does."""
        key = (image.shape, image.tobytes())
        if key not in self._found:
            self._found[key] = cast(InstanceModel, self._model).find_instances(image)
        return Instances(*(each.copy() for each in self._found[key]))


def parts_of(images: Sequence[LabeledImage]) -> List[Part]:
    """Return each image as a part or, if there are fewer than three, the four quarters of each."""
    whole = (slice(None), slice(None))
    if len(images) >= FEWEST_IMAGES:
        return [Part(index, whole) for index in range(len(images))]
    return [
        Part(index, (rows, columns))
        for index, image in enumerate(images)
        for rows in _cuts(image.labels.shape[0])
        for columns in _cuts(image.labels.shape[1])
    ]


def _cuts(size: int) -> List[slice]:
    edges = [size * place // CROPS_A_SIDE for place in range(CROPS_A_SIDE + 1)]
    return [slice(start, stop) for start, stop in zip(edges, edges[1:])]


class Trials:
    """The scores of the parts of labeled images, with any settings.

    Parameters
    ----------
    model : Model
    images : sequence of LabeledImage
    options : Options
        What is not calibrated, such as the diameter.

    Attributes
    ----------
    parts : list of Part
    """

    def __init__(self, model: Model, images: Sequence[LabeledImage], options: Options) -> None:
        self.parts = parts_of(images)
        self._images, self._options, self._card = images, options, model.card
        self._models = [RememberingModel(model) for _ in images]
        self._labels: List[OrderedDict[Settings, npt.NDArray[np.int32]]] = [OrderedDict() for _ in images]
        self._scores: Dict[Tuple[int, Settings], ImageScores] = {}

    def scores(self, settings: Settings, chosen: Sequence[int]) -> List[ImageScores]:
        """Return the scores of the chosen parts, given by their places in `parts`."""
        missing = {self.parts[place].image: None for place in chosen if (place, settings) not in self._scores}
        with ThreadPoolExecutor(cores_allowed()) as pool:
            for image, labels in zip(missing, pool.map(lambda image: self._segment(image, settings), missing)):
                for place, part in enumerate(self.parts):
                    if part.image == image:
                        truth = self._images[image].labels[part.window]
                        self._scores[place, settings] = score_image(truth, labels[part.window])
        return [self._scores[place, settings] for place in chosen]

    def tried(self) -> int:
        """Return how many settings were tried."""
        return len({settings for _, settings in self._scores})

    def _segment(self, image: int, settings: Settings) -> npt.NDArray[np.int32]:
        """Segment an image as the runtime does; outlines are moved at last, so the objects before that are kept."""
        kept, before = self._labels[image], with_value(settings, "outline_shift_px", 0.0)
        if before not in kept:
            model = self._models[image]
            model.card = card_with(self._card, before)
            kept[before] = segment_image(self._images[image].image, model, self._options).labels
            if len(kept) > LABELS_KEPT:
                kept.popitem(last=False)
        return shift_outlines(kept[before], settings.postprocessing.outline_shift_px)
