"""Score a model on labelled images, by the path that the module runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from cpunet.matching import ImageScores, score_image
from cpunet.model_card import InputCard, ModelCard, OutputCard, Postprocessing
from cpunet.segment import Model, segment_image
from cpunet.training.config import TrainingConfig
from cpunet.training.data import IndexRow, read_labelled_image
from cpunet.training.targets import ROLES
from cpunet.training.unet import Probabilities, UNet

# Before a model is exported nobody has measured its halo; images up to a tile's size need none.
HALO_BEFORE_EXPORT = 96


class TorchModel:
    """A network in training, with the face of an exported model.

    Parameters
    ----------
    network : UNet
    card : ModelCard
    """

    def __init__(self, network: UNet, card: ModelCard) -> None:
        self.network = Probabilities(network)
        self.card = card

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (N, C, Y, X) into probabilities (N, roles, Y, X)."""
        device = next(self.network.parameters()).device
        training = self.network.network.training
        self.network.eval()
        with torch.inference_mode():
            result = self.network(torch.from_numpy(batch).to(device)).cpu().numpy()
        self.network.train(training)
        return result


def card_for_training(config: TrainingConfig) -> ModelCard:
    """Return the card of a model that is still in training: its contract, without sizes or scores."""
    diameter_px = 1.0  # unknown, and unused: nothing is rescaled in training
    return ModelCard(
        name=config.name,
        version=config.version,
        description=config.description,
        licence=config.licence,
        authors=config.authors,
        citation=config.citation,
        input=InputCard(
            channels=config.channels,
            divisible_by=config.architecture.divisible_by,
            min_size=config.architecture.divisible_by,
            normalization=config.normalization,
            diameter_px=diameter_px,
            diameter_low_px=diameter_px,
            diameter_high_px=diameter_px,
            modality=config.modality,
        ),
        output=OutputCard(roles=ROLES, halo=HALO_BEFORE_EXPORT),
        postprocessing=Postprocessing(),
    )


def score_images(model: Model, rows: Sequence[IndexRow]) -> list[ImageScores]:
    """Segment labelled images, with the defaults that a user gets, and compare each with its truth.

    Parameters
    ----------
    model : Model
    rows : sequence of IndexRow

    Returns
    -------
    list of ImageScores
        In the order of `rows`.
    """
    scores = []
    for row in rows:
        truth = read_labelled_image(row)
        scores.append(score_image(truth.labels, segment_image(truth.image, model).labels))
    return scores
